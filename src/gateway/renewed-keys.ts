/** The keys of a gateway that runs on: read again from time to time, so that a set can be rotated beneath it. */
import { isSealdropError } from '../errors.js';
import type { Encryptor, PublicKeyInfo } from '../ports.js';

export interface GatewayKeys {
  readonly encryptor: Encryptor;
  /** What of them may be published. */
  readonly publicKeys: readonly PublicKeyInfo[];
}

export interface RenewedKeysOptions {
  /** Reads them anew. */
  read: () => Promise<GatewayKeys>;
  /** Told after other keys came. */
  changed: (keys: GatewayKeys) => void;
  /** Told where they could not be read, and those from before stay in use; once until it works again. */
  failed: (error: unknown) => void;
}

export class RenewedKeys {
  readonly #options: RenewedKeysOptions;
  #held: GatewayKeys;
  #failing = false;

  private constructor(options: RenewedKeysOptions, first: GatewayKeys) {
    this.#options = options;
    this.#held = first;
  }

  /** @throws what reading them for the first time fails with */
  static async open(options: RenewedKeysOptions): Promise<RenewedKeys> {
    return new RenewedKeys(options, await options.read());
  }

  get publicKeys(): readonly PublicKeyInfo[] {
    return this.#held.publicKeys;
  }

  /** Encrypts to the keys of the moment. */
  get encryptor(): Encryptor {
    const now = () => this.#held.encryptor;
    return {
      get format() {
        return now().format;
      },
      get recipients() {
        return now().recipients;
      },
      pinned: now,
      get begin() {
        return now().begin;
      },
      encrypt: (source, context, options) => now().encrypt(source, context, options),
      ciphertextSize: (size, context) => now().ciphertextSize(size, context),
    };
  }

  /** Never rejects: what is being written just now is read the next time. */
  async renew(): Promise<void> {
    try {
      const keys = await this.#options.read();
      const before = idOf(this.#held);
      this.#held = keys;
      this.#failing = false;
      if (idOf(keys) !== before) this.#options.changed(keys);
    } catch (error) {
      if (isSealdropError(error) && error.code === 'interrupted') return;
      if (!this.#failing) this.#options.failed(error);
      this.#failing = true;
    }
  }

  /** @returns ends it */
  every(seconds: number): () => void {
    const timer = setInterval(() => {
      this.renew().catch(() => undefined);
    }, seconds * 1000);
    timer.unref();
    return () => clearInterval(timer);
  }
}

const idOf = ({ encryptor }: GatewayKeys): string => JSON.stringify(encryptor.recipients);
