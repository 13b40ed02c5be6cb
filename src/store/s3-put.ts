/** From a source to an object: one request where it fits into one, parts in parallel where not. */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { isSealdropError, SealdropError, interrupted, throwIfAborted } from '../errors.js';
import { UPLOAD_ENTRY, type ByteSource, type ObjectInfo, type PutOptions, type PutResult } from '../ports.js';
import { printable } from '../printable.js';
import {
  assertGuarded,
  isUnguarded,
  isWhatWasSent,
  writeVisibly,
  type ConditionHeaders,
} from './conditional.js';
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
import { factsOf, notS3 } from './s3-errors.js';
import { delay } from './signals.js';
import { encryptionOf, isEncryptedAs, notEncrypted, refusedWrite, sseOfNew } from './sse.js';

export async function putObject(
  bucket: S3Bucket,
  key: string,
  source: ByteSource,
  options: PutOptions,
): Promise<PutResult> {
  assertGuarded(bucket, options);
  assertMetadataFit(bucket, key, options.metadata);
  const plan = planParts(options.size ?? options.expectedSize, bucket.partSize, bucket.traits);
  const job = new Job(bucket, key, options);
  const pool = new BufferPool(Math.min(plan.partSize, options.size ?? Infinity), bucket.concurrency + 1);
  const { address } = askedOf(bucket, key);
  const parts = cutParts(pull(source, { address, size: options.size, signal: job.signal }), plan, pool);
  try {
    const first = (await parts.next()).value as Part;
    const whole = first.last && options.inParts !== true;
    return whole ? await putWhole(job, first.body) : await putInParts(job, first, parts, pool);
  } finally {
    await parts.return(undefined);
  }
}

/** Some stores say no to it after the last byte. @throws SealdropError `too_large` */
function assertMetadataFit(bucket: S3Bucket, key: string, metadata: PutOptions['metadata'] = {}): void {
  const bytes = Buffer.byteLength(Object.entries(metadata).flat().join(''));
  if (bytes <= bucket.metadataBytes) return;
  const address = printable(askedOf(bucket, key).address);
  throw new SealdropError(
    'too_large',
    `the metadata of ${address} have ${bytes} bytes, and this kind of store takes ${bucket.metadataBytes}`,
  );
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
      const { bucket } = this;
      const mapped = await explained(bucket, this.key, error, this.signal);
      throw refusedWrite(mapped, factsOf(error), bucket.sse, bucket.endpoint);
    }
  }
}

async function putWhole(job: Job, body: Buffer): Promise<PutResult> {
  const { bucket, key, options, signal } = job;
  const check = checkFor(bucket.endpoint, bucket.checksum, bucket.sse);
  const proof = await prove(body, check);
  let unguarded = false;
  const send = async (headers: ConditionHeaders) => {
    unguarded = isUnguarded(options.condition, headers);
    const command = new PutObjectCommand({
      Bucket: bucket.name,
      Key: key,
      Body: body,
      ContentType: 'application/octet-stream',
      ...(options.metadata && { Metadata: { ...options.metadata } }),
      ...proof.headers,
      ...headers,
      ...sseOfNew(bucket.sse),
    });
    const answer = await bucket.client.send(withPayloadHash(command, proof.payloadHash), uploading(signal));
    if (answer.ETag === undefined) throw notS3(askedOf(bucket, key), 'took an object without an ETag');
    return { answer: answer as Answer, etag: unquoted(answer.ETag), version: answer.VersionId };
  };
  const settle = async () => {
    const etag = createHash('md5').update(body).digest('hex');
    const sent = { size: body.length, metadata: options.metadata, etag };
    const info = await isWhatWasSent(bucket, key, sent, signal);
    return info && { answer: answerOf(info), etag: info.etag, version: info.version };
  };
  let { condition } = options;
  let damage: SealdropError | undefined;
  const once = async (): Promise<PutResult> => {
    const write = writeVisibly(bucket, { key, options: { ...options, condition, signal }, send, settle });
    const { answer, etag, version } = await job.explain(write);
    try {
      const checked = verdict(askedOf(bucket, key).address, check, proof, answer);
      await assertEncrypted(job, encryptionOf(answer));
      const written = { etag, size: body.length, ...versionOf({ VersionId: version }), checked };
      return unguarded ? { ...written, unguarded } : written;
    } catch (error) {
      // A damaged object stands there now, or one that is not encrypted: it is ours to replace.
      if (condition !== undefined) condition = { ifMatch: etag };
      damage = error as SealdropError;
      throw error;
    }
  };
  const result = await resentIfCorrupted(once).catch(async (error: unknown) => {
    if (damage === undefined) throw error;
    await removeOwn(bucket, key, options.metadata?.[UPLOAD_ENTRY]);
    throw damage;
  });
  // Nothing else speaks for it.
  if (result.checked === 'size') await assertStoredSize(job, body.length);
  return result;
}

/** What the store would have answered to a write that became this object. */
const answerOf = ({ etag, encryption }: ObjectInfo): Answer => ({
  ETag: etag,
  ...(encryption === 'SSE-C' ? { SSECustomerAlgorithm: 'AES256' } : { ServerSideEncryption: encryption }),
});

/**
 * @param said what an answer said of it
 * @throws SealdropError `store_refused` where nothing says that the object is encrypted as it was asked for
 */
async function assertEncrypted({ bucket, key }: Job, said: string | undefined): Promise<void> {
  const { sse } = bucket;
  if (sse === undefined || isEncryptedAs(sse, said)) return;
  const found = said ?? (await headWhenThere(bucket, key))?.encryption;
  if (!isEncryptedAs(sse, found)) throw notEncrypted(askedOf(bucket, key).address, sse);
}

/** What was proven damaged, or is not encrypted, must not pass for a stored object; nobody else's is touched. */
async function removeOwn(bucket: S3Bucket, key: string, upload: string | undefined): Promise<void> {
  const info = await headObject(bucket, key).catch(() => undefined);
  if (upload === undefined || info?.metadata?.[UPLOAD_ENTRY] !== upload) return;
  const remove = async (version: object) =>
    bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: key, ...version }));
  // By its version, so that the one before it stands there again. Who may not delete has the error alone.
  await remove(info.version === undefined ? {} : { VersionId: info.version })
    .catch(async () => remove({}))
    .catch(() => undefined);
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
    // Before it replaces anything. What a bucket does by itself, not every store says of parts.
    const { sse } = bucket;
    if (sse?.kind !== 'bucket' && !isEncryptedAs(sse, upload.encryption))
      throw notEncrypted(askedOf(bucket, key).address, sse!);
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
  await assertEncrypted(job, head?.encryption ?? upload.encryption).catch(async (error: unknown) => {
    // What was replaced by it is gone: the bytes, which were proven, are all that there is of it.
    if (job.options.proven !== true)
      await removeOwn(job.bucket, job.key, job.options.metadata?.[UPLOAD_ENTRY]);
    throw error;
  });
  return {
    etag: completed.etag ?? head?.etag ?? '',
    size: upload.size,
    ...versionOf({ VersionId: completed.version }),
    checked: upload.checked ?? 'size',
    upload: upload.id,
    ...(upload.unguarded && { unguarded: true }),
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
