/**
 * Whether a store encrypts at rest what lies below a prefix, as it says of each object itself (HEAD): a bucket's own
 * setting is not to be had everywhere, and says nothing of the objects that were there before.
 */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { isSealdropError, SealdropError } from '../errors.js';
import { UPLOAD_ENTRY, type BucketAdmin, type ObjectStore } from '../ports.js';

/** `unknown`: there is no object to tell by; `incomplete`: those are encrypted that were looked at, and there are more. */
export type EncryptionVerdict = 'encrypted' | 'not-encrypted' | 'unknown' | 'incomplete';

export interface EncryptionReport {
  readonly verdict: EncryptionVerdict;
  /** Objects that were looked at. */
  readonly objects: number;
  /** True where there are more, behind the limit. */
  readonly more: boolean;
  readonly unencrypted: number;
  /** How many objects have which encryption. */
  readonly encryptions: Readonly<Record<string, number>>;
}

export interface CheckEncryptionJob {
  readonly store: ObjectStore;
  readonly prefix: string;
  /** Objects to look at. Default all. */
  readonly limit?: number | undefined;
  readonly stopAtFirst?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called with the key of each object that is not encrypted, in no order. */
  readonly onUnencrypted?: (key: string) => void;
}

/** HEADs at the same time. */
const CONCURRENCY = 16;
const CLEANUP_TIME = 30_000;

/** @throws SealdropError what listing and HEAD fail with */
export async function checkEncryption(job: CheckEncryptionJob): Promise<EncryptionReport> {
  const { store, prefix, limit = Infinity, signal } = job;
  // One per HEAD.
  if (signal !== undefined) setMaxListeners(0, signal);
  const encryptions: Record<string, number> = {};
  let objects = 0;
  let unencrypted = 0;
  let more = false;
  let failure: { error: unknown } | undefined;
  const running = new Set<Promise<void>>();
  const look = async (key: string) => {
    const encryption = await encryptionOf(store, key, signal);
    if (encryption === undefined) return;
    objects++;
    if (encryption !== NONE) encryptions[encryption] = (encryptions[encryption] ?? 0) + 1;
    else if (++unencrypted > 0) job.onUnencrypted?.(key);
  };
  let begun = 0;
  for await (const { key } of store.list(prefix, signal && { signal })) {
    if (begun === limit) more = true;
    if (more || failure !== undefined || (job.stopAtFirst === true && unencrypted > 0)) break;
    begun++;
    const run: Promise<void> = look(key)
      .catch((error: unknown) => void (failure ??= { error }))
      .finally(() => running.delete(run));
    running.add(run);
    if (running.size >= CONCURRENCY) await Promise.race(running);
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
  const encrypted = more ? 'incomplete' : 'encrypted';
  const verdict = objects === 0 ? 'unknown' : unencrypted > 0 ? 'not-encrypted' : encrypted;
  return { verdict, objects, more, unencrypted, encryptions };
}

const NONE = '';

/** Undefined for an object that was removed meanwhile. */
async function encryptionOf(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    return (await store.head(key, signal && { signal })).encryption ?? NONE;
  } catch (error) {
    if (!isSealdropError(error)) throw error;
    // Nobody but whoever has the key gets it.
    if (error.code === 'sse_key_required') return 'SSE-C';
    if (error.code === 'object_not_found') return undefined;
    throw error;
  }
}

/**
 * Writes one small object, looks at it and removes it, whatever happens.
 * @returns what the store says that it encrypted it with, undefined for nothing
 */
export async function probeEncryption(
  { store, admin }: { store: ObjectStore; admin: BucketAdmin },
  prefix: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const upload = randomUUID();
  const key = `${prefix}sealdrop-probe-${upload}`;
  // Where this fails, nothing is stored.
  const metadata = { [UPLOAD_ENTRY]: upload };
  const { version } = await store.put(key, bytesOf('sealdrop bucket check --probe\n'), { metadata, signal });
  try {
    return (await store.head(key, signal && { signal })).encryption;
  } finally {
    await admin.removeObject(key, version, AbortSignal.timeout(CLEANUP_TIME)).catch((cause: unknown) => {
      throw new SealdropError('store_refused', `the probe could not be removed: ${store.address(key)}`, {
        cause,
        hint: 'it is of no use to anybody: remove it by hand',
      });
    });
  }
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
