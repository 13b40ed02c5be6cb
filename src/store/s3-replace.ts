/**
 * Other metadata for an object, by a copy inside the store that takes its place: a multipart upload, because stores that
 * pass over the condition of a CopyObject keep that of a completion.
 */
import { isDeepStrictEqual } from 'node:util';
import { isSealdropError, SealdropError } from '../errors.js';
import { UPLOAD_ENTRY, type ObjectInfo, type Replaced, type ReplaceOptions } from '../ports.js';
import { printable } from '../printable.js';
import { assertGuarded, preconditionFailed } from './conditional.js';
import { keptFields, keptSse } from './kept-fields.js';
import { MultipartUpload } from './multipart.js';
import { Parallelism } from './parallelism.js';
import { planCopy, type CopyRange } from './part-plan.js';
import { addressOf, headFields, headObject, infoOf, type S3Bucket } from './s3-bucket.js';
import { assertMetadataFit, completeOrDiscard, headWhenThere, inParallel, Job } from './upload-job.js';

export async function replaceMetadata(
  bucket: S3Bucket,
  key: string,
  { ifMatch, ifMetadata, ...options }: ReplaceOptions,
): Promise<Replaced> {
  const { metadata, signal } = options;
  const condition = { ifMatch };
  assertGuarded(bucket, { ...options, condition });
  assertMetadataFit(bucket, key, metadata);
  const head = await orChanged(bucket, key, headFields(bucket, key, { signal }));
  const before = infoOf(bucket, key, head);
  assertUnchanged(bucket, before, { ...before, etag: ifMatch, metadata: ifMetadata ?? before.metadata! });
  const kept = await keptFields(bucket, key, head, signal);
  // The one check that every store has, for the part of an empty object.
  const like: S3Bucket = { ...bucket, sse: keptSse(bucket, head), checksum: 'signature' };
  const job = new Job(like, key, { ...options, condition });
  const begun = MultipartUpload.begin(like, key, job.options, job.signal, kept);
  const upload = await job.explain(begun);
  await completeOrDiscard(job, upload, async () => {
    await copyParts(job, upload, before);
    // As late as can be: a condition on an ETag doesn't see another such copy of the same parts.
    const now = await orChanged(bucket, key, headObject(bucket, key, { signal: job.signal }));
    assertUnchanged(bucket, now, before);
  });
  const after = await headWhenThere(bucket, key);
  assertReplaced(bucket, before, after, metadata[UPLOAD_ENTRY]);
  return { ...after, ...(upload.unguarded && { unguarded: true }) };
}

async function copyParts(job: Job, upload: MultipartUpload, before: ObjectInfo): Promise<void> {
  const { bucket, key, signal } = job;
  // There is no copying of nothing.
  if (before.size === 0) {
    await upload.send({ number: 1, body: Buffer.alloc(0) }, signal);
    return;
  }
  const ranges = planCopy(before.size, before.etag, bucket.traits);
  const copy = async (range: CopyRange) => orChanged(bucket, key, upload.copy(range, before, signal));
  // They take no memory here, and no time that more of them would save: the store does the work.
  await inParallel(
    job,
    ranges,
    new Parallelism({ direction: 'upload', wanted: bucket.concurrency ?? 4, memory: () => 0, partSize: 1 }),
    copy,
  );
}

/** What is not there any more is not what it was expected to be either. */
async function orChanged<T>(bucket: S3Bucket, key: string, request: Promise<T>): Promise<T> {
  return request.catch((error: unknown) => {
    const isGone = isSealdropError(error) && error.code === 'object_not_found';
    throw isGone ? preconditionFailed(bucket, key, { cause: error }) : error;
  });
}

function assertUnchanged(bucket: S3Bucket, now: ObjectInfo, expected: ObjectInfo): void {
  const isSame =
    now.etag === expected.etag && isDeepStrictEqual({ ...now.metadata }, { ...expected.metadata });
  if (!isSame) throw preconditionFailed(bucket, now.key);
}

function assertReplaced(
  bucket: S3Bucket,
  before: ObjectInfo,
  after: ObjectInfo | undefined,
  upload: string,
): asserts after is ObjectInfo {
  const address = printable(addressOf(bucket.name, before.key));
  if (after?.metadata?.[UPLOAD_ENTRY] !== upload)
    throw new SealdropError(
      'precondition_failed',
      `${address} does not have the metadata that it was just given`,
      { hint: 'somebody else wrote it right after, or the store keeps no metadata' },
    );
  if (after.size !== before.size)
    throw new SealdropError(
      'upload_corrupted',
      `${address}: ${before.size} bytes were copied, and the store holds ${after.size}`,
    );
}
