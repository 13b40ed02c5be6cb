/** Whoever runs the store, and whoever has the public key, chooses the keys: nothing of it is written outside of the target. */
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { isSealdropError } from '../../src/errors.js';
import { MemoryStore } from '../../src/store/memory.js';
import { objectContext } from '../../src/transfer/context.js';
import { getTree, type GetTreeJob } from '../../src/transfer/tree/get-tree.js';
import { asideName } from '../../src/transfer/target.js';
import { TreeRoot } from '../../src/transfer/tree/tree-root.js';
import type { TreeEvent } from '../../src/transfer/tree/work.js';
import { chunked } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';

const pair = rsaPair();
const encryptor = encryptorFor(pair);
const decryptor = decryptorFor(pair);

let base: string;
let target: string;
let store: MemoryStore;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sealdrop-hostile-'));
  target = join(base, 'parent/target');
  mkdirSync(target, { recursive: true });
  writeFileSync(join(base, 'parent/precious'), 'precious');
  store = new MemoryStore();
});
afterEach(() => rmSync(base, { recursive: true }));

/** A message that opens under its key: made by somebody with the public key. */
async function plant(key: string, content = `hostile ${key}`): Promise<void> {
  const bytes = Buffer.from(content);
  const metadata = { 'sealdrop-size': String(bytes.length) };
  await store.put(key, encryptor.encrypt(chunked(bytes, 1000), objectContext(key.toWellFormed())), {
    metadata,
  });
}

async function get(more: Partial<GetTreeJob> = {}, options = {}) {
  const events = new Map<string, TreeEvent>();
  const root = await TreeRoot.open(target, options);
  const onEvent = (event: TreeEvent) => void events.set(event.key, event);
  const job = { store, decryptor, prefix: 'x/', root, width: 1, binding: 'required' as const };
  const report = await getTree({ ...job, onEvent, ...more });
  const codeOf = (key: string) => {
    const error = events.get(key)?.error;
    return isSealdropError(error) ? error.code : events.get(key)?.outcome;
  };
  return { report, codeOf };
}

/** Everything below a folder, with its kind and content, and no link followed. */
function everything(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path);
    if (entry.isSymbolicLink()) found[name] = `-> ${readlinkSync(path)}`;
    else found[name] = entry.isFile() ? readFileSync(path, 'latin1') : 'folder';
  }
  return found;
}

const outside = () =>
  Object.fromEntries(Object.entries(everything(base)).filter(([name]) => !name.startsWith('parent/target/')));

const NOT_STORABLE = [
  '../precious',
  '../../precious',
  '../target-sibling',
  'a/../../precious',
  'a/b/../../../../etc/cron.d/x',
  './x',
  'a/./b',
  'a/.',
  'a/..',
  '..',
  '.',
  '/etc/passwd',
  '//etc/passwd',
  'a//b',
  'a///b',
  '/',
  'nul\0byte',
  'nul/\0',
  'a/nul\0/../../precious',
  'x'.repeat(256),
  `a/${'あ'.repeat(86)}`,
  `${'d/'.repeat(600)}f`,
  'lone-surrogate-\ud800',
  '.sealdrop-vault',
  'sub/.sealdrop-vault',
  '.SEALDROP-Vault',
  '.sealdrop-tmp/x',
  '.seal\u200bdrop-vault',
  'dir/',
  'dir/sub/',
  'trailing/../',
];

test(`${NOT_STORABLE.length} keys that no file can have are refused each by itself, and the rest comes`, async () => {
  for (const path of NOT_STORABLE) await plant(`x/${path}`);
  await plant('x/good/file');
  const before = outside();
  const { report, codeOf } = await get();
  for (const path of NOT_STORABLE) expect([path, codeOf(`x/${path}`)]).toEqual([path, 'key_not_storable']);
  expect(report).toMatchObject({ done: 1, failed: NOT_STORABLE.length });
  expect(everything(target)).toEqual({ good: 'folder', 'good/file': 'hostile x/good/file' });
  expect(outside()).toEqual(before);
});

test('keys that only look like a way out are files like others', async () => {
  const harmless = [
    '..\\..\\precious',
    '%2e%2e%2fprecious',
    '..%2fprecious',
    '~/x',
    '-rf',
    '...',
    'C:',
    '..x/y',
  ];
  for (const path of harmless) await plant(`x/${path}`);
  const before = outside();
  expect((await get()).report).toMatchObject({ done: harmless.length, failed: 0 });
  for (const path of harmless) expect(readFileSync(join(target, path), 'utf8')).toBe(`hostile x/${path}`);
  expect(outside()).toEqual(before);
});

test('what the listing says beside the prefix is not taken', async () => {
  await plant('x/a');
  const listing = store.list.bind(store);
  store.list = async function* (prefix, options) {
    yield { key: 'y/precious', size: 5, etag: '', modified: new Date() };
    yield { key: '../precious', size: 5, etag: '', modified: new Date() };
    yield* listing(prefix, options);
  };
  expect((await get()).report).toMatchObject({ done: 1, failed: 0 });
  expect(everything(target)).toEqual({ a: 'hostile x/a' });
});

test('a file and what lies below it: the first comes, the other is refused', async () => {
  await plant('x/a');
  await plant('x/a/b');
  await plant('x/a/b/c');
  await plant('x/z');
  const { report, codeOf } = await get();
  expect(report).toMatchObject({ done: 2, failed: 2 });
  expect([codeOf('x/a/b'), codeOf('x/a/b/c')]).toEqual(['target_exists', 'target_exists']);
  expect(everything(target)).toEqual({ a: 'hostile x/a', z: 'hostile x/z' });
});

test('no link below the target is followed, and none of them is written through', async () => {
  symlinkSync('..', join(target, 'up'));
  symlinkSync('../precious', join(target, 'file'));
  symlinkSync(join(base, 'parent'), join(target, 'absolute'));
  for (const path of ['up/precious', 'up/new', 'absolute/precious', 'file']) await plant(`x/${path}`);
  const before = outside();
  const { report, codeOf } = await get();
  expect(codeOf('x/up/precious')).toBe('target_exists');
  expect(codeOf('x/absolute/precious')).toBe('target_exists');
  expect(report).toMatchObject({ done: 1, failed: 3 });
  // The link itself was replaced.
  expect(lstatSync(join(target, 'file')).isFile()).toBe(true);
  expect(outside()).toEqual(before);
});

test('a pipe and a directory in the place of a file stay what they are', async () => {
  execFileSync('mkfifo', [join(target, 'pipe')]);
  mkdirSync(join(target, 'folder'));
  await plant('x/pipe');
  await plant('x/folder');
  const { codeOf } = await get();
  expect([codeOf('x/pipe'), codeOf('x/folder')]).toEqual(['target_unwritable', 'target_exists']);
  expect(lstatSync(join(target, 'pipe')).isFIFO()).toBe(true);
});

test('names that a file system takes for one: the second is refused, also where the first was there already', async () => {
  // What a case-insensitive file system does: two names, one file.
  await plant('x/README', 'first');
  await plant('x/readme', 'second');
  const oneForAll = async () => {
    const root = await TreeRoot.open(target, { overwrite: true });
    const folded = (segments: readonly string[]) => segments.map((segment) => segment.toUpperCase());
    const [openFile, look] = [root.openFile.bind(root), root.look.bind(root)];
    root.openFile = (segments) => openFile(folded(segments));
    root.look = (segments) => look(folded(segments));
    return root;
  };
  const first = await get({ root: await oneForAll() });
  expect([first.codeOf('x/README'), first.codeOf('x/readme')]).toEqual(['done', 'target_exists']);
  expect(everything(target)).toEqual({ README: 'first' });
  const second = await get({ root: await oneForAll(), resume: true });
  expect([second.codeOf('x/README'), second.codeOf('x/readme')]).toEqual(['present', 'target_exists']);
  expect(everything(target)).toEqual({ README: 'first' });
});

test('a configuration is not written unless it is asked for', async () => {
  for (const name of ['sealdrop.config.json', 'sub/Sealdrop.Config.JSON']) await plant(`x/${name}`);
  const { report, codeOf } = await get();
  expect(report).toMatchObject({ done: 0, failed: 2 });
  expect(codeOf('x/sealdrop.config.json')).toBe('target_unwritable');
  expect((await get({ force: true })).report).toMatchObject({ done: 2, failed: 0 });
});

test('folder markers of consoles are left out', async () => {
  for (const key of ['x/', 'x/dir/']) await store.put(key, chunked(Buffer.alloc(0), 1));
  await plant('x/dir/file');
  expect((await get()).report).toMatchObject({ done: 1, failed: 0, leftOut: { folder_marker: 2 } });
});

test('permissions that give rights to others, and times that are none, are not taken over', async () => {
  const pairs = { 'sealdrop:mode': '4777', 'sealdrop:mtime': '9999-99-99T00:00:00.000000000Z' };
  const key = 'x/program';
  await store.put(key, encryptor.encrypt(chunked(Buffer.from('x'), 1), { 'sealdrop:key': key, ...pairs }));
  expect((await get({ preserve: true })).report).toMatchObject({ done: 1, failed: 0 });
  const { mode, mtimeMs } = lstatSync(join(target, 'program'));
  expect(mode & 0o7111).toBe(0);
  expect(mtimeMs).toBeGreaterThan(Date.now() - 60_000);
});

/** As the names of files that this machine has not finished. */
const ofProcess = (name: string, pid: number) =>
  asideName(name).replace(
    /[0-9a-f]{16}\.sealdrop-part$/,
    `${pid.toString(16).padStart(6, '0')}0123456789.sealdrop-part`,
  );

test('of another machine on a shared file system only what has rested for a day is removed', async () => {
  await plant('x/a');
  const [working, dead] = ['a', 'b'].map((name) =>
    ofProcess(name, 0xffffff).replace(/[0-9a-f]{24}\.sealdrop-part$/, (end) => `00000000${end.slice(8)}`),
  ) as [string, string];
  for (const name of [working, dead]) writeFileSync(join(target, name), 'half');
  const before = Date.now() / 1000 - 25 * 3600;
  utimesSync(join(target, dead), before, before);
  await get({ resume: true }, { sweep: true });
  expect(Object.keys(everything(target)).sort()).toEqual([working, 'a'].sort());
});

test('what a killed run left half done is removed with resume, and nothing that only looks like it from outside', async () => {
  await plant('x/a');
  writeFileSync(join(target, ofProcess('a', 0xffffff)), 'half');
  // Of a run that is at work: this one.
  const ours = ofProcess('b', process.pid);
  writeFileSync(join(target, ours), 'half');
  writeFileSync(join(target, '.a.sealdrop-part'), 'not ours');
  await get({ resume: true }, { sweep: true });
  expect(Object.keys(everything(target)).sort()).toEqual(['.a.sealdrop-part', ours, 'a'].sort());
});
