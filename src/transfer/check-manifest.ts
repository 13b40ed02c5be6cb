/** Comparing a vault with the list of what was stored there: finds deletion, and older objects brought back. */
import { isSealdropError, throwIfAborted } from '../errors.js';
import type { ByteSource, ObjectStore } from '../ports.js';
import type { ManifestEntry } from './manifest.js';
import { inOrder } from './sync/in-order.js';
import { sha256Of } from './hashed.js';

export interface ManifestCheck {
  readonly key: string;
  /** `unlisted`: it is there and the manifest does not know it. */
  readonly finding: 'as_stored' | 'replaced' | 'missing' | 'unlisted' | 'failed';
  /** Bytes as stored, where it is there. */
  readonly size?: number;
  readonly error?: unknown;
}

export interface ManifestJob {
  store: ObjectStore;
  /** Only keys below it. */
  prefix: string;
  entries: ReadonlyMap<string, ManifestEntry>;
  /** Objects read at the same time. */
  width: number;
  signal?: AbortSignal;
  /** Bytes read, added up over all objects. */
  onProgress?: (bytes: number) => void;
}

/**
 * Reads every object of the manifest as a whole: what a store says of an object, it can say of another. Yields them in the
 * manifest's order, then what is there besides.
 */
export async function* checkManifest(job: ManifestJob): AsyncGenerator<ManifestCheck> {
  const { store, prefix, entries, width, signal } = job;
  let read = 0;
  const count = (bytes: number) => job.onProgress?.((read += bytes));
  yield* inOrder(below(entries, prefix), width, async (entry) => check(entry, job, count));
  throwIfAborted(signal);
  for await (const { key, size } of store.list(prefix, { signal }))
    if (!entries.has(key)) yield { key, finding: 'unlisted', size };
}

async function* below(entries: ReadonlyMap<string, ManifestEntry>, prefix: string) {
  for (const entry of entries.values()) if (entry.key.startsWith(prefix)) yield entry;
}

async function check(
  { key, size, sha256 }: ManifestEntry,
  { store, signal }: ManifestJob,
  count: (bytes: number) => void,
): Promise<ManifestCheck> {
  try {
    throwIfAborted(signal);
    const { info, body } = await store.get(key, { whole: true, transient: true, signal });
    try {
      // Another size needs no reading.
      const same = info.size === size && (await sha256Of(counted(body, count))).toString('hex') === sha256;
      return { key, finding: same ? 'as_stored' : 'replaced', size: info.size };
    } finally {
      body.destroy();
    }
  } catch (error) {
    if (isSealdropError(error) && error.code === 'object_not_found') return { key, finding: 'missing' };
    return { key, finding: 'failed', error };
  }
}

async function* counted(bytes: ByteSource, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    count(piece.length);
    yield piece;
  }
}
