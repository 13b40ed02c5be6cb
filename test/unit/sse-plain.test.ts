/** Objects without client-side encryption: bytes as they are, and no message taken for a file. */
import { describe, expect, test } from '@jest/globals';
import { plainDecryptor, plainEncryptor } from '../../src/envelope/plain.js';
import { allSuites } from '../../src/envelope/esdk/suites.js';
import '../helpers/core-errors.js';
import { chunked, collect, drain, pattern } from '../helpers/bytes.js';

describe.each([0, 1, 3, 4, 5, 1000])('%i bytes', (size) => {
  const bytes = pattern(size);

  test.each([1, 3, 4, 1000])('come through as they are, in pieces of %i', async (piece) => {
    const stored = await collect(plainEncryptor.encrypt(chunked(bytes, piece), {}));
    expect(stored.equals(bytes)).toBe(true);
    const read = await collect(plainDecryptor.decrypt(chunked(stored, piece)));
    expect(read.equals(bytes)).toBe(true);
  });

  test('have the size that is announced', () => {
    expect(plainEncryptor.ciphertextSize(size, {})).toEqual({ bytes: size, exact: true });
  });
});

test('whoever judges the header is told that there is none', async () => {
  let format: string | undefined;
  const accept = (info: { format: string }) => void (format = info.format);
  await collect(plainDecryptor.decrypt(chunked(Buffer.from('x'), 1), { accept }));
  expect(format).toBe('plain');
});

describe.each(allSuites())('a message of suite $id', ({ id, messageVersion }) => {
  const suite = [id >> 8, id & 0xff];
  const start = Buffer.from(messageVersion === 1 ? [1, 0x80, ...suite] : [2, ...suite, 0x7f]);

  test.each([1, 4, 100])('is refused before a byte is handed over, in pieces of %i', async (piece) => {
    const message = Buffer.concat([start, pattern(200)]);
    const { released, error } = await drain(plainDecryptor.decrypt(chunked(message, piece)));
    expect([released.length, (error as { code?: string }).code]).toEqual([0, 'usage']);
  });

  test('with another version it is none', async () => {
    const other = Buffer.concat([Buffer.from([3]), start.subarray(1), pattern(9)]);
    expect((await collect(plainDecryptor.decrypt(chunked(other, 2)))).equals(other)).toBe(true);
  });
});
