/** What every operation on a bucket shares. */
import type { Readable } from 'node:stream';
import {
  GetObjectCommand,
  HeadBucketCommand,
  type HeadObjectCommandOutput,
  HeadObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { SealdropError } from '../errors.js';
import type { ChecksumMode, ObjectInfo, ServerSideEncryption } from '../ports.js';
import { printable } from '../printable.js';
import type { StoreTraits } from '../store-traits.js';
import { Parallelism, type ParallelismOptions } from './parallelism.js';
import type { Endpoint } from './s3-config.js';
import { factsOf, isDenied, isNamed, isNotFound, notS3, s3Error, type Asked } from './s3-errors.js';
import { encryptionOf, keyNotApplicable, keyRequired, sseOfAny, wrongKey } from './sse.js';

export interface S3Bucket {
  readonly client: S3Client;
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly partSize: number | undefined;
  /** Parts of one object that are under way at the same time, where somebody has said it. */
  readonly concurrency: number | undefined;
  /** Bytes that those of all objects may take. */
  readonly memory: number;
  /** Objects that go in parts just now. */
  readonly underWay: { count: number };
  readonly checksum: ChecksumMode;
  readonly sse?: ServerSideEncryption | undefined;
  readonly traits: StoreTraits;
  readonly metadataBytes: number;
  /** Milliseconds without a byte after which a download counts as broken. */
  readonly idleTimeout: number;
}

/** For one of the objects under way, of which each has its share of the memory. */
export const parallelismOf = (
  bucket: S3Bucket,
  direction: ParallelismOptions['direction'],
  partSize: number,
): Parallelism =>
  new Parallelism({
    direction,
    wanted: bucket.concurrency,
    memory: () => bucket.memory / Math.max(bucket.underWay.count, 1),
    partSize,
  });

export interface SignalOption {
  signal?: AbortSignal | undefined;
}

export const addressOf = (bucket: string, key: string): string => `s3://${bucket}/${key}`;

export const askedOf = (bucket: S3Bucket, key: string): Asked => ({
  address: addressOf(bucket.name, key),
  endpoint: bucket.endpoint.shown,
});

/** What the SDK's `send` takes; it wants no `undefined` in it. */
export const sending = (signal: AbortSignal | undefined) =>
  signal === undefined ? {} : { abortSignal: signal };

/** For what carries an object's bytes: it may take as long as it goes on. */
export const uploading = (signal: AbortSignal | undefined) => ({ ...sending(signal), requestTimeout: 0 });

export const unquoted = (etag: string): string => /^(?:W\/)?"(.*)"$/.exec(etag)?.[1] ?? etag;
export const quoted = (etag: string): string => `"${etag}"`;

/** HEAD of an object, with its errors told apart. */
export async function headObject(
  bucket: S3Bucket,
  key: string,
  options: SignalOption = {},
): Promise<ObjectInfo> {
  return infoOf(bucket, key, await headFields(bucket, key, options));
}

/** All that the store says. */
export async function headFields(
  bucket: S3Bucket,
  key: string,
  options: SignalOption = {},
): Promise<HeadObjectCommandOutput> {
  try {
    const command = new HeadObjectCommand({ Bucket: bucket.name, Key: key, ...sseOfAny(bucket.sse) });
    return await bucket.client.send(command, sending(options.signal));
  } catch (error) {
    throw await explainedRead(bucket, key, error, options.signal);
  }
}

type HeadFields = Pick<
  HeadObjectCommandOutput,
  | 'ContentLength'
  | 'ETag'
  | 'LastModified'
  | 'VersionId'
  | 'Metadata'
  | 'ServerSideEncryption'
  | 'SSECustomerAlgorithm'
>;

export function infoOf(
  bucket: S3Bucket,
  key: string,
  head: HeadFields,
  size = head.ContentLength,
): ObjectInfo {
  if (head.ETag === undefined || size === undefined)
    throw notS3(askedOf(bucket, key), 'says neither the size nor the ETag of an object');
  const encryption = encryptionOf(head);
  return {
    key,
    size,
    etag: unquoted(head.ETag),
    modified: head.LastModified ?? new Date(0),
    ...versionOf(head),
    metadata: head.Metadata ?? {},
    ...(encryption !== undefined && { encryption }),
  };
}

/** Buckets that were versioned once and are not any more call the version `null`. */
export const versionOf = ({ VersionId: version }: { VersionId?: string | undefined }) =>
  version === undefined || version === 'null' ? {} : { version };

/** The error of ours; answers to HEAD have no body, so whether it is the bucket that is missing has to be asked. */
export async function explained(
  bucket: S3Bucket,
  key: string,
  error: unknown,
  signal?: AbortSignal,
): Promise<SealdropError> {
  const mapped = s3Error(error, askedOf(bucket, key));
  if (mapped.code === 'access_denied' && !isNamed(factsOf(error)))
    return reasonOf(bucket, key, mapped, signal);
  if (mapped.code !== 'object_not_found' || factsOf(error).name === 'NoSuchKey') return mapped;
  try {
    await bucket.client.send(new HeadBucketCommand({ Bucket: bucket.name }), sending(signal));
  } catch (cause) {
    // Whoever may not ask about the bucket is told about the object.
    if (isNotFound(factsOf(cause))) return noBucket(bucket, cause);
  }
  return mapped;
}

/**
 * As `explained`, for requests that read an object, which also fail for want of the key that it is encrypted with. What
 * the store refuses with the key and without tells which of them is wrong.
 */
export async function explainedRead(
  bucket: S3Bucket,
  key: string,
  error: unknown,
  signal?: AbortSignal,
): Promise<SealdropError> {
  const facts = factsOf(error);
  const malformed = facts.status === 400;
  const { address } = askedOf(bucket, key);
  const given = bucket.sse?.kind === 'c';
  if (malformed || (given && isDenied(facts))) {
    const bare = await refusalOf(bucket, key, {}, signal);
    const wantsKey = factsOf(bare).status === 400 && factsOf(bare).name === 'InvalidRequest';
    if (wantsKey && !given) return keyRequired(address, error);
    if (wantsKey && !malformed) return wrongKey(address, error);
    if (bare === undefined && malformed) return keyNotApplicable(address, error);
  }
  return explained(bucket, key, error, signal);
}

/** With what the store refuses to read the first byte, if it does: GET says more than HEAD. */
async function refusalOf(
  bucket: S3Bucket,
  key: string,
  fields: ReturnType<typeof sseOfAny>,
  signal?: AbortSignal,
): Promise<unknown> {
  try {
    const command = new GetObjectCommand({ Bucket: bucket.name, Key: key, Range: 'bytes=0-0', ...fields });
    const { Body } = await bucket.client.send(command, sending(signal));
    (Body as Readable | undefined)?.destroy();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Why access is denied: a wrong key, a wrong secret, a wrong clock. GET says it, and does not get the object. */
async function reasonOf(
  bucket: S3Bucket,
  key: string,
  denied: SealdropError,
  signal?: AbortSignal,
): Promise<SealdropError> {
  const refused = await refusalOf(bucket, key, sseOfAny(bucket.sse), signal);
  if (refused === undefined) return denied;
  const said = s3Error(refused, askedOf(bucket, key));
  return said.code === 'access_denied' ? said : denied;
}

function noBucket(bucket: S3Bucket, cause: unknown): SealdropError {
  return new SealdropError(
    'bucket_not_found',
    `there is no bucket ${printable(bucket.name)} at ${bucket.endpoint.shown}`,
    {
      cause,
      hint: 'check the name, and the endpoint and region that it is at',
    },
  );
}
