/** What the size of a body says of its content, before any key is used. */
import { SealdropError } from '../../errors.js';
import { MAX_PLAINTEXT_BYTES, TAG_BYTES, type ContentAlgorithm } from './algorithms.js';

const CBC_BLOCK_BYTES = 16;

/** @throws SealdropError `truncated`, `trailing_data` where no content has a body of so many bytes */
export function assertPossibleSize({ mode }: ContentAlgorithm, bytes: number): void {
  const cut = mode === 'gcm' ? bytes < TAG_BYTES : bytes === 0 || bytes % CBC_BLOCK_BYTES !== 0;
  if (cut) throw truncated();
  if (mode === 'gcm' && bytes > MAX_PLAINTEXT_BYTES + TAG_BYTES) throw trailingData();
}

export function truncated(): SealdropError {
  return new SealdropError('truncated', "the object's content ends too early");
}

export function trailingData(): SealdropError {
  return new SealdropError('trailing_data', "there are bytes after the object's content");
}
