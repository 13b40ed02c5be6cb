/** What becomes of objects of an inbox, on a real server. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import '../helpers/core-errors.js';
import { EncryptingFunction, type FunctionOptions } from '../helpers/encrypting-function.js';
import { nextSecond } from '../helpers/next-second.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let server: S3Server;
let gateway: EncryptingFunction;
const open = async (options?: FunctionOptions) => (gateway = await EncryptingFunction.open(server, options));

beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server?.stop());
afterEach(async () => gateway?.close());

const HARD_KEYS = [
  'with space.txt',
  'a+b.txt',
  '100%.txt',
  '%41.txt',
  '日本語/ファイル.txt',
  'emoji-🗝️.txt',
  'q?x=1&y=2#z',
  `${'k'.repeat(200)}/${'長'.repeat(66)}/${'z'.repeat(200)}/${'y'.repeat(200)}/${'x'.repeat(218)}`,
];

describe('an object that lands in the inbox', () => {
  test.each(HARD_KEYS)('%j is in the vault, by every way of telling', async (key) => {
    await open();
    const one = await gateway.drop(key, `content of ${key}`);
    expect(await gateway.notify(one)).toEqual({ outcomes: ['stored'], again: 0 });
    expect(await gateway.opened(key)).toBe(`content of ${key}`);
    expect(await gateway.deliver(gateway.eventBridge(one))).toEqual({ outcomes: ['duplicate'], again: 0 });
    await gateway.start()(gateway.eventBridge(one));
    expect(gateway.reports.at(-1)).toMatchObject({ key, outcome: 'duplicate' });
    expect(await gateway.call({ bucket: gateway.inbox, key })).toMatchObject({ outcome: 'duplicate' });
    await gateway.drop(key, 'later');
    expect(await gateway.call({ bucket: gateway.inbox, key })).toMatchObject({ outcome: 'stored', bytes: 5 });
    expect(await gateway.opened(key)).toBe('later');
  });

  test('an empty one as well', async () => {
    await open();
    expect(await gateway.notify(await gateway.drop('empty', ''))).toEqual({ outcomes: ['stored'], again: 0 });
    expect(await gateway.opened('empty')).toBe('');
  });

  test('and one of many parts', async () => {
    await open();
    const bytes = randomBytes(20_000_000);
    expect(await gateway.notify(await gateway.drop('large', bytes))).toMatchObject({ outcomes: ['stored'] });
    expect((await gateway.openedBytes('large')).equals(bytes)).toBe(true);
    expect(await gateway.unfinished()).toBe(0);
  });

  test('nothing in the vault shows an MD5 of it, or its ETag', async () => {
    await open({ versioned: false });
    const one = await gateway.drop('a', 'content');
    await gateway.notify(one);
    const head = await gateway.headVault('enc/a');
    expect(JSON.stringify(head?.Metadata)).toContain('sealdrop-source');
    expect(JSON.stringify(head)).not.toContain(one.etag);
    const raw = Buffer.from(one.etag, 'hex');
    for (const form of [raw.toString('base64'), raw.toString('base64url')])
      expect(JSON.stringify(head)).not.toContain(form);
  });

  test('a folder’s marker is ignored, and an object of that name is not', async () => {
    await open();
    expect(await gateway.notify(await gateway.drop('folder/', ''))).toEqual({
      outcomes: ['ignored'],
      again: 0,
    });
    const report = await gateway.notify(await gateway.drop('folder/', 'content'));
    expect(report).toEqual({ outcomes: ['key_not_storable'], again: 0 });
    expect(gateway.letters).toMatchObject([{ code: 'key_not_storable' }]);
  });

  test('the test event, removals and other services’ events are nothing', async () => {
    await open();
    const one = await gateway.drop('a', 'x');
    const removed = { ...gateway.s3Record(one), eventName: 'ObjectRemoved:Delete' };
    const bodies = [
      { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: gateway.inbox },
      { Records: [removed] },
      { ...gateway.eventBridge(one), 'detail-type': 'Object Deleted' },
      { ...gateway.eventBridge(one), source: 'somebody' },
    ];
    expect(await gateway.deliver(...bodies)).toEqual({ outcomes: [], again: 0 });
    expect(gateway.letters).toEqual([]);
  });
});

describe('the same event', () => {
  test('later is a duplicate', async () => {
    await open();
    const one = await gateway.drop('a', 'content');
    await gateway.notify(one);
    const before = await gateway.stored('enc/a');
    expect(await gateway.notify(one)).toEqual({ outcomes: ['duplicate'], again: 0 });
    expect((await gateway.stored('enc/a')).equals(before)).toBe(true);
  });

  test('at once, in several functions, is stored once and harmless', async () => {
    await open();
    const one = await gateway.drop('a', randomBytes(9_000_000));
    const runs = await Promise.all(Array.from({ length: 5 }, async () => gateway.notify(one)));
    expect(runs.reduce((sum, { again }) => sum + again, 0)).toBe(0);
    const outcomes = gateway.reports.map(({ outcome }) => outcome).sort();
    expect(outcomes).toEqual(['duplicate', 'duplicate', 'duplicate', 'duplicate', 'stored']);
    expect(await gateway.unfinished()).toBe(0);
  });
});

describe('several versions of one key', () => {
  test('out of order: the later one stays', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    const two = await gateway.drop('a', 'two');
    expect((await gateway.notify(two)).outcomes).toEqual(['stored']);
    expect((await gateway.notify(one)).outcomes).toEqual(['stale']);
    expect(await gateway.opened('a')).toBe('two');
  });

  test('at once: the later one stays', async () => {
    await open();
    const versions = [];
    for (let i = 0; i < 4; i++) versions.push(await gateway.drop('a', `version ${i}`));
    let again = [...versions];
    for (let round = 1; again.length > 0; round++) {
      expect(round).toBeLessThan(10);
      const runs = await Promise.all(again.map(async (each) => gateway.notify(each)));
      again = again.filter((_, i) => runs[i]!.again > 0);
    }
    expect(await gateway.opened('a')).toBe('version 3');
  });

  test('out of order where each is deleted when it was stored: the later one stays, and the earlier is not lost', async () => {
    await open({ settings: { after: 'delete' } });
    const one = await gateway.drop('a', 'one');
    await nextSecond();
    const two = await gateway.drop('a', 'two');
    expect((await gateway.notify(two)).outcomes).toEqual(['stored']);
    expect(await gateway.versions('a')).toEqual([one.version]);
    // It is the current version again.
    expect((await gateway.notify(one)).outcomes).toEqual(['stale']);
    expect(await gateway.call({ bucket: gateway.inbox, key: 'a' })).toMatchObject({ outcome: 'stale' });
    expect(await gateway.opened('a')).toBe('two');
    expect(await gateway.versions('a')).toEqual([one.version]);
  });

  test('where nothing tells their order it is said, and both stay', async () => {
    await open({ settings: { after: 'delete' } });
    await nextSecond();
    await gateway.drop('a', 'one');
    // Without a sequencer, as a backfill does it.
    const first = { bucket: gateway.inbox, key: 'a' };
    expect(await gateway.call(first)).toMatchObject({ outcome: 'stored' });
    const two = await gateway.drop('a', 'two');
    expect(await gateway.notify(two)).toEqual({ outcomes: ['order_unknown'], again: 0 });
    const letter = { bucket: gateway.inbox, key: 'a', versionId: two.version, code: 'order_unknown' };
    const hint: unknown = expect.stringContaining('redrive');
    expect(gateway.letters).toEqual([{ body: { ...letter, hint }, code: 'order_unknown' }]);
    expect(await gateway.call(first)).toMatchObject({ outcome: 'failed', code: 'order_unknown' });
    expect(await gateway.opened('a')).toBe('one');
    expect(await gateway.versions('a')).toEqual([two.version]);
    // What the dead letter's runbook says: removed from the vault, it is stored when it is redriven.
    await gateway.removeVault('enc/a');
    expect((await gateway.deliver(letter)).outcomes).toEqual(['stored']);
    expect(await gateway.opened('a')).toBe('two');
  });

  test('where no event ordered them the current one wins', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await gateway.call({ bucket: gateway.inbox, key: 'a' });
    const two = await gateway.drop('a', 'two');
    await gateway.call({ bucket: gateway.inbox, key: 'a' });
    expect(await gateway.opened('a')).toBe('two');
    expect((await gateway.notify(one)).outcomes).toEqual(['stale']);
    expect((await gateway.notify(two)).outcomes).toEqual(['duplicate']);
    expect(await gateway.opened('a')).toBe('two');
  });

  test('in a bucket without versions, too', async () => {
    await open({ versioned: false });
    const one = await gateway.drop('a', 'one');
    const two = await gateway.drop('a', 'two');
    expect((await gateway.notify(one)).outcomes).toEqual(['superseded']);
    expect((await gateway.notify(two)).outcomes).toEqual(['stored']);
    expect((await gateway.notify(one)).outcomes).toEqual(['superseded']);
    expect((await gateway.notify(two)).outcomes).toEqual(['duplicate']);
    expect(await gateway.opened('a')).toBe('two');
  });
});

describe('a version that is gone before its turn', () => {
  test('with nothing in its place: gone', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await gateway.removeSource('a', one.version);
    expect(await gateway.notify(one)).toEqual({ outcomes: ['gone'], again: 0 });
    expect(await gateway.call({ bucket: gateway.inbox, key: 'a' })).toMatchObject({ outcome: 'gone' });
  });

  test('under a delete marker it can still be read', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await gateway.removeSource('a');
    expect((await gateway.notify(one)).outcomes).toEqual(['stored']);
    expect(await gateway.opened('a')).toBe('one');
  });

  test('both under a delete marker: sequencers decide', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    const two = await gateway.drop('a', 'two');
    await gateway.removeSource('a');
    expect((await gateway.notify(one)).outcomes).toEqual(['stored']);
    expect((await gateway.notify(two)).outcomes).toEqual(['stored']);
    expect((await gateway.notify(one)).outcomes).toEqual(['stale']);
    expect(await gateway.opened('a')).toBe('two');
  });

  test('and in the vault: duplicate', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await gateway.notify(one);
    await gateway.removeSource('a', one.version);
    expect((await gateway.notify(one)).outcomes).toEqual(['duplicate']);
  });

  test('with a newer one in its place, or in the vault: superseded', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await nextSecond();
    const two = await gateway.drop('a', 'two');
    await gateway.removeSource('a', one.version);
    expect((await gateway.notify(one)).outcomes).toEqual(['superseded']);
    await gateway.notify(two);
    await gateway.removeSource('a', two.version);
    expect((await gateway.notify(one)).outcomes).toEqual(['superseded']);
  });

  test('with an older one in its place: gone', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await gateway.notify(one);
    const two = await gateway.drop('a', 'two');
    await gateway.removeSource('a', two.version);
    expect((await gateway.notify(two)).outcomes).toEqual(['gone']);
    expect(await gateway.opened('a')).toBe('one');
  });

  test('with an older one in its place that is not stored yet: gone', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await nextSecond();
    const two = await gateway.drop('a', 'two');
    await gateway.removeSource('a', two.version);
    expect((await gateway.notify(two)).outcomes).toEqual(['gone']);
    expect((await gateway.notify(one)).outcomes).toEqual(['stored']);
  });
});

describe('where the API has put an object', () => {
  test('nothing of before replaces it, however often it is told, and it stays at the source', async () => {
    await open({ settings: { after: 'delete' } });
    const early = await gateway.drop('alice/a', 'early');
    const old = await gateway.drop('alice/a', 'old');
    expect((await gateway.notify(early)).outcomes).toEqual(['stored']);
    await gateway.put('a', 'new');
    expect((await gateway.notify(old)).outcomes).toEqual(['stale']);
    expect((await gateway.notify(old, old)).outcomes).toEqual(['stale', 'stale']);
    expect(await gateway.call({ bucket: gateway.inbox, key: 'alice/a' })).toMatchObject({ outcome: 'stale' });
    expect(await gateway.call({ bucket: gateway.inbox, key: 'alice/a', dryRun: true })).toMatchObject({
      outcome: 'stale',
    });
    expect(await gateway.opened('alice/a')).toBe('new');
    expect(await gateway.versions('alice/a')).toEqual([old.version]);
  });

  test('a later version replaces it, and is replaced in turn', async () => {
    await open();
    await gateway.put('a', 'put');
    await nextSecond();
    const one = await gateway.drop('alice/a', 'dropped');
    expect((await gateway.notify(one)).outcomes).toEqual(['stored']);
    expect(await gateway.opened('alice/a')).toBe('dropped');
    expect((await gateway.notify(one)).outcomes).toEqual(['duplicate']);
    await gateway.put('a', 'put again');
    expect((await gateway.notify(one)).outcomes).toEqual(['stale']);
    expect(await gateway.opened('alice/a')).toBe('put again');
  });

  test('in a bucket without versions, too', async () => {
    await open({ versioned: false });
    const one = await gateway.drop('alice/a', 'one');
    await gateway.notify(one);
    await gateway.put('a', 'put');
    expect((await gateway.notify(one)).outcomes).toEqual(['stale']);
    await nextSecond();
    expect((await gateway.notify(await gateway.drop('alice/a', 'two'))).outcomes).toEqual(['stored']);
    expect(await gateway.opened('alice/a')).toBe('two');
  });

  test('a version that is gone is superseded by it', async () => {
    await open({ settings: { after: 'delete' } });
    const one = await gateway.drop('alice/a', 'one');
    await gateway.notify(one);
    expect(await gateway.versions('alice/a')).toEqual([]);
    await gateway.put('a', 'put');
    expect((await gateway.notify(one)).outcomes).toEqual(['superseded']);
  });

  test('a version that came after it and is gone is gone', async () => {
    await open();
    const before = await gateway.drop('alice/a', 'before');
    await gateway.put('a', 'put');
    await nextSecond();
    const one = await gateway.drop('alice/a', 'one');
    await gateway.removeSource('alice/a', one.version);
    expect((await gateway.notify(one)).outcomes).toEqual(['gone']);
    await gateway.removeSource('alice/a', before.version);
    expect((await gateway.notify(one)).outcomes).toEqual(['gone']);
  });
});

describe('what is done with the source', () => {
  test('by default nothing', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await gateway.notify(one);
    expect(await gateway.versions('a')).toEqual([one.version]);
    expect(await gateway.tags('a')).toEqual({});
  });

  test('it is tagged', async () => {
    await open({ settings: { after: 'tag' } });
    const one = await gateway.drop('a', 'one');
    await gateway.notify(one);
    expect(await gateway.tags('a', one.version)).toEqual({ 'sealdrop-status': 'stored' });
  });

  test('that version is deleted, and no other', async () => {
    await open({ settings: { after: 'delete' } });
    const one = await gateway.drop('a', 'one');
    const two = await gateway.drop('a', 'two');
    expect((await gateway.notify(one)).outcomes).toEqual(['stored']);
    expect(await gateway.versions('a')).toEqual([two.version]);
    expect((await gateway.notify(one)).outcomes).toEqual(['duplicate']);
    expect(await gateway.versions('a')).toEqual([two.version]);
    expect((await gateway.notify(two)).outcomes).toEqual(['stored']);
    expect(await gateway.versions('a')).toEqual([]);
    expect(await gateway.opened('a')).toBe('two');
  });

  test('without versions nothing is deleted', async () => {
    await open({ versioned: false, settings: { after: 'delete' } });
    await gateway.notify(await gateway.drop('a', 'one'));
    expect((await gateway.tags('a')) as unknown).toEqual({});
    expect(await gateway.opened('a')).toBe('one');
  });
});
