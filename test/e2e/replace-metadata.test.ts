/** Other metadata in place, against MinIO: what stays, what is refused, and what comes in between. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { isSealdropError, type SealdropError } from '../../src/errors.js';
import { UPLOAD_ENTRY, type ObjectStore, type ReplaceOptions } from '../../src/ports.js';
import '../helpers/core-errors.js';
import { chunked, collect } from '../helpers/bytes.js';
import { startFaultProxy, type Fault, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const KEY = 'folder/object +%';
const OLD = { 'x-amz-key-v2': 'old' };
const LARGE = 12 * MIB + 1;

let minio: S3Server;
let proxy: FaultProxy;
let bucket: string;
/** Through the proxy. */
let store: ObjectStore;
/** Around it. */
let direct: ObjectStore;
let count = 0;

beforeAll(async () => {
  minio = await startMinio();
  proxy = await startFaultProxy(minio.endpoint);
}, SETUP_TIME);
afterAll(async () => {
  await proxy?.close();
  await minio?.stop();
});
const use = (name: string) => {
  bucket = name;
  store = minio.store(bucket, { endpoint: proxy.endpoint, maxAttempts: 3 });
  direct = minio.store(bucket);
};
beforeEach(async () => use(await minio.createBucket(`replace-${++count}`)));
afterEach(() => {
  proxy.reset();
  store.close();
  direct.close();
});

async function failure(promise: Promise<unknown>): Promise<SealdropError> {
  try {
    await promise;
  } catch (error) {
    if (isSealdropError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const fresh = () => ({ 'x-amz-key-v2': 'new', [UPLOAD_ENTRY]: randomUUID() });
const put = async (bytes: Uint8Array, metadata: Record<string, string> = OLD, options = {}) =>
  direct.put(KEY, chunked(bytes, MIB), { metadata, ...options });
const replace = async (ifMatch: string, more: Partial<ReplaceOptions> = {}, at = store) =>
  at.replaceMetadata(KEY, { ifMatch, metadata: fresh(), ...more });
const raw = () => ({ Bucket: bucket, Key: KEY });
const writes = () => proxy.requests.filter((line) => !/^(GET|HEAD) /.test(line));

async function expectStored(bytes: Uint8Array, metadata: Record<string, string>): Promise<void> {
  const { info, body } = await direct.get(KEY);
  expect(sha256(await collect(body))).toBe(sha256(bytes));
  expect(info.metadata).toEqual(metadata);
  expect(await direct.unfinished(KEY)).toEqual([]);
}

const xmlError = (code: string): string =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`;

test('64 MiB stay where they are: less than 1 MiB goes to and fro', async () => {
  const bytes = randomBytes(64 * MIB);
  const { etag } = await put(bytes);
  const before = proxy.transferred();
  const metadata = fresh();
  await replace(etag, { metadata });
  const moved = proxy.transferred() - before;
  expect(moved).toBeGreaterThan(1000);
  expect(moved).toBeLessThan(MIB);
  await expectStored(bytes, metadata);
});

test.each([0, 1, LARGE])(
  '%i bytes: content type, other headers, storage class and tags stay',
  async (size) => {
    const bytes = randomBytes(size);
    const Expires = new Date('2031-02-03T04:05:06Z');
    const headers = {
      ...{ ContentType: 'text/x-odd; charset=utf-8', CacheControl: 'max-age=7', ContentLanguage: 'ja' },
      ...{ ContentDisposition: 'attachment; filename="a b.txt"', ContentEncoding: 'br', Expires },
    };
    const tags = { one: '1', 'with space+=:/@': 'a +=', empty: '' };
    await minio.client.send(
      new PutObjectCommand({
        ...{ ...raw(), ...headers, Body: bytes, Metadata: OLD, StorageClass: 'REDUCED_REDUNDANCY' },
        Tagging: new URLSearchParams({ gone: 'x' }).toString(),
      }),
    );
    const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    await minio.client.send(new PutObjectTaggingCommand({ ...raw(), Tagging: { TagSet } }));
    const metadata = fresh();
    await replace((await direct.head(KEY)).etag, { metadata });
    await expectStored(bytes, metadata);
    const head = await minio.client.send(new HeadObjectCommand(raw()));
    expect(head).toMatchObject({ ...headers, ContentLength: size, StorageClass: 'REDUCED_REDUNDANCY' });
    const kept = await minio.client.send(new GetObjectTaggingCommand(raw()));
    expect(Object.fromEntries(kept.TagSet!.map((tag) => [tag.Key!, tag.Value!]))).toEqual(tags);
  },
);

test('a bucket with versions has one more', async () => {
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await minio.client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
  const first = await put(Buffer.from('x'));
  const { version } = await replace(first.etag);
  const found = [];
  for await (const each of direct.versions!.list(KEY)) found.push(each.version);
  expect(found).toEqual([version, first.version]);
});

describe('refused before anything is written', () => {
  const later = new Date(Date.now() + 3600_000);
  test.each([
    [
      'under retention',
      () =>
        new PutObjectRetentionCommand({
          ...raw(),
          Retention: { Mode: 'GOVERNANCE', RetainUntilDate: later },
        }),
      /Object Lock \(GOVERNANCE\)/,
    ],
    [
      'under a legal hold',
      () => new PutObjectLegalHoldCommand({ ...raw(), LegalHold: { Status: 'ON' } }),
      /Object Lock \(a legal hold\)/,
    ],
  ])('an object %s', async (_, lock, message) => {
    const Bucket = `locked-${++count}`;
    await minio.client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
    use(Bucket);
    const { etag } = await put(Buffer.from('x'));
    await minio.client.send(lock());
    const error = await failure(replace(etag));
    expect([error.code, error.message, error.hint]).toEqual([
      'store_refused',
      expect.stringMatching(message),
      expect.stringContaining('put it again'),
    ]);
    expect(writes()).toEqual([]);
    await expectStored(Buffer.from('x'), OLD);
  });

  test('an object whose tags can’t be read', async () => {
    const { etag } = await put(Buffer.from('x'));
    proxy.add({ method: 'GET', url: '?tagging', answer: { status: 403, body: xmlError('AccessDenied') } });
    const error = await failure(replace(etag));
    expect([error.code, error.hint]).toEqual([
      'access_denied',
      expect.stringContaining('s3:GetObjectTagging'),
    ]);
    expect(writes()).toEqual([]);
    await expectStored(Buffer.from('x'), OLD);
  });

  test.each(['none', 'absent'] as const)('a store that keeps conditions: %s', async (conditionalWrites) => {
    const { etag } = await put(Buffer.from('x'));
    const other = minio.store(bucket, { traits: { conditionalWrites } });
    expect((await failure(replace(etag, { guarded: true }, other))).code).toBe('condition_not_kept');
    await expectStored(Buffer.from('x'), OLD);
    // Looked at before, in place of that.
    expect((await failure(replace('0'.repeat(32), {}, other))).code).toBe('precondition_failed');
    const metadata = fresh();
    expect(await replace(etag, { metadata }, other)).toMatchObject({ unguarded: true });
    await expectStored(Buffer.from('x'), metadata);
    other.close();
  });

  test('metadata that the store has no room for', async () => {
    const { etag } = await put(Buffer.from('x'));
    const small = minio.store(bucket, { provider: 'minio' });
    const metadata = { ...fresh(), long: 'x'.repeat(2048) };
    expect((await failure(replace(etag, { metadata }, small))).code).toBe('too_large');
    small.close();
  });
});

test('a store that has no tags', async () => {
  const { etag } = await put(Buffer.from('x'));
  proxy.add({ method: 'GET', url: '?tagging', answer: { status: 501, body: xmlError('NotImplemented') } });
  const metadata = fresh();
  await replace(etag, { metadata });
  await expectStored(Buffer.from('x'), metadata);
});

describe('what somebody else does meanwhile', () => {
  const other = randomBytes(LARGE);
  const MOMENTS: [string, Fault][] = [
    ['before the copy', { method: 'PUT', url: 'partNumber=1' }],
    ['during the copy', { method: 'PUT', url: 'partNumber=2' }],
    ['before the completion', { method: 'POST', url: '?uploadId' }],
  ];
  test.each(MOMENTS)('an overwrite %s wins', async (_, moment) => {
    // Cut into two parts, since its ETag has one.
    const { etag } = await put(randomBytes(LARGE), OLD, { inParts: true });
    await replace(etag);
    const now = await direct.head(KEY);
    proxy.reset();
    proxy.add({ ...moment, before: () => put(other) });
    expect((await failure(replace(now.etag))).code).toBe('precondition_failed');
    await expectStored(other, OLD);
  });

  test('an overwrite with the answer on its way wins, and is said', async () => {
    const { etag } = await put(randomBytes(100));
    proxy.add({ method: 'POST', url: '?uploadId', after: () => put(other) });
    expect((await failure(replace(etag))).code).toBe('precondition_failed');
    await expectStored(other, OLD);
  });

  test.each(MOMENTS.slice(0, 2))('removed %s: it stays removed', async (_, moment) => {
    const { etag } = await put(randomBytes(LARGE), OLD, { inParts: true });
    const now = await replace(etag, {}, direct);
    proxy.add({ ...moment, before: () => direct.remove(KEY) });
    expect((await failure(replace(now.etag))).code).toBe('precondition_failed');
    expect((await failure(direct.head(KEY))).code).toBe('object_not_found');
    expect(await direct.unfinished(KEY)).toEqual([]);
  });

  test('other metadata for the same bytes are told apart by the ETag', async () => {
    const bytes = randomBytes(LARGE);
    const { etag } = await put(bytes);
    const now = await replace(etag);
    const metadata = fresh();
    const moment = { method: 'POST', url: '?uploadId' };
    proxy.add({ ...moment, before: () => replace(now.etag, { metadata }, direct) });
    expect((await failure(replace(now.etag))).code).toBe('precondition_failed');
    await expectStored(bytes, metadata);
  });

  test('other metadata for a small object, whose ETag stays, are seen before the completion', async () => {
    const bytes = randomBytes(100);
    const now = await put(bytes, OLD, { inParts: true });
    const metadata = fresh();
    const moment = { method: 'PUT', url: 'partNumber=1' };
    proxy.add({ ...moment, before: () => replace(now.etag, { metadata }, direct) });
    expect((await failure(replace(now.etag))).code).toBe('precondition_failed');
    await expectStored(bytes, metadata);
    const seen = { ifMetadata: OLD };
    expect((await failure(replace((await direct.head(KEY)).etag, seen))).code).toBe('precondition_failed');
  });
});

describe('goes on after', () => {
  test.each([
    ['a lost answer at the beginning of it', { method: 'HEAD', loseAnswer: true }],
    ['a lost answer to a copied part', { method: 'PUT', url: 'partNumber', loseAnswer: true }],
    ['503', { method: 'PUT', url: 'partNumber', answer: { status: 503, body: xmlError('SlowDown') } }],
    [
      'an error in an answer that began with 200',
      { method: 'PUT', url: 'partNumber', answer: { status: 200, body: xmlError('InternalError') } },
    ],
    ['a lost answer at the end', { method: 'POST', url: '?uploadId', loseAnswer: true }],
    ['all answers at the end lost', { method: 'POST', url: '?uploadId', loseAnswer: true, times: 3 }],
    ['the connection was cut at the end', { method: 'POST', url: '?uploadId', cutRequest: 1 }],
    ['a lost answer of the last look at it', { method: 'HEAD', skip: 2, loseAnswer: true }],
  ] satisfies [string, Fault][])('%s', async (_, fault) => {
    for (const size of [0, 100, LARGE]) {
      const bytes = randomBytes(size);
      // The copy of a small one has the same ETag.
      const { etag } = await put(bytes, OLD, { inParts: true });
      proxy.reset();
      proxy.add(fault);
      const metadata = fresh();
      expect(await replace(etag, { metadata })).toMatchObject({ size, metadata });
      await expectStored(bytes, metadata);
    }
  });
});

describe('what fails leaves the object as it was, and no upload', () => {
  const denied = { status: 403, body: xmlError('AccessDenied') };
  test.each([
    ['access denied at the beginning', 'access_denied', { method: 'POST', url: '?uploads', answer: denied }],
    ['access denied to a part', 'access_denied', { method: 'PUT', url: 'partNumber', answer: denied }],
    ['access denied at the end', 'access_denied', { method: 'POST', url: '?uploadId', answer: denied }],
    [
      'no part can be reached',
      'endpoint_unreachable',
      { method: 'PUT', url: 'partNumber', loseAnswer: true, times: 99 },
    ],
    // The object that stands there has the very ETag that the copy would have.
    [
      'the end is never reached',
      'endpoint_unreachable',
      { method: 'POST', url: '?uploadId', cutRequest: 1, times: 99 },
    ],
  ] satisfies [string, string, Fault][])('%s', async (_, code, fault) => {
    for (const size of [0, 100, LARGE]) {
      const bytes = randomBytes(size);
      const { etag } = await put(bytes, OLD, { inParts: true });
      proxy.reset();
      proxy.add(fault);
      expect((await failure(replace(etag))).code).toBe(code);
      await expectStored(bytes, OLD);
    }
  });

  test('the signal fires while parts are copied', async () => {
    const bytes = randomBytes(LARGE);
    const { etag } = await put(bytes);
    const stop = new AbortController();
    proxy.add({ url: 'partNumber', before: async () => stop.abort(), delay: 300, times: 99 });
    expect((await failure(replace(etag, { signal: stop.signal }))).code).toBe('interrupted');
    await expectStored(bytes, OLD);
  });

  test('the abort is refused: the error says what is left', async () => {
    const { etag } = await put(Buffer.from('x'));
    proxy.add({ url: 'partNumber', answer: denied });
    proxy.add({ method: 'DELETE', answer: denied });
    const error = await failure(replace(etag));
    expect(error.hint).toContain((await direct.unfinished(KEY))[0]!.id);
  });
});
