/** OpenSSL's queue of errors is one for all code of a thread: what something else has left there must not become ours. */
import { generateKeyPairSync, scryptSync } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { collect, chunked, pattern } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor } from '../helpers/keys.js';

function leaveError(): void {
  expect(() => scryptSync('a', 'b', 32, { N: 2 ** 20, maxmem: 1024 })).toThrow();
}

test('left before keys are used first, and again', async () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const plaintext = pattern(100_000);
  const [encryptor, decryptor] = [encryptorFor(pair), decryptorFor(pair)];
  for (let i = 0; i < 2; i++) {
    leaveError();
    const message = await collect(encryptor.encrypt(chunked(plaintext, 30_000), {}));
    leaveError();
    expect((await collect(decryptor.decrypt(chunked(message, 30_000)))).equals(plaintext)).toBe(true);
  }
});
