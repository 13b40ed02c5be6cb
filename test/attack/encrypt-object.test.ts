/** What those can do who may call the encrypting function, send events, or run the vault: nothing that follows. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import '../helpers/core-errors.js';
import { EncryptingFunction, type FunctionOptions } from '../helpers/encrypting-function.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let server: S3Server;
let gateway: EncryptingFunction;
const open = async (options?: FunctionOptions) => (gateway = await EncryptingFunction.open(server, options));
const HUGE = 'F'.repeat(64);

beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server?.stop());
afterEach(async () => gateway?.close());

const vaultRequests = () => gateway.toVault.requests.filter((line) => !line.startsWith('HEAD'));

describe('an event', () => {
  test('of another bucket is foreign, and no request is made to it', async () => {
    await open();
    const other = await server.createBucket(`other-${gateway.inbox}`);
    const one = await gateway.drop('a', 'x');
    const body = { Records: [gateway.s3Record(one, other)] };
    expect(await gateway.deliver(body, gateway.eventBridge(one, other))).toEqual({
      outcomes: ['foreign_bucket', 'foreign_bucket'],
      again: 0,
    });
    expect(await gateway.call({ bucket: other, key: 'a' })).toMatchObject({
      ...{ outcome: 'failed', code: 'foreign_bucket', retryable: false },
    });
    expect([...gateway.toInbox.requests, ...gateway.toVault.requests]).toEqual([]);
  });

  test.each(['in', 'inx/a', 'other/a', 'in/a', 'in/a.csv.x', '/in/a.csv', 'in', 'IN/a.csv'])(
    'of the key %j, outside of prefix in/ and suffix .csv, is foreign',
    async (key) => {
      await open({ inbox: { prefix: 'in/', suffix: '.csv' } });
      expect(await gateway.call({ bucket: gateway.inbox, key })).toMatchObject({ code: 'foreign_key' });
      const forged = { key, version: 'v', etag: 'e', sequencer: '01' };
      expect((await gateway.notify(forged)).outcomes).toEqual(['foreign_key']);
      expect([...gateway.toInbox.requests, ...gateway.toVault.requests]).toEqual([]);
    },
  );

  test('with a huge sequencer, called directly in the queue’s own form, orders nothing', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    const two = await gateway.drop('a', 'two');
    await gateway.notify(two);
    const before = await gateway.stored('enc/a');
    const forged = { ...one, sequencer: HUGE };
    const message = gateway.message({ Records: [gateway.s3Record(forged)] }, { forged: true });
    expect(await gateway.deliverMessages([message])).toEqual({ outcomes: ['stale'], again: 0 });
    await gateway.start()(gateway.eventBridge(forged));
    expect((await gateway.call({ ...forged, bucket: gateway.inbox })).outcome).toBe('duplicate');
    expect((await gateway.stored('enc/a')).equals(before)).toBe(true);
  });

  test('that only looks like one of the queue leaves no dead letter and no tag', async () => {
    await open({ settings: { maxObjectBytes: 1 } });
    const one = await gateway.drop('a', 'too large');
    const bodies = [
      { Records: [gateway.s3Record(one)] },
      { Records: [gateway.s3Record(one, 'elsewhere')] },
      { bucket: gateway.inbox, key: 'a//b' },
      'not JSON',
    ];
    const messages = bodies.map((body) => gateway.message(body, { forged: true }));
    expect((await gateway.deliverMessages(messages)).again).toBe(4);
    await gateway.start()(gateway.eventBridge(one, 'elsewhere'));
    expect(gateway.letters).toEqual([]);
    expect(await gateway.tags('a')).toEqual({});
  });

  test('with a huge sequencer leaves no mark that keeps later versions out', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    const forged = { ...one, sequencer: HUGE };
    const message = gateway.message({ Records: [gateway.s3Record(forged)] }, { forged: true });
    await gateway.deliverMessages([message]);
    await gateway.start()(gateway.eventBridge(forged));
    const two = await gateway.drop('a', 'two');
    await gateway.removeSource('a');
    // Nothing is current, and no order is known: what is there stays, and the other stays at the source.
    expect((await gateway.notify(two)).outcomes).toEqual(['stale']);
    const three = await gateway.drop('a', 'three');
    expect((await gateway.notify(three)).outcomes).toEqual(['stored']);
    expect(await gateway.opened('a')).toBe('three');
  });

  test('of an old version, in a deployment that deletes, brings nothing old back', async () => {
    await open({ settings: { after: 'delete' } });
    const one = await gateway.drop('a', 'one');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const two = await gateway.drop('a', 'two');
    await gateway.notify(two);
    const forged = { ...one, sequencer: HUGE };
    const message = gateway.message({ Records: [gateway.s3Record(forged)] }, { forged: true });
    expect((await gateway.deliverMessages([message])).outcomes).toEqual(['stale']);
    expect((await gateway.call({ bucket: gateway.inbox, key: 'a' })).outcome).toBe('stale');
    await gateway.start()(gateway.eventBridge(forged));
    expect(await gateway.opened('a')).toBe('two');
    expect(await gateway.versions('a')).toEqual([one.version]);
  });

  test('moved back from the dead letters orders nothing, whatever it says', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    const two = await gateway.drop('a', 'two');
    await gateway.notify(two);
    const letter = { bucket: gateway.inbox, key: 'a', versionId: one.version, code: 'x', sequencer: HUGE };
    expect((await gateway.deliver(letter)).outcomes).toEqual(['stale']);
    expect(await gateway.opened('a')).toBe('two');
  });

  test.each<unknown>([
    null,
    17,
    'text',
    [],
    {},
    { bucket: 'b' },
    { key: 'k' },
    { bucket: 1, key: 2 },
    { Items: ['x'] },
    { Records: [null] },
    { Records: [{ body: 'x' }] },
    { Records: [{ messageId: 'x', body: 'x' }] },
    { detail: {}, source: 'aws.s3', 'detail-type': 'Object Created' },
    { toString: 'x', bucket: { name: 'x' } },
  ])('of the form %j is refused', async (event) => {
    await open();
    await expect(gateway.start()(event)).rejects.toMatchObject({ code: 'event_malformed' });
    expect(gateway.toVault.requests).toEqual([]);
  });
});

describe('whoever runs the vault', () => {
  test('cannot have a source deleted that is not stored, by a token of their own', async () => {
    await open({ settings: { after: 'delete' } });
    const one = await gateway.drop('a', 'one');
    const other = await gateway.drop('b', 'one');
    await gateway.removeSource('none');
    await gateway.notify(other);
    const { Metadata } = (await gateway.headVault('enc/b'))!;
    const theirs = await gateway.stored('enc/b');
    const token = Metadata!['sealdrop-source']!;
    const parts = token.split('.');
    const version = Buffer.from(one.version!).toString('base64url');
    const forgeries = [
      // Another object's, moved here.
      token,
      // Another object's, with this version in it.
      [parts[0], version, ...parts.slice(2)].join('.'),
      [parts[0], version, HUGE, ...parts.slice(3)].join('.'),
      '',
      'v1......',
      `v1.${version}.....`,
      `${'v1.'.repeat(300)}`,
    ];
    for (const forged of forgeries) {
      await gateway.putVault('enc/a', theirs, { ...Metadata, 'sealdrop-source': forged });
      const again = await gateway.drop('a', 'one');
      expect((await gateway.notify(again)).outcomes).toEqual(['stored']);
      expect(await gateway.opened('a')).toBe('one');
    }
  });

  test('can have a version stored again by taking the token away, and nothing else', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await gateway.notify(one);
    await gateway.putVault('enc/a', Buffer.from('their own'), { 'sealdrop-size': '3' });
    expect((await gateway.notify(one)).outcomes).toEqual(['stored']);
    expect(await gateway.opened('a')).toBe('one');
  });

  test('cannot keep later versions out with the token of an earlier one', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    await gateway.notify(one);
    const { Metadata } = (await gateway.headVault('enc/a'))!;
    const bytes = await gateway.stored('enc/a');
    const two = await gateway.drop('a', 'two');
    await gateway.notify(two);
    await gateway.putVault('enc/a', bytes, Metadata);
    expect((await gateway.notify(two)).outcomes).toEqual(['stored']);
    expect(await gateway.opened('a')).toBe('two');
  });
});

test('a token of the API is none for another object, and none when anything in it was changed', async () => {
  await open();
  await gateway.put('b', 'put');
  const { Metadata } = (await gateway.headVault('enc/alice/b'))!;
  const [prefix, version, sequencer, state, modified, recipients, mac] =
    Metadata!['sealdrop-source']!.split('.');
  const token = (...fields: (string | undefined)[]) => fields.join('.');
  const same = token(prefix, version, sequencer, state, modified, recipients, mac);
  expect(Number(modified)).toBeGreaterThan(Date.now() / 1000 - 60);
  const bytes = await gateway.stored('enc/alice/b');
  const forgeries: [string, string][] = [
    ['a', same],
    ['b', token(prefix, version, sequencer, state, `${modified}0`, recipients, mac)],
    ['b', token(prefix, version, sequencer, state, '', recipients, mac)],
    ['b', token(prefix, '', '', '', modified, '', '')],
  ];
  for (const [name, forged] of forgeries) {
    await gateway.putVault(`enc/alice/${name}`, bytes, { ...Metadata, 'sealdrop-source': forged });
    const one = await gateway.drop(`alice/${name}`, 'dropped');
    expect((await gateway.notify(one)).outcomes).toEqual(['stored']);
    expect(await gateway.opened(`alice/${name}`)).toBe('dropped');
  }
});

describe('a key that stores would alias', () => {
  const ALIASING = ['a//b', 'a/../b', './a', 'a/.', '../../etc/passwd', 'a\0b'];
  test.each(ALIASING)('%j is refused, and nothing is asked of the vault', async (key) => {
    await open();
    const forged = { key, version: 'v', etag: 'e', sequencer: '01' };
    expect((await gateway.notify(forged)).outcomes).toEqual(['key_not_storable']);
    expect(await gateway.call({ bucket: gateway.inbox, key })).toMatchObject({ code: 'key_not_storable' });
    expect(vaultRequests()).toEqual([]);
  });

  test('is escaped where the inbox says so', async () => {
    await open({ inbox: { encode: true } });
    await gateway.notify(await gateway.drop('100%/a b', 'x'));
    expect(await gateway.opened('100%25/a b')).toBe('x');
  });
});
