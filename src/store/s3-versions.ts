/** What lies under a key besides the object that is there now. */
import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import type { ObjectVersion, VersionKeeping } from '../ports.js';
import { askedOf, explained, sending, unquoted, type S3Bucket, type SignalOption } from './s3-bucket.js';
import { notS3 } from './s3-errors.js';
import { decoded } from './s3-list.js';

export function versionKeeping(
  open: (options: { signal?: AbortSignal }) => Promise<S3Bucket>,
): VersionKeeping {
  return {
    async *list(key, options = {}) {
      yield* listVersions(await open(options), key, options);
    },
    async remove({ key, version }, options = {}) {
      const bucket = await open(options);
      const command = new DeleteObjectCommand({ Bucket: bucket.name, Key: key, VersionId: version });
      await bucket.client.send(command, sending(options.signal)).catch(async (error: unknown) => {
        const mapped = await explained(bucket, key, error, options.signal);
        if (mapped.code !== 'object_not_found') throw mapped;
      });
    },
  };
}

async function* listVersions(
  bucket: S3Bucket,
  key: string,
  { signal }: SignalOption,
): AsyncGenerator<ObjectVersion> {
  let page: ListObjectVersionsCommandOutput | undefined;
  do {
    const before = page;
    try {
      page = await bucket.client.send(command(bucket, key, before), sending(signal));
    } catch (error) {
      throw await explained(bucket, key, error, signal);
    }
    const found = versionsIn(page, key);
    yield* found;
    // Keys come in order: those behind the first other one begin with this one, and are longer.
    if (found.length < (page.Versions?.length ?? 0) + (page.DeleteMarkers?.length ?? 0)) return;
    const same =
      page.NextVersionIdMarker === before?.NextVersionIdMarker &&
      page.NextKeyMarker === before?.NextKeyMarker;
    if (page.IsTruncated === true && same)
      throw notS3(askedOf(bucket, key), 'answered a listing that does not come to an end');
  } while (page.IsTruncated === true);
}

/** Versions and markers come apart from each other; their times tell the order, and which is the latest is said. */
function versionsIn({ Versions, DeleteMarkers, EncodingType }: ListObjectVersionsCommandOutput, key: string) {
  const all = [
    ...(Versions ?? []).map((each) => ({ ...each, marker: false })),
    ...(DeleteMarkers ?? []).map((each) => ({ ...each, ETag: '', marker: true })),
  ];
  return all
    .filter(({ Key }) => Key !== undefined && decoded(Key, EncodingType) === key)
    .sort((a, b) => Number(b.IsLatest === true) - Number(a.IsLatest === true) || time(b) - time(a))
    .map(({ VersionId = 'null', ETag = '', IsLatest, marker }): ObjectVersion => ({
      ...{ key, version: VersionId, etag: unquoted(ETag), latest: IsLatest === true, marker },
    }));
}

const time = ({ LastModified }: { LastModified?: Date | undefined }): number => LastModified?.getTime() ?? 0;

function command(bucket: S3Bucket, key: string, before: ListObjectVersionsCommandOutput | undefined) {
  const { NextKeyMarker, NextVersionIdMarker, EncodingType } = before ?? {};
  return new ListObjectVersionsCommand({
    Bucket: bucket.name,
    Prefix: key,
    ...(bucket.traits.listEncoding === 'none' ? {} : { EncodingType: 'url' as const }),
    ...(NextKeyMarker !== undefined && { KeyMarker: decoded(NextKeyMarker, EncodingType) }),
    ...(NextVersionIdMarker !== undefined && { VersionIdMarker: NextVersionIdMarker }),
  });
}
