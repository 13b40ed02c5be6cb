import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealdropError, type ErrorCode } from '../../src/errors.js';
import { putObject } from '../../src/gateway/api/put-object.js';
import { FolderGateway, type AfterStore, type GatewayEvent } from '../../src/gateway/folder.js';
import { generateKeyPair, openEncryptor } from '../../src/index.js';
import type { Encryptor, PutResult } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { MemoryStore } from '../../src/store/memory.js';
import { chunked } from '../helpers/bytes.js';

let inbox: string;
let encryptor: Encryptor;
let events: GatewayEvent[];
let stop: AbortController;
let ended: Promise<void>;

beforeEach(async () => {
  inbox = mkdtempSync(join(tmpdir(), 'sealdrop-folder-'));
  encryptor ??= await openEncryptor({ publicKeys: [Buffer.from((await generateKeyPair()).publicKey)] });
  events = [];
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await ended;
  rmSync(inbox, { recursive: true });
});

/** Fails the first `times` puts. */
class FailingStore extends MemoryStore {
  puts = 0;
  constructor(
    readonly code: ErrorCode,
    readonly times: number,
  ) {
    super();
  }
  override async put(...args: Parameters<MemoryStore['put']>): Promise<PutResult> {
    if (this.puts++ < this.times) throw new SealdropError(this.code, 'not now');
    return super.put(...args);
  }
}

const idempotencyKey = new Secret(randomBytes(32));
const open = (store: MemoryStore, after: AfterStore = { action: 'keep' }) =>
  FolderGateway.open({
    ...{ inbox, store, prefix: '', encryptor, idempotencyKey, settleMs: 20, after },
    ...{ rescanMs: 50, retryMs: 100, report: (event) => events.push(event) },
  });

async function watch(store: MemoryStore): Promise<void> {
  ended = (await open(store)).run(stop.signal);
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition(); await sleep(10))
    if (Date.now() > end) throw new Error('never');
}

describe('a gateway that goes on', () => {
  test('misses nothing that comes while it begins to watch', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `inbox ${i}`);
    const store = new MemoryStore();
    const gateways = names.map(async (name) => {
      const folder = join(inbox, name);
      mkdirSync(folder);
      const options = { store, prefix: `${name}/`, encryptor, idempotencyKey, settleMs: 20 };
      const rescanMs = 3_600_000;
      const report = (event: GatewayEvent) => void events.push(event);
      const gateway = await FolderGateway.open({
        ...options,
        ...{ inbox: folder, after: { action: 'keep' }, rescanMs, report },
      });
      return gateway.run(stop.signal);
    });
    ended = Promise.all(gateways).then(() => undefined);
    for (const name of names) {
      writeFileSync(join(inbox, name, 'a'), 'x');
      await new Promise(setImmediate);
    }
    await until(() => events.filter((event) => event.outcome === 'stored').length === names.length);
  });

  test.each<ErrorCode>([
    'endpoint_unreachable',
    'access_denied',
    'bucket_not_found',
    'store_unavailable',
    'internal',
  ])('tries a file again after %s, ever later, until it is stored', async (code) => {
    const store = new FailingStore(code, 3);
    await watch(store);
    const started = Date.now();
    writeFileSync(join(inbox, 'a'), 'x');
    await until(() => events.some((event) => event.outcome === 'stored'));
    const waited = Date.now() - started;
    const waits = events.map((event) => (event.outcome === 'failed' ? event.retryInMs : 'stored'));
    expect(waits).toEqual([100, 200, 400, 'stored']);
    // Neither the watcher nor a rescan makes a try come earlier.
    expect(waited).toBeGreaterThan(650);
  });

  test('says once that a file can never be stored, and tries it again only when it changed', async () => {
    const store = new MemoryStore();
    await watch(store);
    const deep = Array.from({ length: 6 }, () => 'd'.repeat(200)).join('/');
    mkdirSync(join(inbox, deep), { recursive: true });
    writeFileSync(join(inbox, deep, 'a'), 'x');
    await until(() => events.length > 0);
    await sleep(300);
    expect(events).toMatchObject([{ outcome: 'failed', error: { code: 'key_not_storable' } }]);
    writeFileSync(join(inbox, deep, 'a'), 'changed');
    await until(() => events.length > 1);
    expect(events).toHaveLength(2);
  });

  test('asks the store nothing about files that it has dealt with', async () => {
    let heads = 0;
    class CountingStore extends MemoryStore {
      override head(...args: Parameters<MemoryStore['head']>) {
        heads++;
        return super.head(...args);
      }
      override unfinished(): Promise<[]> {
        throw new Error('nobody would be told what it finds');
      }
    }
    await watch(new CountingStore());
    writeFileSync(join(inbox, 'a'), 'x');
    await until(() => events.length > 0);
    const before = heads;
    await sleep(300);
    expect(heads).toBe(before);
  });

  test('stores what rests while others never do, and says what it cannot read', async () => {
    const growing = ['log1', 'log2', 'log3'].map((name) => join(inbox, name));
    const grow = () => growing.forEach((path) => appendFileSync(path, 'line\n'));
    grow();
    const timer = setInterval(grow, 5);
    try {
      await watch(new MemoryStore());
      writeFileSync(join(inbox, 'ready'), 'x');
      await until(() => events.some((event) => event.outcome === 'stored' && event.name === 'ready'));
    } finally {
      clearInterval(timer);
    }
    await until(() => events.filter((event) => event.outcome === 'stored').length === 4);
  });

  test('says that the inbox went away, once', async () => {
    await watch(new MemoryStore());
    rmSync(inbox, { recursive: true });
    await until(() => events.length > 0);
    await sleep(300);
    expect(events).toMatchObject([{ outcome: 'failed', name: '.', error: { code: 'source_unreadable' } }]);
    mkdirSync(inbox);
  });
});

describe('a file where the API has put an object', () => {
  const store = new MemoryStore();
  const put = async (body: string) => {
    const handler = putObject({ withParts: (use) => use({ store, prefix: '', encryptor, idempotencyKey }) });
    const request = { headers: {}, body: { size: body.length, read: () => chunked(Buffer.from(body), 10) } };
    await handler({
      ...{ request: { ...request, method: 'PUT', path: undefined, query: '', base: '' } },
      ...{ principal: { id: 'lab', prefix: 'lab/' }, parameter: 'a' },
    } as unknown as Parameters<typeof handler>[0]);
  };
  const sizeInVault = async () => (await store.head('lab/a')).metadata?.['sealdrop-size'];

  test.each<AfterStore['action']>(['keep', 'delete', 'move'])(
    'of before (%s) stays where it is, and is stored when it changed',
    async (action) => {
      const to = `${inbox}-moved`;
      const runOnce = async () =>
        (await open(store, action === 'move' ? { action, to } : { action })).runOnce(stop.signal);
      mkdirSync(join(inbox, 'lab'));
      writeFileSync(join(inbox, 'lab/a'), 'old');
      await put('newer');
      await runOnce();
      expect(events).toEqual([{ outcome: 'stale', name: 'lab/a', vaultKey: 'lab/a' }]);
      expect(await sizeInVault()).toBe('5');
      expect(readFileSync(join(inbox, 'lab/a'), 'utf8')).toBe('old');
      await sleep(1_100);
      writeFileSync(join(inbox, 'lab/a'), 'the newest');
      await runOnce();
      expect(events).toHaveLength(2);
      expect(events[1]).toMatchObject({ outcome: 'stored' });
      expect(await sizeInVault()).toBe('10');
      rmSync(to, { recursive: true, force: true });
    },
  );
});
