/** What the S3 store makes of broken connections, failing servers and lost answers, against MinIO. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { createServer as createTcpServer } from 'node:net';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSealdropError, type SealdropError } from '../../src/errors.js';
import type { ChecksumMode, ObjectStore, PutOptions } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { openS3Store, type S3StoreOptions } from '../../src/store/s3.js';
import '../helpers/core-errors.js';
import { chunked, collect } from '../helpers/bytes.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const PARTS = 17 * MIB;
const KEY = 'folder/object';
const METADATA = { 'sealdrop-format': 'esdk', 'sealdrop-size': '17', 'sealdrop-upload': 'this one' };

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
beforeEach(async () => {
  bucket = await minio.createBucket(`faults-${++count}`);
  store = throughProxy();
  direct = minio.store(bucket);
});
afterEach(() => {
  proxy.reset();
  store.close();
  direct.close();
});

const throughProxy = (options: Partial<S3StoreOptions> = {}): ObjectStore =>
  minio.store(bucket, { endpoint: proxy.endpoint, maxAttempts: 3, ...options });

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
const put = (bytes: Buffer, options: PutOptions = {}, at = store) =>
  at.put(KEY, chunked(bytes, MIB), options);

async function expectStored(bytes: Buffer): Promise<void> {
  expect(sha256(await collect((await direct.get(KEY)).body))).toBe(sha256(bytes));
  expect(await direct.unfinished(KEY)).toEqual([]);
}

async function expectNothing(): Promise<void> {
  expect((await failure(direct.head(KEY))).code).toBe('object_not_found');
  expect(await direct.unfinished(KEY)).toEqual([]);
}

const xmlError = (code: string): string =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`;

describe('an upload goes on after', () => {
  const bytes = randomBytes(PARTS);
  test.each([
    ['a part was cut half-way', { url: 'partNumber=2', cutRequest: 2 * MIB }],
    ['a part was cut at its first byte', { url: 'partNumber=1&', cutRequest: 1 }],
    ['the answer to a part was lost', { url: 'partNumber=3', loseAnswer: true }],
    ['503 SlowDown', { url: 'partNumber=2', answer: { status: 503, body: xmlError('SlowDown') } }],
    ['500', { url: 'partNumber=4', answer: { status: 500, body: xmlError('InternalError') } }],
    [
      '502 with a page of a proxy',
      {
        url: 'partNumber=2',
        answer: { status: 502, body: '<html>', headers: { 'content-type': 'text/html' } },
      },
    ],
    ['429', { url: 'partNumber=2', answer: { status: 429, body: xmlError('TooManyRequests') } }],
    ['a part that arrived damaged', { url: 'partNumber=2', corruptRequest: MIB }],
    [
      '503 at the beginning',
      { method: 'POST', url: '?uploads', answer: { status: 503, body: xmlError('ServiceUnavailable') } },
    ],
    [
      '503 at the end',
      { method: 'POST', url: '?uploadId', answer: { status: 503, body: xmlError('SlowDown') } },
    ],
    [
      'an error in an answer that began with 200',
      { method: 'POST', url: '?uploadId', answer: { status: 200, body: xmlError('InternalError') } },
    ],
    [
      'the connection was cut at the end, before anything was done',
      { method: 'POST', url: '?uploadId', cutRequest: 1 },
    ],
    ['the answer at the end was lost', { method: 'POST', url: '?uploadId', loseAnswer: true }],
    ['the check of its size was cut', { method: 'HEAD', loseAnswer: true }],
  ])('%s', async (_, fault) => {
    proxy.add(fault);
    const result = await put(bytes, { metadata: METADATA });
    expect(result).toMatchObject({ size: PARTS, checked: 'signature', etag: (await direct.head(KEY)).etag });
    expect(proxy.requests.length).toBeGreaterThan(6);
    await expectStored(bytes);
  });

  test('a lost answer at the end, under a condition', async () => {
    proxy.add({ method: 'POST', url: '?uploadId', loseAnswer: true });
    await put(bytes, { metadata: METADATA, condition: { absent: true } });
    await expectStored(bytes);
  });

  test('all answers at the end were lost, with nothing but the ETag to know the object by', async () => {
    proxy.add({ method: 'POST', url: '?uploadId', loseAnswer: true, times: 3 });
    await put(bytes);
    await expectStored(bytes);
  });

  test('a lost answer to a single request, under a condition', async () => {
    const small = randomBytes(1000);
    proxy.add({ method: 'PUT', loseAnswer: true });
    const { etag } = await put(small, { condition: { absent: true } });
    expect(etag).toBe((await direct.head(KEY)).etag);
    await expectStored(small);
  });

  test('409 ConditionalRequestConflict', async () => {
    proxy.add({ method: 'PUT', answer: { status: 409, body: xmlError('ConditionalRequestConflict') } });
    await put(Buffer.from('x'), { condition: { absent: true } });
    await expectStored(Buffer.from('x'));
  });
});

describe('the checks that may be asked for', () => {
  const bytes = randomBytes(PARTS);
  test.each([
    ['crc32', 'crc32', undefined],
    ['md5', 'etag-md5', undefined],
    ['signature', 'signature', undefined],
    // Without a proof of its own, what the signature proves.
    ['md5', 'signature', '"not-an-md5"'],
  ] satisfies [ChecksumMode, string, string | undefined][])(
    '%s: %s, where the ETag is %s',
    async (checksum, checked, etag) => {
      const strict = throughProxy({ checksum });
      // In one request: the store doesn't know parts by ETags that the proxy invents.
      const size = etag === undefined ? PARTS : 1000;
      if (etag !== undefined) proxy.add({ method: 'PUT', etag });
      expect((await put(bytes.subarray(0, size), {}, strict)).checked).toBe(checked);
      await expectStored(bytes.subarray(0, size));
      strict.close();
    },
  );

  test.each([
    ['a single request', 1000, '/object'],
    ['a part', PARTS, 'partNumber=2'],
  ])(
    'md5: %s whose ETag is the MD5 of something else is sent again, and then fails',
    async (_, size, url) => {
      const strict = throughProxy({ checksum: 'md5' });
      const etag = '"0123456789abcdef0123456789abcdef"';
      proxy.add({ method: 'PUT', url, etag });
      expect((await put(bytes.subarray(0, size), {}, strict)).checked).toBe('etag-md5');
      await expectStored(bytes.subarray(0, size));
      proxy.add({ method: 'PUT', url, times: 99, etag });
      const error = await failure(put(bytes.subarray(0, size), {}, strict));
      expect([error.code, error.retryable]).toEqual(['upload_corrupted', true]);
      strict.close();
    },
  );
});

describe('an upload fails, and leaves nothing, when', () => {
  const bytes = randomBytes(PARTS);
  const denied = { status: 403, body: xmlError('AccessDenied') };
  test.each([
    [
      'the server fails for good',
      'store_unavailable',
      true,
      { url: 'partNumber=2', times: 99, answer: { status: 500 } },
    ],
    ['a part is refused', 'access_denied', false, { url: 'partNumber=3', answer: denied }],
    ['the beginning is refused', 'access_denied', false, { url: '?uploads', answer: denied }],
    ['the end is refused', 'access_denied', false, { method: 'POST', url: '?uploadId', answer: denied }],
    [
      'parts are cut for good',
      'endpoint_unreachable',
      true,
      { url: 'partNumber=2', times: 99, cutRequest: MIB },
    ],
    [
      'a part is damaged every time',
      'upload_corrupted',
      true,
      { url: 'partNumber=1&', times: 99, corruptRequest: 5 },
    ],
    ['a part gets no ETag', 'not_s3', false, { url: 'partNumber=2', etag: null }],
    [
      'the store gives up on the object',
      'object_not_found',
      false,
      { url: 'partNumber=2', answer: { status: 404, body: xmlError('NoSuchUpload') } },
    ],
    [
      'something else answers',
      'not_s3',
      false,
      {
        url: 'partNumber=2',
        answer: { status: 200, body: '<html>', headers: { 'content-type': 'text/html' } },
      },
    ],
  ])('%s: %s', async (_, code, retryable, fault) => {
    proxy.add(fault);
    const error = await failure(put(bytes, { metadata: METADATA }));
    expect([error.code, error.retryable]).toEqual([code, retryable]);
    expect(error.message).toContain(fault.url === '?uploads' ? bucket : '');
    expect(error.message).not.toMatch(/\n|sealdroptest/);
    await expectNothing();
  });

  test('a single request is damaged every time', async () => {
    proxy.add({ method: 'PUT', times: 99, corruptRequest: 5 });
    expect((await failure(put(randomBytes(1000)))).code).toBe('upload_corrupted');
    await expectNothing();
  });

  test('the abort was lost on its way the first time', async () => {
    proxy.add({ url: 'partNumber=2', answer: denied });
    proxy.add({ method: 'DELETE', cutRequest: 0, answer: { status: 503 } });
    expect((await failure(put(bytes))).code).toBe('access_denied');
    await expectNothing();
  });

  test('the signal fires while parts are in flight', async () => {
    const stop = new AbortController();
    proxy.add({ url: 'partNumber', delay: 10_000, times: 99 });
    const failed = failure(put(bytes, { signal: stop.signal }));
    await sleep(300);
    stop.abort();
    expect((await failed).code).toBe('interrupted');
    await expectNothing();
  });

  test('the object under the key is another one by now', async () => {
    await put(Buffer.from('first'), {}, direct);
    const { etag } = await direct.head(KEY);
    proxy.add({ method: 'POST', url: '?uploadId', before: () => put(Buffer.from('second'), {}, direct) });
    expect((await failure(put(bytes, { condition: { ifMatch: etag } }))).code).toBe('precondition_failed');
    await expectStored(Buffer.from('second'));
  });

  test('a lost answer and then the object of another: not taken for ours', async () => {
    const small = randomBytes(1000);
    proxy.add({ method: 'PUT', cutRequest: 1, before: () => put(randomBytes(1000), {}, direct) });
    expect((await failure(put(small, { condition: { absent: true } }))).code).toBe('precondition_failed');
  });
});

test('an older object of the same size and metadata does not pass for what could not be stored', async () => {
  const old = randomBytes(1000);
  await put(old, { metadata: { ...METADATA, 'sealdrop-upload': 'the last one' } }, direct);
  proxy.add({ method: 'PUT', cutRequest: 10, times: 50 });
  expect(await failure(put(randomBytes(1000), { metadata: METADATA }))).toMatchObject({
    code: 'endpoint_unreachable',
  });
  await expectStored(old);
});

test('a single object that the store was shown to hold damaged is said so, and does not stay', async () => {
  const md5 = throughProxy({ checksum: 'md5' });
  proxy.add({ method: 'PUT', etag: `"${'0'.repeat(32)}"`, times: 2 });
  const wrong = put(randomBytes(1000), { condition: { absent: true }, metadata: METADATA }, md5);
  expect(await failure(wrong)).toMatchObject({ code: 'upload_corrupted', retryable: true });
  await expect(direct.head(KEY)).rejects.toMatchObject({ code: 'object_not_found' });
  md5.close();
});

test('credentials that may write and not look store all the same: every part was checked', async () => {
  proxy.add({ method: 'HEAD', answer: { status: 403 }, times: 10 });
  proxy.add({ method: 'GET', url: KEY, answer: { status: 403 }, times: 10 });
  const bytes = randomBytes(PARTS);
  expect(await put(bytes)).toMatchObject({ size: PARTS, checked: 'signature' });
  await expectStored(bytes);
});

test('when the server dies half-way the error says that an upload stays, and its id', async () => {
  const own = await startFaultProxy(minio.endpoint);
  const broken = minio.store(bucket, { endpoint: own.endpoint, maxAttempts: 2 });
  own.add({ url: 'partNumber=3', before: () => own.close() });
  const error = await failure(put(randomBytes(PARTS), {}, broken));
  broken.close();
  expect([error.code, error.retryable]).toEqual(['endpoint_unreachable', true]);
  const [left] = await direct.unfinished(KEY);
  expect(left).toMatchObject({ key: KEY });
  expect(error.hint).toContain(left!.id);
});

test('when the abort is refused the first error stays, and says what is left', async () => {
  proxy.add({ url: 'partNumber=2', answer: { status: 403, body: xmlError('AccessDenied') } });
  proxy.add({ method: 'DELETE', answer: { status: 403, body: xmlError('AccessDenied') } });
  const error = await failure(put(randomBytes(PARTS)));
  expect(error.code).toBe('access_denied');
  expect(error.hint).toContain((await direct.unfinished(KEY))[0]!.id);
});

test.each([[0], [1], [100_000]])(
  'a store without conditional writes is looked at first (%i bytes)',
  async (size) => {
    const notImplemented = { status: 501, body: xmlError('NotImplemented') };
    proxy.add({ method: 'PUT', answer: notImplemented });
    await put(randomBytes(size), { condition: { absent: true } });
    proxy.add({ method: 'PUT', answer: notImplemented });
    expect((await failure(put(Buffer.from('x'), { condition: { absent: true } }))).code).toBe(
      'precondition_failed',
    );
  },
);

describe('a download', () => {
  const bytes = randomBytes(PARTS);
  beforeEach(async () => {
    await put(bytes, {}, direct);
  });

  test.each([[0], [1], [65_536], [5 * MIB], [PARTS - 1]])(
    'cut after %i bytes goes on from there',
    async (at) => {
      proxy.add({ method: 'GET', cutResponse: at });
      const { body } = await store.get(KEY);
      expect(sha256(await collect(body))).toBe(sha256(bytes));
      expect(proxy.requests.filter((line) => line.startsWith('GET'))).toHaveLength(2);
    },
  );

  test('cut again and again, with progress in between, arrives', async () => {
    proxy.add({ method: 'GET', cutResponse: 1.5 * MIB, times: 8 });
    const { body } = await store.get(KEY, { range: { first: 1000 } });
    expect(sha256(await collect(body))).toBe(sha256(bytes.subarray(1000)));
  });

  test('cut for good ends with endpoint_unreachable', async () => {
    proxy.add({ method: 'GET', cutResponse: 100, times: 99 });
    const { body } = await store.get(KEY);
    expect((await failure(collect(body))).code).toBe('endpoint_unreachable');
  });

  test('that stands still is asked for again', async () => {
    const impatient = throughProxy({ idleTimeout: 500 });
    proxy.add({ method: 'GET', stallResponse: 3 * MIB });
    const { body } = await impatient.get(KEY);
    expect(sha256(await collect(body))).toBe(sha256(bytes));
    impatient.close();
  });

  test('that nobody reads for longer than the idle time is no failure', async () => {
    const impatient = throughProxy({ idleTimeout: 300 });
    const { body } = await impatient.get(KEY);
    const hash = createHash('sha256');
    let pieces = 0;
    for await (const piece of body) {
      hash.update(piece as Buffer);
      if (++pieces % 100 === 1 && pieces < 1000) await sleep(700);
    }
    expect(hash.digest('hex')).toBe(sha256(bytes));
    impatient.close();
  });

  test.each([
    ['replaced', () => put(randomBytes(PARTS), {}, direct)],
    ['removed', () => direct.remove(KEY)],
  ])('of an object that is %s after the cut fails for good', async (_, change) => {
    proxy.add({ method: 'GET', cutResponse: 2 * MIB });
    proxy.add({ method: 'GET', before: change });
    const { body } = await store.get(KEY);
    const error = await failure(collect(body));
    expect([error.code, error.retryable]).toEqual(['precondition_failed', false]);
    expect(error.message).toMatch(/replaced or removed/);
  });

  test('is not resumed with another object by a store that ignores If-Match', async () => {
    proxy.add({ method: 'GET', cutResponse: 2 * MIB });
    proxy.add({ method: 'GET', etag: '"0123456789abcdef0123456789abcdef"' });
    const { body } = await store.get(KEY);
    expect((await failure(collect(body))).code).toBe('precondition_failed');
  });

  test('destroyed half-way lets go of its connection', async () => {
    proxy.add({ method: 'GET', stallResponse: 2 * MIB });
    const { body } = await store.get(KEY);
    for await (const _ of body) break;
    for (const until = Date.now() + 10_000; (await proxy.connections()) > 0 && Date.now() < until;)
      await sleep(50);
    expect(await proxy.connections()).toBe(0);
  });

  test('503 first, then the object', async () => {
    proxy.add({ method: 'GET', answer: { status: 503, body: xmlError('SlowDown') } });
    expect(sha256(await collect((await store.get(KEY)).body))).toBe(sha256(bytes));
  });
});

describe('an endpoint that is not S3', () => {
  const listeners: [string, string, RequestListener][] = [
    [
      'HTML for everything',
      'not_s3',
      (_, response) =>
        void response
          .setHeader('content-type', 'text/html; charset=utf-8')
          .end('<html><body>hello</body></html>'),
    ],
    [
      'HTML and 404',
      'not_s3',
      (_, response) =>
        void response.writeHead(404, { 'content-type': 'text/html' }).end('<html>not found</html>'),
    ],
    [
      'JSON',
      'not_s3',
      (_, response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}'),
    ],
    [
      'JSON and 401',
      'not_s3',
      (_, response) =>
        void response.writeHead(401, { 'content-type': 'application/json' }).end('{"ok":false}'),
    ],
    [
      'plain text',
      'not_s3',
      (_, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('OK'),
    ],
    ['nothing at all', 'not_s3', (_, response) => void response.writeHead(200).end()],
    [
      'a redirection',
      'not_s3',
      (_, response) => void response.writeHead(302, { location: 'https://login.example/' }).end(),
    ],
    [
      'other XML',
      'not_s3',
      (_, response) =>
        void response.writeHead(200, { 'content-type': 'application/xml' }).end('<rss><channel/></rss>'),
    ],
  ];
  test.each(listeners)('%s: %s', async (_, code, listener) => {
    const server = createServer((request, response) => {
      request.resume().on('end', () => listener(request, response));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const other = throughProxy({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    expect((await failure(other.head(KEY))).code).toBe(code);
    expect((await failure(other.get(KEY))).code).toBe(code);
    expect((await failure(put(Buffer.from('x'), {}, other))).code).toBe(code);
    expect((await failure(put(randomBytes(PARTS), {}, other))).code).toBe(code);
    expect((await failure(collect(keys(other)))).code).toBe(code);
    other.close();
    server.close();
    server.closeAllConnections();
  });

  test('something that doesn’t speak HTTP', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('SSH-2.0-OpenSSH_9.9\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const other = throughProxy({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    expect((await failure(other.head(KEY))).code).toBe('not_s3');
    other.close();
    server.close();
  });

  async function* keys(other: ObjectStore) {
    for await (const { key } of other.list('')) yield Buffer.from(key);
  }
});

describe('an endpoint or a bucket that lets nobody in', () => {
  const wrong = (credentials: { accessKeyId: string; secretAccessKey: string }) =>
    throughProxy({ credentials: new Secret(credentials) });

  test('a port that nothing listens on', async () => {
    const other = throughProxy({ endpoint: 'http://127.0.0.1:9' });
    const error = await failure(other.head(KEY));
    expect([error.code, error.retryable]).toEqual(['endpoint_unreachable', true]);
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.hint).toMatch(/endpoint-url/);
    other.close();
  });

  test('a host that does not exist', async () => {
    const other = throughProxy({ endpoint: 'http://sealdrop.invalid:9000' });
    expect((await failure(other.head(KEY))).code).toBe('endpoint_unreachable');
    other.close();
  });

  test('https where http is spoken', async () => {
    const other = throughProxy({ endpoint: proxy.endpoint.replace('http:', 'https:') });
    const error = await failure(other.head(KEY));
    expect(error.code).toBe('endpoint_unreachable');
    expect(error.hint).toMatch(/http:\/\/ or https:\/\//);
    other.close();
  });

  test.each([
    [
      'an unknown key',
      { accessKeyId: 'nobody', secretAccessKey: 'secret-of-nobody' },
      /does not know this access key/,
    ],
    ['a wrong secret', { accessKeyId: 'sealdroptest', secretAccessKey: 'wrong-secret' }, /secret key/],
  ])('%s', async (_, credentials, hint) => {
    const other = wrong(credentials);
    for (const attempt of [
      () => put(randomBytes(PARTS), {}, other),
      () => put(randomBytes(3 * MIB), {}, other),
      () => other.get(KEY),
    ]) {
      const error = await failure(attempt());
      expect(error.code).toBe('access_denied');
      expect(error.hint).toMatch(hint);
      expect(`${error.message} ${error.hint}`).not.toContain(credentials.accessKeyId);
    }
    expect((await failure(other.head(KEY))).code).toBe('access_denied');
    await expectNothing();
    other.close();
  });

  test('a clock that is wrong', async () => {
    proxy.add({ times: 9, answer: { status: 403, body: xmlError('RequestTimeTooSkewed') } });
    expect((await failure(store.get(KEY))).hint).toMatch(/clock/);
  });
});

test('a listing without the second version falls back to the first', async () => {
  for (const name of ['a b', 'a+c', 'd%25']) await direct.put(name, chunked(Buffer.from('x'), 1));
  proxy.add({ url: 'list-type=2', answer: { status: 501, body: xmlError('NotImplemented') } });
  const keys = [];
  for await (const { key } of store.list('')) keys.push(key);
  expect(keys).toEqual(['a b', 'a+c', 'd%25']);
});

test('who may not list uploads gets an empty list', async () => {
  proxy.add({ url: 'uploads', answer: { status: 403, body: xmlError('AccessDenied') } });
  expect(await store.unfinished(KEY)).toEqual([]);
});

test('openS3Store looks at its options', () => {
  const open = (options: Partial<S3StoreOptions>) => () => openS3Store({ bucket: 'b', ...options });
  expect(open({ bucket: 'a/b' })).toThrow(/bucket/);
  expect(open({ partSize: 100 })).toThrow(/parts/);
  expect(open({ concurrency: 0 })).toThrow(/parts/);
});
