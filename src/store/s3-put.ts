/** From a source to an object: one request where it fits into one, parts in parallel where not. */
import { createHash } from 'node:crypto';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { BufferPool } from '../buffer-pool.js';
import { SealdropError } from '../errors.js';
import { UPLOAD_ENTRY, type ByteSource, type ObjectInfo, type PutOptions, type PutResult } from '../ports.js';
import { printable } from '../printable.js';
import {
  assertGuarded,
  isUnguarded,
  isWhatWasSent,
  writeVisibly,
  type ConditionHeaders,
} from './conditional.js';
import { cutParts, type Part } from './cut-parts.js';
import { checkFor, prove, resentIfCorrupted, verdict, withPayloadHash, type Answer } from './integrity.js';
import { MultipartUpload, type Completed } from './multipart.js';
import { MOST, type Parallelism } from './parallelism.js';
import { planParts } from './part-plan.js';
import { pull } from './pull.js';
import {
  askedOf,
  headObject,
  parallelismOf,
  unquoted,
  uploading,
  versionOf,
  type S3Bucket,
} from './s3-bucket.js';
import { notS3 } from './s3-errors.js';
import { encryptionOf, isEncryptedAs, notEncrypted, sseOfNew } from './sse.js';
import { assertMetadataFit, completeOrDiscard, headWhenThere, inParallel, Job } from './upload-job.js';

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
  const parallelism = parallelismOf(bucket, 'upload', plan.partSize);
  const pool = new BufferPool(Math.min(plan.partSize, options.size ?? Infinity), MOST + 1);
  const { address } = askedOf(bucket, key);
  const parts = cutParts(pull(source, { address, size: options.size, signal: job.signal }), plan, pool);
  try {
    const first = (await parts.next()).value as Part;
    const whole = first.last && options.inParts !== true;
    return whole
      ? await putWhole(job, first.body)
      : await putInParts(job, from(first, parts), pool, parallelism);
  } finally {
    await parts.return(undefined);
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
  parts: AsyncIterable<Part>,
  pool: BufferPool,
  parallelism: Parallelism,
): Promise<PutResult> {
  const { bucket, key, options, signal } = job;
  const upload = await job.explain(MultipartUpload.begin(bucket, key, options, signal));
  bucket.underWay.count++;
  const completed = await completeOrDiscard(job, upload, async () => {
    await inParallel(job, parts, parallelism, async (part) => {
      await upload.send(part, signal).finally(() => pool.give(part.buffer));
      parallelism.sent(part.body.length);
    });
    assertPartsEncrypted(job, upload);
  }).finally(() => bucket.underWay.count--);
  return confirmed(job, upload, completed);
}

/**
 * Before it replaces anything. What a bucket does by itself, not every store says of parts.
 * @throws SealdropError `store_refused`
 */
export function assertPartsEncrypted({ bucket, key }: Job, { encryption }: MultipartUpload): void {
  const { sse } = bucket;
  if (sse?.kind !== 'bucket' && !isEncryptedAs(sse, encryption))
    throw notEncrypted(askedOf(bucket, key).address, sse!);
}

async function* from(first: Part, rest: AsyncIterable<Part>): AsyncGenerator<Part> {
  yield first;
  yield* rest;
}

/** What is there after the completion. @throws SealdropError `upload_corrupted`, `store_refused` */
export async function confirmed(job: Job, upload: MultipartUpload, completed: Completed): Promise<PutResult> {
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
