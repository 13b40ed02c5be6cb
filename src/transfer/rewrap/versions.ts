/** Older versions of an object that was rewrapped: they open with the keys from before. */
import { SealdropError, throwIfAborted } from '../../errors.js';
import type { ObjectStore, ObjectVersion } from '../../ports.js';
import { printable } from '../../printable.js';

export interface Removal {
  readonly removed: number;
  /** What stopped the first that could not be removed, and how many those are. */
  readonly left: number;
  readonly error?: unknown;
}

/**
 * Removes what lay under the key before the object that is there now, for good. Nothing where the store keeps no versions.
 * @param current the object that must be there now: what came after it is somebody else's, and then nothing is removed
 * @throws SealdropError `source_changed`, what listing them fails with, `interrupted`
 */
export async function removeOlderVersions(
  store: ObjectStore,
  key: string,
  current: { readonly etag: string; readonly version?: string | undefined },
  signal?: AbortSignal,
): Promise<Removal> {
  const older = await olderVersions(store, key, current, signal);
  let error: unknown;
  let left = 0;
  for (const version of older) {
    throwIfAborted(signal);
    await store.versions!.remove(version, { ...(signal && { signal }) }).catch((cause: unknown) => {
      throwIfAborted(signal);
      error ??= cause;
      left++;
    });
  }
  return { removed: older.length - left, left, ...(error !== undefined && { error }) };
}

/** As for `removeOlderVersions`. */
export async function olderVersions(
  store: ObjectStore,
  key: string,
  current: { readonly etag: string; readonly version?: string | undefined },
  signal?: AbortSignal,
): Promise<ObjectVersion[]> {
  if (store.versions === undefined) return [];
  const all: ObjectVersion[] = [];
  for await (const version of store.versions.list(key, { ...(signal && { signal }) })) all.push(version);
  if (all.length === 0) return [];
  const latest = all.filter((each) => each.latest);
  const ours = latest.length === 1 && !latest[0]!.marker && isSame(latest[0]!, current);
  if (!ours)
    throw new SealdropError(
      'source_changed',
      `${printable(store.address(key))} was replaced after it was rewrapped: its versions stay`,
      { hint: 'the same command again takes up what is there now' },
    );
  return all.filter((each) => !each.latest);
}

/** A version's name tells it from all others; `null` may have been written over. */
const isSame = (
  found: ObjectVersion,
  current: { readonly etag: string; readonly version?: string | undefined },
) => found.etag === current.etag && found.version === (current.version ?? 'null');
