/** What holds for any metadata, any instruction file and any description. A failure prints its seed. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { asciiJson, decodeHeaderValue, parsePairs } from '../../src/envelope/s3ec/description.js';
import { infoOf, readHeader } from '../../src/envelope/s3ec/header.js';
import { writeHeader, type HeaderToWrite } from '../../src/envelope/s3ec/write-header.js';
import { isIntegrityError } from '../../src/errors.js';
import { printable } from '../../src/printable.js';
import { beside, SPLIT_V3, V1, V2, V2_KMS, V3, V3_KMS, type Entries } from '../helpers/s3ec-header.js';

const NAMES = [...new Set([V1, V2, V3, V3_KMS].flatMap((entries) => Object.keys(entries)))];
const VALUES = [...new Set([V1, V2, V2_KMS, V3, V3_KMS].flatMap((entries) => Object.values(entries)))];

/** An integrity error in one short line that can be shown, or success. */
async function readsSafely(metadata: Entries, file: unknown): Promise<'read' | 'refused'> {
  try {
    infoOf(await readHeader(beside(metadata, file)));
    return 'read';
  } catch (error) {
    if (!isIntegrityError(error)) throw new Error('failed without an integrity code', { cause: error });
    const { message, hint } = error;
    expect(hint).toBeDefined();
    expect(Buffer.byteLength(message)).toBeLessThan(500);
    expect(printable(message)).toBe(message);
    return 'refused';
  }
}

const anyText = fc.string({ unit: 'binary', maxLength: 300, size: 'max' });
const value = fc.oneof(
  anyText,
  fc.constantFrom(...VALUES),
  fc.base64String({ maxLength: 120, size: 'max' }),
  fc.json({ maxDepth: 2 }),
);
const name = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...NAMES) }, anyText);
const entries = fc.dictionary(name, value, { maxKeys: 9 });
const changed = fc
  .tuple(fc.constantFrom(V1, V2, V2_KMS, V3, V3_KMS, SPLIT_V3.metadata, {}), entries)
  .map(([genuine, change]) => ({ ...genuine, ...change }));
const file = fc.oneof(
  fc.uint8Array({ maxLength: 300, size: 'max' }),
  fc.constant(undefined),
  changed,
  fc.dictionary(name, fc.jsonValue(), { maxKeys: 9 }),
  fc.json(),
);

describe('any metadata and any instruction file', () => {
  test('are read, or refused with an integrity code in a short line', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(entries, changed), file, async (metadata, instruction) => {
        await readsSafely(metadata, instruction);
      }),
      { numRuns: 1500 },
    );
  });

  test('with one character changed anywhere, likewise', async () => {
    const genuine = [V1, V2, V2_KMS, V3, V3_KMS].map((of) => JSON.stringify(of));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...genuine), fc.nat(), fc.string(), async (text, where, put) => {
        const at = where % text.length;
        await readsSafely({}, text.slice(0, at) + put + text.slice(at + 1));
        await readsSafely(SPLIT_V3.metadata, text.slice(0, at));
      }),
      { numRuns: 1000 },
    );
  });
});

const text = fc.string({ unit: 'binary', maxLength: 12 });
const awkward = fc.constantFrom('__proto__', '=?UTF-8?B?aGk=?=', '\ufffd', 'Ã©', '\u007f', '"\\', '😀', '');
const word = fc.oneof(text, awkward);
const pairs = fc.array(fc.tuple(word, word), { maxLength: 5 }).map((list) => Object.fromEntries(list));
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((list) => Buffer.from(list));
const place = fc.constantFrom('metadata' as const, 'instruction-file' as const);
const kms = (wrapped: Buffer, description: Entries, algorithm: string) => ({
  wrapped: { wrappedKey: wrapped, description: { ...description, 'aws:x-amz-cek-alg': algorithm } },
  wrap: 'kms+context' as const,
});

const header: fc.Arbitrary<HeaderToWrite> = fc
  .record({
    place,
    description: pairs,
    aes: bytes(60),
    rsa: bytes(256),
    blob: bytes(184),
    wrap: fc.constantFrom('AES/GCM' as const, 'RSA-OAEP-SHA1' as const, 'kms+context' as const),
    version: fc.constantFrom(2 as const, 3 as const),
    iv: bytes(12),
    messageId: bytes(28),
    commitment: bytes(28),
    plaintextSize: fc.option(fc.nat(), { nil: undefined }),
  })
  .map(
    ({ description, aes, rsa, blob, wrap, version, iv, messageId, commitment, plaintextSize, ...rest }) => {
      const key =
        wrap === 'kms+context'
          ? kms(blob, description, version === 2 ? 'AES/GCM/NoPadding' : '115')
          : { wrapped: { wrappedKey: wrap === 'AES/GCM' ? aes : rsa, description }, wrap };
      return version === 2
        ? { ...rest, ...key, version, iv, plaintextSize }
        : { ...rest, ...key, version, messageId, commitment };
    },
  );

describe('any header', () => {
  test('that is written is read as the same', async () => {
    await fc.assert(
      fc.asyncProperty(header, async (written) => {
        const { metadata, instruction } = writeHeader(written);
        expect(JSON.stringify(metadata)).toMatch(/^[ -~]*$/);
        const parts = beside(metadata, instruction);
        const { version, wrap, wrappedKey, description, iv, messageId, commitment, at } =
          await readHeader(parts);
        expect({ version, wrap: wrap.name, at }).toEqual({
          version: written.version,
          wrap: written.wrap,
          at: written.place,
        });
        expect(wrappedKey).toEqual(written.wrapped.wrappedKey);
        expect(Object.entries(description).sort()).toEqual(
          Object.entries(written.wrapped.description).sort(),
        );
        if (written.version === 2) expect(iv).toEqual(written.iv);
        else
          expect({ messageId, commitment }).toEqual({
            messageId: written.messageId,
            commitment: written.commitment,
          });
      }),
      { numRuns: 400 },
    );
  });
});

const asBase64Word = (text: string) => `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
/** Words of a few bytes each, which end within characters. */
const asWords = (text: string, size: number): string => {
  const utf8 = Buffer.from(text);
  const words = Array.from({ length: Math.ceil(utf8.length / size) }, (_, i) =>
    utf8.subarray(i * size, (i + 1) * size),
  );
  const q = (word: Buffer) =>
    [...word].map((b) => `=${b.toString(16).padStart(2, '0').toUpperCase()}`).join('');
  return words
    .map((word, i) => (i % 2 === 0 ? `=?UTF-8?B?${word.toString('base64')}?=` : `=?utf-8?q?${q(word)}?=`))
    .join(' ');
};
const asLatin1 = (text: string) => Buffer.from(text).toString('latin1');

describe('any description', () => {
  test('of ours stays as it is, through whatever stores do with what is not ASCII', () => {
    fc.assert(
      fc.property(pairs, (description) => {
        const written = asciiJson(description);
        expect(decodeHeaderValue(written)).toBe(written);
        expect(Object.entries(parsePairs(written, 'it', 'malformed_header')).sort()).toEqual(
          Object.entries(description).sort(),
        );
      }),
    );
  });

  test('of others comes back from S3, which encodes it twice, and from stores that return its bytes', () => {
    fc.assert(
      fc.property(pairs, fc.integer({ min: 1, max: 40 }), (description, size) => {
        const written = JSON.stringify(description);
        for (const returned of [
          asBase64Word(asLatin1(written)),
          asWords(asLatin1(written), size),
          asLatin1(written),
        ])
          expect(decodeHeaderValue(returned)).toBe(written);
      }),
    );
  });

  test('of others comes back from MinIO, which encodes it once, unless it looks as if it were encoded twice', () => {
    const plain = pairs.filter((d) => !/[\u0080-\u00ff]{2}/.test(JSON.stringify(d)));
    fc.assert(
      fc.property(plain, fc.integer({ min: 1, max: 40 }), (description, size) => {
        const written = JSON.stringify(description);
        expect(decodeHeaderValue(asWords(written, size))).toBe(written);
      }),
    );
  });
});
