/** A folder and a vault made like each other, and what that asks of the store. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectInfo } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { MemoryStore } from '../../src/store/memory.js';
import { put } from '../../src/transfer/put.js';
import { streamSource } from '../../src/transfer/source.js';
import { syncDown } from '../../src/transfer/sync/down.js';
import { sync, type Direction, type Entry, type SyncJob } from '../../src/transfer/sync/sync.js';
import { syncUp } from '../../src/transfer/sync/up.js';
import { treeFilter } from '../../src/transfer/tree/filter.js';
import { chunked } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';

const pair = rsaPair();
const encryptor = encryptorFor(pair);
const decryptor = decryptorFor(pair);
const signal = new AbortController().signal;
const NO_FILTER = treeFilter({});

/** Counts what is asked of it. */
class CountingStore extends MemoryStore {
  asked = { get: 0, put: 0, head: 0, remove: 0 };

  override async head(...args: Parameters<MemoryStore['head']>) {
    this.asked.head++;
    return super.head(...args);
  }
  override async get(...args: Parameters<MemoryStore['get']>) {
    this.asked.get++;
    return super.get(...args);
  }
  override async put(...args: Parameters<MemoryStore['put']>) {
    this.asked.put++;
    return super.put(...args);
  }
  override async remove(...args: Parameters<MemoryStore['remove']>) {
    this.asked.remove++;
    return super.remove(...args);
  }

  reset() {
    this.asked = { get: 0, put: 0, head: 0, remove: 0 };
  }
}

let base: string;
let root: string;
let store: CountingStore;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'sealdrop-sides-'));
  root = join(base, 'tree');
  await mkdir(root);
  store = new CountingStore();
});
afterEach(async () => rm(base, { recursive: true }));

async function write(files: Record<string, string>, where = root): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(where, path)), { recursive: true });
    await writeFile(join(where, path), content);
  }
}

async function read(where: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(where, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[file.slice(where.length + 1)] = await readFile(file, 'utf8');
  }
  return files;
}

async function run<A extends Entry, B extends Entry>(
  direction: Direction<A, B>,
  more: Partial<SyncJob<A, B>> = {},
): Promise<Record<string, string>> {
  const said: Record<string, string> = {};
  const job = { direction, index: join(base, 'index'), width: 4, signal, ...more };
  for await (const { path, outcome, error } of sync(job))
    said[path] = outcome === 'failed' ? String((error as { code?: string }).code) : outcome;
  return said;
}

type Options = Partial<Parameters<typeof syncUp>[0]>;
const up = (more: object = {}, options: Options = {}) => {
  const vault = { store, prefix: 'lab/' };
  const direction = syncUp({ root, vault, encryptor, filter: NO_FILTER, links: 'skip', signal, ...options });
  return run(direction, more);
};
const down = async (where: string, more: object = {}, options: object = {}) => {
  const vault = { store, prefix: 'lab/' };
  const given = { root: where, vault, decryptor, filter: NO_FILTER, signal, binding: 'required' as const };
  return run(syncDown({ ...given, ...options }), { index: join(base, 'down'), ...more });
};
const keys = async () => {
  const found: string[] = [];
  for await (const { key } of store.list('')) found.push(key);
  return found;
};
const all = (outcome: string, paths: string[]) => Object.fromEntries(paths.map((path) => [path, outcome]));

const FILES = { 'a.txt': 'one', 'b/c.txt': 'two', 'b/d e+%.txt': 'three', 'b.txt': '', 'ü/日本.txt': 'four' };
const PATHS = Object.keys(FILES);

describe('up', () => {
  test('all, then nothing: by the index, or without it by the listing alone', async () => {
    await write(FILES);
    await sleep(5);
    expect(await up()).toEqual(all('transferred', PATHS));
    expect(await keys()).toEqual(PATHS.map((path) => `lab/${path}`).sort());
    for (const index of [join(base, 'index'), join(base, 'lost'), undefined]) {
      store.reset();
      expect(await up({ index })).toEqual(all('unchanged', PATHS));
      expect(store.asked).toEqual({ get: 0, put: 0, head: 0, remove: 0 });
    }
  });

  test.each([
    ['of another size', 'another one'],
    ['of the same size', 'two'.toUpperCase()],
  ])('a file that was changed, %s: one put', async (_, content) => {
    await write(FILES);
    await up();
    await sleep(5);
    await write({ 'b/c.txt': content });
    store.reset();
    expect(await up()).toMatchObject({ 'b/c.txt': 'transferred', 'a.txt': 'unchanged' });
    expect(store.asked).toMatchObject({ get: 0, put: 1 });
    const where = join(base, 'back');
    await down(where);
    expect(await read(where)).toEqual({ ...FILES, 'b/c.txt': content });
  });

  test('a file of the same size with an older time is seen: by the index, and by its inode’s time', async () => {
    await write(FILES);
    await up();
    await sleep(5);
    await write({ 'a.txt': 'ONE' });
    await utimes(join(root, 'a.txt'), 1, 1);
    expect(await up({ index: join(base, 'lost') })).toMatchObject({ 'a.txt': 'transferred' });
    await sleep(5);
    await write({ 'a.txt': 'one' });
    await utimes(join(root, 'a.txt'), 2, 2);
    expect(await up()).toMatchObject({ 'a.txt': 'transferred' });
  });

  test('a mode that was changed asks once, and puts nothing', async () => {
    await write(FILES);
    await up();
    await sleep(5);
    await chmod(join(root, 'a.txt'), 0o600);
    store.reset();
    expect(await up()).toEqual(all('unchanged', PATHS));
    expect(store.asked).toMatchObject({ put: 0, head: 1 });
    store.reset();
    await up();
    expect(store.asked.head).toBe(0);
  });

  test('an object that somebody else replaced is put again', async () => {
    await write(FILES);
    await up();
    await put({
      source: streamSource(chunked(Buffer.from('ONE'), 2), 3),
      store,
      key: 'lab/a.txt',
      encryptor,
    });
    expect(await up()).toMatchObject({ 'a.txt': 'transferred', 'b/c.txt': 'unchanged' });
  });

  test('a change that could not be stored is not forgotten, whatever the clocks say', async () => {
    await write({ 'a.txt': 'one' });
    await up();
    await sleep(5);
    await write({ 'a.txt': 'ONE' });
    const real = store.put.bind(store);
    store.put = async () => Promise.reject(new Error('away'));
    expect(await up()).toEqual({ 'a.txt': 'undefined' });
    store.put = real;
    // The store's clock runs ahead: it seems to hold something newer.
    const list = store.list.bind(store);
    store.list = async function* (...args) {
      for await (const info of list(...args)) yield { ...info, modified: new Date(Date.now() + 120_000) };
    };
    expect(await up()).toEqual({ 'a.txt': 'transferred' });
  });

  test('signed messages, whose size varies, are compared all the same', async () => {
    const signing = encryptorFor(pair, { suite: 0x0578 });
    await write({ 'a.txt': 'one and some more text' });
    await up({}, { encryptor: signing });
    expect(await up({ index: join(base, 'lost') }, { encryptor: signing })).toEqual({ 'a.txt': 'unchanged' });
    await sleep(5);
    await put({
      source: streamSource(chunked(Buffer.from('x'), 1), 1),
      store,
      key: 'lab/a.txt',
      encryptor: signing,
    });
    for (const index of [join(base, 'lost2'), join(base, 'index')])
      expect(await up({ index, dryRun: true }, { encryptor: signing })).toEqual({
        'a.txt': 'would_transfer',
      });
  });

  test('a store that gives no ETags is asked', async () => {
    await write({ 'a.txt': 'one' });
    await up();
    const list = store.list.bind(store);
    store.list = async function* (...args) {
      for await (const info of list(...args)) yield { ...info, etag: '' };
    };
    await up();
    await sleep(5);
    store.reset();
    await up();
    expect(store.asked.head).toBeGreaterThan(0);
  });

  test('what cannot be read stands beside what can, and what is ours is left', async () => {
    await write({
      'data.txt': 'x',
      'data/inner': 'y',
      '.directory.sealdrop': 'z',
      'u/.a.ffffff0123456789.sealdrop-part': 'p',
    });
    await symlink('.', join(root, 'loop'));
    await write({ 'loop.txt': 'l' });
    const said = await up({}, { links: 'follow' });
    expect(said).toMatchObject({
      'data.txt': 'transferred',
      'loop.txt': 'transferred',
      '.directory.sealdrop': 'left',
    });
    expect(await keys()).toEqual(['lab/data.txt', 'lab/data/inner', 'lab/loop.txt']);
  });

  test('what somebody wrote since the listing is not written over', async () => {
    await write({ 'a.txt': 'mine' });
    const race = new (class extends CountingStore {
      override async *list(...args: Parameters<MemoryStore['list']>): AsyncGenerator<ObjectInfo> {
        yield* super.list(...args);
        if (this.asked.put === 0)
          await put({
            source: streamSource(chunked(Buffer.from('x'), 1)),
            store: this,
            key: 'lab/a.txt',
            encryptor,
          });
      }
    })();
    store = race;
    expect(await up()).toEqual({ 'a.txt': 'precondition_failed' });
  });

  test('what put -r has stored, without times, is not stored again', async () => {
    await write(FILES);
    await sleep(5);
    for (const [path, content] of Object.entries(FILES)) {
      const source = streamSource(chunked(Buffer.from(content), 9), content.length);
      await put({ source, store, key: `lab/${path}`, encryptor });
    }
    expect(await up()).toEqual(all('unchanged', PATHS));
  });

  test('another set of recipients is another size: all is put again', async () => {
    await write(FILES);
    await up();
    const two = encryptorFor(rsaPair(3072));
    expect(await up({}, { encryptor: two })).toEqual(all('transferred', PATHS));
  });

  test('links and other things are left, and what was stored under their names stays', async () => {
    await write(FILES);
    await up();
    await rm(join(root, 'a.txt'));
    await symlink('/etc/passwd', join(root, 'a.txt'));
    expect(await up({ deletion: { share: 1 } })).toMatchObject({ 'a.txt': 'left' });
    expect(await keys()).toContain('lab/a.txt');
  });

  test('what is excluded is neither stored nor removed', async () => {
    await write(FILES);
    await up();
    await write({ 'new.tmp': 'x' });
    await rm(join(root, 'b/c.txt'));
    await rm(join(root, 'b.txt'));
    const filter = treeFilter({ exclude: ['*.tmp', 'b/'] });
    expect(await up({ deletion: { share: 1 } }, { filter })).toEqual({
      'a.txt': 'unchanged',
      'ü/日本.txt': 'unchanged',
      'b.txt': 'removed',
    });
    expect(await keys()).toContain('lab/b/c.txt');
  });

  test('removes only below its own prefix', async () => {
    await write(FILES);
    await up();
    for (const key of ['laboratory/x', 'other', 'lab']) await store.put(key, chunked(Buffer.from('x'), 1));
    await rm(join(root, 'a.txt'));
    expect(await up({ deletion: { share: 1 } })).toMatchObject({ 'a.txt': 'removed' });
    expect(await keys()).toEqual(expect.arrayContaining(['laboratory/x', 'other', 'lab']));
  });

  test('a store that lists what lies elsewhere does not get it removed', async () => {
    await write(FILES);
    await up();
    await store.put('theirs/x', chunked(Buffer.from('x'), 1));
    const list = store.list.bind(store);
    store.list = () => list('');
    await up({ deletion: { share: 1 } });
    expect(await keys()).toContain('theirs/x');
  });

  test('a key that a server would tidy up into another is not removed', async () => {
    await write(FILES);
    await up();
    await store.put('lab/x/../../other', chunked(Buffer.from('x'), 1));
    store.reset();
    expect(await up({ deletion: { share: 1 } })).toMatchObject({ 'x/../../other': 'key_not_storable' });
    expect(store.asked.remove).toBe(0);
  });

  test('what changed between listing and removal is left', async () => {
    await write(FILES);
    await up();
    await rm(join(root, 'a.txt'));
    const remove = store.remove.bind(store);
    store.remove = async (key, options) => {
      await store.put(key, chunked(Buffer.from('theirs'), 3));
      return remove(key, options);
    };
    expect(await up({ deletion: { share: 1 } })).toMatchObject({ 'a.txt': 'source_changed' });
    expect(await keys()).toContain('lab/a.txt');
  });
});

describe('down', () => {
  const where = () => join(base, 'copy');

  test('all with their times, then nothing and no request for any of it', async () => {
    await write(FILES);
    await utimes(join(root, 'a.txt'), 1e9, 1e9 + 0.123456);
    await up();
    expect(await down(where())).toEqual(all('transferred', PATHS));
    expect(await read(where())).toEqual(FILES);
    expect((await stat(join(where(), 'a.txt'))).mtimeMs).toBeCloseTo((1e9 + 0.123456) * 1000, 2);
    store.reset();
    expect(await down(where())).toEqual(all('unchanged', PATHS));
    expect(store.asked).toEqual({ get: 0, put: 0, head: 0, remove: 0 });
    // Without the index a look at each object is enough.
    expect(await down(where(), { index: join(base, 'lost') })).toEqual(all('unchanged', PATHS));
    expect(store.asked).toMatchObject({ get: 0, head: PATHS.length });
  });

  test('what was changed in the vault, or here, comes again', async () => {
    await write(FILES);
    await up();
    await down(where());
    await sleep(5);
    await write({ 'a.txt': 'new' });
    await up();
    await write({ 'b/c.txt': 'TWO' }, where());
    store.reset();
    expect(await down(where())).toMatchObject({ 'a.txt': 'transferred', 'b/c.txt': 'transferred' });
    expect(store.asked.get).toBe(2);
    expect(await read(where())).toEqual({ ...FILES, 'a.txt': 'new' });
  });

  test('removal takes files that the vault doesn’t have, with folders that are empty then, and nothing outside', async () => {
    await write(FILES);
    await up();
    await write({ 'x/y/z.txt': 'mine', 'b/other.txt': 'mine' }, where());
    await write({ 'outside.txt': 'theirs' }, base);
    await symlink(base, join(where(), 'link'));
    await down(where());
    expect(await read(where())).toHaveProperty(['b/other.txt']);
    const said = await down(where(), { deletion: { share: 0.5 } });
    expect(Object.keys(said).filter((path) => said[path] === 'removed')).toEqual([
      'b/other.txt',
      'x/y/z.txt',
    ]);
    expect(await readdir(where())).toEqual(['a.txt', 'b', 'b.txt', 'link', 'ü']);
    expect(await readFile(join(base, 'outside.txt'), 'utf8')).toBe('theirs');
  });

  test('a hostile listing: nothing is written outside, nothing removed, and each key is told', async () => {
    await write(FILES);
    await up();
    await down(where());
    const hostile = ['lab/../../out.txt', 'lab//abs', 'lab/a/../../x', 'lab/..'];
    const before = await readdir(base);
    const list = store.list.bind(store);
    store.list = async function* () {
      const real: ObjectInfo[] = [];
      for await (const info of list('lab/')) real.push(info);
      const planted = hostile.map((key) => ({ ...real[0]!, key }));
      yield* [...planted, ...real].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    };
    await write({ 'mine.txt': 'x' }, where());
    const said = await down(where(), { deletion: { share: 1 } });
    for (const key of hostile) expect(said[key.slice(4)]).toBe('key_not_storable');
    expect(await readdir(base)).toEqual(before);
    expect(await read(where())).toEqual({ ...FILES, 'mine.txt': 'x' });
  });

  test('what an upload took for the same by times alone is looked at, once', async () => {
    // Two writers of one vault: what is here is another file of the same size, older than the object.
    await write({ 'a.txt': 'old', 'b.txt': 'all' });
    // Of two written in one tick of the clock, the times would be the same.
    await utimes(join(root, 'a.txt'), 1.1e9, 1.1e9);
    await write({ 'a.txt': 'NEW' }, where());
    await utimes(join(root, 'b.txt'), 1e9, 1e9);
    await write({ 'b.txt': 'all' }, where());
    await utimes(join(where(), 'b.txt'), 1e9, 1e9);
    await sleep(5);
    await up({ index: undefined }, { root: where() });
    const index = join(base, 'both-ways');
    for (const _ of ['first', 'second']) {
      store.reset();
      expect(await up({ index })).toEqual({ 'a.txt': 'unchanged', 'b.txt': 'unchanged' });
      expect(store.asked).toEqual({ get: 0, put: 0, head: 0, remove: 0 });
    }
    expect(await down(root, { index })).toEqual({ 'a.txt': 'transferred', 'b.txt': 'unchanged' });
    expect(await read(root)).toEqual({ 'a.txt': 'NEW', 'b.txt': 'all' });
    expect(store.asked).toMatchObject({ get: 1, head: 2 });
    store.reset();
    expect(await down(root, { index })).toEqual({ 'a.txt': 'unchanged', 'b.txt': 'unchanged' });
    expect(store.asked.head).toBe(0);
  });

  test('content under a key that can be no file is told; the marker of a folder is passed over', async () => {
    await write(FILES);
    await up();
    await store.put('lab/b/', chunked(Buffer.alloc(0), 1));
    expect(await down(where())).toEqual(all('transferred', PATHS));
    await store.put('lab/b/', chunked(Buffer.from('content'), 1));
    expect(await down(where())).toMatchObject({ 'b/': 'key_not_storable', 'b/c.txt': 'unchanged' });
    await rm(join(root, 'a.txt'));
    expect(await up({ deletion: { share: 1 } })).toMatchObject({ 'b/': 'key_not_storable' });
    expect(await keys()).toContain('lab/b/');
  });

  test('a swapped object is refused, and what was there stays', async () => {
    await write({ a: 'one', b: 'two' });
    await up();
    await down(where());
    const { body } = await store.get('lab/b');
    await store.put('lab/a', body);
    expect(await down(where())).toEqual({ a: 'wrong_object', b: 'unchanged' });
    expect(await read(where())).toEqual({ a: 'one', b: 'two' });
  });
});

describe('by content', () => {
  const syncKey = new Secret(randomBytes(32));

  test('tells a change that neither size nor times do, and nothing of the content to the store', async () => {
    await write({ a: 'same', b: 'same' });
    await up({}, { syncKey });
    const macs = [];
    for (const key of ['lab/a', 'lab/b'])
      macs.push((await store.head(key)).metadata?.['sealdrop-content-mac']);
    // Equal files don't show.
    expect(new Set(macs).size).toBe(2);
    expect(macs.every((mac) => /^[\w-]{43}$/.test(mac ?? ''))).toBe(true);
    expect(await up({}, { syncKey })).toEqual({ a: 'unchanged', b: 'unchanged' });
    const { atime, mtime } = await stat(join(root, 'a'));
    await writeFile(join(root, 'a'), 'SAME');
    await utimes(join(root, 'a'), atime, mtime);
    expect(await up({}, { syncKey })).toEqual({ a: 'transferred', b: 'unchanged' });
    // Touched, not changed.
    await utimes(join(root, 'b'), 5, 5);
    expect(await up({}, { syncKey })).toEqual({ a: 'unchanged', b: 'unchanged' });
    expect(await up({}, { syncKey: new Secret(randomBytes(32)) })).toEqual(all('transferred', ['a', 'b']));
  });

  test('down as well', async () => {
    const where = join(base, 'copy');
    await write({ a: 'one', b: 'two' });
    await up({}, { syncKey });
    await down(where, {}, { syncKey });
    const { atime, mtime } = await stat(join(where, 'a'));
    await writeFile(join(where, 'a'), 'ONE');
    await utimes(join(where, 'a'), atime, mtime);
    await utimes(join(where, 'b'), 5, 5);
    expect(await down(where, {}, { syncKey })).toEqual({ a: 'transferred', b: 'unchanged' });
    expect(await read(where)).toEqual({ a: 'one', b: 'two' });
  });
});
