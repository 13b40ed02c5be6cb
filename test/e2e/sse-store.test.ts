/** Server-side encryption by real servers: what goes out, what comes back, and what is said when it cannot work. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import type { SealdropError } from '../../src/errors.js';
import { UPLOAD_ENTRY, type ObjectStore, type ServerSideEncryption } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import '../helpers/core-errors.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { startFaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, startVersitygw, type S3Server } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const KEY = randomBytes(32);
const C: ServerSideEncryption = { kind: 'c', key: new Secret(KEY) };
const OTHER: ServerSideEncryption = { kind: 'c', key: new Secret(randomBytes(32)) };
const KMS_KEY = 'lab-key';
const SIZES = [0, 1, 5 * MIB, 5 * MIB + 1, 17 * MIB + 3];
const BYTES = pattern(17 * MIB + 3);

let minio: S3Server;
let bucket: string;
const opened: ObjectStore[] = [];

beforeAll(async () => {
  const kms = `${KMS_KEY}:${randomBytes(32).toString('base64')}`;
  minio = await startMinio({ tls: true, env: { MINIO_KMS_SECRET_KEY: kms } });
  bucket = await minio.createBucket('sse');
}, SETUP_TIME);
afterAll(async () => {
  for (const store of opened) store.close();
  await minio?.stop();
});

function storeWith(sse: ServerSideEncryption | undefined, on = { server: minio, bucket }): ObjectStore {
  const store = on.server.store(on.bucket, { sse });
  opened.push(store);
  return store;
}

const putOptions = () => ({ metadata: { [UPLOAD_ENTRY]: randomUUID() } });
const put = (store: ObjectStore, key: string, size = 1000) =>
  store.put(key, chunked(BYTES.subarray(0, size), MIB), putOptions());

async function read(store: ObjectStore, key: string, range?: { first: number; last?: number }) {
  const { body } = await store.get(key, range && { range });
  return collect(body);
}

async function failureOf(attempt: Promise<unknown>): Promise<SealdropError> {
  return attempt.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error as SealdropError,
  );
}

const KINDS: [string, ServerSideEncryption, string, string][] = [
  ['SSE-S3', { kind: 'AES256' }, 'AES256', 'etag-md5'],
  ['SSE-KMS with a named key', { kind: 'aws:kms', keyId: KMS_KEY }, 'aws:kms', 'signature'],
  ['SSE-KMS', { kind: 'aws:kms' }, 'aws:kms', 'signature'],
  ['SSE-C', C, 'SSE-C', 'signature'],
];

describe.each(KINDS)('%s', (_name, sse, encryption, checked) => {
  test.each(SIZES)(
    '%i bytes come back as they were, whole and by ranges, and the parts are proven',
    async (size) => {
      const store = storeWith(sse);
      const key = `${encryption}/${size}`;
      const bytes = BYTES.subarray(0, size);
      const written = await put(store, key, size);
      // Parts are checked by their CRC32s where the store agrees, unless a signature is better.
      const inParts = checked === 'etag-md5' && size > 5 * MIB;
      expect(written).toMatchObject({ size, checked: inParts ? 'crc32' : checked });
      const info = await store.head(key);
      expect(info).toMatchObject({ size, encryption, etag: written.etag });
      expect((await read(store, key)).equals(bytes)).toBe(true);
      if (size > 1) {
        const range = { first: size - 2 };
        expect((await read(store, key, range)).equals(bytes.subarray(-2))).toBe(true);
        expect((await read(store, key, { first: 1, last: 99 })).equals(bytes.subarray(1, 100))).toBe(true);
      }
      const kinds = (await store.checksums(key)).map(({ kind }) => kind);
      // An ETag that is no MD5 must not be taken for one.
      if (checked !== 'etag-md5') expect(kinds).toEqual([]);
    },
  );

  test.each([0, 1, 17 * MIB + 3])(
    '%i bytes get other metadata in place, whatever is asked for new objects, and stay encrypted as they are',
    async (size) => {
      const key = `${encryption}/${_name}/replaced/${size}`;
      const { etag } = await put(storeWith(sse), key, size);
      const store = storeWith(sse.kind === 'c' ? sse : undefined);
      const metadata = { key: 'new', [UPLOAD_ENTRY]: randomUUID() };
      await store.replaceMetadata(key, { ifMatch: etag, metadata });
      expect(await store.head(key)).toMatchObject({ size, encryption, metadata });
      expect((await read(store, key)).equals(BYTES.subarray(0, size))).toBe(true);
      expect(await store.unfinished(key)).toEqual([]);
    },
  );
});

describe('SSE-C', () => {
  let plain: ObjectStore;
  let withKey: ObjectStore;
  beforeAll(async () => {
    plain = storeWith(undefined);
    withKey = storeWith(C);
    await put(withKey, 'sealed');
    await put(plain, 'open');
  });

  test.each(['head', 'get', 'checksums'] as const)(
    '%s without the key says that one is needed',
    async (method) => {
      const error = await failureOf(plain[method]('sealed'));
      expect([error.code, error.hint]).toEqual([
        'sse_key_required',
        expect.stringContaining('--sse-key-file'),
      ]);
    },
  );

  test.each(['head', 'get', 'checksums'] as const)(
    '%s with another key says that it is another',
    async (method) => {
      const error = await failureOf(storeWith(OTHER)[method]('sealed'));
      expect(error.code).toBe('sse_key_wrong');
    },
  );

  test.each(['head', 'get'] as const)('%s of what has no key of ours says so', async (method) => {
    const error = await failureOf(withKey[method]('open'));
    expect([error.code, error.message]).toEqual([
      'store_refused',
      's3://sse/open is not encrypted with a key of yours (SSE-C)',
    ]);
  });

  test('what is not there is not there, with the key or without', async () => {
    for (const store of [plain, withKey])
      expect((await failureOf(store.head('absent'))).code).toBe('object_not_found');
  });

  test('a condition is kept, and an object that has another key can be replaced', async () => {
    const error = await failureOf(
      withKey.put('sealed', chunked(BYTES.subarray(0, 5), 5), { condition: { absent: true } }),
    );
    expect(error.code).toBe('precondition_failed');
    const other = storeWith(OTHER);
    await put(other, 'replaced', 10);
    await put(withKey, 'replaced', 12 * MIB);
    expect((await read(withKey, 'replaced')).length).toBe(12 * MIB);
  });

  test('the key is in no error and in no view of the settings', async () => {
    const error = await failureOf(storeWith(OTHER).head('sealed'));
    const seen =
      inspect(error, { depth: 20 }) +
      JSON.stringify({ sse: C }) +
      inspect({ sse: C, store: withKey }, { depth: 20 });
    for (const form of ['base64', 'hex', 'base64url'] as const)
      expect(seen).not.toContain(KEY.toString(form));
  });
});

describe('what was stored and is not encrypted', () => {
  test.each([10, 6 * MIB])('goes, and the version before it stands there again: %i bytes', async (size) => {
    const Bucket = await minio.createBucket(`versions-${size}`);
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await minio.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    const on = { server: minio, bucket: Bucket };
    const { version } = await put(storeWith(undefined, on), 'k', 20);
    const error = await failureOf(put(storeWith({ kind: 'bucket' }, on), 'k', size));
    expect([error.code, error.hint]).toEqual([
      'store_refused',
      expect.stringContaining('no default encryption'),
    ]);
    expect(await storeWith(undefined, on).head('k')).toMatchObject({ size: 20, version });
  });

  test('in parts, it replaces nothing where the store says nothing of the parts', async () => {
    const versitygw = await startVersitygw({ tls: true });
    try {
      const on = { server: versitygw, bucket: await versitygw.createBucket('kept') };
      const { etag } = await put(storeWith(undefined, on), 'k', 20);
      for (const [, sse] of KINDS)
        expect((await failureOf(put(storeWith(sse, on), 'k', 6 * MIB))).code).toBe('store_refused');
      expect(await storeWith(undefined, on).head('k')).toMatchObject({ size: 20, etag });
    } finally {
      await versitygw.stop();
    }
  });
});

describe('over http', () => {
  test('SSE-C is refused before anything is sent', async () => {
    const proxy = await startFaultProxy('http://127.0.0.1:9');
    try {
      const store = minio.store(bucket, { sse: C, endpoint: proxy.endpoint });
      opened.push(store);
      for (const attempt of [
        () => put(store, 'k'),
        () => store.head('k'),
        () => store.get('k'),
        () => store.remove('k'),
      ]) {
        const error = await failureOf(attempt());
        expect([error.code, error.hint]).toEqual(['usage', expect.stringContaining('https://')]);
      }
      expect([proxy.requests.length, await proxy.connections()]).toEqual([0, 0]);
    } finally {
      await proxy.close();
    }
  });
});

describe('a download that breaks', () => {
  test('goes on where it broke, with the key', async () => {
    const { host, cuts, endpoint, stop } = await startCuttingRelay(minio.endpoint, 3 * MIB);
    try {
      await put(storeWith(C), 'broken', 12 * MIB);
      const store = minio.store(bucket, { sse: C, endpoint });
      opened.push(store);
      expect((await read(store, 'broken')).equals(BYTES.subarray(0, 12 * MIB))).toBe(true);
      expect([host, cuts()]).toEqual(['127.0.0.1', 1]);
    } finally {
      await stop();
    }
  });
});

/** Passes TLS on as it is; the first connection that brings so many bytes down is cut there. */
async function startCuttingRelay(upstream: string, bytes: number) {
  const { hostname: host, port } = new URL(upstream);
  let cuts = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    let seen = 0;
    far.on('data', (piece: Buffer) => {
      seen += piece.length;
      if (cuts > 0 || seen < bytes) return;
      cuts++;
      near.destroy();
    });
    for (const socket of [near, far]) sockets.add(socket.on('error', () => near.destroy()));
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, host, listening));
  return {
    host,
    endpoint: `https://${host}:${(server.address() as AddressInfo).port}`,
    cuts: () => cuts,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((closed) => server.close(closed));
    },
  };
}

describe('a store that has no such encryption: nothing is left there', () => {
  let without: S3Server;
  let versitygw: S3Server;
  beforeAll(async () => {
    [without, versitygw] = await Promise.all([startMinio({ tls: true }), startVersitygw({ tls: true })]);
    await without.createBucket('no-kms');
    await versitygw.createBucket('no-sse');
  }, SETUP_TIME);
  afterAll(async () => {
    await without?.stop();
    await versitygw?.stop();
  });

  test.each(KINDS.slice(0, 3))('MinIO without key management: %s', async (_name, sse) => {
    for (const size of [10, 6 * MIB]) {
      const store = storeWith(sse, { server: without, bucket: 'no-kms' });
      const error = await failureOf(put(store, 'k', size));
      expect([error.code, error.hint]).toEqual([
        'store_refused',
        expect.stringMatching(/^the store has no SSE-/),
      ]);
      const seen = storeWith(undefined, { server: without, bucket: 'no-kms' });
      expect((await failureOf(seen.head('k'))).code).toBe('object_not_found');
    }
  });

  test.each<[string, ServerSideEncryption]>([
    ...KINDS.map(([name, sse]): [string, ServerSideEncryption] => [name, sse]),
    ['the bucket’s own', { kind: 'bucket' }],
  ])('versitygw: %s', async (_name, sse) => {
    for (const size of [10, 6 * MIB]) {
      const store = storeWith(sse, { server: versitygw, bucket: 'no-sse' });
      const error = await failureOf(put(store, 'k', size));
      expect([error.code, error.message]).toEqual([
        'store_refused',
        expect.stringContaining('does not say that it encrypts'),
      ]);
      const seen = storeWith(undefined, { server: versitygw, bucket: 'no-sse' });
      expect((await failureOf(seen.head('k'))).code).toBe('object_not_found');
    }
  });

  test('a KMS key that is not there', async () => {
    const error = await failureOf(put(storeWith({ kind: 'aws:kms', keyId: 'no-such-key' }), 'k'));
    expect([error.code, error.hint]).toEqual([
      'store_refused',
      expect.stringContaining('the key named after'),
    ]);
  });
});
