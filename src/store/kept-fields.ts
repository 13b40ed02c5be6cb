/**
 * What an object has besides bytes and metadata, for a copy that takes its place inside the store.
 *
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
 */
import { GetObjectTaggingCommand, type HeadObjectCommandOutput, type Tag } from '@aws-sdk/client-s3';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import type { KeptFields } from './multipart.js';
import { addressOf, explained, sending, type S3Bucket } from './s3-bucket.js';
import { factsOf, isNotImplemented } from './s3-errors.js';
import type { Sse } from './sse.js';

const HEADERS = [
  'ContentType',
  'CacheControl',
  'ContentDisposition',
  'ContentEncoding',
  'ContentLanguage',
  'Expires',
  'WebsiteRedirectLocation',
  'StorageClass',
  'ServerSideEncryption',
  'SSEKMSKeyId',
  'BucketKeyEnabled',
] as const satisfies (keyof HeadObjectCommandOutput & keyof KeptFields)[];

/** @throws SealdropError `store_refused` under Object Lock, `access_denied` where the tags can't be read */
export async function keptFields(
  bucket: S3Bucket,
  key: string,
  head: HeadObjectCommandOutput,
  signal: AbortSignal | undefined,
): Promise<KeptFields> {
  assertNotLocked(bucket, key, head);
  const tags = await tagsOf(bucket, key, signal);
  const pairs = tags.map(({ Key = '', Value = '' }) => [Key, Value].map(encodeURIComponent).join('='));
  const said = HEADERS.filter((name) => head[name] !== undefined);
  return {
    ...Object.fromEntries(said.map((name) => [name, head[name]])),
    ...(pairs.length > 0 && { Tagging: pairs.join('&') }),
  };
}

/** How the object is encrypted, whatever is asked for new ones. */
export function keptSse({ sse }: S3Bucket, head: HeadObjectCommandOutput): Sse {
  if (head.SSECustomerAlgorithm !== undefined) return sse;
  const isKms = head.ServerSideEncryption?.startsWith('aws:kms') === true;
  return isKms ? { kind: 'aws:kms', keyId: head.SSEKMSKeyId } : undefined;
}

function assertNotLocked(bucket: S3Bucket, key: string, head: HeadObjectCommandOutput): void {
  const isHeld = head.ObjectLockLegalHoldStatus === 'ON';
  if (head.ObjectLockMode === undefined && !isHeld) return;
  throw new SealdropError(
    'store_refused',
    `${printable(addressOf(bucket.name, key))} is under Object Lock (${isHeld ? 'a legal hold' : head.ObjectLockMode}), and a copy in its place would not be`,
    { hint: 'put it again, and let somebody who may do so lock what was put' },
  );
}

/** Always asked for: a store says how many there are to those alone who may read them. */
async function tagsOf(bucket: S3Bucket, key: string, signal: AbortSignal | undefined): Promise<Tag[]> {
  try {
    const command = new GetObjectTaggingCommand({ Bucket: bucket.name, Key: key });
    return (await bucket.client.send(command, sending(signal))).TagSet ?? [];
  } catch (error) {
    const facts = factsOf(error);
    if (isNotImplemented(facts) || facts.name === 'NoSuchTagSet') return [];
    const known = await explained(bucket, key, error, signal);
    if (known.code !== 'access_denied') throw known;
    throw new SealdropError(
      'access_denied',
      `the tags of ${printable(addressOf(bucket.name, key))} can't be read, and a copy in its place would be without them`,
      {
        cause: error,
        hint: 'the credentials need s3:GetObjectTagging, and s3:PutObjectTagging where there are tags',
      },
    );
  }
}
