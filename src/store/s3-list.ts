import {
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  type ListMultipartUploadsCommandOutput,
  type ListObjectsCommandOutput,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import type { ListOptions, ObjectInfo, UnfinishedUpload } from '../ports.js';
import { askedOf, explained, sending, unquoted, type S3Bucket, type SignalOption } from './s3-bucket.js';
import { factsOf, isDenied, isNotImplemented, notS3, s3Error } from './s3-errors.js';

type Page = Pick<
  ListObjectsV2CommandOutput & ListObjectsCommandOutput,
  'Contents' | 'IsTruncated' | 'EncodingType' | 'Name'
>;
/** Without any key in a row. Stores answer so that skip much that was deleted. */
const MAX_EMPTY_PAGES = 1_000;
/** Of 1,000 uploads each: more of one key are no use to anybody. */
const MAX_UPLOAD_PAGES = 10;

type PageRequest = (after: string | undefined) => Promise<{ page: Page; next: string | undefined }>;

/** All objects whose keys begin with `prefix`, page by page. */
export async function* listObjects(
  bucket: S3Bucket,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<ObjectInfo> {
  if (bucket.traits.listVersion === 1) {
    yield* listObjectsV1(bucket, prefix, options);
    return;
  }
  try {
    yield* behind(options.after, pages(bucket, prefix, pageV2(bucket, prefix, options)));
  } catch (error) {
    if (!isNotImplemented(factsOf(error))) throw await explained(bucket, prefix, error, options.signal);
    yield* listObjectsV1(bucket, prefix, options);
  }
}

/** For stores that don't know the second version. */
async function* listObjectsV1(
  bucket: S3Bucket,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<ObjectInfo> {
  try {
    yield* behind(options.after, pages(bucket, prefix, pageV1(bucket, prefix, options)));
  } catch (error) {
    throw await explained(bucket, prefix, error, options.signal);
  }
}

/** Not every store knows where a listing shall begin. */
async function* behind(
  after: string | undefined,
  objects: AsyncIterable<ObjectInfo>,
): AsyncGenerator<ObjectInfo> {
  for await (const info of objects) if (after === undefined || isBehind(info.key, after)) yield info;
}

function pageV2(bucket: S3Bucket, prefix: string, { after, signal }: ListOptions): PageRequest {
  return async (token) => {
    const input = { Bucket: bucket.name, Prefix: prefix, ...encoding(bucket) };
    const command = new ListObjectsV2Command({
      ...input,
      ...(token !== undefined && { ContinuationToken: token }),
      ...(token === undefined && after !== undefined && { StartAfter: after }),
    });
    const page = await bucket.client.send(command, sending(signal));
    return { page, next: page.NextContinuationToken };
  };
}

function pageV1(bucket: S3Bucket, prefix: string, { after, signal }: ListOptions): PageRequest {
  return async (marker = after) => {
    const input = { Bucket: bucket.name, Prefix: prefix, ...encoding(bucket) };
    const command = new ListObjectsCommand({ ...input, ...(marker !== undefined && { Marker: marker }) });
    const page = await bucket.client.send(command, sending(signal));
    const last = page.NextMarker ?? page.Contents?.at(-1)?.Key;
    return { page, next: last && decoded(last, page.EncodingType) };
  };
}

async function* pages(bucket: S3Bucket, prefix: string, request: PageRequest): AsyncGenerator<ObjectInfo> {
  let after: string | undefined;
  let last = '';
  for (let empty = 0; ;) {
    const { page, next } = await request(after);
    const { Contents, IsTruncated, EncodingType, Name } = page;
    // Any XML is understood as a list with nothing in it.
    if (Contents === undefined && IsTruncated === undefined && Name === undefined)
      throw notS3(askedOf(bucket, prefix), 'answered a listing with something else');
    const lastBefore = last;
    for (const { Key, Size, ETag, LastModified } of Contents ?? []) {
      if (Key === undefined || Size === undefined) continue;
      const key = decoded(Key, EncodingType);
      if (isBehind(key, last)) last = key;
      yield { key, size: Size, etag: unquoted(ETag ?? ''), modified: LastModified ?? new Date(0) };
    }
    if (IsTruncated !== true) return;
    if (next === undefined || next === after)
      throw notS3(askedOf(bucket, prefix), 'broke a listing off without saying where it goes on');
    // Keys come in order: a page with none behind those before it leads in a circle, whatever it says of the next.
    empty = Contents?.length ? 0 : empty + 1;
    if (empty > MAX_EMPTY_PAGES || (empty === 0 && last === lastBefore))
      throw notS3(askedOf(bucket, prefix), 'answered a listing that does not come to an end');
    after = next;
  }
}

const encoding = ({ traits }: S3Bucket) =>
  traits.listEncoding === 'none' ? {} : { EncodingType: 'url' as const };

const isBehind = (key: string, other: string): boolean =>
  Buffer.compare(Buffer.from(key), Buffer.from(other)) > 0;

/** As in forms: `+` is a space. Left as it is where the store says that it didn't encode. */
export function decoded(name: string, encoding: string | undefined): string {
  if (encoding !== 'url') return name;
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}

/** Empty where the store doesn't say: not every credential may ask, and not every store answers. */
export async function listUnfinished(
  bucket: S3Bucket,
  key: string,
  { signal }: SignalOption,
): Promise<UnfinishedUpload[]> {
  const found: UnfinishedUpload[] = [];
  try {
    let page: ListMultipartUploadsCommandOutput | undefined;
    for (let count = 0; count < MAX_UPLOAD_PAGES; count++) {
      const before = page;
      page = await bucket.client.send(uploadsCommand(bucket, key, page), sending(signal));
      for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
        if (Key !== undefined && UploadId !== undefined && decoded(Key, page.EncodingType) === key)
          found.push({ key, id: UploadId, ...(Initiated && { started: Initiated }) });
      if (page.IsTruncated !== true || page.NextUploadIdMarker === undefined || isSamePlace(page, before))
        break;
    }
    return found;
  } catch (error) {
    const facts = factsOf(error);
    if (isDenied(facts) || isNotImplemented(facts)) return found;
    throw s3Error(error, askedOf(bucket, key));
  }
}

export function isSamePlace(
  page: ListMultipartUploadsCommandOutput,
  before: ListMultipartUploadsCommandOutput | undefined,
): boolean {
  return (
    page.NextKeyMarker === before?.NextKeyMarker && page.NextUploadIdMarker === before?.NextUploadIdMarker
  );
}

export function uploadsCommand(
  bucket: S3Bucket,
  key: string,
  before: ListMultipartUploadsCommandOutput | undefined,
) {
  const { NextKeyMarker, NextUploadIdMarker, EncodingType } = before ?? {};
  return new ListMultipartUploadsCommand({
    Bucket: bucket.name,
    Prefix: key,
    ...encoding(bucket),
    ...(NextKeyMarker !== undefined && { KeyMarker: decoded(NextKeyMarker, EncodingType) }),
    ...(NextUploadIdMarker !== undefined && { UploadIdMarker: NextUploadIdMarker }),
  });
}
