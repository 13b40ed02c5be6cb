/** The write that makes an object visible: under a condition, and when its answer got lost. */
import { SealdropError } from '../errors.js';
import { UPLOAD_ENTRY, type ObjectInfo, type PutOptions, type WriteCondition } from '../ports.js';
import { printable } from '../printable.js';
import { addressOf, headObject, quoted, type S3Bucket } from './s3-bucket.js';
import {
  factsOf,
  isConflict,
  isNoSuchUpload,
  isNotFound,
  isNotImplemented,
  isPrecondition,
  isUnanswered,
  type Facts,
} from './s3-errors.js';
import { delay } from './signals.js';

export interface ConditionHeaders {
  IfNoneMatch?: string;
  IfMatch?: string;
}

export interface VisibleWrite<T> {
  readonly key: string;
  readonly options: Pick<PutOptions, 'condition' | 'guarded' | 'signal'>;
  send(headers: ConditionHeaders): Promise<T>;
  /** The answer that a write of ours would have had, if what the store holds is what we sent. */
  settle(): Promise<T | undefined>;
}

const TRIES = 3;

export async function writeVisibly<T>(bucket: S3Bucket, write: VisibleWrite<T>): Promise<T> {
  const { condition, signal } = write.options;
  let headers = headersOf(condition);
  if (condition !== undefined && !isKept(bucket, condition)) {
    if (write.options.guarded === true) throw conditionNotKept(bucket);
    // Not sent to a store that ignores it, or refuses it in a way that says nothing.
    await assertCondition(bucket, write.key, condition, signal);
    headers = {};
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await write.send(headers);
    } catch (error) {
      const facts = factsOf(error);
      if (mayHaveBeenDone(facts, attempt)) {
        const done = await write.settle();
        if (done !== undefined) return done;
      }
      if (condition === undefined || attempt === TRIES) throw refusal(bucket, write, facts, error);
      if (isNotImplemented(facts)) {
        if (write.options.guarded === true) throw conditionNotKept(bucket, error);
        // A store without conditional writes: looked at before, which leaves a moment for others.
        await assertCondition(bucket, write.key, condition, signal);
        headers = {};
      } else if (isConflict(facts)) await delay(200 * attempt, signal);
      else throw refusal(bucket, write, facts, error);
    }
  }
}

/** Before anything is sent. @throws SealdropError `condition_not_kept` */
export function assertGuarded(bucket: S3Bucket, { condition, guarded }: PutOptions): void {
  if (guarded === true && condition !== undefined && !isKept(bucket, condition))
    throw conditionNotKept(bucket);
}

export function conditionNotKept({ endpoint }: S3Bucket, cause?: unknown): SealdropError {
  return new SealdropError(
    'condition_not_kept',
    `the store at ${endpoint.shown} keeps no conditions on writes: what somebody else writes meanwhile would be overwritten`,
    { cause },
  );
}

function isKept({ traits }: S3Bucket, condition: WriteCondition): boolean {
  const { conditionalWrites = 'all' } = traits;
  return conditionalWrites === 'all' || (conditionalWrites === 'absent' && 'absent' in condition);
}

/** Whether a write goes out without the condition that it has. */
export const isUnguarded = (condition: WriteCondition | undefined, headers: ConditionHeaders): boolean =>
  condition !== undefined && Object.keys(headers).length === 0;

function headersOf(condition: WriteCondition | undefined): ConditionHeaders {
  if (condition === undefined) return {};
  return 'absent' in condition ? { IfNoneMatch: '*' } : { IfMatch: quoted(condition.ifMatch) };
}

/** A repeated request may be refused because of the first one's success, and one without an answer may have had one. */
function mayHaveBeenDone(facts: Facts, attempt: number): boolean {
  const again = attempt > 1 || facts.attempts > 1;
  return isUnanswered(facts) || (again && (isPrecondition(facts) || isNoSuchUpload(facts)));
}

function refusal(bucket: S3Bucket, write: VisibleWrite<unknown>, facts: Facts, error: unknown): unknown {
  if (write.options.condition === undefined) return error;
  // If-Match on what isn't there is answered with 404.
  const gone = isNotFound(facts) && facts.name === 'NoSuchKey';
  if (!isPrecondition(facts) && !isConflict(facts) && !gone) return error;
  return preconditionFailed(bucket, write.key, { cause: error, retryable: isConflict(facts) });
}

async function assertCondition(
  bucket: S3Bucket,
  key: string,
  condition: WriteCondition,
  signal: AbortSignal | undefined,
): Promise<void> {
  const current = (await headIfThere(bucket, key, signal))?.etag;
  const expected = 'absent' in condition ? undefined : condition.ifMatch;
  if (current !== expected) throw preconditionFailed(bucket, key);
}

async function headIfThere(
  bucket: S3Bucket,
  key: string,
  signal?: AbortSignal,
): Promise<ObjectInfo | undefined> {
  try {
    return await headObject(bucket, key, { signal });
  } catch (error) {
    if (error instanceof SealdropError && error.code === 'object_not_found') return undefined;
    throw error;
  }
}

export function preconditionFailed(
  bucket: S3Bucket,
  key: string,
  details: { cause?: unknown; retryable?: boolean } = {},
) {
  const address = printable(addressOf(bucket.name, key));
  return new SealdropError('precondition_failed', `${address} is not what it was expected to be`, details);
}

export interface Sent {
  readonly size: number;
  readonly metadata: PutOptions['metadata'];
  /** The ETag that S3 would give, where it is known. */
  readonly etag: string | undefined;
}

/**
 * The object, if it is what was sent: same size, and the ETag that the bytes give, or the entry that this put alone has.
 * Other metadata prove nothing: yesterday's object of the same size has the same.
 */
export async function isWhatWasSent(
  bucket: S3Bucket,
  key: string,
  sent: Sent,
  signal?: AbortSignal,
): Promise<ObjectInfo | undefined> {
  const info = await headIfThere(bucket, key, signal).catch(() => undefined);
  if (info?.size !== sent.size) return undefined;
  if (info.etag === sent.etag) return info;
  const upload = sent.metadata?.[UPLOAD_ENTRY];
  return upload !== undefined && info.metadata?.[UPLOAD_ENTRY] === upload ? info : undefined;
}
