import { SealdropError } from '../errors.js';
import type { StoreTraits } from '../store-traits.js';

const MIB = 1024 * 1024;
/** S3's limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const MIN_PART_SIZE = 5 * MIB;
const MAX_PARTS = 10_000;
const MAX_OBJECT = 5 * 1024 * 1024 * MIB;
/** Of a part that is copied inside the store; one that is sent is never near it. */
const MAX_COPY = 5 * 1024 * MIB;
/** Small enough that a store has copied one before a silent connection is given up, and that several go on at a time. */
const COPY_SIZE = 256 * MIB;
const PART_SIZE = 8 * MIB;
const PART_SIZE_OF_UNKNOWN = 16 * MIB;

export interface PartPlan {
  /** Bytes of every part but the last: some stores want them all the same. */
  readonly partSize: number;
  /** Bytes that fit with parts of this size. */
  readonly limit: number;
}

/**
 * How an object of `size` bytes, where that is known, is cut into parts.
 * @throws SealdropError `too_large` for an object that S3 cannot hold
 */
export function planParts(
  size: number | undefined,
  wanted?: number,
  { minPartSize = MIN_PART_SIZE, maxParts = MAX_PARTS }: StoreTraits = {},
): PartPlan {
  if (size !== undefined && size > MAX_OBJECT)
    throw tooLarge(`${size} bytes are more than an S3 object can hold`);
  const least = size === undefined ? 0 : Math.ceil(size / maxParts / MIB) * MIB;
  const usual = wanted ?? (size === undefined ? PART_SIZE_OF_UNKNOWN : PART_SIZE);
  const partSize = Math.max(usual, least, minPartSize);
  return { partSize, limit: Math.min(partSize * maxParts, MAX_OBJECT) };
}

export interface CopyRange {
  readonly number: number;
  /** First byte and last byte, both included, as in HTTP. */
  readonly first: number;
  readonly last: number;
}

/**
 * The parts of a copy of an object that is not empty, in place of it. Their number is another than that in the object's
 * ETag, where it has one: with the same parts the copy would have the same ETag, and no condition would tell them apart.
 * An object of no more than the smallest part can't be cut otherwise.
 * @throws SealdropError `too_large`
 */
export function planCopy(size: number, etag: string, traits: StoreTraits = {}): CopyRange[] {
  const { minPartSize = MIN_PART_SIZE, maxParts = MAX_PARTS } = traits;
  const usual = Math.ceil(size / planParts(size, COPY_SIZE, traits).partSize);
  const other = usual < maxParts ? usual + 1 : Math.max(usual - 1, 1);
  const count = etag.endsWith(`-${usual}`) ? other : usual;
  const partSize = Math.max(Math.ceil(size / count), minPartSize);
  if (partSize > MAX_COPY) throw tooLarge(`parts of ${partSize} bytes are more than a store copies at once`);
  return Array.from({ length: Math.ceil(size / partSize) }, (_, index) => ({
    number: index + 1,
    first: index * partSize,
    last: Math.min((index + 1) * partSize, size) - 1,
  }));
}

/** @throws SealdropError `too_large` when more came than the plan has room for */
export function assertWithin(plan: PartPlan, total: number): void {
  if (total <= plan.limit) return;
  throw tooLarge(`more than ${plan.limit} bytes came, and parts of ${plan.partSize} bytes hold no more`);
}

function tooLarge(message: string): SealdropError {
  return new SealdropError('too_large', message, {
    hint: 'say how much will come with --expected-size, so that parts are large enough; an S3 object holds 5 TiB at most',
  });
}
