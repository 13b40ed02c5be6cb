/** `PUT /v1/objects/{key+}`: encrypts the body into the vault. This file and what it imports cannot decrypt. */
import { SealdropError } from '../../errors.js';
import { pinned, type Encryptor, type ObjectStore } from '../../ports.js';
import { put } from '../../transfer/put.js';
import { streamSource } from '../../transfer/source.js';
import type { Secret } from '../../secret.js';
import { putSource, sourceToken } from '../source-token.js';
import type { Handler } from './api.js';
import { json, type ApiRequest } from './http.js';
import { vaultKeyOf } from './object-key.js';

export interface VaultPlace {
  readonly store: ObjectStore;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
}

export interface PutParts extends VaultPlace {
  readonly encryptor: Encryptor;
  /** Where an inbox may write the same keys: it proves to its gateway that the object came through here, and when. */
  readonly idempotencyKey?: Secret<Buffer> | undefined;
}

export interface PutObjectOptions {
  /** Runs what is given with the vault and its keys; may run it again where the vault refused the credentials. */
  readonly withParts: <T>(use: (parts: PutParts) => Promise<T>) => Promise<T>;
  /** Bytes of plaintext. Default: no limit but the store's. */
  readonly maxBytes?: number;
}

export function putObject({ withParts, maxBytes }: PutObjectOptions): Handler {
  return async ({ request, principal, parameter }) => {
    assertWholeBody(request);
    const { body, signal } = request;
    if (maxBytes !== undefined && (body.size ?? 0) > maxBytes) throw tooLarge(maxBytes);
    const overwrite = readCondition(request.headers);
    return withParts(async ({ store, prefix, encryptor: given, idempotencyKey }) => {
      const encryptor = pinned(given);
      const key = vaultKeyOf(prefix, principal, parameter);
      const fingerprints = encryptor.recipients.map(({ fingerprint }) => fingerprint);
      const from = { ...putSource(key), modified: new Date() };
      const to = { vaultKey: key, recipients: fingerprints };
      const { plaintextSize } = await put({
        ...{ store, key, encryptor, overwrite, signal },
        source: streamSource(body.read(), body.size),
        ...(idempotencyKey && { sourceToken: sourceToken(idempotencyKey, from, to) }),
        // Nobody would be told.
        lookForUnfinished: false,
      });
      return json(201, { key: parameter, size: plaintextSize, fingerprints });
    });
  };
}

/** What would store something else than the object. RFC 9110, 14.5 and 8.4. */
function assertWholeBody({ headers }: ApiRequest): void {
  if (headers['content-range'] !== undefined)
    throw new SealdropError(
      'invalid_request',
      'an object is stored as a whole, content-range cannot be used',
    );
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.trim().toLowerCase() === 'identity') return;
  throw new SealdropError('unsupported_media_type', 'a body with a content-encoding is not taken', {
    hint: 'send the bytes as they shall be stored, without content-encoding',
  });
}

/** False where an object must not be there. */
function readCondition(headers: ApiRequest['headers']): boolean {
  if (headers['if-match'] !== undefined) throw condition('if-match cannot be used');
  const wanted = headers['if-none-match'];
  if (wanted === undefined) return true;
  if (wanted.trim() !== '*') throw condition('if-none-match can only be *');
  return false;
}

function condition(problem: string): SealdropError {
  return new SealdropError('invalid_request', problem, {
    hint: 'send if-none-match: * to leave an object that is there alone',
  });
}

function tooLarge(maxBytes: number): SealdropError {
  return new SealdropError('too_large', `a body has at most ${maxBytes} bytes here`, {
    hint: 'larger objects go by POST /v1/uploads',
  });
}
