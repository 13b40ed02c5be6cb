import { isIntegrityError, isSealdropError } from '../../errors.js';
import type { Decryptor, Encryptor } from '../../ports.js';

/** The decryptor, if it opens what the encryptor makes: tried with a message of nothing, which is kept nowhere. */
export async function openerOf(encryptor: Encryptor, decryptor: Decryptor): Promise<Decryptor | undefined> {
  try {
    const message = encryptor.encrypt(nothing(), {});
    for await (const _piece of decryptor.decrypt(message)) continue;
    return decryptor;
  } catch (error) {
    const cannot = isIntegrityError(error) || (isSealdropError(error) && error.code === 'access_denied');
    if (cannot) return undefined;
    throw error;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
