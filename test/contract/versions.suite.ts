/** Versions of objects, on real servers: what `VersionKeeping` of ports.ts promises. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import type { ObjectStore, ObjectVersion } from '../../src/ports.js';
import { removeOlderVersions } from '../../src/transfer/rewrap/versions.js';
import '../helpers/core-errors.js';
import { chunked, collect } from '../helpers/bytes.js';
import { tempFolder } from '../helpers/server-process.js';
import { isWanted, SETUP_TIME, STARTERS, type S3Server, type ServerName } from '../helpers/servers.js';

export function versionsSuite(name: ServerName): void {
  if (!isWanted(name)) {
    describe(`versions at ${name}`, () => test.skip('not in SEALDROP_TEST_SERVERS', () => {}));
    return;
  }
  describe(`versions at ${name}`, () => {
    let server: S3Server;
    let store: ObjectStore;
    let plain: ObjectStore;
    beforeAll(async () => {
      // versitygw keeps versions only where it is told to.
      server = await STARTERS[name]({ env: { VGW_VERSIONING_DIR: tempFolder('versions') } });
      const Bucket = await server.createBucket('versions');
      await server.client.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
      );
      store = server.store(Bucket);
      plain = server.store(await server.createBucket('plain'));
    }, SETUP_TIME);
    afterAll(async () => {
      store?.close();
      plain?.close();
      await server?.stop();
    });

    const put = async (at: ObjectStore, key: string, text: string) =>
      at.put(key, chunked(Buffer.from(text), 9), { inParts: true });
    const list = async (at: ObjectStore, key: string): Promise<ObjectVersion[]> => {
      const all = [];
      for await (const version of at.versions!.list(key)) all.push(version);
      return all;
    };
    const text = async (key: string) => (await collect((await store.get(key)).body)).toString();

    test('of exactly one key, the latest first', async () => {
      for (const key of ['a', 'a-b', 'ab', 'a b+c%20'])
        for (const i of [1, 2, 3]) await put(store, key, `${key}${i}`);
      for (const key of ['a', 'a b+c%20']) {
        const all = await list(store, key);
        expect(all.map((each) => [each.key, each.latest, each.marker])).toEqual([
          [key, true, false],
          [key, false, false],
          [key, false, false],
        ]);
        expect(all[0]).toMatchObject({ etag: (await store.head(key)).etag });
      }
      expect(await list(store, 'none')).toEqual([]);
    });

    test('the older ones are removed, markers too, and the object stays', async () => {
      await put(store, 'k', 'one');
      await store.remove('k');
      await put(store, 'k', 'two');
      const last = await put(store, 'k', 'three');
      expect(await removeOlderVersions(store, 'k', last)).toEqual({ removed: 3, left: 0 });
      expect(await text('k')).toBe('three');
      expect((await list(store, 'k')).map(({ version }) => version)).toEqual([last.version]);
      expect(await removeOlderVersions(store, 'k', last)).toEqual({ removed: 0, left: 0 });
    });

    test('nothing is removed where somebody has written or removed since', async () => {
      const mine = await put(store, 'raced', 'mine');
      await put(store, 'raced', 'theirs');
      const changed = { code: 'source_changed' };
      await expect(removeOlderVersions(store, 'raced', mine)).rejects.toMatchObject(changed);
      const theirs = await store.head('raced');
      await store.remove('raced');
      await expect(removeOlderVersions(store, 'raced', theirs)).rejects.toMatchObject(changed);
      expect(await list(store, 'raced')).toHaveLength(3);
    });

    test('a bucket without versions has the object alone', async () => {
      const written = await put(plain, 'x', 'one');
      expect(await list(plain, 'x')).toMatchObject([{ version: 'null', latest: true, etag: written.etag }]);
      expect(await removeOlderVersions(plain, 'x', written)).toEqual({ removed: 0, left: 0 });
      expect(await plain.head('x')).toMatchObject({ size: 3 });
    });
  });
}
