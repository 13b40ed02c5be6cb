/** Forms by which a browser or curl puts exactly one object into a bucket, and what became of it. */
import { GetObjectTaggingCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { createPresignedPost } from '@aws-sdk/s3-presigned-post';
import { addressOf } from './s3-bucket.js';
import type { Connection } from './s3-client.js';
import { s3Error } from './s3-errors.js';

export interface FormConditions {
  readonly bucket: string;
  readonly key: string;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly expiresSeconds: number;
}

/**
 * @param client with the credentials that sign: whoever has the form acts with their rights, on this key alone
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
 */
export async function signForm(client: S3Client, form: FormConditions) {
  const { bucket, key, minBytes, maxBytes, expiresSeconds } = form;
  const type = 'application/octet-stream';
  return createPresignedPost(client, {
    ...{ Bucket: bucket, Key: key, Expires: expiresSeconds },
    // Each field is a condition too: no other content type, metadata, tag or status can be sent along.
    Fields: { 'Content-Type': type },
    Conditions: [
      ['content-length-range', minBytes, maxBytes],
      ['eq', '$Content-Type', type],
    ],
  });
}

/**
 * The first object whose key begins so, with the value of one of its tags.
 * @throws SealdropError
 */
export async function findTagged(
  { client, endpoint }: Connection,
  { bucket, prefix, tag, account }: TagQuery,
): Promise<{ key: string; status?: string } | undefined> {
  const owner = account === undefined ? {} : { ExpectedBucketOwner: account };
  try {
    const list = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1, ...owner });
    const key = (await client.send(list)).Contents?.[0]?.Key;
    if (key === undefined) return undefined;
    const ask = new GetObjectTaggingCommand({ Bucket: bucket, Key: key, ...owner });
    const { TagSet = [] } = await client.send(ask);
    const status = TagSet.find(({ Key }) => Key === tag)?.Value;
    return { key, ...(status !== undefined && { status }) };
  } catch (error) {
    const known = s3Error(error, { address: addressOf(bucket, prefix), endpoint: endpoint.shown });
    // Stored and removed between the two questions.
    if (known.code === 'object_not_found') return undefined;
    throw known;
  }
}

export interface TagQuery {
  readonly bucket: string;
  readonly prefix: string;
  readonly tag: string;
  /** That the bucket must belong to. */
  readonly account?: string;
}
