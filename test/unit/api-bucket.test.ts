/** The local gateway of a bucket: what it does when something fails, is told twice, or changes. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealdropError } from '../../src/errors.js';
import { BucketGateway } from '../../src/gateway/bucket.js';
import { InboxGateway, type Report } from '../../src/gateway/inbox-gateway.js';
import type { InboxBucket } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { MemoryStore } from '../../src/store/memory.js';
import { chunked } from '../helpers/bytes.js';
import { encryptorFor, rsaPair } from '../helpers/keys.js';

const encryptor = encryptorFor(rsaPair());
const INBOX = {
  bucket: 'inbox',
  prefix: 'in/',
  suffix: '',
  template: '{rest}',
  encode: false,
  versioned: false,
};

let source: MemoryStore;
let vault: MemoryStore;
let reports: Report[];
let tagged: string[];
let stop: AbortController;
/** How often the vault fails before it works. */
let failures: number;
let lists: number;
/** Called before the vault answers. */
let asked: () => Promise<void>;
/** Called when a list was read to its end, before the objects' turns. */
let listed: () => Promise<void>;
let running: Promise<void> | undefined;

beforeEach(() => {
  [source, vault] = [new MemoryStore(), new MemoryStore()];
  [reports, tagged, failures, lists] = [[], [], 0, 0];
  listed = asked = async () => undefined;
  stop = new AbortController();
  const head = vault.head.bind(vault);
  vault.head = async (...args) => {
    if (failures-- > 0) throw new SealdropError('store_unavailable', 'down', { retryable: true });
    await asked();
    return head(...args);
  };
});
afterEach(async () => {
  stop.abort();
  await running;
});

/** The bucket, in memory. */
function memoryInbox(): InboxBucket {
  const found = async (key: string) => source.head(key).catch(() => undefined);
  return {
    bucket: 'inbox',
    head: async (key) => {
      const info = await found(key);
      return info && { ...info, tags: 0 };
    },
    read: async (key, { etag }) => {
      const info = await found(key);
      if (info === undefined || (etag !== undefined && etag !== info.etag)) return undefined;
      const { body } = await source.get(key);
      return { info: { ...info, tags: 0 }, body: Readable.from(body, { objectMode: false }) };
    },
    tag: async (key, _, { value }) => {
      tagged.push(`${key} ${value ?? ''}`);
      return true;
    },
    remove: async () => undefined,
    close: () => undefined,
  };
}

function newGateway(): BucketGateway {
  const side = { encryptor, store: vault, prefix: '', idempotencyKey: new Secret(randomBytes(32)) };
  const inbox = memoryInbox();
  const gateway = new InboxGateway({
    settings: { inboxes: [INBOX], after: 'keep' },
    parts: { current: async () => side, refresh: async () => side },
    openInbox: () => inbox,
    reject: async () => undefined,
    report: (report) => reports.push(report),
  });
  const list = async function* (signal: AbortSignal) {
    if (++lists === 1 && failures > 100) throw new SealdropError('store_unavailable', 'down');
    yield* source.list('in/', { signal });
    await listed();
  };
  return new BucketGateway({
    gateway,
    bucket: 'inbox',
    list,
    unreadable: () => undefined,
    rescanMs: 100,
    retryMs: 10,
  });
}

const drop = (key: string, text = key) => source.put(key, chunked(Buffer.from(text), 100));
const record = (key: string) => ({
  Records: [{ eventName: 's3:ObjectCreated:Put', s3: { bucket: { name: 'inbox' }, object: { key } } }],
});
const outcomes = () =>
  reports.map(({ key, outcome, code }) => [key, outcome, ...(code ? [code] : [])].join(' '));

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !holds(); await sleep(10))
    if (Date.now() > end) throw new Error(`in vain: ${outcomes().join(', ')}`);
}

describe('a gateway that runs', () => {
  test('tries again what failed for a while, until it is stored, once', async () => {
    failures = 3;
    await drop('in/a');
    running = newGateway().run(stop.signal);
    await until(() => outcomes().includes('in/a stored'));
    await sleep(300);
    expect(outcomes()).toEqual([...Array(3).fill('in/a failed store_unavailable'), 'in/a stored']);
  });

  test('takes what is still on its way no second time, however often the list is read', async () => {
    asked = () => until(() => lists > 4);
    await drop('in/a');
    running = newGateway().run(stop.signal);
    await until(() => outcomes().length > 0 && lists > 6);
    expect(outcomes()).toEqual(['in/a stored']);
  });

  test('tags what can never be stored, and says it once, however often the list is read', async () => {
    await drop(`in/${'a'.repeat(256)}`);
    running = newGateway().run(stop.signal);
    await until(() => lists > 3);
    expect(outcomes()).toEqual([`in/${'a'.repeat(256)} failed key_not_storable`]);
    expect(tagged).toEqual([`in/${'a'.repeat(256)} failed:key_not_storable`]);
  });

  test('stores what changed, and what came while nobody told', async () => {
    running = newGateway().run(stop.signal);
    await drop('in/a', 'one');
    await until(() => outcomes().length === 1);
    await drop('in/a', 'two');
    await until(() => outcomes().length === 2);
    expect(outcomes()).toEqual(['in/a stored', 'in/a stored']);
  });

  test('goes on when the list cannot be read', async () => {
    failures = 1_000;
    await drop('in/a');
    running = newGateway().run(stop.signal);
    await until(() => lists > 1);
    failures = 0;
    await until(() => outcomes().includes('in/a stored'));
  });

  test('takes what it is told, and no foreign object', async () => {
    await drop('in/a b');
    await drop('other');
    const gateway = newGateway();
    expect(gateway.notify(record('in%2Fa+b'))).toBe(1);
    expect(gateway.notify(record('other'))).toBe(1);
    expect(gateway.notify({ Records: [{ eventName: 's3:ObjectRemoved:Delete' }] })).toBe(0);
    expect(() => gateway.notify('x')).toThrow(expect.objectContaining({ code: 'event_malformed' }));
    running = gateway.run(stop.signal);
    await until(
      () => outcomes().includes('in/a b stored') && outcomes().includes('other failed foreign_key'),
    );
    await expect(vault.head('other')).rejects.toMatchObject({ code: 'object_not_found' });
  });

  test('has room for so many, and lets the rest be told again', () => {
    const gateway = newGateway();
    const many = (count: number, from = 0) => ({
      Records: Array.from({ length: count }, (_, i) => record(`in/${from + i}`).Records[0]),
    });
    expect(gateway.notify(many(10_000))).toBe(10_000);
    expect(gateway.notify(many(1, 20_000))).toBeUndefined();
  });
});

describe('an object that comes back with the same content', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['gone', () => source.remove('in/a')],
    ['superseded', () => drop('in/a', 'other')],
  ])('after it was %s at its turn is stored', async (outcome, happens) => {
    const gateway = newGateway();
    await drop('in/a', 'one');
    listed = async () => void (await happens());
    await gateway.runOnce(stop.signal);
    listed = async () => undefined;
    await drop('in/a', 'one');
    await gateway.runOnce(stop.signal);
    expect(outcomes()).toEqual([`in/a ${outcome}`, 'in/a stored']);
  });

  test('after it was removed from inbox and vault is stored again', async () => {
    const gateway = newGateway();
    await drop('in/a', 'one');
    await gateway.runOnce(stop.signal);
    for (const [store, key] of [[source, 'in/a'] as const, [vault, 'a'] as const]) await store.remove(key);
    await gateway.runOnce(stop.signal);
    await drop('in/a', 'one');
    await gateway.runOnce(stop.signal);
    expect(outcomes()).toEqual(['in/a stored', 'in/a stored']);
  });
});

test('a list that breaks off makes nothing be asked for again', async () => {
  const gateway = newGateway();
  await drop('in/a');
  await gateway.runOnce(stop.signal);
  await drop('in/b');
  listed = async () => {
    throw new SealdropError('store_unavailable', 'down');
  };
  await source.remove('in/a');
  await expect(gateway.runOnce(stop.signal)).rejects.toMatchObject({ code: 'store_unavailable' });
  listed = async () => undefined;
  await drop('in/a');
  await gateway.runOnce(stop.signal);
  expect(outcomes()).toEqual(['in/a stored', 'in/b stored']);
});

test('a run that shall end tries each once, and counts', async () => {
  for (const name of ['a', 'b', 'c']) await drop(`in/${name}`);
  failures = 1;
  const gateway = newGateway();
  await gateway.runOnce(stop.signal);
  expect(gateway.counts).toEqual({ done: 2, failed: 1 });
  expect(gateway.lastError).toMatchObject({ code: 'store_unavailable' });
  expect(tagged).toEqual([]);
});
