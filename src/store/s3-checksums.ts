/** The digests that an S3 store keeps of an object. */
import { HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import type { StoredChecksum } from '../ports.js';
import { isMd5 } from './integrity.js';
import { explainedRead, sending, unquoted, type S3Bucket, type SignalOption } from './s3-bucket.js';
import { sseOfAny } from './sse.js';

export async function storedChecksums(
  bucket: S3Bucket,
  key: string,
  options: SignalOption,
): Promise<StoredChecksum[]> {
  const head = await headWithChecksums(bucket, key, options);
  const found: StoredChecksum[] = [];
  if (head.ChecksumCRC32 !== undefined && head.ChecksumType === 'FULL_OBJECT')
    found.push({ kind: 'crc32', value: Buffer.from(head.ChecksumCRC32, 'base64').toString('hex') });
  if (isMd5(head)) found.push({ kind: 'md5', value: unquoted(head.ETag!).toLowerCase() });
  const ofParts = await md5OfParts(bucket, key, head, options);
  if (ofParts) found.push(ofParts);
  return found;
}

async function headWithChecksums(bucket: S3Bucket, key: string, { signal }: SignalOption) {
  try {
    const command = new HeadObjectCommand({
      Bucket: bucket.name,
      Key: key,
      ChecksumMode: 'ENABLED',
      ...sseOfAny(bucket.sse),
    });
    return await bucket.client.send(command, sending(signal));
  } catch (error) {
    throw await explainedRead(bucket, key, error, signal);
  }
}

async function md5OfParts(
  bucket: S3Bucket,
  key: string,
  head: HeadObjectCommandOutput,
  { signal }: SignalOption,
): Promise<StoredChecksum | undefined> {
  const { ETag = '', ContentLength: size = 0, ServerSideEncryption, SSECustomerAlgorithm } = head;
  const match = /^([0-9a-f]{32})-(\d+)$/i.exec(unquoted(ETag));
  if (match === null || ServerSideEncryption?.startsWith('aws:') === true || SSECustomerAlgorithm)
    return undefined;
  const parts = Number(match[2]);
  const partSize = parts === 1 ? size : await firstPartSize(bucket, key, ETag, signal);
  // Unless all parts but the last have that size, there is no recomputing it.
  if (partSize === undefined || partSize === 0 || Math.ceil(size / partSize) !== parts) return undefined;
  return { kind: 'md5-of-parts', value: match[1]!.toLowerCase(), parts, partSize };
}

async function firstPartSize(
  bucket: S3Bucket,
  key: string,
  etag: string,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  try {
    const command = new HeadObjectCommand({ Bucket: bucket.name, Key: key, PartNumber: 1, IfMatch: etag });
    const { ContentLength } = await bucket.client.send(command, sending(signal));
    return ContentLength;
  } catch {
    return undefined;
  }
}
