/** Multipart uploads that were begun and neither completed nor aborted: they take room, and no listing shows them. */
import { AbortMultipartUploadCommand, type ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import type { UnfinishedUpload, UploadKeeping } from '../ports.js';
import { explained, sending, type S3Bucket, type SignalOption } from './s3-bucket.js';
import { factsOf, isNoSuchUpload } from './s3-errors.js';
import { decoded, isSamePlace, uploadsCommand } from './s3-list.js';

export function uploadKeeping(open: (options: SignalOption) => Promise<S3Bucket>): UploadKeeping {
  return {
    async *list(prefix, options = {}) {
      yield* listUploads(await open(options), prefix, options);
    },
    async abort(upload, options = {}) {
      return abortUpload(await open(options), upload, options);
    },
  };
}

async function* listUploads(
  bucket: S3Bucket,
  prefix: string,
  { signal }: SignalOption,
): AsyncGenerator<UnfinishedUpload> {
  let page: ListMultipartUploadsCommandOutput | undefined;
  for (;;) {
    const before = page;
    try {
      page = await bucket.client.send(uploadsCommand(bucket, prefix, before), sending(signal));
    } catch (error) {
      throw await explained(bucket, prefix, error, signal);
    }
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined) continue;
      const key = decoded(Key, page.EncodingType);
      if (key.startsWith(prefix)) yield { key, id: UploadId, ...(Initiated && { started: Initiated }) };
    }
    if (page.IsTruncated !== true || page.NextUploadIdMarker === undefined || isSamePlace(page, before))
      return;
  }
}

async function abortUpload(
  bucket: S3Bucket,
  { key, id }: UnfinishedUpload,
  { signal }: SignalOption,
): Promise<boolean> {
  const command = new AbortMultipartUploadCommand({ Bucket: bucket.name, Key: key, UploadId: id });
  try {
    await bucket.client.send(command, sending(signal));
    return true;
  } catch (error) {
    if (isNoSuchUpload(factsOf(error))) return false;
    throw await explained(bucket, key, error, signal);
  }
}
