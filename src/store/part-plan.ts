import { SealdropError } from '../errors.js';
import type { StoreTraits } from '../store-traits.js';

const MIB = 1024 * 1024;
/** S3's limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const MIN_PART_SIZE = 5 * MIB;
const MAX_PARTS = 10_000;
const MAX_OBJECT = 5 * 1024 * 1024 * MIB;
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
