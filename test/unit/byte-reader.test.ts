/** Exact numbers of bytes from pieces of any size. */
import { describe, expect, test } from '@jest/globals';
import { ByteReader } from '../../src/envelope/byte-reader.js';
import { chunked, pattern } from '../helpers/bytes.js';
import { heldBytes } from '../helpers/garbage.js';

const bytes = pattern(2000);

describe.each([1, 3, 7, 64, 1999, 2000, 5000])('from pieces of %d', (size) => {
  test('reads of any length give the bytes in order, and the position is counted', async () => {
    const reader = new ByteReader(chunked(bytes, size));
    const got: Buffer[] = [];
    for (const length of [0, 1, 4, 0, 100, 64, 1, 700]) got.push(await reader.read(length));
    expect(reader.position).toBe(870);
    expect(Buffer.concat(got).equals(bytes.subarray(0, 870))).toBe(true);
    expect(await reader.atEnd()).toBe(false);
    expect((await reader.read(5000)).equals(bytes.subarray(870))).toBe(true);
    expect(await reader.atEnd()).toBe(true);
    expect((await reader.read(1)).length).toBe(0);
  });

  test('what is put back comes again', async () => {
    const reader = new ByteReader(chunked(bytes, size));
    const first = await reader.read(500);
    reader.unread(first.subarray(100));
    expect(reader.position).toBe(100);
    expect((await reader.read(1900)).equals(bytes.subarray(100))).toBe(true);
  });
});

test('a read in pieces is a buffer of its own: the source may use its buffer again', async () => {
  async function* reusing() {
    const one = Buffer.alloc(10);
    for (let i = 0; i < 10; i++) yield one.fill(i);
  }
  const read = await new ByteReader(reusing()).read(100);
  expect([...read]).toEqual(Array.from({ length: 100 }, (_, i) => Math.floor(i / 10)));
});

test('closing lets go of the source once, in the middle or at the end', async () => {
  for (const length of [5, 5000]) {
    let closed = 0;
    async function* source() {
      try {
        yield* chunked(bytes, 100);
      } finally {
        closed++;
      }
    }
    const reader = new ByteReader(source());
    await reader.read(length);
    await reader.close();
    await reader.close();
    expect(closed).toBe(1);
  }
});

test('room is made for bytes that came, not for bytes that are claimed', async () => {
  const before = heldBytes();
  const reader = new ByteReader(chunked(bytes, 100));
  const read = await reader.read(2 ** 30);
  expect(read.equals(bytes)).toBe(true);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
});

test('many pieces of one byte weigh little more than their bytes', async () => {
  const COUNT = 2 * 1024 * 1024;
  const one = Buffer.from([7]);
  let peak = 0;
  const before = process.memoryUsage().heapUsed;
  async function* source() {
    // A buffer of its own each time, as a network gives them.
    for (let i = 0; i < COUNT; i++) {
      if (i % 100_000 === 0) peak = Math.max(peak, process.memoryUsage().heapUsed);
      yield one.subarray(0, 1);
    }
  }
  expect((await new ByteReader(source()).read(COUNT)).length).toBe(COUNT);
  expect(peak - before).toBeLessThan(80 * 1024 * 1024);
});
