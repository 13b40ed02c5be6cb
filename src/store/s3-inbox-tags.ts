import {
  DeleteObjectTaggingCommand,
  GetObjectTaggingCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { isSealdropError } from '../errors.js';
import { explained, sending, type S3Bucket } from './s3-bucket.js';

/** Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html */
const MAX_TAGS = 10;

/**
 * Sets or removes one tag of one version; S3 replaces all of an object's tags, so the others are sent again.
 * @returns false where ten others leave no room, or there is no such version (any more)
 */
export async function setTag(
  bucket: S3Bucket,
  { key, version }: { key: string; version: string | undefined },
  { name, value }: { name: string; value?: string },
  signal?: AbortSignal,
): Promise<boolean> {
  const target = { Bucket: bucket.name, Key: key, ...(version !== undefined && { VersionId: version }) };
  try {
    const { TagSet = [] } = await bucket.client.send(new GetObjectTaggingCommand(target), sending(signal));
    const before = TagSet.find((tag) => tag.Key === name)?.Value;
    const others = TagSet.filter((tag) => tag.Key !== name);
    if (before === value) return true;
    if (value !== undefined && others.length >= MAX_TAGS) return false;
    const all = value === undefined ? others : [...others, { Key: name, Value: value }];
    // An empty set is refused by some stores.
    const command =
      all.length === 0
        ? new DeleteObjectTaggingCommand(target)
        : new PutObjectTaggingCommand({ ...target, Tagging: { TagSet: all } });
    await bucket.client.send(command as PutObjectTaggingCommand, sending(signal));
    return true;
  } catch (error) {
    const known = await explained(bucket, key, error, signal);
    if (isSealdropError(known) && known.code === 'object_not_found') return false;
    throw known;
  }
}
