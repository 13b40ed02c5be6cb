/** What becomes of one object of an inbox bucket (design, "The event pipeline"). */
import { STATUS_TAG, type AfterStoring, type InboxSettings, type Outcome } from '../contract.js';
import { isSealdropError, SealdropError } from '../errors.js';
import type { Encryptor, InboxBucket, InboxObject, InboxVersion, ObjectStore } from '../ports.js';
import type { Secret } from '../secret.js';
import { encryptObject, judge, lookForHeld, type EncryptingJob } from './encrypt-object.js';
import { inboxSource, ofSource } from './inbox-source.js';
import { vaultKeyOf } from './key-template.js';
import type { ObjectCreated } from './object-created.js';
import { isLater } from './sequencer.js';
import type { TimeBudget } from './time-budget.js';
import { secondsOf, type SourceClaim } from './source-token.js';

/** What an encrypting gateway has, its secrets read. */
export interface EncryptingSide {
  readonly encryptor: Encryptor;
  readonly store: ObjectStore;
  /** In front of every vault key: empty, or with a slash at its end. */
  readonly prefix: string;
  /** Where the vault is. Undefined: at AWS. */
  readonly endpoint?: string | undefined;
  readonly idempotencyKey: Secret<Buffer>;
}

export interface InboxJob {
  object: ObjectCreated;
  settings: InboxSettings;
  inbox: InboxBucket;
  parts: EncryptingSide;
  after: AfterStoring;
  /** Do everything but write. */
  dryRun?: boolean;
  /** Throws where an object of so many bytes cannot be taken, now or ever. */
  admit: TimeBudget['admit'];
  signal?: AbortSignal | undefined;
}

export interface InboxOutcome {
  readonly outcome: Exclude<Outcome, 'failed'>;
  readonly bytes?: number;
}

const TRIES = 3;

/**
 * Brings one object into the vault, unless it is there, has been replaced, or is gone.
 * @throws SealdropError
 */
export async function takeObject(job: InboxJob): Promise<InboxOutcome> {
  const { object, settings, inbox, parts, signal } = job;
  if (object.key.endsWith('/') && (await isMarker(job))) return { outcome: 'ignored' };
  const vaultKey = vaultKeyOf(settings, parts.prefix, object.key);
  for (let attempt = 1; ; attempt++) {
    const opened = await ofSource(
      job.dryRun === true ? headOnly(job) : inbox.read(object.key, whichOf(object), signal),
    );
    if (opened === undefined) return missing(job, vaultKey);
    try {
      return await takeOpened(job, vaultKey, opened);
    } catch (error) {
      // Somebody else wrote at the same time: what they wrote is looked at.
      const raced = isSealdropError(error) && error.code === 'precondition_failed' && error.retryable;
      if (!raced || attempt === TRIES) throw error;
    }
  }
}

const whichOf = ({ version, etag }: InboxVersion): InboxVersion =>
  version !== undefined ? { version } : { etag };

/** An object of no bytes that stands for a folder. What has content is no marker, whatever its name. */
async function isMarker({ object, inbox, signal }: InboxJob): Promise<boolean> {
  const found = await ofSource(inbox.head(object.key, whichOf(object), signal));
  return found?.size === 0;
}

async function headOnly({ object, inbox, signal }: InboxJob): Promise<Opened | undefined> {
  const info = await inbox.head(object.key, whichOf(object), signal);
  return info && { info };
}

interface Opened {
  readonly info: InboxObject;
  readonly body?: NonNullable<Awaited<ReturnType<InboxBucket['read']>>>['body'];
}

async function takeOpened(job: InboxJob, vaultKey: string, { info, body }: Opened): Promise<InboxOutcome> {
  const encrypting = encryptingJob(job, vaultKey, info);
  const from = `s3://${job.object.bucket}/${info.key}`;
  const { store, endpoint, encryptor } = job.parts;
  const way = { from, to: store.address(vaultKey), format: encryptor.format, endpoint };
  const admit = () => job.admit(info.size, way);
  const later = async (held: SourceClaim) => isLaterThan(held, job, info);
  if (body === undefined) {
    const { verdict } = await judge(encrypting, info.size, later);
    if (verdict === 'write') admit();
    return { outcome: verdict === 'write' ? 'would_store' : verdict, bytes: info.size };
  }
  const source = inboxSource(info, body, admit);
  const { outcome, written } = await encryptObject({
    ...encrypting,
    source,
    isLater: later,
    confirm: job.after === 'delete',
  });
  if (outcome === 'stale') return { outcome, bytes: info.size };
  if (written?.unguarded === true) {
    // Nothing kept an older version from being written over a newer one just now.
    const current = await ofSource(job.inbox.head(info.key, {}, job.signal));
    if (current !== undefined && !isSameObject(current, info))
      return takeObject({
        ...job,
        object: { bucket: job.object.bucket, key: info.key, ...whichOf(current) },
      });
  }
  await leave(job, info);
  return { outcome, bytes: info.size };
}

function encryptingJob(
  job: InboxJob,
  vaultKey: string,
  seen: InboxVersion & { modified?: Date },
): EncryptingJob {
  const { object, parts, signal } = job;
  const { version, etag, modified } = seen;
  const { encryptor, store, idempotencyKey } = parts;
  const state = version === undefined ? etag : undefined;
  const { bucket: inbox, key, sequencer } = object;
  const from = { inbox, key, version, state, modified, sequencer };
  return { from, vaultKey, store, encryptor, idempotencyKey, signal };
}

const isSameObject = (a: InboxObject, b: InboxObject): boolean =>
  a.version === b.version && (a.version !== undefined || a.etag === b.etag);

/**
 * By sequencers, where both have one; else what is current at the source is the later one. One that may have become
 * current only because the other was removed (by step 6, say) is told by its time.
 * @throws SealdropError `order_unknown` where its time tells nothing: an upload in parts bears the time when it was begun
 */
async function isLaterThan(
  held: SourceClaim,
  { object, inbox, signal }: InboxJob,
  ours: InboxObject,
): Promise<boolean> {
  if (object.sequencer !== undefined && held.sequencer !== undefined)
    return isLater(object.sequencer, held.sequencer);
  const current = await ofSource(inbox.head(ours.key, {}, signal));
  if (current === undefined || !isSameObject(current, ours)) return false;
  if (held.version === undefined || ours.version === undefined) return true;
  const other = await ofSource(inbox.head(ours.key, { version: held.version }, signal));
  const modified = secondsOf(ours.modified);
  if (other !== undefined || held.modified === undefined || modified > held.modified) return true;
  // S3 marks the ETag of an upload in parts.
  if (modified < held.modified && !ours.etag.includes('-')) return false;
  throw new SealdropError(
    'order_unknown',
    'the vault holds another version of this object, which the inbox has no more; nothing says which of them is newer',
    {
      hint: 'remove the one that you do not want: this version from the inbox, or the object from the vault, then redrive',
    },
  );
}

/** Step 2: the version is not at the source any more. */
async function missing(job: InboxJob, vaultKey: string): Promise<InboxOutcome> {
  const { object, inbox, signal } = job;
  if (object.version === undefined && object.etag === undefined) return { outcome: 'gone' };
  const encrypting = encryptingJob(job, vaultKey, object);
  const { held, put } = await lookForHeld(encrypting);
  if (held?.isOf(encrypting.from) === true) return { outcome: 'duplicate' };
  const order =
    object.sequencer === undefined || held?.sequencer === undefined
      ? undefined
      : isLater(object.sequencer, held.sequencer);
  if (order === false || isNotBefore(put, object)) return { outcome: 'superseded' };
  const current = await ofSource(inbox.head(object.key, {}, signal));
  if (current === undefined) return { outcome: 'gone' };
  const heldIsCurrent = held?.isOf({ version: current.version, state: current.etag }) === true;
  return { outcome: heldIsCurrent && order === true ? 'gone' : supersededBy(current, object) };
}

/** In the same second the API's counts as the later one, as it does where both are there. */
const isNotBefore = (put: SourceClaim | undefined, { time }: ObjectCreated): boolean =>
  put?.modified !== undefined && time !== undefined && put.modified >= secondsOf(time);

/** Where a version was removed, an earlier one may be current again: what is not known to be newer stands for no other. */
function supersededBy(current: InboxObject, { version, time }: ObjectCreated): 'superseded' | 'gone' {
  if (version === undefined) return 'superseded';
  return time !== undefined && secondsOf(current.modified) > secondsOf(time) ? 'superseded' : 'gone';
}

/** Step 6. */
async function leave({ object, inbox, after, signal }: InboxJob, info: InboxObject): Promise<void> {
  const which = whichOf(info);
  if (after === 'delete') {
    // Without a version nothing says that what would be removed is what was stored.
    if (info.version !== undefined) await ofSource(inbox.remove(info.key, info.version, signal));
  } else if (after === 'tag') {
    await ofSource(inbox.tag(info.key, which, { name: STATUS_TAG, value: 'stored' }, signal));
  } else if (object.again === true && info.tags !== undefined && info.tags > 0) {
    // It may say that it failed, which is over.
    await ofSource(inbox.tag(info.key, which, { name: STATUS_TAG }, signal));
  }
}
