import { isSealdropError, SealdropError } from '../errors.js';
import type { ObjectStore } from '../ports.js';
import { printable } from '../printable.js';
import type { Metadata } from './metadata.js';

/** For people alone, and MinIO drops it. */
const NOT_NEEDED = 'x-amz-unencrypted-content-length';

/**
 * Some stores drop metadata and say nothing: an object whose header lies there would be lost. It is removed again.
 * @param etag of the object that was stored just now
 * @throws SealdropError `store_refused`
 */
export async function assertMetadataKept(
  store: ObjectStore,
  { key, etag, metadata }: { key: string; etag: string; metadata: Metadata },
): Promise<void> {
  const needed = Object.keys(metadata).filter((name) => name !== NOT_NEEDED);
  if (needed.length === 0) return;
  const found = await store.head(key).catch((error: unknown) => {
    // Who may only write cannot look.
    if (isSealdropError(error) && ['object_not_found', 'access_denied'].includes(error.code))
      return undefined;
    throw error;
  });
  if (found?.etag !== etag) return;
  const lost = needed.find((name) => found.metadata?.[name] !== metadata[name]);
  if (lost === undefined) return;
  await store.remove(key, { ifMatch: etag });
  const address = printable(store.address(key));
  throw new SealdropError(
    'store_refused',
    `${address}: the store does not keep metadata (${lost}), and the object could not be opened: it was removed again`,
    { hint: 'store it with --format esdk, which needs no metadata' },
  );
}
