/** What is shared by everything that becomes an object by several requests. */
import { setMaxListeners } from 'node:events';
import { isSealdropError, SealdropError, interrupted, throwIfAborted } from '../errors.js';
import type { ObjectInfo, PutOptions } from '../ports.js';
import { printable } from '../printable.js';
import type { Completed, MultipartUpload } from './multipart.js';
import type { Parallelism } from './parallelism.js';
import { askedOf, explained, headObject, type S3Bucket } from './s3-bucket.js';
import { factsOf } from './s3-errors.js';
import { delay } from './signals.js';
import { refusedWrite } from './sse.js';

/** What the steps of one upload share: a signal that fires with the caller's, and when one of them has failed. */
export class Job {
  readonly bucket: S3Bucket;
  readonly key: string;
  readonly options: PutOptions;
  readonly signal: AbortSignal;
  readonly #stopping = new AbortController();
  #failure: { error: unknown } | undefined;

  constructor(bucket: S3Bucket, key: string, options: PutOptions) {
    this.bucket = bucket;
    this.key = key;
    this.options = options;
    this.signal = options.signal
      ? AbortSignal.any([options.signal, this.#stopping.signal])
      : this.#stopping.signal;
    // One per request in flight.
    setMaxListeners(0, this.signal);
  }

  /** Stops all steps. The first error stays: those after it are its consequences. */
  fail(error: unknown): unknown {
    this.#failure ??= { error };
    this.#stopping.abort();
    return this.#failure.error;
  }

  async explain<T>(request: Promise<T>): Promise<T> {
    try {
      return await request;
    } catch (error) {
      const { bucket } = this;
      const mapped = await explained(bucket, this.key, error, this.signal);
      throw refusedWrite(mapped, factsOf(error), bucket.sse, bucket.endpoint);
    }
  }
}

/** Rejects when all that began have ended. */
export async function inParallel<T>(
  job: Job,
  items: Iterable<T> | AsyncIterable<T>,
  parallelism: Parallelism,
  send: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  try {
    for await (const item of items) {
      while (running.size >= parallelism.limit) {
        parallelism.waited();
        await Promise.race(running);
      }
      throwIfAborted(job.signal);
      const run: Promise<void> = send(item)
        .catch((error: unknown) => void job.fail(error))
        .finally(() => running.delete(run));
      running.add(run);
    }
  } catch (error) {
    job.fail(error);
  }
  await Promise.all(running);
  if (job.signal.aborted) throw job.fail(interrupted(job.signal.reason));
}

/**
 * Fills the upload and completes it, or removes what was sent. A completing request whose answer was lost is settled by
 * what stands at the store then.
 */
export async function completeOrDiscard(
  job: Job,
  upload: MultipartUpload,
  fill: () => Promise<void>,
): Promise<Completed> {
  try {
    await fill();
    return await job.explain(upload.complete(job.signal));
  } catch (error) {
    const failure = job.fail(error);
    const discarded = await upload.discard();
    if (discarded === 'left') throw withLeftover(failure, job, upload.id);
    const done = discarded === 'gone' && upload.completing ? await upload.settle() : undefined;
    if (done === undefined) throw failure;
    return done;
  }
}

/**
 * Some stores show an object only a moment after they have said that it is complete. Undefined for credentials that may
 * write and not look: what was sent was checked, as far as it can be, and the store has said that it is there.
 */
export async function headWhenThere(bucket: S3Bucket, key: string): Promise<ObjectInfo | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await headObject(bucket, key);
    } catch (error) {
      if (isSealdropError(error) && error.code === 'access_denied') return undefined;
      const absent = isSealdropError(error) && error.code === 'object_not_found';
      if (!absent || attempt === 4) throw error;
      await delay(200 * attempt);
    }
  }
}

export function withLeftover(error: unknown, { bucket, key }: Job, id: string): SealdropError {
  const ours = isSealdropError(error) ? error : undefined;
  const left = `an unfinished upload with id ${printable(id)} stays at the store under ${printable(askedOf(bucket, key).address)}: remove it when the store can be reached`;
  return new SealdropError(
    ours?.code ?? 'internal',
    ours?.message ?? String((error as Error)?.message ?? error),
    {
      hint: ours?.hint === undefined ? left : `${ours.hint}; ${left}`,
      retryable: ours?.retryable ?? false,
      cause: error,
    },
  );
}

/** Some stores say no to it after the last byte. @throws SealdropError `too_large` */
export function assertMetadataFit(
  bucket: S3Bucket,
  key: string,
  metadata: PutOptions['metadata'] = {},
): void {
  const bytes = Buffer.byteLength(Object.entries(metadata).flat().join(''));
  if (bytes <= bucket.metadataBytes) return;
  const address = printable(askedOf(bucket, key).address);
  throw new SealdropError(
    'too_large',
    `the metadata of ${address} have ${bytes} bytes, and this kind of store takes ${bucket.metadataBytes}`,
  );
}
