/** From a source to an object: one request where it fits into one, parts in parallel where not. */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { isSealdropError, SealdropError, interrupted, throwIfAborted } from '../errors.js';
import { UPLOAD_ENTRY, type ByteSource, type ObjectInfo, type PutOptions, type PutResult } from '../ports.js';
import { printable } from '../printable.js';
import { isWhatWasSent, writeVisibly, type ConditionHeaders } from './conditional.js';
import { BufferPool, cutParts, type Part } from './cut-parts.js';
import { checkFor, prove, resentIfCorrupted, verdict, withPayloadHash, type Answer } from './integrity.js';
import { MultipartUpload, type Completed } from './multipart.js';
import { planParts } from './part-plan.js';
import { pull } from './pull.js';
import {
  askedOf,
  explained,
  headObject,
  unquoted,
  uploading,
  versionOf,
  type S3Bucket,
} from './s3-bucket.js';
import { notS3 } from './s3-errors.js';
import { delay } from './signals.js';

export async function putObject(
  bucket: S3Bucket,
  key: string,
  source: ByteSource,
  options: PutOptions,
): Promise<PutResult> {
  const plan = planParts(options.size ?? options.expectedSize, bucket.partSize);
  const job = new Job(bucket, key, options);
  const pool = new BufferPool(Math.min(plan.partSize, options.size ?? Infinity), bucket.concurrency + 1);
  const { address } = askedOf(bucket, key);
  const parts = cutParts(pull(source, { address, size: options.size, signal: job.signal }), plan, pool);
  try {
    const first = (await parts.next()).value as Part;
    return first.last ? await putWhole(job, first.body) : await putInParts(job, first, parts, pool);
  } finally {
    await parts.return(undefined);
  }
}

/** What the steps of one upload share: a signal that fires with the caller's, and when one of them has failed. */
class Job {
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
      throw await explained(this.bucket, this.key, error, this.signal);
    }
  }
}

async function putWhole(job: Job, body: Buffer): Promise<PutResult> {
  const { bucket, key, options, signal } = job;
  const check = checkFor(bucket.endpoint, bucket.checksum);
  const proof = await prove(body, check);
  const send = async (headers: ConditionHeaders) => {
    const command = new PutObjectCommand({
      Bucket: bucket.name,
      Key: key,
      Body: body,
      ContentType: 'application/octet-stream',
      ...(options.metadata && { Metadata: { ...options.metadata } }),
      ...proof.headers,
      ...headers,
    });
    const answer = await bucket.client.send(withPayloadHash(command, proof.payloadHash), uploading(signal));
    if (answer.ETag === undefined) throw notS3(askedOf(bucket, key), 'took an object without an ETag');
    return { answer: answer as Answer, etag: unquoted(answer.ETag), version: answer.VersionId };
  };
  const settle = async () => {
    const etag = createHash('md5').update(body).digest('hex');
    const sent = { size: body.length, metadata: options.metadata, etag };
    const info = await isWhatWasSent(bucket, key, sent, signal);
    return info && { answer: { ETag: info.etag }, etag: info.etag, version: info.version };
  };
  let { condition } = options;
  let damage: SealdropError | undefined;
  const once = async (): Promise<PutResult> => {
    const write = writeVisibly(bucket, { key, options: { ...options, condition, signal }, send, settle });
    const { answer, etag, version } = await job.explain(write);
    try {
      const checked = verdict(askedOf(bucket, key).address, check, proof, answer);
      return { etag, size: body.length, ...versionOf({ VersionId: version }), checked };
    } catch (error) {
      // A damaged object stands there now: it is ours to replace.
      if (condition !== undefined) condition = { ifMatch: etag };
      damage = error as SealdropError;
      throw error;
    }
  };
  const result = await resentIfCorrupted(once).catch(async (error: unknown) => {
    if (damage === undefined) throw error;
    await removeDamaged(bucket, key, options.metadata?.[UPLOAD_ENTRY]);
    throw damage;
  });
  // Nothing else speaks for it.
  if (result.checked === 'size') await assertStoredSize(job, body.length);
  return result;
}

/** An object that was proven damaged must not pass for a stored one; nobody else's is touched. */
async function removeDamaged(bucket: S3Bucket, key: string, upload: string | undefined): Promise<void> {
  const info = await headObject(bucket, key).catch(() => undefined);
  if (upload === undefined || info?.metadata?.[UPLOAD_ENTRY] !== upload) return;
  const command = new DeleteObjectCommand({ Bucket: bucket.name, Key: key });
  // Who may not delete has the error alone.
  await bucket.client.send(command).catch(() => undefined);
}

async function putInParts(
  job: Job,
  first: Part,
  rest: AsyncIterable<Part>,
  pool: BufferPool,
): Promise<PutResult> {
  const { bucket, key, options, signal } = job;
  const upload = await job.explain(MultipartUpload.begin(bucket, key, options, signal));
  try {
    await sendParts(job, upload, first, rest, pool);
    return await confirmed(job, upload, await job.explain(upload.complete(signal)));
  } catch (error) {
    const failure = job.fail(error);
    // Completed: there is no upload to remove, and the object stays for whoever looks into it.
    if (upload.completed) throw failure;
    const discarded = await upload.discard();
    if (discarded === 'left') throw withLeftover(failure, job, upload.id);
    const done = discarded === 'gone' && upload.completing ? await upload.settle() : undefined;
    if (done === undefined) throw failure;
    return confirmed(job, upload, done);
  }
}

async function sendParts(
  job: Job,
  upload: MultipartUpload,
  first: Part,
  rest: AsyncIterable<Part>,
  pool: BufferPool,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const start = async (part: Part) => {
    while (running.size >= job.bucket.concurrency) await Promise.race(running);
    throwIfAborted(job.signal);
    const run: Promise<void> = upload
      .send(part, job.signal)
      .catch((error: unknown) => void job.fail(error))
      .finally(() => {
        running.delete(run);
        pool.give(part.buffer);
      });
    running.add(run);
  };
  try {
    await start(first);
    for await (const part of rest) await start(part);
  } catch (error) {
    job.fail(error);
  }
  await Promise.all(running);
  if (job.signal.aborted) throw job.fail(interrupted(job.signal.reason));
}

async function confirmed(job: Job, upload: MultipartUpload, completed: Completed): Promise<PutResult> {
  const head = await assertStoredSize(job, upload.size);
  return {
    etag: completed.etag ?? head?.etag ?? '',
    size: upload.size,
    ...versionOf({ VersionId: completed.version }),
    checked: upload.checked ?? 'size',
    upload: upload.id,
  };
}

/**
 * The object as it stands there must have the size of what was sent.
 * @throws SealdropError `upload_corrupted`
 */
async function assertStoredSize({ bucket, key }: Job, sent: number): Promise<ObjectInfo | undefined> {
  const head = await headWhenThere(bucket, key);
  if (head === undefined || head.size === sent) return head;
  throw new SealdropError(
    'upload_corrupted',
    `${printable(askedOf(bucket, key).address)}: ${sent} bytes were sent, and the store holds ${head.size}`,
    { retryable: true },
  );
}

/**
 * Some stores show an object only a moment after they have said that it is complete. Undefined for credentials that may
 * write and not look: what was sent was checked, as far as it can be, and the store has said that it is there.
 */
async function headWhenThere(bucket: S3Bucket, key: string): Promise<ObjectInfo | undefined> {
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

function withLeftover(error: unknown, { bucket, key }: Job, id: string): SealdropError {
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
