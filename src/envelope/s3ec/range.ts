/**
 * A part of an object, without the rest. The tag is over the whole, so nothing authenticates what comes: a store can flip
 * any bit of it. Only V3's commitment is still checked.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/decryption.md (ranged gets; suites 0x0071, 0x0074).
 */
import { createDecipheriv, type Decipher } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import type {
  ByteSource,
  ObjectParts,
  PlaintextRange,
  UnverifiedRange,
  UnverifiedRanges,
} from '../../ports.js';
import { resolveRange } from '../plaintext-range.js';
import { TAG_BYTES } from './algorithms.js';
import { assertPossibleSize, trailingData, truncated } from './body-size.js';
import { withContentKey } from './content-key.js';
import type { S3ecDecryptorOptions } from './decrypt.js';
import { infoOf, readHeader, type S3ecHeader } from './header.js';
import { V3_IV } from './key-derivation.js';
import { assertAllowed, policyOf } from './policy.js';

const BLOCK_BYTES = 16;
/** GCM's block 1 is for the tag; content begins with 2 (NIST SP 800-38D, 7.1). */
const FIRST_COUNTER = 2;

export function createS3ecRanges({ keys, ...own }: S3ecDecryptorOptions): UnverifiedRanges {
  return {
    open: (parts, range, allowed) =>
      openS3ecRangeUnverified(parts, range, { keys, ...policyOf(own, allowed) }),
  };
}

/**
 * @throws SealdropError what reading the object throws; `usage` for a content that has no ranges, a range that is none, or
 * one behind the end
 */
export async function openS3ecRangeUnverified(
  parts: ObjectParts,
  range: PlaintextRange,
  { keys, ...policy }: S3ecDecryptorOptions,
): Promise<UnverifiedRange> {
  const header = await readHeader(parts);
  assertAllowed(header, policy);
  if (header.content.mode !== 'gcm')
    throw new SealdropError('usage', `there are no ranges of what is encrypted by ${header.content.name}`, {
      hint: 'get the whole object',
    });
  assertPossibleSize(header.content, parts.size);
  const { first, last } = resolveRange(range, parts.size - TAG_BYTES);
  const block = Math.floor(first / BLOCK_BYTES);
  const fetch = { first: block * BLOCK_BYTES, last };
  let unused: Decipher | undefined = await withContentKey(header, keys, (key) => ctr(header, key, block));
  return {
    info: infoOf(header),
    first,
    last,
    fetch,
    decryptUnverified(fetched) {
      const taken = unused;
      unused = undefined;
      return openRange(fetched, taken, fetch.last - fetch.first + 1, first - fetch.first);
    },
  };
}

/** The body's size was looked at: the counter of its last block fits into GCM's 32 bits, and never wraps. */
function ctr({ content, iv }: S3ecHeader, key: Buffer, block: number): Decipher {
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(FIRST_COUNTER + block);
  const start = Buffer.concat([content.committing ? V3_IV : iv!, counter]);
  return createDecipheriv(`aes-${8 * key.length}-ctr`, key, start);
}

async function* openRange(
  fetched: ByteSource,
  decipher: Decipher | undefined,
  bytes: number,
  skipped: number,
): AsyncGenerator<Buffer> {
  if (decipher === undefined) throw new SealdropError('internal', 'a range is decrypted once');
  let count = 0;
  for await (const piece of fetched) {
    const before = count;
    count += piece.length;
    if (count > bytes) throw trailingData();
    const clear = decipher.update(piece).subarray(Math.max(0, skipped - before));
    if (clear.length > 0) yield clear;
  }
  if (count < bytes) throw truncated();
}
