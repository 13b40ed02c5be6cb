/** Trees into stores and back: what went in comes out, whatever the store. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { SealdropError } from '../../src/errors.js';
import type { ObjectStore } from '../../src/ports.js';
import { createVault, openDirectoryStore } from '../../src/store/directory.js';
import { MemoryStore } from '../../src/store/memory.js';
import { getTree, type GetTreeJob } from '../../src/transfer/tree/get-tree.js';
import { lookAt, putTree, treeSource, type PutTreeJob } from '../../src/transfer/tree/put-tree.js';
import { removeTree } from '../../src/transfer/tree/remove-tree.js';
import { TreeRoot } from '../../src/transfer/tree/tree-root.js';
import { treeFilter } from '../../src/transfer/tree/filter.js';
import type { TreeEvent } from '../../src/transfer/tree/work.js';
import { AWKWARD_NAMES, contentOf, makeAwkwardTree } from '../helpers/awkward-tree.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const pair = rsaPair();
const encryptor = encryptorFor(pair);
const decryptor = decryptorFor(pair);
const base = mkdtempSync(join(tmpdir(), 'sealdrop-trees-'));
let minio: S3Server;
beforeAll(async () => (minio = await startMinio()), SETUP_TIME);
afterAll(async () => {
  await minio?.stop();
  rmSync(base, { recursive: true });
});

let count = 0;
const KINDS: Record<string, () => Promise<ObjectStore>> = {
  memory: async () => new MemoryStore(),
  directory: async () => {
    const root = join(base, `vault-${++count}`);
    mkdirSync(root);
    await createVault(root, 'required');
    return openDirectoryStore({ root });
  },
  minio: async () => minio.store(await minio.createBucket(`trees-${++count}`)),
};

describe.each(Object.entries(KINDS))('a tree on the store %s', (_name, newStore) => {
  let store: ObjectStore;
  let folder: string;
  let tree: string;
  let out: string;
  beforeEach(async () => {
    store = await newStore();
    folder = join(base, `run-${++count}`);
    [tree, out] = [join(folder, 'tree'), join(folder, 'out')];
    mkdirSync(tree, { recursive: true });
  });

  async function put(more: Partial<PutTreeJob> = {}, name = `${tree}/`) {
    const events: TreeEvent[] = [];
    const sources = [treeSource(await lookAt(name), 'x/')];
    const job = {
      sources,
      store,
      encryptor,
      width: 4,
      onEvent: (event: TreeEvent) => void events.push(event),
    };
    return { ...(await putTree({ ...job, ...more })), events };
  }

  async function get(more: Partial<GetTreeJob> = {}, options = {}) {
    const events: TreeEvent[] = [];
    const root = await TreeRoot.open(out, options);
    const job = { store, decryptor, prefix: 'x/', root, width: 4, binding: 'required' as const };
    const report = await getTree({ ...job, onEvent: (event) => void events.push(event), ...more });
    return { ...report, events };
  }

  const keys = async () => {
    const found = [];
    for await (const { key } of store.list('')) found.push(key);
    return found;
  };

  test('with every awkward name comes back identical', async () => {
    makeAwkwardTree(tree);
    expect(await put()).toMatchObject({ done: AWKWARD_NAMES.length, failed: 0, leftOut: {} });
    expect(await get()).toMatchObject({ done: AWKWARD_NAMES.length, failed: 0, unbound: 0 });
    expect(contentOf(out)).toEqual(contentOf(tree));
  });

  test('keeps its name below the place, unless it is named with a slash at its end', async () => {
    writeFileSync(join(tree, 'a'), '1');
    await put({}, tree);
    await put({}, `${tree}/`);
    await put({}, join(tree, 'a'));
    expect(await keys()).toEqual(['x/a', 'x/tree/a']);
  });

  test('a second run with resume stores and writes what is missing or has changed, and nothing else', async () => {
    for (const name of ['a', 'b/c', 'b/d', 'e']) {
      mkdirSync(join(tree, 'b'), { recursive: true });
      writeFileSync(join(tree, name), name);
    }
    const old = Date.now() / 1000 - 100;
    await put();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await store.remove('x/b/c');
    writeFileSync(join(tree, 'a'), 'A');
    const again = await put({ resume: true });
    expect(again).toMatchObject({ done: 2, present: 2, failed: 0 });
    expect(
      again.events
        .filter(({ outcome }) => outcome === 'done')
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['a', 'b/c']);
    await get();
    rmSync(join(out, 'b/c'));
    // Older than its object, as a file would be that somebody has had for long.
    utimesSync(join(out, 'e'), old, old);
    writeFileSync(join(out, 'b/d'), 'half');
    expect(await get({ resume: true })).toMatchObject({ done: 3, present: 1, failed: 0 });
    expect(contentOf(out)).toEqual(contentOf(tree));
  });

  test('resume, where a store tells whole seconds: a file of the same second may be the older one', async () => {
    writeFileSync(join(tree, 'a'), 'new');
    await put();
    await get();
    const second = 1_700_000_000;
    const list = store.list.bind(store);
    const cut = {
      head: store.head.bind(store),
      get: store.get.bind(store),
      async *list(...args: Parameters<ObjectStore['list']>) {
        for await (const info of list(...args)) yield { ...info, modified: new Date(second * 1000) };
      },
    } as unknown as ObjectStore;
    for (const [time, outcome] of [
      [second + 0.5, { done: 1, present: 0 }],
      [second + 1, { done: 0, present: 1 }],
    ] as const) {
      utimesSync(join(out, 'a'), time, time);
      expect(await get({ resume: true, store: cut })).toMatchObject(outcome);
    }
  });

  test('times and permissions come back where they were kept, without what gives rights to others', async () => {
    writeFileSync(join(tree, 'script'), 'x');
    writeFileSync(join(tree, 'old'), 'x');
    chmodSync(join(tree, 'script'), 0o6750);
    utimesSync(join(tree, 'old'), 1_000_000_000.123456, 1_000_000_000.123456);
    utimesSync(join(tree, 'script'), -86_400.5, -86_400.5);
    await put({ preserve: true });
    await get({ preserve: true });
    expect(statSync(join(out, 'script')).mode & 0o7777).toBe(0o750);
    for (const name of ['old', 'script']) {
      const [before, after] = [tree, out].map((dir) => statSync(join(dir, name), { bigint: true }).mtimeNs);
      expect(after! / 1000n).toBe(before! / 1000n);
    }
    // The kept time is as good as a later one.
    expect(await get({ preserve: true, resume: true })).toMatchObject({ done: 0, present: 2 });
    await get({});
    expect(statSync(join(out, 'old')).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  });

  test('empty directories come back where they were asked for, and are else said to be left out', async () => {
    mkdirSync(join(tree, 'a/b'), { recursive: true });
    expect(await put()).toMatchObject({ done: 0, leftOut: { empty_directory: 1 } });
    expect(await put({ emptyDirectories: true })).toMatchObject({ done: 1, leftOut: {} });
    expect(await keys()).toEqual(['x/a/b/.directory.sealdrop']);
    await get();
    expect(contentOf(out)).toEqual({ 'a/b/': '' });
    // A file of that name is a file.
    writeFileSync(join(tree, 'a/b/.directory.sealdrop'), '');
    await put();
    await get();
    expect(contentOf(out)).toEqual({ 'a/b/.directory.sealdrop': '' });
  });

  test('a dry run stores, writes and removes nothing', async () => {
    writeFileSync(join(tree, 'a'), '1');
    expect(await put({ dryRun: true })).toMatchObject({ planned: 1, done: 0, bytes: 1 });
    expect(await keys()).toEqual([]);
    await put();
    expect(await get({ root: undefined })).toMatchObject({ planned: 1, done: 0 });
    expect(await removeTree({ store, prefix: 'x/', width: 4, dryRun: true })).toMatchObject({ planned: 1 });
    expect(await keys()).toEqual(['x/a']);
  });

  test('a filter holds for what is stored, written and removed', async () => {
    for (const name of ['a.csv', 'b.txt', 'c.tmp']) writeFileSync(join(tree, name), name);
    await put({ filter: treeFilter({ exclude: ['*.tmp'] }) });
    expect(await keys()).toEqual(['x/a.csv', 'x/b.txt']);
    await get({ filter: treeFilter({ include: ['*.csv'] }) });
    expect(Object.keys(contentOf(out))).toEqual(['a.csv']);
    await removeTree({ store, prefix: 'x/', width: 4, filter: treeFilter({ include: ['*.txt'] }) });
    expect(await keys()).toEqual(['x/a.csv']);
  });

  test('what cannot be read or opened fails alone', async () => {
    for (const name of ['a', 'b', 'c']) writeFileSync(join(tree, name), name);
    await put();
    async function* garbage() {
      yield Buffer.from('no message at all');
    }
    await store.put('x/b', garbage());
    const report = await get();
    expect(report).toMatchObject({ done: 2, failed: 1 });
    expect(report.events.find(({ outcome }) => outcome === 'failed')).toMatchObject({
      path: 'b',
      error: { code: 'not_an_envelope' },
    });
    expect(Object.keys(contentOf(out)).sort()).toEqual(['a', 'c']);
  });

  test('a file that changes while it is read fails, and nothing of it is stored', async () => {
    for (const name of ['a', 'b']) writeFileSync(join(tree, name), name.repeat(3000));
    const onBytes = () => writeFileSync(join(tree, 'a'), 'changed');
    const report = await put({ onBytes, width: 1 });
    expect(report).toMatchObject({ done: 1, failed: 1, firstError: { code: 'source_changed' } });
    expect(await keys()).toEqual(['x/b']);
  });

  test('a root that cannot be read fails alone; where nothing could succeed the run ends', async () => {
    for (const name of ['a', 'b', 'c']) writeFileSync(join(tree, name), name);
    const absent = { name: join(folder, 'gone'), directory: true, prefix: 'y/' };
    const here = { name: tree, directory: true, prefix: 'x/' };
    expect(await put({ sources: [absent, here] })).toMatchObject({ done: 3, failed: 1 });
    const full = Object.create(store) as ObjectStore;
    full.put = () => Promise.reject(new SealdropError('disk_full', 'no room'));
    const report = await put({ store: full, width: 1 });
    expect(report).toMatchObject({ done: 0, failed: 1, stoppedBy: { code: 'disk_full' } });
  });

  test('two objects that were swapped are both refused', async () => {
    for (const name of ['a', 'b']) writeFileSync(join(tree, name), name);
    await put();
    const bytes = async (key: string) => Buffer.concat(await (await store.get(key)).body.toArray());
    const [a, b] = [await bytes('x/a'), await bytes('x/b')];
    const one = async function* (piece: Buffer) {
      yield piece;
    };
    await store.put('x/a', one(b));
    await store.put('x/b', one(a));
    const report = await get();
    expect(report).toMatchObject({ done: 0, failed: 2, firstError: { code: 'wrong_object' } });
    expect(contentOf(out)).toEqual({});
  });
});
