/** The behaviour of an inbox bucket on a real server: what ports.ts promises. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { SealdropError } from '../../src/errors.js';
import { Secret } from '../../src/secret.js';
import { openS3Inbox } from '../../src/store/s3-inbox.js';
import type { InboxBucket } from '../../src/ports.js';
import { collect } from '../helpers/bytes.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { isWanted, SETUP_TIME, STARTERS, type S3Server, type ServerName } from '../helpers/servers.js';

/** Keys that went wrong in other programs. */
export const HARD_KEYS = [
  'with space.txt',
  'a+b.txt',
  '100%.txt',
  '%41.txt',
  '日本語/ファイル.txt',
  'emoji-🗝️.txt',
  'q?x=1&y=2#z',
  `${'k'.repeat(200)}/${'長'.repeat(66)}/${'z'.repeat(200)}/${'y'.repeat(200)}/${'x'.repeat(222)}`,
];

export interface InboxTraits {
  env?: () => Record<string, string>;
  /** False for ministack, which answers a range of a version with all of it. */
  versionRanges?: boolean;
}

export function inboxSuite(name: ServerName, traits: InboxTraits = {}): void {
  if (!isWanted(name)) {
    describe(`an inbox: ${name}`, () => test.skip('not in SEALDROP_TEST_SERVERS', () => {}));
    return;
  }
  describe(`an inbox: ${name}`, () => {
    let server: S3Server;
    let proxy: FaultProxy;
    let plain: InboxBucket;
    let versioned: InboxBucket;
    let counter = 0;
    let key: string;

    const open = (bucket: string) =>
      openS3Inbox({
        ...{ bucket, endpoint: proxy.endpoint, region: server.region },
        credentials: new Secret(server.credentials),
      });
    const put = async (bucket: InboxBucket, body: string | Buffer, at = key) => {
      const { VersionId } = await server.client.send(
        new PutObjectCommand({ Bucket: bucket.bucket, Key: at, Body: Buffer.from(body) }),
      );
      return VersionId;
    };
    const text = async (found: Awaited<ReturnType<InboxBucket['read']>>) =>
      found && (await collect(found.body)).toString();

    beforeAll(async () => {
      server = await STARTERS[name]({ env: traits.env?.() });
      proxy = await startFaultProxy(server.endpoint);
      plain = open(await server.createBucket('plain'));
      versioned = open(await server.createBucket('versioned'));
      await server.client.send(
        new PutBucketVersioningCommand({
          Bucket: versioned.bucket,
          VersioningConfiguration: { Status: 'Enabled' },
        }),
      );
    }, SETUP_TIME);
    afterAll(async () => {
      plain?.close();
      versioned?.close();
      await proxy?.close();
      await server?.stop();
    });
    beforeEach(() => {
      proxy.reset();
      key = `test-${++counter}/object`;
    });

    test.each(HARD_KEYS)('reads the key %j as it is', async (hard) => {
      await put(plain, 'content', hard);
      expect(Buffer.byteLength(hard)).toBeLessThanOrEqual(1024);
      expect(await plain.head(hard)).toMatchObject({ key: hard, size: 7 });
      expect(await text(await plain.read(hard, {}))).toBe('content');
    });

    test('an empty object has no bytes, and is there', async () => {
      await put(plain, '');
      const found = await plain.read(key, {});
      expect(found?.info.size).toBe(0);
      expect(await text(found)).toBe('');
    });

    test('what is missing is undefined', async () => {
      expect(await plain.head(key)).toBeUndefined();
      expect(await plain.read(key, {})).toBeUndefined();
    });

    test('a bucket that is missing is an error', async () => {
      const none = open('no-such-bucket');
      await expect(none.head(key)).rejects.toMatchObject({ code: 'bucket_not_found' });
      await expect(none.read(key, {})).rejects.toMatchObject({ code: 'bucket_not_found' });
      none.close();
    });

    test('by its ETag it is found as long as it is the same', async () => {
      await put(plain, 'one');
      const { etag } = (await plain.head(key))!;
      expect(await text(await plain.read(key, { etag }))).toBe('one');
      await put(plain, 'two');
      expect(await plain.read(key, { etag })).toBeUndefined();
      expect(await plain.head(key, { etag })).toBeUndefined();
      expect(await plain.head(key)).toMatchObject({ size: 3 });
    });

    test('an unversioned object has no version', async () => {
      await put(plain, 'one');
      expect(await plain.head(key)).not.toHaveProperty('version');
    });

    test('a cut connection is taken up again where it broke', async () => {
      const bytes = Buffer.alloc(3_000_000, 'sealdrop');
      await put(plain, bytes);
      proxy.add({ method: 'GET', cutResponse: 1_000_000 });
      proxy.add({ method: 'GET', cutResponse: 500_000 });
      const found = await plain.read(key, {});
      expect((await collect(found!.body)).equals(bytes)).toBe(true);
      expect(proxy.requests.filter((line) => line.startsWith('GET'))).toHaveLength(3);
    });

    test('a cut connection is not taken up in an object that has come since', async () => {
      await put(plain, Buffer.alloc(3_000_000, 'a'));
      proxy.add({ method: 'GET', cutResponse: 1_000_000 });
      const found = await plain.read(key, {});
      await put(plain, Buffer.alloc(3_000_000, 'b'));
      await expect(collect(found!.body)).rejects.toMatchObject({ code: 'precondition_failed' });
    });

    const tagsOf = async (bucket: InboxBucket, version?: string) => {
      const { TagSet = [] } = await server.client.send(
        new GetObjectTaggingCommand({ Bucket: bucket.bucket, Key: key, VersionId: version }),
      );
      return Object.fromEntries(TagSet.map(({ Key, Value }) => [Key, Value]));
    };
    const setTags = async (tags: Record<string, string>) => {
      const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
      await server.client.send(
        new PutObjectTaggingCommand({ Bucket: plain.bucket, Key: key, Tagging: { TagSet } }),
      );
    };

    test('a tag is set beside the others, replaced, and removed again', async () => {
      await put(plain, 'one');
      await setTags({ owner: 'somebody' });
      const tag = async (value?: string) => plain.tag(key, {}, { name: 'sealdrop-status', value });
      expect(await tag('failed:too_large')).toBe(true);
      expect(await tagsOf(plain)).toEqual({ owner: 'somebody', 'sealdrop-status': 'failed:too_large' });
      expect(await tag('stored')).toBe(true);
      expect(await tagsOf(plain)).toEqual({ owner: 'somebody', 'sealdrop-status': 'stored' });
      expect(await tag()).toBe(true);
      expect(await tagsOf(plain)).toEqual({ owner: 'somebody' });
    });

    test('the only tag is set and removed', async () => {
      await put(plain, 'one');
      await plain.tag(key, {}, { name: 'sealdrop-status', value: 'stored' });
      expect(await tagsOf(plain)).toEqual({ 'sealdrop-status': 'stored' });
      await plain.tag(key, {}, { name: 'sealdrop-status' });
      expect(await tagsOf(plain)).toEqual({});
    });

    test('with ten tags there it is left out', async () => {
      await put(plain, 'one');
      const ten = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`tag${i}`, 'x']));
      await setTags(ten);
      expect(await plain.tag(key, {}, { name: 'sealdrop-status', value: 'stored' })).toBe(false);
      expect(await tagsOf(plain)).toEqual(ten);
    });

    test('each version is read as itself, whatever came later', async () => {
      const first = await put(versioned, 'one');
      const second = await put(versioned, 'second');
      expect(first).toBeDefined();
      expect(first).not.toBe(second);
      expect(await versioned.head(key)).toMatchObject({ version: second, size: 6 });
      expect(await versioned.head(key, { version: first })).toMatchObject({ version: first, size: 3 });
      expect(await text(await versioned.read(key, { version: first }))).toBe('one');
      expect(await text(await versioned.read(key, { version: second }))).toBe('second');
    });

    test('a cut connection is taken up in the same version, or is an error', async () => {
      const first = await put(versioned, Buffer.alloc(3_000_000, 'a'));
      proxy.add({ method: 'GET', cutResponse: 1_000_000 });
      const found = await versioned.read(key, { version: first });
      await put(versioned, Buffer.alloc(3_000_000, 'b'));
      const read = collect(found!.body);
      if (traits.versionRanges === false) await expect(read).rejects.toBeInstanceOf(SealdropError);
      else expect((await read).equals(Buffer.alloc(3_000_000, 'a'))).toBe(true);
    });

    test('a removed version is missing, and the others stay', async () => {
      const first = await put(versioned, 'one');
      const second = await put(versioned, 'second');
      await versioned.remove(key, second!);
      expect(await versioned.head(key, { version: second })).toBeUndefined();
      expect(await versioned.read(key, { version: second })).toBeUndefined();
      expect(await versioned.head(key)).toMatchObject({ version: first });
      // Removing what is gone is no error, and puts no delete marker over the rest.
      await versioned.remove(key, second!);
      const { DeleteMarkers = [] } = await server.client.send(
        new ListObjectVersionsCommand({ Bucket: versioned.bucket, Prefix: key }),
      );
      expect(DeleteMarkers).toEqual([]);
    });

    test('under a delete marker nothing is current, and the version is still there', async () => {
      const first = await put(versioned, 'one');
      const { VersionId: marker } = await server.client.send(
        new DeleteObjectCommand({ Bucket: versioned.bucket, Key: key }),
      );
      expect(await versioned.head(key)).toBeUndefined();
      expect(await versioned.read(key, {})).toBeUndefined();
      expect(await text(await versioned.read(key, { version: first }))).toBe('one');
      expect(await versioned.head(key, { version: marker })).toBeUndefined();
      expect(await versioned.read(key, { version: marker })).toBeUndefined();
    });

    test('a tag is set on one version alone', async () => {
      const first = await put(versioned, 'one');
      const second = await put(versioned, 'two');
      await versioned.tag(key, { version: first }, { name: 'sealdrop-status', value: 'stored' });
      expect(await tagsOf(versioned, first)).toEqual({ 'sealdrop-status': 'stored' });
      expect(await tagsOf(versioned, second)).toEqual({});
      expect((await versioned.read(key, { version: first }))?.info.tags).toBe(1);
    });
  });
}
