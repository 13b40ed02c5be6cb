/** Removing one object, under the condition that it is still the one that was meant. */
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { isSealdropError, SealdropError } from '../errors.js';
import type { RemoveOptions } from '../ports.js';
import { printable } from '../printable.js';
import { addressOf, explained, headObject, quoted, sending, type S3Bucket } from './s3-bucket.js';
import { factsOf, isNotImplemented, isPrecondition } from './s3-errors.js';

export async function removeObject(
  bucket: S3Bucket,
  key: string,
  { ifMatch, signal }: RemoveOptions,
): Promise<void> {
  try {
    // Looked at before, because not every store keeps the condition of a removal.
    if (ifMatch !== undefined && (await headObject(bucket, key, { signal })).etag !== ifMatch)
      throw changed(bucket, key);
    await send(bucket, key, { ifMatch, signal });
  } catch (error) {
    if (isPrecondition(factsOf(error))) throw changed(bucket, key, error);
    const mapped = isSealdropError(error) ? error : await explained(bucket, key, error, signal);
    if (mapped.code !== 'object_not_found') throw mapped;
  }
}

async function send(bucket: S3Bucket, key: string, { ifMatch, signal }: RemoveOptions): Promise<void> {
  const input = { Bucket: bucket.name, Key: key };
  const { conditionalWrites = 'all' } = bucket.traits;
  const guarded = ifMatch !== undefined && conditionalWrites === 'all';
  const condition = guarded ? { IfMatch: quoted(ifMatch) } : {};
  try {
    await bucket.client.send(new DeleteObjectCommand({ ...input, ...condition }), sending(signal));
  } catch (error) {
    if (!guarded || !isNotImplemented(factsOf(error))) throw error;
    await bucket.client.send(new DeleteObjectCommand(input), sending(signal));
  }
}

function changed(bucket: S3Bucket, key: string, cause?: unknown): SealdropError {
  const address = printable(addressOf(bucket.name, key));
  return new SealdropError('precondition_failed', `${address} is not what it was expected to be`, { cause });
}
