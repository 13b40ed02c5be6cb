/** Parts of an object: what is fetched for them, what comes, and what no tag can say of it. */
import { createCipheriv } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { MAX_PLAINTEXT_BYTES } from '../../src/envelope/s3ec/algorithms.js';
import { openS3ecRangeUnverified } from '../../src/envelope/s3ec/range.js';
import type { PlaintextRange } from '../../src/ports.js';
import { chunked, collect, drain, pattern } from '../helpers/bytes.js';
import {
  fixedKey,
  partsOf,
  readingAll,
  softwareKeys,
  writeObject,
  type Written,
} from '../helpers/s3ec-keys.js';

const SIZE = 1000;
const PLAINTEXT = pattern(SIZE);
const keys = softwareKeys();
const code = (name: string) => expect.objectContaining({ code: name });

const open = (object: Written, range: PlaintextRange, size = object.body.length) =>
  openS3ecRangeUnverified(partsOf(object, size), range, readingAll(keys));

describe.each([2, 3] as const)('V%d', (version) => {
  const object = (size = SIZE) => writeObject(keys, PLAINTEXT.subarray(0, size), { version });

  test.each([
    [{ first: 0, last: 0 }, 0, 0, 0],
    [{ first: 0, last: 15 }, 0, 15, 0],
    [{ first: 15, last: 16 }, 15, 16, 0],
    [{ first: 16, last: 31 }, 16, 31, 16],
    [{ first: 17, last: 500 }, 17, 500, 16],
    [{ first: 999, last: 999 }, 999, 999, 992],
    [{ first: 990 }, 990, 999, 976],
    // To the end at most, as in HTTP.
    [{ first: 990, last: 5000 }, 990, 999, 976],
    // Of the plaintext: the last 16 bytes of the body are the tag.
    [{ suffix: 1 }, 999, 999, 992],
    [{ suffix: 16 }, 984, 999, 976],
    [{ suffix: 1000 }, 0, 999, 0],
    [{ suffix: 5000 }, 0, 999, 0],
  ])('%j is bytes %d to %d, fetched from %d on', async (asked, first, last, from) => {
    const written = await object();
    const range = await open(written, asked);
    expect(range).toMatchObject({ first, last, fetch: { first: from, last } });
    expect(range.info).toMatchObject({ format: 's3ec', version });
    const fetched = written.body.subarray(from, last + 1);
    const back = await collect(range.decryptUnverified(chunked(fetched, 7)));
    expect(back.equals(PLAINTEXT.subarray(first, last + 1))).toBe(true);
    expect(keys.dataKeys.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  test.each([
    { first: 1000 },
    { first: 1000, last: 1001 },
    { first: 5, last: 4 },
    { first: -1 },
    { first: -5, last: -1 },
    { first: 0.5 },
    { first: 0, last: 1.5 },
    { first: NaN },
    { suffix: 0 },
    { suffix: -1 },
    { suffix: 2000.5 },
    { suffix: Infinity },
  ])('%p is no range, and costs no key', async (range) => {
    const asked = keys.asked.unwrap;
    await expect(open(await object(), range)).rejects.toEqual(code('usage'));
    expect(keys.asked.unwrap).toBe(asked);
  });

  test.each([{ first: 0 }, { suffix: 1 }])('of nothing there is no part: %j', async (range) => {
    await expect(open(await object(0), range)).rejects.toEqual(code('usage'));
  });

  test('more or fewer bytes than were to be fetched are found, and a range is decrypted once', async () => {
    const { body, ...header } = await object();
    const decrypted = async (bytes: Uint8Array) =>
      drain((await open({ ...header, body }, { first: 20, last: 40 })).decryptUnverified(chunked(bytes, 10)));
    expect((await decrypted(body.subarray(16, 40))).error).toEqual(code('truncated'));
    expect((await decrypted(body.subarray(16, 42))).error).toEqual(code('trailing_data'));
    const range = await open({ ...header, body }, { first: 20, last: 40 });
    const [one, two] = [1, 2].map(() => range.decryptUnverified(chunked(body.subarray(16, 41), 10)));
    expect((await drain(two!)).error).toEqual(code('internal'));
    expect((await collect(one!)).length).toBe(21);
  });

  test('a changed bit comes through: nothing authenticates a part', async () => {
    const written = await object();
    const changed = Buffer.from(written.body);
    changed[20]! ^= 1;
    const range = await open(written, { first: 16, last: 31 });
    const back = await collect(range.decryptUnverified(chunked(changed.subarray(16, 32), 16)));
    const expected = Buffer.from(PLAINTEXT.subarray(16, 32));
    expected[4]! ^= 1;
    expect(back.equals(expected)).toBe(true);
  });

  test('the last block of the largest content has the last counter, and behind it there is none', async () => {
    const written = await object();
    const range = await open(written, { suffix: 16 }, MAX_PLAINTEXT_BYTES + 16);
    expect(range.fetch).toEqual({ first: MAX_PLAINTEXT_BYTES - 16, last: MAX_PLAINTEXT_BYTES - 1 });
    const keystream = await collect(range.decryptUnverified(chunked(Buffer.alloc(16), 16)));
    expect(keystream.length).toBe(16);
    await expect(open(written, { suffix: 16 }, MAX_PLAINTEXT_BYTES + 17)).rejects.toEqual(
      code('trailing_data'),
    );
  });

  test('a body without room for a tag is refused', async () => {
    await expect(open(await object(), { first: 0 }, 15)).rejects.toEqual(code('truncated'));
  });
});

test("the last block's key stream is AES of the IV and the counter 2^32 - 1", async () => {
  const dataKey = pattern(32);
  const written = await writeObject(keys, PLAINTEXT, { version: 2 });
  const { unwrapping } = fixedKey(dataKey);
  const parts = partsOf(written, MAX_PLAINTEXT_BYTES + 16);
  const range = await openS3ecRangeUnverified(parts, { suffix: 16 }, readingAll({ unwrapping }));
  const found = await collect(range.decryptUnverified(chunked(Buffer.alloc(16), 16)));
  const block = Buffer.concat([Buffer.from(written.metadata['x-amz-iv']!, 'base64'), Buffer.alloc(4, 0xff)]);
  const expected = createCipheriv('aes-256-ecb', dataKey, null).update(block);
  expect(found.equals(expected)).toBe(true);
});

test("V3's commitment is checked for a part as well", async () => {
  const written = await writeObject(keys, PLAINTEXT);
  const { unwrapping, dataKeys } = fixedKey(pattern(32));
  const parts = partsOf(written, written.body.length);
  const opened = openS3ecRangeUnverified(parts, { first: 0 }, readingAll({ unwrapping }));
  await expect(opened).rejects.toEqual(code('commitment'));
  expect(dataKeys.map((key) => key.every((byte) => byte === 0))).toEqual([true]);
});

test('V2 needs a policy that allows it, for a part too', async () => {
  const written = await writeObject(keys, PLAINTEXT, { version: 2 });
  const parts = partsOf(written, written.body.length);
  const opened = openS3ecRangeUnverified(parts, { first: 0 }, { keys: keys.unwrapping });
  await expect(opened).rejects.toEqual(code('policy'));
});

test('of AES-CBC there are no parts, and no key is asked', async () => {
  const metadata = {
    'x-amz-key-v2': Buffer.alloc(40).toString('base64'),
    'x-amz-iv': Buffer.alloc(16).toString('base64'),
    'x-amz-cek-alg': 'AES/CBC/PKCS5Padding',
    'x-amz-wrap-alg': 'AESWrap',
    'x-amz-matdesc': '{}',
  };
  const asked = keys.asked.unwrap;
  await expect(open({ metadata, body: Buffer.alloc(32) }, { first: 0 })).rejects.toEqual(code('usage'));
  expect(keys.asked.unwrap).toBe(asked);
});
