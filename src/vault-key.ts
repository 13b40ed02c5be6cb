/**
 * The rules that every vault key obeys, because stores alias the others silently: MinIO keeps `/a` as `a`,
 * versitygw `p//q` as `p/q` and `a/../b` as `b` (design, "Vault objects").
 */
import { SealdropError } from './errors.js';
import { printable } from './printable.js';

const MAX_KEY_BYTES = 1024;
const MAX_SEGMENT_BYTES = 255;

/** Why a key cannot be stored, or undefined if it can. */
export function keyProblem(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (!key.isWellFormed()) return 'it is not valid Unicode';
  if (key.includes('\0')) return 'it contains a NUL character';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  if (key.startsWith('/')) return 'it begins with a slash';
  for (const segment of key.split('/')) {
    if (segment === '') return 'it has an empty segment (a double slash, or one at the end)';
    if (segment === '.' || segment === '..') return `it has a segment "${segment}"`;
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
      return `it has a segment longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/** @throws SealdropError `key_not_storable` */
export function assertStorableKey(key: string): void {
  const problem = keyProblem(key);
  if (problem === undefined) return;
  throw new SealdropError('key_not_storable', `the key ${printable(key)} cannot be stored: ${problem}`, {
    hint: 'stores keep such keys under another name, where one object can overwrite another: choose a different key',
  });
}
