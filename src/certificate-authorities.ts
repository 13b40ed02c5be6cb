import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { SealdropError } from './errors.js';
import { printable } from './printable.js';

/**
 * The certificates of a PEM file, and one in PEM, besides the public ones. Undefined where there is neither: Node's
 * default.
 * @throws SealdropError `usage`
 */
export function certificateAuthorities(path: string | undefined, certificate?: string): string[] | undefined {
  const own = certificate === undefined ? [] : [certificate];
  if (path === undefined || path === '') return own.length === 0 ? undefined : [...rootCertificates, ...own];
  try {
    return [...rootCertificates, readFileSync(path, 'utf8'), ...own];
  } catch (cause) {
    throw new SealdropError('usage', `the CA bundle ${printable(path)} cannot be read`, { cause });
  }
}
