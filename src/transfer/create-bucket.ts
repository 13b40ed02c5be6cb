/** A new bucket, or one that is there already, with the settings asked for: all of them, or none. */
import { isSealdropError, SealdropError } from '../errors.js';
import type { BucketAdmin, BucketEncryption, ObjectStore } from '../ports.js';
import { checkEncryption } from './check-encryption.js';

export interface CreateBucketJob {
  readonly admin: BucketAdmin;
  /** On the same bucket, to look at what lies in it. */
  readonly store: ObjectStore;
  /** By default, for all objects to come. */
  readonly encryption?: Omit<BucketEncryption, 'allowSseC'> | undefined;
  /** Take objects under SSE-C, which AWS refuses in new buckets since April 2026. */
  readonly allowSseC?: boolean | undefined;
  readonly versioned?: boolean | undefined;
  /** The bucket may be there already. */
  readonly existing?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

const CLEANUP_TIME = 30_000;

/**
 * Encryption is never switched on for a bucket that holds objects which are not encrypted: it would leave them so.
 * @returns whether the bucket was made
 * @throws SealdropError `target_exists`, `precondition_failed` for such a bucket, and what the store refuses with; a
 * bucket that was made before is removed again, or the message says that it stays
 */
export async function createBucket(job: CreateBucketJob): Promise<boolean> {
  const { admin, signal } = job;
  const there = await admin.exists(signal);
  if (there && job.existing !== true)
    throw new SealdropError('target_exists', `${admin.address} is there already, and was left as it is`, {
      hint: 'see what it does: sealdrop bucket check; to set what you ask for in it: --existing',
    });
  if (there) await assertNothingUnencrypted(job);
  else await admin.create(signal);
  try {
    await applySettings(job);
  } catch (error) {
    throw there ? error : await withoutBucket(admin, error);
  }
  return !there;
}

async function assertNothingUnencrypted({
  admin,
  store,
  encryption,
  signal,
}: CreateBucketJob): Promise<void> {
  if (encryption === undefined) return;
  const { unencrypted } = await checkEncryption({ store, prefix: '', stopAtFirst: true, signal });
  if (unencrypted === 0) return;
  throw new SealdropError(
    'precondition_failed',
    `${admin.address} holds objects that are not encrypted, and would still hold them: nothing was changed`,
    { hint: 'see which: sealdrop bucket check; make a new bucket with --encrypted and copy them there' },
  );
}

async function applySettings({
  admin,
  encryption,
  allowSseC,
  versioned,
  signal,
}: CreateBucketJob): Promise<void> {
  if (encryption !== undefined || allowSseC === true) {
    const wanted = { ...(encryption ?? (await encryptionSet(admin, signal))), allowSseC };
    await admin.setEncryption(wanted, signal).catch((error: unknown) => {
      throw noSuchSetting(error);
    });
    await assertKept(admin, wanted, signal);
  }
  if (versioned === true) await admin.setVersioned(signal);
}

/** What the bucket does already: allowing SSE-C must switch nothing else on or off. */
async function encryptionSet(admin: BucketAdmin, signal?: AbortSignal): Promise<BucketEncryption> {
  const found = await admin.encryption(signal);
  if (found.state === 'set') return found;
  throw new SealdropError(
    'store_refused',
    `${admin.address} has no default encryption that SSE-C could be allowed beside`,
    {
      hint: 'only AWS has to be told; on other stores that have SSE-C leave --allow-sse-c out',
    },
  );
}

/** Some stores take every setting and keep none. */
async function assertKept(admin: BucketAdmin, wanted: BucketEncryption, signal?: AbortSignal): Promise<void> {
  const found = await admin.encryption(signal);
  if (found.state === 'unknown') return;
  const kept = found.state === 'set' && found.algorithm === wanted.algorithm;
  if (kept && (wanted.allowSseC !== true || found.allowsSseC)) return;
  throw new SealdropError(
    'store_refused',
    `${admin.address}: the store took the default encryption and does not have it`,
    {
      hint: OWN_TOOL,
    },
  );
}

const OWN_TOOL =
  "make the bucket with the store's own tool (on the ABCI Cloud Storage of s3.abci.ai: create-encrypted-bucket), and look at it: sealdrop bucket check --probe";

function noSuchSetting(error: unknown): unknown {
  if (!isSealdropError(error) || error.code !== 'store_refused') return error;
  return new SealdropError(
    'store_refused',
    `${error.message}: it has no default encryption that could be set in S3's way, or not this one`,
    { cause: error, hint: OWN_TOOL },
  );
}

/** The bucket was made a moment ago, and is empty. */
async function withoutBucket(admin: BucketAdmin, error: unknown): Promise<unknown> {
  const removed = await admin.remove(AbortSignal.timeout(CLEANUP_TIME)).then(
    () => true,
    () => false,
  );
  if (!isSealdropError(error)) return error;
  const { code, message, hint, retryable } = error;
  const what = removed
    ? 'the new bucket was removed again'
    : `the new bucket ${admin.address} stays, without what was asked for`;
  return new SealdropError(code, `${message}; ${what}`, { hint, retryable, cause: error });
}
