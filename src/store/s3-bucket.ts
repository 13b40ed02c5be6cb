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
import type { ChecksumMode, ObjectInfo } from '../ports.js';
import { printable } from '../printable.js';
import type { Endpoint } from './s3-config.js';
import { factsOf, isNamed, isNotFound, notS3, s3Error, type Asked } from './s3-errors.js';

export interface S3Bucket {
  readonly client: S3Client;
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly partSize: number | undefined;
  /** Parts of one upload that are sent at the same time. */
  readonly concurrency: number;
  readonly checksum: ChecksumMode;
  /** Milliseconds without a byte after which a download counts as broken. */
  readonly idleTimeout: number;
}

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
  try {
    const command = new HeadObjectCommand({ Bucket: bucket.name, Key: key });
    return infoOf(bucket, key, await bucket.client.send(command, sending(options.signal)));
  } catch (error) {
    throw await explained(bucket, key, error, options.signal);
  }
}

type HeadFields = Pick<
  HeadObjectCommandOutput,
  'ContentLength' | 'ETag' | 'LastModified' | 'VersionId' | 'Metadata'
>;

export function infoOf(
  bucket: S3Bucket,
  key: string,
  head: HeadFields,
  size = head.ContentLength,
): ObjectInfo {
  if (head.ETag === undefined || size === undefined)
    throw notS3(askedOf(bucket, key), 'says neither the size nor the ETag of an object');
  return {
    key,
    size,
    etag: unquoted(head.ETag),
    modified: head.LastModified ?? new Date(0),
    ...versionOf(head),
    metadata: head.Metadata ?? {},
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

/** Why access is denied: a wrong key, a wrong secret, a wrong clock. GET says it, and does not get the object. */
async function reasonOf(
  bucket: S3Bucket,
  key: string,
  denied: SealdropError,
  signal?: AbortSignal,
): Promise<SealdropError> {
  try {
    const command = new GetObjectCommand({ Bucket: bucket.name, Key: key, Range: 'bytes=0-0' });
    const { Body } = await bucket.client.send(command, sending(signal));
    (Body as Readable | undefined)?.destroy();
  } catch (error) {
    const said = s3Error(error, askedOf(bucket, key));
    if (said.code === 'access_denied') return said;
  }
  return denied;
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
