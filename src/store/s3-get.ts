import type { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { isSealdropError, SealdropError } from '../errors.js';
import type { GetOptions, ObjectInfo } from '../ports.js';
import { printable } from '../printable.js';
import { ParallelBody, SEGMENT_SIZE, type SegmentRange } from './parallel-body.js';
import { ResumingBody } from './resuming-body.js';
import {
  addressOf,
  explainedRead,
  infoOf,
  parallelismOf,
  quoted,
  sending,
  unquoted,
  type S3Bucket,
} from './s3-bucket.js';
import { sseOfAny } from './sse.js';

/** A version of an object; elsewhere the current one is meant. */
export interface GetVersionOptions extends GetOptions {
  version?: string | undefined;
}

interface RequestOptions extends GetVersionOptions {
  /** Over connections that are made for many bytes. */
  direct?: boolean | undefined;
}

interface Opened {
  readonly output: GetObjectCommandOutput;
  readonly body: Readable;
  /** First byte, the byte behind the last, and the size of the whole object. */
  readonly first: number;
  readonly end: number;
  readonly size: number | undefined;
}

interface Got {
  readonly info: ObjectInfo;
  readonly body: Readable;
  readonly tags: number | undefined;
}

export async function getObject(bucket: S3Bucket, key: string, options: GetVersionOptions): Promise<Got> {
  if (options.whole === true && options.range === undefined) return getInSegments(bucket, key, options);
  return resuming(bucket, key, options, await request(bucket, key, options));
}

/** The first request asks for no more than a segment: only its answer tells how large the object is. */
async function getInSegments(bucket: S3Bucket, key: string, options: GetVersionOptions): Promise<Got> {
  const begun = await beginning(bucket, key, options);
  const got = resuming(bucket, key, options, begun);
  const { size } = got.info;
  if (begun.end >= size) return got;
  const open = async (range: SegmentRange, closed: AbortSignal): Promise<Readable> => {
    const signal = options.signal ? AbortSignal.any([options.signal, closed]) : closed;
    const opened = await reopened(bucket, key, {
      ...options,
      range,
      ifMatch: got.info.etag,
      signal,
      direct: true,
    });
    return resuming(bucket, key, { ...options, signal, direct: true }, opened).body;
  };
  const parallelism = parallelismOf(bucket, 'download', SEGMENT_SIZE);
  const body = new ParallelBody({
    begun: { body: got.body, end: begun.end },
    end: size,
    parallelism,
    open,
    transient: options.transient,
  });
  bucket.underWay.count++;
  body.once('close', () => bucket.underWay.count--);
  return { ...got, body };
}

async function beginning(bucket: S3Bucket, key: string, options: GetVersionOptions): Promise<Opened> {
  try {
    return await request(bucket, key, { ...options, range: { first: 0, last: SEGMENT_SIZE - 1 } });
  } catch (error) {
    // Nothing has no first byte; and there are stores without ranges.
    if (!isSealdropError(error) || error.code !== 'store_refused') throw error;
    return request(bucket, key, options);
  }
}

/** What was opened, to its end whatever happens to the connection. */
function resuming(
  bucket: S3Bucket,
  key: string,
  options: RequestOptions,
  { output, body, first, end, size }: Opened,
): Got {
  const info = infoOf(bucket, key, output, size);
  const reopen = async (position: number, signal: AbortSignal): Promise<Readable> => {
    const range = { first: position, last: end - 1 };
    const again = { range, ifMatch: info.etag, version: options.version, signal, direct: options.direct };
    return (await reopened(bucket, key, again)).body;
  };
  const address = addressOf(bucket.name, key);
  const { idleTimeout } = bucket;
  return {
    info,
    tags: output.TagCount,
    body: new ResumingBody(body, { address, first, end, idleTimeout, signal: options.signal, reopen }),
  };
}

async function request(bucket: S3Bucket, key: string, options: RequestOptions): Promise<Opened> {
  const { range, ifMatch, version, signal } = options;
  const command = new GetObjectCommand({
    Bucket: bucket.name,
    Key: key,
    ...(range && { Range: `bytes=${range.first}-${range.last ?? ''}` }),
    ...(ifMatch !== undefined && { IfMatch: quoted(ifMatch) }),
    ...(version !== undefined && { VersionId: version }),
    ...sseOfAny(bucket.sse),
  });
  let output: GetObjectCommandOutput;
  try {
    output = await bucket.client.send(command, {
      ...sending(signal),
      ...(options.direct && { direct: true }),
    });
  } catch (error) {
    throw await explainedRead(bucket, key, error, signal);
  }
  const body = output.Body as Readable;
  // Errors are looked for when it is read, and must not end the process before.
  body.on('error', () => undefined);
  try {
    return { output, body, ...extent(bucket, key, options, output) };
  } catch (error) {
    body.destroy();
    throw error;
  }
}

function extent(bucket: S3Bucket, key: string, { range }: GetOptions, output: GetObjectCommandOutput) {
  const { ContentLength: length = 0, ContentRange } = output;
  if (range === undefined) return { first: 0, end: length, size: output.ContentLength };
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange ?? '');
  if (match === null || Number(match[1]) !== range.first)
    throw new SealdropError(
      'store_refused',
      `${printable(addressOf(bucket.name, key))}: the store serves no ranges`,
    );
  return { first: range.first, end: Number(match[2]) + 1, size: Number(match[3]) };
}

async function reopened(
  bucket: S3Bucket,
  key: string,
  options: RequestOptions & { ifMatch: string },
): Promise<Opened> {
  try {
    const opened = await request(bucket, key, options);
    const { ETag } = opened.output;
    // Stores that ignore If-Match would go on with another object's bytes.
    if (ETag !== undefined && unquoted(ETag) === options.ifMatch) return opened;
    opened.body.destroy();
  } catch (error) {
    const changed =
      isSealdropError(error) && ['precondition_failed', 'object_not_found'].includes(error.code);
    if (!changed) throw error;
  }
  const address = printable(addressOf(bucket.name, key));
  throw new SealdropError('precondition_failed', `${address} was replaced or removed while it was read`, {
    hint: 'begin again: what was read so far belongs to an object that is gone',
  });
}
