/**
 * The local server's own inbox: forms that it signs and takes itself, straight through encryption into the vault. The
 * permission is in the URL, so that no body is read for whoever has none.
 */
import { isSealdropError, SealdropError } from '../../errors.js';
import type { ByteSource, Encryptor, ObjectStore } from '../../ports.js';
import { put } from '../../transfer/put.js';
import { streamSource } from '../../transfer/source.js';
import { NOT_KEPT, type ApiRequest, type ApiResponse } from '../api/http.js';
import type { Arrived, FormRequest, UploadForm, UploadInbox } from '../api/uploads.js';
import { fileOfForm } from './multipart.js';
import type { Signer } from './signed.js';
import type { Turns } from './turns.js';

export const FORM_PATH = '/v1/forms/';
/** Failures that are remembered, the oldest forgotten first. */
const MAX_REMEMBERED = 1_000;

type Permission = Pick<FormRequest, 'owner' | 'key' | 'minBytes' | 'maxBytes'>;

export interface FormsOptions {
  readonly signer: Signer;
  readonly turns: Turns;
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly encryptor: Encryptor;
}

export class Forms implements UploadInbox {
  readonly prefix = '';
  readonly suffix = '';
  readonly #options: FormsOptions;
  /** Of keys below the vault's prefix: what is coming in, or why it failed. */
  readonly #states = new Map<string, Arrived>();

  constructor(options: FormsOptions) {
    this.#options = options;
  }

  vaultKey(key: string, vaultPrefix: string): string {
    return vaultPrefix + key;
  }

  async form({ owner, key, minBytes, maxBytes, expires, base }: FormRequest): Promise<UploadForm> {
    const permission: Permission = { owner, key, minBytes, maxBytes };
    return {
      url: `${base}${FORM_PATH}${this.#options.signer.sign('form', permission, expires)}`,
      fields: {},
    };
  }

  async find(prefix: string): Promise<Arrived | undefined> {
    return [...this.#states.values()].find(({ key }) => key.startsWith(prefix));
  }

  /** A POST of multipart/form-data. @throws SealdropError */
  async receive(request: ApiRequest): Promise<ApiResponse> {
    const { signer, turns } = this.#options;
    const permission = signer.open<Permission>('form', request.path!.slice(FORM_PATH.length));
    const { owner, key } = permission;
    return turns.take(owner, async () => {
      this.#remember({ key });
      try {
        await this.#store(permission, request);
        // From here on the vault tells.
        this.#states.delete(key);
        return { status: 204, headers: NOT_KEPT };
      } catch (error) {
        this.#remember({ key, status: `failed:${isSealdropError(error) ? error.code : 'internal'}` });
        throw error;
      }
    });
  }

  async #store(
    { key, minBytes, maxBytes }: Permission,
    { headers, body, signal }: ApiRequest,
  ): Promise<void> {
    const { store, prefix, encryptor } = this.#options;
    const file = fileOfForm(headers['content-type'], body.read());
    const source = streamSource(within(file, minBytes, maxBytes));
    await put({ source, store, key: prefix + key, encryptor, signal, lookForUnfinished: false });
  }

  #remember(state: Arrived): void {
    this.#states.delete(state.key);
    this.#states.set(state.key, state);
    const [oldest] = this.#states.keys();
    if (this.#states.size > MAX_REMEMBERED && oldest !== undefined) this.#states.delete(oldest);
  }
}

async function* within(file: ByteSource, minBytes: number, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of file) {
    size += piece.length;
    if (size > maxBytes) throw new SealdropError('too_large', `the file has more than ${maxBytes} bytes`);
    yield piece;
  }
  if (size < minBytes)
    throw new SealdropError('invalid_request', `the file has fewer than ${minBytes} bytes`);
}
