/** Every way in which objects are announced, on the deployed gateway: twice, out of order, late, forged, oddly named. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { contentOf, digestsIn, forbidden, type Forbidden } from '../helpers/aws-digests.js';
import { startGateway, type Gateway } from '../helpers/aws-gateway.js';
import { asBatch, eventsOf, s3Event, send, sendTogether } from '../helpers/aws-queue.js';
import type { Aws } from '../helpers/aws-server.js';
import {
  logLines,
  lookInVault,
  queueEmpty,
  statusOf,
  stored,
  takeDead,
  type Dead,
} from '../helpers/aws-watch.js';
import { nextSecond } from '../helpers/next-second.js';
import { SETUP_TIME } from '../helpers/servers.js';

// Each waits for processes of several servers, on a machine that may have other work.
jest.setTimeout(180_000);

const ESCAPED = 'sealdrop-escaped';
const BRIDGED = 'sealdrop-bridged';
/** What a whole key may have, less the vault's prefix. */
const LONGEST = 1024 - 'inbox/'.length;

let gateway: Gateway;
const digests: Forbidden[] = [];
beforeAll(async () => {
  gateway = await startGateway({
    tls: false,
    config: async (aws) => ({
      inboxes: await withBuckets(aws, [
        { prefix: 'in/' },
        { bucket: ESCAPED, versioned: true, encode: true, vaultKeyTemplate: 'escaped/{key}' },
        { bucket: BRIDGED, versioned: true, events: 'eventbridge', vaultKeyTemplate: 'bridged/{key}' },
      ]),
      afterStore: 'tag',
    }),
  });
}, SETUP_TIME);
afterAll(async () => gateway?.stop());

async function withBuckets({ s3 }: Aws, inboxes: Record<string, unknown>[]): Promise<unknown> {
  for (const Bucket of [ESCAPED, BRIDGED]) {
    await s3.send(new CreateBucketCommand({ Bucket }));
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  }
  return inboxes;
}

let numbers = 0;
/** Drops bytes that are nowhere else. */
async function drop(key: string, bucket?: string): Promise<{ bytes: Buffer; version: string }> {
  const bytes = contentOf(++numbers, 1000 + numbers);
  digests.push(forbidden(key, bytes));
  return { bytes, version: await gateway.drop(key, bytes, bucket) };
}

const open = (key: string) => gateway.vault.open(key, gateway.decryptor);
const there = async (key: string, version?: string) =>
  gateway.aws.s3.send(new HeadObjectCommand({ Bucket: gateway.inbox, Key: key, VersionId: version })).then(
    () => true,
    () => false,
  );

const dead: Dead[] = [];
async function codesOf(key: string): Promise<(string | undefined)[]> {
  dead.push(...(await takeDead(gateway)));
  return dead.filter(({ letter }) => letter.key === key).map(({ code }) => code);
}

async function outcomesOf(key: string): Promise<string[]> {
  const lines = (await logLines(gateway)).filter(
    (line) => line.startsWith('{') && line.includes('"outcome"'),
  );
  const entries = lines.map((line) => JSON.parse(line) as { key?: string; outcome: string });
  return entries.filter((entry) => entry.key === key).map(({ outcome }) => outcome);
}

describe('the same event twice', () => {
  const key = 'in/twice';
  let events: string[];
  let bytes: Buffer;

  test('at once: one object is stored', async () => {
    events = await eventsOf(gateway, 1, async () => ({ bytes } = await drop(key)));
    await sendTogether(gateway, [events[0]!, events[0]!]);
    await Promise.all([gateway.invoke(asBatch(events)), gateway.invoke(asBatch(events))]);
    await queueEmpty(gateway);
    expect((await open(key)).equals(bytes)).toBe(true);
    expect(await codesOf(key)).toEqual([]);
  });

  test('and later: nothing is written', async () => {
    const before = await stored(gateway, key);
    await send(gateway, events);
    await queueEmpty(gateway);
    expect(await stored(gateway, key)).toEqual(before);
    expect((await outcomesOf(key)).filter((outcome) => outcome === 'duplicate').length).toBeGreaterThan(0);
  });
});

describe('events out of order for one key', () => {
  const key = 'in/order';
  let events: string[];
  let newest: Buffer;

  test('leave the newest version in the vault', async () => {
    events = await eventsOf(gateway, 3, async () => {
      for (let i = 0; i < 3; i++) newest = (await drop(key)).bytes;
    });
    for (const event of [2, 0, 1]) {
      await send(gateway, [events[event]!]);
      await queueEmpty(gateway);
      expect((await open(key)).equals(newest)).toBe(true);
    }
    expect(await outcomesOf(key)).toEqual(['stored', 'stale', 'stale']);
  });

  test('all at once as well', async () => {
    await sendTogether(gateway, [events[1]!, events[2]!, events[0]!]);
    await queueEmpty(gateway);
    expect((await open(key)).equals(newest)).toBe(true);
  });
});

describe('a source that changes before its turn', () => {
  test('overwritten: each version is read as it was, the newest stays', async () => {
    const key = 'in/overwritten';
    const bytes: Buffer[] = [];
    const events = await eventsOf(gateway, 2, async () => {
      for (let i = 0; i < 2; i++) bytes.push((await drop(key)).bytes);
    });
    await send(gateway, [events[0]!]);
    await stored(gateway, key);
    await queueEmpty(gateway);
    await send(gateway, [events[1]!]);
    await queueEmpty(gateway);
    expect((await open(key)).equals(bytes[1]!)).toBe(true);
  });

  test('deleted by a marker: its version is still there, and stored', async () => {
    const key = 'in/marked';
    const { aws, inbox } = gateway;
    let bytes: Buffer;
    const events = await eventsOf(gateway, 1, async () => {
      ({ bytes } = await drop(key));
      await aws.s3.send(new DeleteObjectCommand({ Bucket: inbox, Key: key }));
    });
    await send(gateway, events);
    await queueEmpty(gateway);
    expect((await open(key)).equals(bytes!)).toBe(true);
  });

  test('gone for good: nothing is stored, and it is counted', async () => {
    const key = 'in/gone';
    const { aws, inbox } = gateway;
    const events = await eventsOf(gateway, 1, async () => {
      const { version } = await drop(key);
      await aws.s3.send(new DeleteObjectCommand({ Bucket: inbox, Key: key, VersionId: version }));
    });
    await send(gateway, events);
    await queueEmpty(gateway);
    expect(await lookInVault(gateway, key)).toBeUndefined();
    expect(await outcomesOf(key)).toEqual(['gone']);
    const lines = await logLines(gateway);
    expect(lines.some((line) => line.includes('"_aws"') && line.includes('"Gone"'))).toBe(true);
  });

  test('overwritten, and the older version gone: superseded by the one that is stored', async () => {
    const key = 'in/superseded';
    const { aws, inbox } = gateway;
    let bytes: Buffer;
    const events = await eventsOf(gateway, 2, async () => {
      const { version } = await drop(key);
      await nextSecond();
      ({ bytes } = await drop(key));
      await aws.s3.send(new DeleteObjectCommand({ Bucket: inbox, Key: key, VersionId: version }));
    });
    await send(gateway, [events[0]!]);
    await queueEmpty(gateway);
    await send(gateway, [events[1]!]);
    await queueEmpty(gateway);
    expect((await open(key)).equals(bytes!)).toBe(true);
    expect(await outcomesOf(key)).toEqual(['superseded', 'stored']);
  });
});

const longKey = (start: string, bytes: number) => {
  const segments = start + `${'s'.repeat(200)}/`.repeat(4);
  return segments + 'x'.repeat(bytes - segments.length);
};
const ODD = ['a b', 'a+b', '100%', 'a%20b', 'a%2Fb', '日本語/ファイル', '😀 & "quotes" \'<>', 'ü=?#;:@'];

describe('odd keys', () => {
  const ways = [
    { way: 'S3 and SQS', start: 'in/', vault: '', bucket: () => gateway.inbox, longest: LONGEST },
    {
      ...{ way: 'EventBridge', start: '', vault: 'bridged/', bucket: () => BRIDGED },
      longest: LONGEST - 'bridged/'.length,
    },
  ];
  test.each(ways)(
    'by $way',
    async ({ start, vault, bucket, longest }) => {
      const dropped = new Map<string, Buffer>();
      for (const key of [...ODD.map((odd) => start + odd), longKey(start, longest)])
        dropped.set(vault + key, (await drop(key, bucket())).bytes);
      await queueEmpty(gateway);
      for (const [key, bytes] of dropped) expect([key, (await open(key)).equals(bytes)]).toEqual([key, true]);
    },
    120_000,
  );

  test('by a direct call, its key as it is', async () => {
    for (const odd of [...ODD.map((key) => `in/direct/${key}`), longKey('in/direct/', LONGEST)]) {
      let bytes: Buffer;
      await eventsOf(gateway, 1, async () => ({ bytes } = await drop(odd)));
      expect(await gateway.invoke({ bucket: gateway.inbox, key: odd })).toMatchObject({
        ...{ bucket: gateway.inbox, key: odd, outcome: 'stored' },
      });
      expect((await open(odd)).equals(bytes!)).toBe(true);
    }
  }, 240_000);
});

describe('keys that stores keep under another name', () => {
  const ALIASED = ['a//b', 'a/../b', './a', 'a/', '/a'];
  const ESCAPABLE = ['a//b', 'a/../b', './a', 'b/', '/a', '/c//%2E', '100%'];

  test('are refused, by name, and the source is kept', async () => {
    // A key that ends in a slash with something in it is no folder's marker.
    const keys = [...ALIASED.map((key) => `in/${key}`), longKey('in/', 1024)];
    for (const key of keys) await drop(key);
    await queueEmpty(gateway);
    for (const key of keys) {
      expect([key, await codesOf(key)]).toEqual([key, ['key_not_storable']]);
      expect(await there(key)).toBe(true);
      expect(await statusOf(gateway, key)).toBe('failed:key_not_storable');
    }
    expect((await gateway.vault.keys()).filter((key) => /^in\/(a|b|\.|\/)/.test(key))).toEqual(
      expect.not.arrayContaining(['in/b', 'in/a/b']),
    );
  }, 180_000);

  test('or escaped, where the inbox says so', async () => {
    const dropped = new Map<string, Buffer>();
    for (const key of ESCAPABLE) dropped.set(key, (await drop(key, ESCAPED)).bytes);
    await queueEmpty(gateway);
    const found = (await gateway.vault.keys()).filter((key) => key.startsWith('escaped/'));
    expect(found).toHaveLength(dropped.size);
    const opened = await Promise.all(found.map(open));
    for (const [key, bytes] of dropped)
      expect([key, opened.filter((each) => each.equals(bytes)).length]).toEqual([key, 1]);
  }, 180_000);
});

test('an empty object', async () => {
  await gateway.drop('in/empty', Buffer.alloc(0));
  await stored(gateway, 'in/empty');
  expect(await open('in/empty')).toHaveLength(0);
});

test('an object below the name of another, which MinIO does not list', async () => {
  const dropped = new Map<string, Buffer>();
  for (const key of ['in/parent', 'in/parent/child']) dropped.set(key, (await drop(key)).bytes);
  await queueEmpty(gateway);
  for (const [key, bytes] of dropped) expect([key, (await open(key)).equals(bytes)]).toEqual([key, true]);
});

test('a batch where one of ten cannot work: nine are stored, and one is accounted for', async () => {
  const keys = Array.from({ length: 9 }, (_, i) => `in/ten/${i}`);
  const events = await eventsOf(gateway, 10, async () => {
    for (const key of [...keys, 'in/ten//bad']) await drop(key);
  });
  await sendTogether(gateway, events);
  await queueEmpty(gateway);
  for (const key of keys) expect(await lookInVault(gateway, key)).toBeDefined();
  expect(await codesOf('in/ten//bad')).toEqual(['key_not_storable']);
});

describe('forged events', () => {
  const listing = async () => {
    const all: string[] = [];
    for await (const { key, etag } of gateway.vault.store.list('')) all.push(`${key} ${etag}`);
    return all;
  };
  let before: string[];
  beforeAll(async () => {
    await gateway.drop('outside', 'not below in/');
    await gateway.drop('in/target', 'first');
    await stored(gateway, 'in/target');
    await queueEmpty(gateway);
    await takeDead(gateway);
    before = await listing();
  });

  const foreign = [
    { what: 'a foreign bucket', code: 'foreign_bucket', event: () => ({ bucket: 'other', key: 'in/x' }) },
    { what: 'a foreign key', code: 'foreign_key', event: () => ({ bucket: gateway.inbox, key: 'outside' }) },
  ];
  test.each(foreign)('of $what, by a direct call', async ({ event, code }) => {
    expect(await gateway.invoke(event())).toMatchObject({ outcome: 'failed', code });
    expect(await listing()).toEqual(before);
  });

  test.each(foreign)('of $what, in the shape of the queue', async ({ event }) => {
    const { bucket, key } = event();
    const forged = asBatch([s3Event(bucket, key)]);
    const itemIdentifier = forged.Records[0]!.messageId;
    // The queue does not know it: it is not even recorded there.
    expect(await gateway.invoke(forged)).toEqual({ batchItemFailures: [{ itemIdentifier }] });
    expect(await takeDead(gateway)).toEqual([]);
    expect(await listing()).toEqual(before);
  });

  test('with a huge sequencer: the next version is stored all the same', async () => {
    const { version, bytes: first } = await drop('in/forged');
    await stored(gateway, 'in/forged');
    await queueEmpty(gateway);
    const sequencer = 'F'.repeat(18);
    await gateway.invoke(asBatch([s3Event(gateway.inbox, 'in/forged', { versionId: version, sequencer })]));
    expect((await open('in/forged')).equals(first)).toBe(true);
    const { bytes: second } = await drop('in/forged');
    await queueEmpty(gateway);
    expect((await open('in/forged')).equals(second)).toBe(true);
  });

  test('with a huge sequencer and an old version: the newest stays', async () => {
    const { version } = await drop('in/old');
    const { bytes } = await drop('in/old');
    await queueEmpty(gateway);
    const sequencer = 'F'.repeat(18);
    await gateway.invoke(asBatch([s3Event(gateway.inbox, 'in/old', { versionId: version, sequencer })]));
    expect((await open('in/old')).equals(bytes)).toBe(true);
  });

  test.each([{}, { Records: 'x' }, { detail: {} }, [], 'text', { bucket: 1 }])(
    'of no meaning: %j',
    async (event) => {
      const now = await listing();
      const answer = await gateway.invoke(event).catch((error: unknown) => error);
      if (answer instanceof Error) expect(answer.message).toContain('no notification of a new object');
      else expect(answer).toBeNull();
      expect(await listing()).toEqual(now);
    },
  );
});

test('no dead letter of the handler, no log line and no vault object holds the MD5 of a plaintext', async () => {
  dead.push(...(await takeDead(gateway)));
  const own = dead.filter(({ code }) => code !== undefined);
  expect(own.length).toBeGreaterThan(5);
  expect(own.filter(({ body }) => digestsIn(body, digests).length > 0)).toEqual([]);
  expect((await logLines(gateway)).filter((line) => digestsIn(line, digests).length > 0)).toEqual([]);
});
