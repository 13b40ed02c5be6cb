import { expect, test } from '@jest/globals';
import { giveBack } from '../../src/give-back.js';
import type { ByteSource } from '../../src/ports.js';
import { chunked, pattern } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';

test('what is given back is gone at once, and its memory free', () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 2000; i++) {
    const bytes = Buffer.allocUnsafeSlow(1024 * 1024).fill(i);
    giveBack(bytes);
    expect(bytes.length).toBe(0);
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 1024 * 1024);
});

test('several at once', () => {
  const pieces = [5000, 6000, 70_000].map((size) => Buffer.allocUnsafeSlow(size));
  giveBack(...pieces);
  expect(pieces.map(({ length }) => length)).toEqual([0, 0, 0]);
});

test('what shares its memory with others, or is small, stays', () => {
  const whole = Buffer.allocUnsafeSlow(100_000).fill(7);
  const part = whole.subarray(0, 99_999);
  const small = Buffer.allocUnsafeSlow(100).fill(7);
  const pooled = Buffer.from('out of a pool');
  giveBack(part, small, pooled);
  giveBack();
  expect(whole.every((byte) => byte === 7)).toBe(true);
  expect(small.every((byte) => byte === 7)).toBe(true);
  expect(pooled.toString()).toBe('out of a pool');
});

/** Kept as they come, and copied before the next is asked for. */
async function both(source: ByteSource): Promise<{ kept: Buffer; copied: Buffer }> {
  const kept: Uint8Array[] = [];
  const copied: Uint8Array[] = [];
  for await (const piece of source) {
    kept.push(piece);
    copied.push(Uint8Array.from(piece));
  }
  return { kept: Buffer.concat(kept.filter(({ length }) => length > 0)), copied: Buffer.concat(copied) };
}

test.each([undefined, 0x0578])(
  'pieces of messages may be kept, unless they are said to be transient (%p)',
  async (suite) => {
    const pair = rsaPair();
    const encryptor = encryptorFor(pair, suite === undefined ? {} : { suite });
    const decryptor = decryptorFor(pair);
    const plaintext = pattern(2_500_000);
    const source = () => chunked(plaintext, 1_000_000);
    const message = await both(encryptor.encrypt(source(), {}));
    expect(message.kept.equals(message.copied)).toBe(true);
    const opened = await both(decryptor.decrypt(chunked(message.kept, 65_536)));
    expect(opened.kept.equals(plaintext)).toBe(true);
    const transient = await both(encryptor.encrypt(source(), {}, { transient: true }));
    expect(transient.kept.length).toBeLessThan(transient.copied.length);
    const given = await both(decryptor.decrypt(chunked(transient.copied, 65_536), { transient: true }));
    expect(given.kept.length).toBeLessThan(100_000);
    expect(given.copied.equals(plaintext)).toBe(true);
  },
);
