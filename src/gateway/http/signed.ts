/** Values that only this process could have written, in a URL, until they expire. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { SealdropError } from '../../errors.js';

/** What a value allows: one kind is never taken for another. */
export type Purpose = 'ciphertext' | 'form';

export class Signer {
  /** Not kept: after a restart what was signed before is worth nothing. */
  readonly #key = randomBytes(32);

  /** Letters, digits, `-`, `_` and one dot. */
  sign(purpose: Purpose, value: object, expires: Date): string {
    const payload = Buffer.from(JSON.stringify({ value, expires: expires.getTime() })).toString('base64url');
    return `${payload}.${this.#mac(purpose, payload).toString('base64url')}`;
  }

  /** @throws SealdropError `forbidden` */
  open<T>(purpose: Purpose, token: string): T {
    const [payload = '', mac = '', ...more] = token.split('.');
    const wanted = this.#mac(purpose, payload);
    const found = Buffer.from(mac, 'base64url');
    if (more.length > 0 || found.length !== wanted.length || !timingSafeEqual(found, wanted)) throw refused();
    const { value, expires } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Signed<T>;
    if (Date.now() >= expires) throw refused();
    return value;
  }

  #mac(purpose: Purpose, payload: string): Buffer {
    return createHmac('sha256', this.#key).update(`${purpose} ${payload}`).digest();
  }
}

interface Signed<T> {
  readonly value: T;
  readonly expires: number;
}

function refused(): SealdropError {
  return new SealdropError('forbidden', 'this URL is not valid, or not any more', {
    hint: 'ask the API for a new one',
  });
}
