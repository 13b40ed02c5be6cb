/** The S3 store over https, with an authority of its own. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isSealdropError } from '../../src/errors.js';
import type { ObjectStore } from '../../src/ports.js';
import '../helpers/core-errors.js';
import { chunked } from '../helpers/bytes.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let minio: S3Server;
let bucket: string;
beforeAll(async () => {
  minio = await startMinio({ tls: true });
  bucket = await minio.createBucket('tls');
}, SETUP_TIME);
afterAll(async () => minio?.stop());

async function using<T>(store: ObjectStore, action: (store: ObjectStore) => Promise<T>): Promise<T> {
  try {
    return await action(store);
  } finally {
    store.close();
  }
}

const put = (store: ObjectStore) => store.put('a', chunked(Buffer.alloc(6 << 20), 1 << 20));

test('with --ca-bundle parts are checked by their CRC32s, to which the store agrees', async () => {
  const result = await using(minio.store(bucket), async (store) =>
    store.put('parts', chunked(Buffer.alloc(11 << 20), 1 << 20)),
  );
  expect(result.checked).toBe('crc32');
});

test('what goes in one request is checked by its ETag', async () => {
  const result = await using(minio.store(bucket), async (store) =>
    store.put('one', chunked(Buffer.from('one'), 3)),
  );
  expect(result.checked).toBe('etag-md5');
});

test.each(['crc32', 'signature'] as const)('or by what is asked for: %s', async (checksum) => {
  expect((await using(minio.store(bucket, { checksum }), put)).checked).toBe(checksum);
});

test('AWS_CA_BUNDLE is honoured', async () => {
  process.env.AWS_CA_BUNDLE = minio.caBundle;
  try {
    expect((await using(minio.store(bucket, { caBundle: undefined }), put)).size).toBe(6 << 20);
  } finally {
    delete process.env.AWS_CA_BUNDLE;
  }
});

test('without either the certificate is refused, with a hint', async () => {
  const error: unknown = await using(minio.store(bucket, { caBundle: undefined }), put).catch(
    (thrown: unknown) => thrown,
  );
  if (!isSealdropError(error)) throw error;
  expect([error.code, error.retryable]).toEqual(['endpoint_unreachable', false]);
  expect(error.message).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
  expect(error.hint).toContain('--ca-bundle');
});

test('http where https is spoken', async () => {
  const endpoint = minio.endpoint.replace('https:', 'http:');
  const error: unknown = await using(minio.store(bucket, { endpoint }), put).catch(
    (thrown: unknown) => thrown,
  );
  expect(isSealdropError(error) && error.code).toBe('not_s3');
});
