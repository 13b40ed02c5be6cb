import { isIntegrityError, isSealdropError } from '../../errors.js';
import type { Decryptor, Encryptor } from '../../ports.js';

type Pairs = Readonly<Record<string, string>>;

/** Finds out whether a decryptor opens what is made. */
export class Rehearsal {
  readonly #decryptor: Decryptor;
  readonly #opening = new Set<Encryptor>();

  constructor(decryptor: Decryptor) {
    this.#decryptor = decryptor;
  }

  /**
   * The decryptor, if it opens what the encryptor makes. That it doesn't is asked again for the next object: a key of KMS
   * may be allowed for some contexts alone.
   * @param context of the message that will be made
   */
  async openerOf(encryptor: Encryptor, context: Pairs): Promise<Decryptor | undefined> {
    if (!this.#opening.has(encryptor)) {
      if (!(await opens(encryptor, this.#decryptor, context))) return undefined;
      this.#opening.add(encryptor);
    }
    return this.#decryptor;
  }
}

/** Tried with a message of nothing, which is kept nowhere. */
async function opens(encryptor: Encryptor, decryptor: Decryptor, context: Pairs): Promise<boolean> {
  try {
    const message = encryptor.encrypt(nothing(), context);
    for await (const _piece of decryptor.decrypt(message)) continue;
    return true;
  } catch (error) {
    const cannot = isIntegrityError(error) || (isSealdropError(error) && error.code === 'access_denied');
    if (cannot) return false;
    throw error;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
