/** What holds for any part of any message, whatever somebody did to it. A failure prints its seed. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allSuites } from '../../src/envelope/esdk/suites.js';
import { isIntegrityError, isSealdropError } from '../../src/errors.js';
import type { PlaintextRange } from '../../src/ports.js';
import { chunked, collect } from '../helpers/bytes.js';
import { encryptorFor, rsaPair } from '../helpers/keys.js';
import { oracleEncrypt } from '../helpers/oracle.js';
import { part, partOrError, rangesFor, served } from '../helpers/stored.js';

const pair = rsaPair();
const ranges = rangesFor(pair, { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' });
const unsigned = allSuites().filter(({ signature }) => signature === undefined);

const range: fc.Arbitrary<PlaintextRange> = fc.oneof(
  fc.record({ first: fc.nat(700), last: fc.nat(700) }),
  fc.record({ first: fc.nat(700) }),
  fc.record({ suffix: fc.nat(700) }),
);
const serving = fc.record({
  ahead: fc.integer({ min: 0, max: 2000 }),
  chunk: fc.integer({ min: 1, max: 99 }),
});

/** Undefined where there is none. */
function slice(plaintext: Buffer, asked: PlaintextRange): Buffer | undefined {
  const { length } = plaintext;
  const first = 'suffix' in asked ? Math.max(0, length - asked.suffix) : asked.first;
  const last = 'suffix' in asked ? length - 1 : Math.min(asked.last ?? length - 1, length - 1);
  return first <= last ? plaintext.subarray(first, last + 1) : undefined;
}

test('any part of any message is the slice of the whole', async () => {
  const message = fc.record({
    plaintext: fc.uint8Array({ maxLength: 600, size: 'max' }).map((bytes) => Buffer.from(bytes)),
    frameLength: fc.integer({ min: 1, max: 200 }),
    suite: fc.constantFrom(...unsigned),
    ours: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(message, fc.array(range, { maxLength: 5 }), serving, async (m, parts, how) => {
      const { id, committing } = m.suite;
      const policy = committing ? undefined : 'FORBID_ENCRYPT_ALLOW_DECRYPT';
      const encryptor = encryptorFor(pair, {
        suite: id,
        frameLength: m.frameLength,
        commitmentPolicy: policy,
      });
      const sealed = m.ours
        ? await collect(encryptor.encrypt(chunked(m.plaintext, 77), {}))
        : await oracleEncrypt(pair, m.plaintext, { suiteId: id, frameLength: m.frameLength });
      const opened = await ranges.open(served(sealed, how));
      expect(opened.plaintextSize).toBe(m.plaintext.length);
      for (const asked of parts) {
        const wanted = slice(m.plaintext, asked);
        if (wanted === undefined) await expect(opened.range(asked)).rejects.toMatchObject({ code: 'usage' });
        else expect((await part(opened, asked)).equals(wanted)).toBe(true);
      }
    }),
    { numRuns: 100 },
  );
});

test('of a message that somebody changed, no part has a byte that is not its own', async () => {
  const plaintext = Buffer.from(Array.from({ length: 200 }, (_, i) => i));
  const encryptor = encryptorFor(pair, { frameLength: 24 });
  const [sealed, other] = await Promise.all(
    [1, 2].map(() => collect(encryptor.encrypt(chunked(plaintext, 50), { a: 'b' }))),
  );
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const change = fc.record({
    kind: fc.constantFrom('flip', 'cut', 'drop', 'copy', 'frames', 'other'),
    at: place,
    to: place,
    length: fc.nat(120),
    bit: fc.nat(7),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 3 }),
      range,
      serving,
      async (changes, asked, how) => {
        const { info } = await ranges.open(served(sealed!));
        const begin = info.headerLength;
        let bytes = sealed!;
        for (const { kind, at: where, to: there, length, bit } of changes) {
          const at = Math.floor(where * bytes.length);
          const to = Math.floor(there * bytes.length);
          if (kind === 'flip') {
            bytes = Buffer.from(bytes);
            if (bytes.length > 0) bytes[at < bytes.length ? at : 0]! ^= 1 << bit;
          }
          if (kind === 'cut') bytes = bytes.subarray(0, at);
          if (kind === 'drop') bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
          if (kind === 'copy')
            bytes = Buffer.concat([
              bytes.subarray(0, at),
              bytes.subarray(to, to + length),
              bytes.subarray(at),
            ]);
          // Whole frames, of this message or another, in the place of others, or none of them at the end.
          const frame = (n: number) => begin + (n % 9) * 56;
          if (kind === 'frames' || kind === 'other') {
            const from = kind === 'frames' ? bytes : other!;
            const moved = Buffer.from(from.subarray(frame(length), frame(length) + 56));
            const number = 1 + (Math.floor(where * 9) % 9);
            if (moved.length >= 4 && bit > 3) moved.writeUInt32BE(number, 0);
            bytes = Buffer.concat([
              bytes.subarray(0, frame(number - 1)),
              moved,
              bytes.subarray(frame(number)),
            ]);
          }
        }
        const { released, error } = await partOrError(() => ranges.open(served(bytes, how)), asked);
        const wanted = slice(plaintext, asked) ?? Buffer.alloc(0);
        if (!released.equals(wanted.subarray(0, released.length)))
          throw new Error('released what was never written there');
        if (error === undefined) expect(released.length).toBe(wanted.length);
        else if (!isIntegrityError(error) && !(isSealdropError(error) && error.code === 'usage'))
          throw new Error('failed without a code for it', { cause: error });
        // Told as behind the end is only what is behind the end.
        else if (!isIntegrityError(error)) expect(slice(plaintext, asked)).toBeUndefined();
      },
    ),
    { numRuns: 1500 },
  );
});
