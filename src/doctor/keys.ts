/** Whether keys can be read, and the private one opens what the public one closes. */
import { isSealdropError } from '../errors.js';
import type { Decryptor, Encryptor } from '../ports.js';
import { broken, note, ok, type Found } from './finding.js';

export interface Keys {
  /** Undefined where no key is named. */
  readonly openEncryptor: (() => Promise<Encryptor>) | undefined;
  readonly openDecryptor: (() => Promise<Decryptor>) | undefined;
}

export async function checkKeyFiles({ openEncryptor, openDecryptor }: Keys): Promise<Found[]> {
  const found: Found[] = [];
  const opened = async <T>(open: (() => Promise<T>) | undefined, what: string): Promise<T | undefined> => {
    if (open === undefined) found.push(note(`no ${what} key is named`));
    return open?.().catch((error: unknown) => {
      if (!isSealdropError(error) || error.code === 'interrupted') throw error;
      if (error.code === 'key_required') {
        found.push(note(`no ${what} key is named`));
        return undefined;
      }
      found.push(broken(error.message, error.hint));
      return undefined;
    });
  };
  const encryptor = await opened(openEncryptor, 'public');
  for (const { namespace, name, fingerprint } of encryptor?.recipients ?? [])
    found.push(ok(`encrypts to ${namespace}/${name}, ${fingerprint}`));
  const decryptor = await opened(openDecryptor, 'private');
  if (decryptor === undefined) return found;
  found.push(ok('the private key can be read'));
  if (encryptor !== undefined) found.push(await fit(encryptor, decryptor));
  return found;
}

async function fit(encryptor: Encryptor, decryptor: Decryptor): Promise<Found> {
  const message = encryptor.encrypt(one(Buffer.from('fit')), {});
  try {
    for await (const piece of decryptor.decrypt(message)) void piece;
    return ok('the private key opens what the public key encrypts');
  } catch (error) {
    if (!isSealdropError(error)) throw error;
    return broken('the private key does not open what the public key encrypts', 'they are not of one pair');
  }
}

async function* one(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
