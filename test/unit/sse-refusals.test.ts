/** What a refused write has to do with the encryption that it asked for: stores say it in their own ways. */
import { describe, expect, test } from '@jest/globals';
import { SealdropError } from '../../src/errors.js';
import type { ServerSideEncryption } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { factsOf, s3Error } from '../../src/store/s3-errors.js';
import { encryptionOf, isEncryptedAs, refusedWrite, sseOfAny, sseOfNew } from '../../src/store/sse.js';

const C: ServerSideEncryption = { kind: 'c', key: new Secret(Buffer.alloc(32, 1)) };
const KMS: ServerSideEncryption = { kind: 'aws:kms', keyId: 'alias/lab' };
const S3: ServerSideEncryption = { kind: 'AES256' };
const AWS = { url: undefined, secure: true, aws: true, shown: 'AWS' };
const OTHER = { ...AWS, aws: false, shown: 'store.example' };

function answered(name: string, httpStatusCode: number): Error {
  return Object.assign(new Error('said so'), { name, $fault: 'client', $metadata: { httpStatusCode } });
}

function refusal(name: string, status: number, sse: ServerSideEncryption | undefined, endpoint = AWS) {
  const error = answered(name, status);
  const mapped = s3Error(error, { address: 's3://b/k', endpoint: endpoint.shown });
  return refusedWrite(mapped, factsOf(error), sse, endpoint);
}

describe('a refused write', () => {
  test.each([
    ['AWS of April 2026 and SSE-C', refusal('AccessDenied', 403, C), 'access_denied', '--allow-sse-c'],
    [
      'no right to use the KMS key',
      refusal('AccessDenied', 403, KMS),
      'access_denied',
      'kms:GenerateDataKey',
    ],
    [
      'the same, as KMS says it',
      refusal('KMS.AccessDeniedException', 400, KMS),
      'access_denied',
      'kms:GenerateDataKey',
    ],
    ['a KMS key that is off', refusal('KMS.DisabledException', 400, KMS), 'store_refused', 'enabled'],
    [
      'a KMS key that is not there',
      refusal('KMS.NotFoundException', 400, KMS),
      'store_refused',
      'in the region',
    ],
    ['a store without a KMS', refusal('NotImplemented', 501, S3, OTHER), 'store_refused', 'has no SSE-S3'],
    [
      'a store that finds the header wrong',
      refusal('InvalidArgument', 400, C, OTHER),
      'store_refused',
      'may not have SSE-C',
    ],
  ])('%s', (_what, error, code, hint) => {
    expect([error.code, error.hint, error.retryable]).toEqual([code, expect.stringContaining(hint), false]);
  });

  test('that has nothing to do with it stays as it is', () => {
    for (const sse of [undefined, { kind: 'bucket' } as const, { kind: 'none' } as const, S3])
      expect(refusal('AccessDenied', 403, sse).hint).toContain('the credentials lack the permission');
    expect(refusal('AccessDenied', 403, C, OTHER).hint).not.toContain('AWS');
    const slow = refusal('SlowDown', 503, C);
    expect([slow.code, slow.retryable]).toEqual(['store_unavailable', true]);
  });

  test('keeps an error of ours', () => {
    const own = new SealdropError('source_changed', 'it grew');
    expect(refusedWrite(own, factsOf(own), C, AWS)).toBe(own);
  });
});

test('only SSE-C goes along with everything', () => {
  const key = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: Buffer.alloc(32, 1).toString('base64') };
  expect([sseOfNew(C), sseOfAny(C)]).toEqual([key, key]);
  expect([sseOfNew(S3), sseOfAny(S3)]).toEqual([{ ServerSideEncryption: 'AES256' }, {}]);
  expect([sseOfNew(KMS), sseOfAny(KMS)]).toEqual([
    { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'alias/lab' },
    {},
  ]);
  expect(sseOfNew({ kind: 'aws:kms' })).toEqual({ ServerSideEncryption: 'aws:kms' });
  for (const sse of [undefined, { kind: 'bucket' } as const, { kind: 'none' } as const])
    expect([sseOfNew(sse), sseOfAny(sse)]).toEqual([{}, {}]);
});

test('an answer is held against what was asked for', () => {
  const said = {
    AES256: { ServerSideEncryption: 'AES256' },
    kms: { ServerSideEncryption: 'aws:kms' },
    c: { SSECustomerAlgorithm: 'AES256' },
    none: {},
  };
  const fitting = (sse: ServerSideEncryption | undefined) =>
    Object.entries(said).flatMap(([name, answer]) =>
      isEncryptedAs(sse, encryptionOf(answer)) ? [name] : [],
    );
  expect(fitting(S3)).toEqual(['AES256']);
  expect(fitting(KMS)).toEqual(['kms']);
  expect(fitting(C)).toEqual(['c']);
  expect(fitting({ kind: 'bucket' })).toEqual(['AES256', 'kms', 'c']);
  for (const sse of [undefined, { kind: 'none' } as const]) expect(fitting(sse)).toEqual(Object.keys(said));
});
