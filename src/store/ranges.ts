import { SealdropError } from '../errors.js';
import type { GetOptions } from '../ports.js';
import { printable } from '../printable.js';

export function rangeRefused(address: string, cause?: unknown): SealdropError {
  return new SealdropError('store_refused', `${printable(address)} has no bytes in the range asked for`, {
    cause,
  });
}

/**
 * The first and last byte of what was asked for, cut to the object, as in HTTP (RFC 9110, 14.1.2). Without a range
 * the whole object; of an empty one `last` is -1.
 * @throws SealdropError `store_refused` where the range begins behind the object's end
 */
export function resolveRange(range: GetOptions['range'], size: number, address: string) {
  if (range === undefined) return { first: 0, last: size - 1 };
  const last = Math.min(range.last ?? Infinity, size - 1);
  if (range.first < 0 || range.first > last) throw rangeRefused(address);
  return { first: range.first, last };
}
