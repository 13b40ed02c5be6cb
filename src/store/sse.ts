/**
 * Server-side encryption: what requests carry for it, what answers say of it, and what a refusal means.
 *
 * Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html,
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-s3-c-encryption-setting-faq.html
 */
import { SealdropError } from '../errors.js';
import type { ServerSideEncryption } from '../ports.js';
import { printable } from '../printable.js';
import type { Endpoint } from './s3-config.js';
import { isDenied, isNotImplemented, type Facts } from './s3-errors.js';

export type Sse = ServerSideEncryption | undefined;

/** For what begins an object: PutObject and CreateMultipartUpload. */
export function sseOfNew(sse: Sse) {
  if (sse?.kind === 'AES256') return { ServerSideEncryption: 'AES256' as const };
  if (sse?.kind === 'aws:kms')
    return { ServerSideEncryption: 'aws:kms' as const, ...(sse.keyId && { SSEKMSKeyId: sse.keyId }) };
  return sseOfAny(sse);
}

/** For every request about the bytes or metadata of an object: only SSE-C needs it. The SDK adds the key's MD5. */
export function sseOfAny(sse: Sse) {
  if (sse?.kind !== 'c') return {};
  return { SSECustomerAlgorithm: 'AES256', SSECustomerKey: sse.key.reveal().toString('base64') };
}

/** For what the store reads by itself to copy it. */
export function sseOfSource(sse: Sse) {
  const { SSECustomerAlgorithm: algorithm, SSECustomerKey: key } = sseOfAny(sse);
  return algorithm && { CopySourceSSECustomerAlgorithm: algorithm, CopySourceSSECustomerKey: key };
}

/** Before anything is sent. @throws SealdropError `usage` for SSE-C over http */
export function assertSseUsable(sse: Sse, { secure, shown }: Endpoint): void {
  if (sse?.kind !== 'c' || secure) return;
  throw new SealdropError('usage', `SSE-C sends the key itself, and ${shown} is reached over http`, {
    hint: 'everybody on the way could read the key, so stores refuse it: take https:// in --endpoint-url',
  });
}

/** Under SSE-KMS and SSE-C an ETag looks like an MD5 and is none. */
export const hidesMd5 = (sse: Sse): boolean => sse?.kind === 'aws:kms' || sse?.kind === 'c';

interface Answer {
  ServerSideEncryption?: string | undefined;
  SSECustomerAlgorithm?: string | undefined;
}

/** What an answer says that the object is encrypted with at rest. */
export const encryptionOf = (answer: Answer): string | undefined =>
  answer.SSECustomerAlgorithm === undefined ? answer.ServerSideEncryption : 'SSE-C';

export function isEncryptedAs(sse: Sse, encryption: string | undefined): boolean {
  if (sse === undefined || sse.kind === 'none') return true;
  if (sse.kind === 'bucket') return encryption !== undefined;
  return encryption === (sse.kind === 'c' ? 'SSE-C' : sse.kind);
}

const NAMES = {
  AES256: 'SSE-S3 (AES256)',
  'aws:kms': 'SSE-KMS',
  c: 'SSE-C',
  bucket: "the bucket's default",
  none: 'none',
};

/** The store took a write, and doesn't say that it encrypts as it was asked to. */
export function notEncrypted(address: string, sse: ServerSideEncryption): SealdropError {
  const asked = NAMES[sse.kind];
  return new SealdropError(
    'store_refused',
    `${printable(address)}: the store does not say that it encrypts what it was sent (asked for: ${asked})`,
    {
      hint:
        sse.kind === 'bucket'
          ? 'the bucket has no default encryption: see sealdrop bucket check; what was sent is removed again'
          : 'it does not know this kind of encryption; what was sent is removed again',
    },
  );
}

/** A refused write, with what the encryption asked for may have to do with it. */
export function refusedWrite(
  error: SealdropError,
  facts: Facts,
  sse: Sse,
  endpoint: Endpoint,
): SealdropError {
  const hint = hintOf(facts, sse, endpoint);
  if (hint === undefined) return error;
  // What is said to be missing is the key, and not the object.
  const code = isKmsDenied(facts) ? 'access_denied' : isOfKms(facts) ? 'store_refused' : error.code;
  return new SealdropError(code, error.message, { hint, retryable: false, cause: error.cause });
}

const isOfKms = ({ name }: Facts): boolean => /^kms[.:]/i.test(name);
const isKmsDenied = ({ name }: Facts): boolean => /^KMS\.AccessDenied/.test(name);

function hintOf(facts: Facts, sse: Sse, { aws }: Endpoint): string | undefined {
  if (sse === undefined || sse.kind === 'bucket' || sse.kind === 'none') return undefined;
  if (isNotImplemented(facts))
    return `the store has no ${NAMES[sse.kind]}: leave --sse out, or take another kind`;
  if (sse.kind === 'c' && isDenied(facts) && aws)
    return 'since April 2026 AWS refuses SSE-C in new buckets until it is allowed there (sealdrop bucket create --allow-sse-c); or the credentials lack the permission';
  if (sse.kind === 'aws:kms' && (isDenied(facts) || isKmsDenied(facts)))
    return 'writing under this KMS key needs kms:GenerateDataKey, and in parts kms:Decrypt as well; or the credentials lack the permission for the object';
  if (sse.kind === 'aws:kms' && isOfKms(facts))
    return 'the key named after aws:kms: must be there in the region of the bucket, and enabled';
  if (facts.status === 400)
    return `the store may not have ${NAMES[sse.kind]}, or not with this key: take another --sse, or none`;
  return undefined;
}

export function keyRequired(address: string, cause: unknown): SealdropError {
  return new SealdropError(
    'sse_key_required',
    `${printable(address)} cannot be read without the key that its writer gave the store (SSE-C)`,
    { cause, hint: 'give the key: --sse-key-file FILE, or --sse-env FILE' },
  );
}

export function wrongKey(address: string, cause: unknown): SealdropError {
  return new SealdropError(
    'sse_key_wrong',
    `${printable(address)}: this SSE-C key is not the one that the object is encrypted with`,
    {
      cause,
      hint: 'each object opens with the key that it was written with, and the store keeps none of them',
    },
  );
}

export function keyNotApplicable(address: string, cause: unknown): SealdropError {
  return new SealdropError(
    'store_refused',
    `${printable(address)} is not encrypted with a key of yours (SSE-C)`,
    {
      cause,
      hint: 'leave --sse c and the key out for this object',
    },
  );
}
