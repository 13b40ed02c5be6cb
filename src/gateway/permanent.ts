import { isSealdropError, type ErrorCode } from '../errors.js';

/** What no waiting mends. All else (a vault that is down, a bucket not made yet, credentials) may be mended meanwhile. */
const PERMANENT: readonly ErrorCode[] = [
  'event_malformed',
  'foreign_bucket',
  'foreign_key',
  'key_not_storable',
  'order_unknown',
  'precondition_failed',
  'source_unreadable',
  'too_large',
  'too_large_for_lambda',
];

export function isPermanent(error: unknown): boolean {
  return isSealdropError(error) && !error.retryable && PERMANENT.includes(error.code);
}

export const codeOf = (error: unknown): ErrorCode => (isSealdropError(error) ? error.code : 'internal');
