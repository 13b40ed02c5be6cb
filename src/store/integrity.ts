/**
 * How the store is made to prove that it got the bytes of a part that were sent, before they become an object.
 *
 * Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html,
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
import { createHash, webcrypto } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type {
  PutObjectCommand,
  ServiceInputTypes,
  ServiceOutputTypes,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { BuildMiddleware, MiddlewareStack } from '@smithy/types';
import { SealdropError } from '../errors.js';
import type { ChecksumMode, PutResult } from '../ports.js';
import { printable } from '../printable.js';
import type { Endpoint } from './s3-config.js';
import { unquoted } from './s3-bucket.js';
import { hidesMd5, type Sse } from './sse.js';

export type Checked = PutResult['checked'];

export interface Check {
  readonly by: Exclude<ChecksumMode, 'auto'>;
  /** The signature covers the payload's SHA-256: always over http, where nothing else protects it on its way. */
  readonly signed: boolean;
  /** A store of which nothing is known may be asked at the beginning of an upload whether it checks CRC32s. */
  readonly negotiable?: true;
}

export function checkFor(endpoint: Endpoint, wanted: ChecksumMode, sse?: Sse): Check {
  const byEtag = hidesMd5(sse) ? 'signature' : 'md5';
  const usual = !endpoint.secure ? 'signature' : endpoint.aws ? 'crc32' : byEtag;
  const by = wanted === 'auto' ? usual : wanted === 'md5' ? byEtag : wanted;
  const signed = !endpoint.secure || by === 'signature';
  return { by, signed, ...(wanted === 'auto' && by === 'md5' && { negotiable: true }) };
}

/** What the store has agreed to. MD5 takes seven times as long to compute. */
export const BY_CRC32: Check = { by: 'crc32', signed: false };

/** What goes out with a part. */
export interface Proof {
  readonly payloadHash: string;
  readonly headers: { ContentMD5?: string; ChecksumCRC32?: string };
}

export async function prove(body: Buffer, check: Check): Promise<Proof> {
  // WebCrypto hashes on another thread, which `createHash` does not.
  const payloadHash = check.signed
    ? Buffer.from(await webcrypto.subtle.digest('SHA-256', body)).toString('hex')
    : 'UNSIGNED-PAYLOAD';
  if (check.by === 'crc32') return { payloadHash, headers: { ChecksumCRC32: crc32Text(crc32(body)) } };
  if (check.by === 'signature') return { payloadHash, headers: {} };
  return { payloadHash, headers: { ContentMD5: createHash('md5').update(body).digest('base64') } };
}

/** As S3 writes it: base64 of the four bytes, the highest first. */
export function crc32Text(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
}

export interface Answer {
  ETag?: string | undefined;
  ChecksumCRC32?: string | undefined;
  ServerSideEncryption?: string | undefined;
  SSECustomerAlgorithm?: string | undefined;
}

/**
 * What the answer to an upload proves.
 * @throws SealdropError `upload_corrupted` where it proves that other bytes arrived
 */
export function verdict(address: string, check: Check, { headers }: Proof, answer: Answer): Checked {
  const otherwise = check.signed ? 'signature' : 'size';
  if (check.by === 'signature') return otherwise;
  if (check.by === 'crc32') {
    // Not echoed: the store doesn't know the header, and has checked nothing.
    if (answer.ChecksumCRC32 === undefined) return otherwise;
    if (answer.ChecksumCRC32 === headers.ChecksumCRC32) return 'crc32';
    throw corrupted(address, 'CRC32');
  }
  if (!isMd5(answer)) return otherwise;
  const sent = Buffer.from(headers.ContentMD5!, 'base64').toString('hex');
  if (unquoted(answer.ETag!).toLowerCase() === sent) return 'etag-md5';
  throw corrupted(address, 'MD5');
}

/** Under SSE-KMS and SSE-C an ETag looks like an MD5 and is none. */
export function isMd5(answer: Answer): boolean {
  const encrypted =
    answer.ServerSideEncryption?.startsWith('aws:') === true || answer.SSECustomerAlgorithm !== undefined;
  return !encrypted && /^"?[0-9a-f]{32}"?$/i.test(answer.ETag ?? '');
}

function corrupted(address: string, what: string): SealdropError {
  return new SealdropError(
    'upload_corrupted',
    `${printable(address)}: the store's ${what} is not that of the bytes sent`,
    {
      retryable: true,
      hint: 'if it happens every time, the store computes it in its own way: take another --checksum',
    },
  );
}

/** Sent twice before it counts: bytes that were damaged on their way arrive whole the next time. */
export async function resentIfCorrupted<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof SealdropError) || error.code !== 'upload_corrupted') throw error;
    return send();
  }
}

/** Makes the signature cover this hash of the payload, so that the SDK computes none. */
export function withPayloadHash<C extends PutObjectCommand | UploadPartCommand>(command: C, hash: string): C {
  const middleware: BuildMiddleware<ServiceInputTypes, ServiceOutputTypes> = (next) => async (args) => {
    const { headers } = args.request as { headers: Record<string, string> };
    headers['x-amz-content-sha256'] = hash;
    return next(args);
  };
  const { middlewareStack } = command as {
    middlewareStack: MiddlewareStack<ServiceInputTypes, ServiceOutputTypes>;
  };
  middlewareStack.add(middleware, { step: 'build', name: 'sealdropPayloadHash', override: true });
  return command;
}
