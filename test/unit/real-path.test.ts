/** Where paths lead that are links, or of what isn't there yet. */
import { afterAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isWithin, placesOf, realTarget } from '../../src/real-path.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sealdrop-real-')));
const at = (path: string) => join(root, path);
afterAll(() => rmSync(root, { recursive: true }));

mkdirSync(at('folder'));
writeFileSync(at('folder/file'), '');
const LINKS: Record<string, string> = {
  'to-file': 'folder/file',
  'to-folder': at('folder'),
  dangling: 'folder/later',
  'folder/up': '../later/file',
  chain: 'to-folder/up',
  loop: 'loop',
  'loop-a': 'loop-b/x',
  'loop-b': 'loop-a/y',
};
for (const [path, target] of Object.entries(LINKS)) symlinkSync(target, at(path));

test.each([
  ['folder/file', 'folder/file'],
  ['to-file', 'folder/file'],
  ['none/at/all', 'none/at/all'],
  ['to-folder/none', 'folder/none'],
  ['dangling', 'folder/later'],
  ['dangling/below', 'folder/later/below'],
  ['chain', 'later/file'],
  ['to-folder/up', 'later/file'],
])('%s leads to %s', async (path, target) => {
  expect(await realTarget(at(path))).toBe(at(target));
});

test('every link on the way is a place of what it leads to', async () => {
  expect(await placesOf(at('chain'))).toEqual(['chain', 'folder/up', 'later/file'].map(at));
});

test('links that lead to each other have an end', async () => {
  for (const path of ['loop', 'loop/below', 'loop-a', 'loop-b/z/z'])
    expect(await isWithin(at(path), root)).toBe(true);
});
