/** How a source is cut into parts, and how many of them are held at a time. */
import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isSealdropError } from '../../src/errors.js';
import { crc32OfAll } from '../../src/store/crc32.js';
import { BufferPool } from '../../src/buffer-pool.js';
import { cutParts } from '../../src/store/cut-parts.js';
import { checkFor, crc32Text, prove, verdict } from '../../src/store/integrity.js';
import { assertWithin, planCopy, planParts } from '../../src/store/part-plan.js';
import { pull } from '../../src/store/pull.js';
import type { StoreTraits } from '../../src/store-traits.js';
import { chunked, chunkedBy } from '../helpers/bytes.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    if (isSealdropError(error)) return error.code;
    throw error;
  }
}

describe('the plan', () => {
  test.each([
    ['not known', undefined, 16 * MIB],
    ['0', 0, 8 * MIB],
    ['1 GiB', GIB, 8 * MIB],
    ['10,000 parts of 8 MiB', 80_000 * MIB, 8 * MIB],
    ['a byte more', 80_000 * MIB + 1, 9 * MIB],
    ['1 TiB', TIB, 105 * MIB],
    ['5 TiB', 5 * TIB, 525 * MIB],
  ])('size %s', (_, size, partSize) => {
    const plan = planParts(size);
    expect(plan.partSize).toBe(partSize);
    if (size !== undefined) expect(Math.ceil(size / plan.partSize)).toBeLessThanOrEqual(10_000);
  });

  test('a part size that was asked for is kept while it does', () => {
    expect(planParts(GIB, 5 * MIB).partSize).toBe(5 * MIB);
    expect(planParts(undefined, 64 * MIB).partSize).toBe(64 * MIB);
    expect(planParts(TIB, 5 * MIB).partSize).toBe(105 * MIB);
  });

  test('what no plan has room for is too_large', () => {
    expect(codeOf(() => planParts(5 * TIB + 1))).toBe('too_large');
    const plan = planParts(undefined);
    expect(codeOf(() => assertWithin(plan, 160_000 * MIB))).toBe('none');
    expect(codeOf(() => assertWithin(plan, 160_000 * MIB + 1))).toBe('too_large');
    expect(codeOf(() => assertWithin(planParts(5 * TIB), 5 * TIB + 1))).toBe('too_large');
  });
});

describe('the plan of a copy', () => {
  const MD5 = '0'.repeat(32);
  test.each([
    ['1', 1, MD5, [1]],
    ['1, in one part', 1, `${MD5}-1`, [1]],
    ['5 MiB, in one part', 5 * MIB, `${MD5}-1`, [5 * MIB]],
    ['a byte more', 5 * MIB + 1, `${MD5}-1`, [5 * MIB, 1]],
    ['a byte more, in two', 5 * MIB + 1, `${MD5}-2`, [5 * MIB + 1]],
    ['256 MiB', 256 * MIB, MD5, [256 * MIB]],
    ['256 MiB, in one part', 256 * MIB, `${MD5}-1`, [128 * MIB, 128 * MIB]],
    ['256 MiB, in eleven', 256 * MIB, `${MD5}-11`, [256 * MIB]],
    ['600 MiB', 600 * MIB, MD5, [200 * MIB, 200 * MIB, 200 * MIB]],
    ['600 MiB, in three', 600 * MIB, `${MD5}-3`, [150 * MIB, 150 * MIB, 150 * MIB, 150 * MIB]],
  ])('size %s', (_, size, etag, expected) => {
    const ranges = planCopy(size, etag);
    expect(ranges.map(({ first, last }) => last - first + 1)).toEqual(expected);
  });

  test.each([
    [5 * GIB + 3, `${'f'.repeat(32)}-21`, {}],
    [3 * TIB + 17, MD5, {}],
    [5 * TIB, `${MD5}-9987`, {}],
    [5 * TIB, `${MD5}-10000`, {}],
    [4 * TIB, `${MD5}-1000`, { maxParts: 1000 }],
    [TIB + 1, `${MD5}-7`, { minPartSize: 600 * MIB }],
  ])(
    '%i bytes with the ETag %s, of a store with %j: every byte once, and another number of parts',
    (...args) => {
      const [size, etag, traits]: [number, string, StoreTraits] = args;
      const ranges = planCopy(size, etag, traits);
      const lengths = ranges.map(({ first, last }) => last - first + 1);
      expect(ranges.every(({ number }, index) => number === index + 1)).toBe(true);
      expect(ranges.every(({ first }, index) => first === (ranges[index - 1]?.last ?? -1) + 1)).toBe(true);
      expect(ranges.at(-1)!.last).toBe(size - 1);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(5 * GIB);
      expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThanOrEqual(traits.minPartSize ?? 5 * MIB);
      expect(ranges.length).toBeLessThanOrEqual(traits.maxParts ?? 10_000);
      expect(etag.endsWith(`-${ranges.length}`)).toBe(false);
    },
  );

  test('what no plan has room for is too_large', () => {
    expect(codeOf(() => planCopy(5 * TIB + 1, MD5))).toBe('too_large');
    expect(codeOf(() => planCopy(5 * TIB, MD5, { maxParts: 1000 }))).toBe('too_large');
  });
});

describe('cutting', () => {
  const plan = { partSize: 100, limit: 1_000_000 };
  const sizes = [0, 1, 99, 100, 101, 200, 201, 1000];
  const chunks = [[1], [7, 0, 13], [99], [100], [101], [1000]];

  for (const size of sizes)
    test.each(chunks)(`${size} bytes in chunks of %j`, async (...chunk) => {
      const bytes = randomBytes(size);
      const pool = new BufferPool(plan.partSize, 2);
      const seen: Buffer[] = [];
      const lasts: boolean[] = [];
      for await (const part of cutParts(
        chunkedBy(bytes, chunk.length === 1 ? chunk : [...chunk, 1]),
        plan,
        pool,
      )) {
        expect(part.number).toBe(seen.length + 1);
        seen.push(Buffer.from(part.body));
        lasts.push(part.last);
        pool.give(part.buffer);
      }
      expect(Buffer.concat(seen)).toEqual(bytes);
      expect(seen.slice(0, -1).every((part) => part.length === 100)).toBe(true);
      expect(seen).toHaveLength(Math.max(1, Math.ceil(size / 100)));
      expect(lasts.indexOf(true)).toBe(lasts.length - 1);
    });

  test('no more buffers than the pool has: the source waits for them', async () => {
    let pulled = 0;
    async function* source() {
      for (; pulled < 100; pulled++) yield Buffer.alloc(10);
    }
    const pool = new BufferPool(10, 3);
    const parts = cutParts(source(), { partSize: 10, limit: 1_000_000 }, pool);
    const first = (await parts.next()).value;
    await parts.next();
    await parts.next();
    const fourth = parts.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(pulled).toBeLessThan(5);
    pool.give(first.buffer);
    expect((await fourth).value.buffer).toBe(first.buffer);
    await parts.return(undefined);
  });
});

describe('pulling', () => {
  test('a source that never answers does not hold up the signal', async () => {
    const stop = new AbortController();
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    const pieces = pull(silent, { address: 'x', signal: stop.signal });
    const next = pieces.next();
    stop.abort();
    await expect(next).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('a reader that leaves lets the source go', async () => {
    let released = false;
    async function* source() {
      try {
        yield* chunked(Buffer.alloc(100), 1);
      } finally {
        released = true;
      }
    }
    for await (const _ of pull(source(), { address: 'x' })) break;
    expect(released).toBe(true);
  });
});

describe('checks of parts', () => {
  const http = { url: 'http://x', secure: false, aws: false, shown: 'x' };
  const https = { ...http, secure: true };
  const body = Buffer.from('hello');

  test('which one is taken where', () => {
    expect(checkFor(http, 'auto')).toEqual({ by: 'signature', signed: true });
    expect(checkFor(https, 'auto')).toEqual({ by: 'md5', signed: false, negotiable: true });
    expect(checkFor(https, 'md5')).toEqual({ by: 'md5', signed: false });
    expect(checkFor({ ...https, aws: true }, 'auto')).toEqual({ by: 'crc32', signed: false });
    expect(checkFor({ ...http, aws: true }, 'auto')).toEqual({ by: 'signature', signed: true });
    expect(checkFor(http, 'md5')).toEqual({ by: 'md5', signed: true });
    expect(checkFor(https, 'signature')).toEqual({ by: 'signature', signed: true });
  });

  test('what goes out with a part', async () => {
    expect(await prove(body, { by: 'signature', signed: true })).toEqual({
      payloadHash: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      headers: {},
    });
    expect(await prove(body, { by: 'md5', signed: false })).toEqual({
      payloadHash: 'UNSIGNED-PAYLOAD',
      headers: { ContentMD5: 'XUFAKrxLKna5cZ2REBfFkg==' },
    });
    // The check value of CRC-32/ISO-HDLC.
    expect(crc32Text(crc32('123456789'))).toBe(Buffer.from('cbf43926', 'hex').toString('base64'));
  });

  test.each([
    ['its MD5', { ETag: '"5d41402abc4b2a76b9719d911017c592"' }, 'etag-md5'],
    ['another MD5', { ETag: '"5d41402abc4b2a76b9719d911017c593"' }, 'upload_corrupted'],
    ['an ETag of another shape', { ETag: '"abc-1"' }, 'size'],
    [
      'an ETag under SSE-KMS',
      { ETag: '"5d41402abc4b2a76b9719d911017c593"', ServerSideEncryption: 'aws:kms' },
      'size',
    ],
    [
      'an ETag under SSE-C',
      { ETag: '"5d41402abc4b2a76b9719d911017c593"', SSECustomerAlgorithm: 'AES256' },
      'size',
    ],
    [
      'its MD5 under SSE-S3',
      { ETag: '"5d41402abc4b2a76b9719d911017c592"', ServerSideEncryption: 'AES256' },
      'etag-md5',
    ],
  ])('md5: the store answers %s', async (_, answer, expected) => {
    const check = { by: 'md5', signed: false } as const;
    const proof = await prove(body, check);
    let said = '';
    const code = codeOf(() => (said = verdict('x', check, proof, answer)));
    expect(code === 'none' ? said : code).toBe(expected);
  });

  test.each([
    ['the same', { ChecksumCRC32: 'NhCmhg==' }, 'crc32'],
    ['another', { ChecksumCRC32: 'AAAAAA==' }, 'upload_corrupted'],
    ['none', {}, 'size'],
  ])('crc32: the store answers %s', async (_, answer, expected) => {
    const check = { by: 'crc32', signed: false } as const;
    const proof = await prove(body, check);
    let said = '';
    const code = codeOf(() => (said = verdict('x', check, proof, answer)));
    expect(code === 'none' ? said : code).toBe(expected);
  });
});

test('the CRC32 of a whole comes from those of its pieces', () => {
  const whole = randomBytes(100_000);
  for (const sizes of [[100_000], [1, 99_999], [40_000, 40_000, 20_000], [65_536, 34_463, 1]]) {
    let at = 0;
    const pieces = sizes.map((size) => ({ crc32: crc32Text(crc32(whole.subarray(at, (at += size)))), size }));
    expect(crc32OfAll(pieces)).toBe(crc32Text(crc32(whole)));
  }
});
