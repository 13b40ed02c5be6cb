import { SealdropError } from '../errors.js';
import type { PlaintextRange } from '../ports.js';

/**
 * First and last byte of a range, cut to the content as in HTTP (RFC 9110, 14.1.2).
 * @throws SealdropError `usage` for one that is none, or that begins behind the end
 */
export function resolveRange(range: PlaintextRange, size: number): { first: number; last: number } {
  const asked = 'suffix' in range ? [range.suffix] : [range.first, range.last ?? size - 1];
  const first = 'suffix' in range ? Math.max(0, size - range.suffix) : range.first;
  const last = 'suffix' in range ? size - 1 : Math.min(range.last ?? size - 1, size - 1);
  if (asked.every((at) => Number.isSafeInteger(at) && at >= 0) && first <= last) return { first, last };
  throw new SealdropError('usage', `there is no such range: the content has ${size} bytes`, {
    hint: 'bytes are counted from 0, and first and last are both included',
  });
}
