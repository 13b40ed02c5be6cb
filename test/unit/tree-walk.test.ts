/** What a local tree is made of, and which of it is meant. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { compareKeys } from '../../src/transfer/sync/join.js';
import { treeFilter, type FilterPatterns } from '../../src/transfer/tree/filter.js';
import { walk, type WalkOptions } from '../../src/transfer/tree/walk.js';

let base: string;
let root: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sealdrop-walk-'));
  root = join(base, 'root');
  mkdirSync(root);
});
afterEach(() => rmSync(base, { recursive: true }));

function files(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path);
  }
}

/** `path` for files, `kind: path` or `why: path` for the rest. */
async function walked(options: WalkOptions = {}): Promise<string[]> {
  const seen = [];
  for await (const entry of walk(root, options)) {
    if (entry.kind === 'file') seen.push(entry.path);
    else if (entry.kind === 'left_out') seen.push(`${entry.why}: ${entry.path}`);
    else if (entry.kind === 'failed') seen.push(`${entry.error.code}: ${entry.path}`);
    else seen.push(`${entry.kind}: ${entry.path}`);
  }
  return seen;
}

describe('walk', () => {
  test('goes through files in the order in which stores list their keys', async () => {
    files('a/b', 'a-b', 'a.b', 'a/c/d', 'a0', 'é', 'z', '😀', '\uffee', 'B');
    const seen = await walked();
    expect(seen).toEqual([...seen].sort(compareKeys));
    expect(seen).toEqual(['B', 'a-b', 'a.b', 'a/b', 'a/c/d', 'a0', 'z', 'é', '\uffee', '😀']);
  });

  test('leaves links and special files out and says so; empty directories too, unless asked for', async () => {
    files('file');
    mkdirSync(join(root, 'empty'));
    symlinkSync('file', join(root, 'link'));
    symlinkSync('nowhere', join(root, 'broken'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const left = ['symlink: broken', 'empty_directory: empty', 'file', 'symlink: link', 'special: pipe'];
    expect(await walked()).toEqual(left);
    expect(await walked({ emptyDirectories: true })).toContain('empty_directory: empty');
    expect(await walked({ links: 'refuse' })).toEqual([
      'source_unreadable: broken',
      'empty_directory: empty',
      'file',
      'source_unreadable: link',
      'special: pipe',
    ]);
  });

  test('follows links where it is told to, in order, and not in circles', async () => {
    files('b/file', 'c');
    symlinkSync('b', join(root, 'a'));
    symlinkSync('..', join(root, 'b/up'));
    symlinkSync('c', join(root, 'd'));
    symlinkSync('nowhere', join(root, 'e'));
    expect(await walked({ links: 'follow' })).toEqual([
      'a/file',
      'loop: a/up',
      'b/file',
      'loop: b/up',
      'c',
      'd',
      'source_not_found: e',
    ]);
  });

  test('a name that is no UTF-8 fails alone', async () => {
    files('good');
    writeFileSync(Buffer.concat([Buffer.from(`${root}/bad-`), Buffer.from([0xff])]), 'x');
    expect(await walked()).toEqual(['key_not_storable: bad-\ufffd', 'good']);
  });

  test('a root that is not there is an error, one that is a link is followed', async () => {
    files('file');
    symlinkSync(root, join(base, 'to-root'));
    const [first] = [await walk(join(base, 'to-root')).next()];
    expect(first.value).toMatchObject({ kind: 'file', path: 'file' });
    await expect(walk(join(base, 'absent')).next()).rejects.toMatchObject({ code: 'source_not_found' });
  });

  test('does not look into what is excluded', async () => {
    files('keep/a', 'node_modules/x/y', 'keep/node_modules/z');
    expect(await walked({ filter: treeFilter({ exclude: ['node_modules'] }) })).toEqual(['keep/a']);
  });
});

describe('a filter', () => {
  const cases: [FilterPatterns, taken: string[], left: string[]][] = [
    [{}, ['a', 'b/c', '.d'], []],
    [{ exclude: ['*.tmp'] }, ['a', 'a.tmpx'], ['a.tmp', 'b/a.tmp', '.tmp']],
    [{ exclude: ['logs/**'] }, ['x/logs/a', 'logs.txt'], ['logs/a', 'logs/b/c', 'logs/.hidden']],
    [{ exclude: ['logs/'] }, ['logs.txt'], ['logs/a', 'x/logs/a']],
    [{ exclude: ['/logs'] }, ['x/logs/a'], ['logs/a']],
    [{ include: ['*.csv'] }, ['a.csv', 'b/c.csv'], ['a.txt', 'csv']],
    [{ include: ['data'] }, ['data/a', 'x/data/b/c'], ['database/a']],
    [{ include: ['*.csv'], exclude: ['old/**'] }, ['a.csv'], ['old/a.csv', 'a.txt']],
    [{ include: ['**/*.csv'] }, ['a.csv', 'b/c.csv'], ['a.txt']],
    [{ include: ['img-[0-9]?.{png,jpg}'] }, ['img-01.png', 'x/img-9a.jpg'], ['img-a1.png', 'img-01.gif']],
    [{ exclude: ['!a'] }, ['a', 'b'], ['!a']],
  ];
  test.each(cases)('%j', (patterns, taken, left) => {
    const filter = treeFilter(patterns);
    expect([...taken, ...left].filter((path) => filter.takes(path))).toEqual(taken);
  });
});
