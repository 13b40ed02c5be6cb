/** What holds for any plaintext, any way of cutting its bytes up, any part of it and any change. A failure prints its seed. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import { openS3ecRangeUnverified } from '../../src/envelope/s3ec/range.js';
import { isIntegrityError } from '../../src/errors.js';
import { chunkedBy, collect, drain } from '../helpers/bytes.js';
import { encryptorOf, partsOf, readingAll, softwareKeys } from '../helpers/s3ec-keys.js';

const keys = softwareKeys();
const decryptor = createS3ecDecryptor(readingAll(keys));

const sizes = fc
  .array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 5 })
  .map((list) => [...list, 7]);
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const context = fc.dictionary(text, text, { maxKeys: 4 });
const object = fc.record({
  version: fc.constantFrom(2 as const, 3 as const),
  instructionFile: fc.boolean(),
  plaintext: fc.uint8Array({ maxLength: 600, size: 'max' }).map((bytes) => Buffer.from(bytes)),
  sizes,
  context,
  told: fc.boolean(),
});
type Drawn = typeof object extends fc.Arbitrary<infer T> ? T : never;

async function write({ version, instructionFile, plaintext, sizes: cut, context: pairs, told }: Drawn) {
  const encryptor = encryptorOf(keys.wrapping, version, instructionFile);
  const begun = await encryptor.begin!(pairs, told ? plaintext.length : undefined);
  return { begun, body: await collect(begun.encrypt(chunkedBy(plaintext, cut))) };
}

test('any object comes back, with its description', async () => {
  await fc.assert(
    fc.asyncProperty(object, fc.boolean(), async (drawn, held) => {
      const { begun, body } = await write(drawn);
      expect(body.length).toBe(drawn.plaintext.length + 16);
      let description: unknown;
      const opened = decryptor.decrypt(chunkedBy(body, drawn.sizes), {
        parts: partsOf(begun, body.length),
        held,
        accept: (info) => void (description = info.description),
      });
      expect(await drain(opened)).toEqual({ released: drawn.plaintext });
      expect(Object.entries(description as object).sort()).toEqual(Object.entries(drawn.context).sort());
    }),
    { numRuns: 150 },
  );
});

test('any part of it is the same part of the plaintext', async () => {
  const pair = fc.tuple(fc.nat(650), fc.option(fc.nat(650), { nil: undefined }));
  const range = fc.oneof(
    pair.map(([first, last]) => ({ first, last })),
    fc.integer({ min: 1, max: 700 }).map((suffix) => ({ suffix })),
  );
  await fc.assert(
    fc.asyncProperty(object, range, async (drawn, asked) => {
      const { begun, body } = await write(drawn);
      const expected =
        'suffix' in asked
          ? drawn.plaintext.subarray(-asked.suffix)
          : drawn.plaintext.subarray(asked.first, (asked.last ?? Infinity) + 1);
      const opened = openS3ecRangeUnverified(partsOf(begun, body.length), asked, readingAll(keys));
      if (expected.length === 0) {
        await expect(opened).rejects.toMatchObject({ code: 'usage' });
        return;
      }
      const part = await opened;
      expect(part.fetch.first % 16).toBe(0);
      expect(part.fetch.last).toBeLessThan(drawn.plaintext.length);
      const fetched = body.subarray(part.fetch.first, part.fetch.last + 1);
      expect((await collect(part.decryptUnverified(chunkedBy(fetched, drawn.sizes)))).equals(expected)).toBe(
        true,
      );
    }),
    { numRuns: 300 },
  );
});

describe('a body that somebody changed', () => {
  const change = fc.record({
    kind: fc.constantFrom('set', 'insert', 'delete', 'cut', 'copy'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    value: fc.nat(255),
    length: fc.nat(60),
  });

  test('opens to nothing, and fails with an integrity code; or it is as it was', async () => {
    await fc.assert(
      fc.asyncProperty(
        object,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (drawn, changes, hidden) => {
          const { begun, body } = await write(drawn);
          let bytes = body;
          for (const { kind, at: where, value, length } of changes) {
            const at = Math.floor(where * bytes.length);
            const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
            const one = Buffer.from([value]);
            if (kind === 'set') bytes = Buffer.concat([before, one, after.subarray(1)]);
            if (kind === 'insert') bytes = Buffer.concat([before, one, after]);
            if (kind === 'delete') bytes = Buffer.concat([before, after.subarray(length)]);
            if (kind === 'cut') bytes = before;
            if (kind === 'copy') bytes = Buffer.concat([before, after.subarray(0, length), after]);
          }
          const parts = partsOf(begun, hidden ? body.length : bytes.length);
          const { released, error } = await drain(
            decryptor.decrypt(chunkedBy(bytes, drawn.sizes), { parts }),
          );
          if (bytes.equals(body))
            expect({ released, error }).toEqual({ released: drawn.plaintext, error: undefined });
          else expect([released.length, isIntegrityError(error)]).toEqual([0, true]);
        },
      ),
      { numRuns: 400 },
    );
  });
});
