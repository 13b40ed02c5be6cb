/** Key files that somebody damaged: they open or are refused, and what is said shows nothing of a key. */
import { describe, test } from '@jest/globals';
import fc from 'fast-check';
import { isSealdropError } from '../../src/errors.js';
import { readPublicKeySet } from '../../src/keys/key-set.js';
import { readPrivateKeySet } from '../../src/keys/private-key-set.js';
import { keyProblem } from '../../src/vault-key.js';
import { printable } from '../../src/printable.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';

const pair = rsaPair();
const privateKey = privatePem(pair);
const publicKey = publicPem(pair);
const set = JSON.stringify({ version: 1, keys: [{ namespace: 'ns', name: 'n', publicKey, privateKey }] });

/** Throws unless the reader takes the bytes or refuses them properly. */
function readsOrRefuses(read: () => unknown, bytes: Buffer): void {
  try {
    read();
  } catch (error) {
    if (!isSealdropError(error) || error.code === 'internal') throw error;
    const said = `${error.message}\n${error.hint ?? ''}\n${String(error.cause)}`;
    if (/[\r\n]/.test(error.message)) throw new Error(`more than one line: ${error.message}`);
    const body = bytes.toString('latin1').replace(/-----[A-Z ]+-----|\\n/g, ' ');
    const leaked = (body.match(/[\w+/=]{16,}/g) ?? [])
      .flatMap((run) => run.match(/.{16}/g) ?? [])
      .find((part) => said.includes(part));
    if (leaked !== undefined) throw new Error(`the message shows part of the file: ${leaked}`);
  }
}

const files = [privateKey, publicKey, set].map((text) => Buffer.from(text));
files.push(
  pair.privateKey.export({ type: 'pkcs8', format: 'der' }),
  pair.publicKey.export({ type: 'spki', format: 'der' }),
);

describe('a damaged key file', () => {
  const change = fc.record({
    file: fc.constantFrom(...files),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(40),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 5 }),
      fc.constantFrom('"', '{', '}', '\n', '-----', '\\u0000', 'null').map((t) => Buffer.from(t)),
    ),
  });

  test('of any kind opens or is refused with a code, in one line, with no byte of the key', () => {
    fc.assert(
      fc.property(change, ({ file, at, length, put }) => {
        const from = Math.floor(at * file.length);
        const bytes = Buffer.concat([file.subarray(0, from), put, file.subarray(from + length)]);
        readsOrRefuses(() => readPublicKeySet(bytes, 'FILE'), bytes);
        readsOrRefuses(() => readPrivateKeySet(bytes, 'FILE'), bytes);
      }),
      { numRuns: 300 },
    );
  });

  test('that is any JSON at all is refused with a code', () => {
    const value = fc.oneof(fc.jsonValue(), fc.record({ version: fc.constant(1), keys: fc.jsonValue() }));
    fc.assert(
      fc.property(value, (document) => {
        const bytes = Buffer.from(JSON.stringify(document));
        readsOrRefuses(() => readPublicKeySet(bytes, 'FILE'), Buffer.alloc(0));
        readsOrRefuses(() => readPrivateKeySet(bytes, 'FILE'), Buffer.alloc(0));
      }),
      { numRuns: 300 },
    );
  });
});

describe('any text', () => {
  const any = fc.string({ unit: 'binary', maxLength: 40 });

  test('that can be a vault key has neither empty nor dotted segments, and any other is refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          any,
          fc.array(fc.constantFrom('a', '.', '..', '', '鍵')).map((s) => s.join('/')),
        ),
        (key) => {
          const odd =
            key === '' || key.includes('\0') || key.split('/').some((s) => ['', '.', '..'].includes(s));
          if (odd !== (keyProblem(key) !== undefined))
            throw new Error(`${JSON.stringify(key)}: ${keyProblem(key)}`);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('as it is shown has no control character, and what is shown is shown the same again', () => {
    fc.assert(
      fc.property(any, (name) => {
        const shown = printable(name);
        if (/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/.test(shown)) throw new Error(JSON.stringify(shown));
        if (printable(shown) !== shown) throw new Error(JSON.stringify(shown));
      }),
      { numRuns: 500 },
    );
  });
});
