/** A vault against the list of what was stored in it. */
import { expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { MemoryStore } from '../../src/store/memory.js';
import { checkManifest } from '../../src/transfer/check-manifest.js';
import type { ManifestEntry } from '../../src/transfer/manifest.js';
import { chunked } from '../helpers/bytes.js';

const store = new MemoryStore();
const put = async (key: string, text: string) => store.put(key, chunked(Buffer.from(text), 3));
const entryOf = (key: string, text: string): [string, ManifestEntry] => [
  key,
  { key, size: text.length, sha256: createHash('sha256').update(text).digest('hex') },
];

async function findings(prefix = '', more: object = {}) {
  const entries = new Map([
    entryOf('a/kept', 'message one'),
    entryOf('a/older', 'message two'),
    entryOf('a/shorter', 'message three'),
    entryOf('a/gone', 'x'),
    entryOf('b/kept', 'y'),
  ]);
  const found: Record<string, string> = {};
  for await (const { key, finding } of checkManifest({ store, prefix, entries, width: 2, ...more }))
    found[key] = finding;
  return found;
}

test('finds what was deleted, replaced by bytes of the same or another size, and what nobody listed', async () => {
  await put('a/kept', 'message one');
  await put('a/older', 'message 2nd');
  await put('a/shorter', 'message');
  await put('a/new', 'z');
  await put('b/kept', 'y');
  let read = 0;
  expect(await findings('', { onProgress: (bytes: number) => (read = bytes) })).toEqual({
    'a/kept': 'as_stored',
    'a/older': 'replaced',
    'a/shorter': 'replaced',
    'a/gone': 'missing',
    'b/kept': 'as_stored',
    'a/new': 'unlisted',
  });
  expect(read).toBe('message one'.length + 'message 2nd'.length + 1);
  expect(Object.keys(await findings('b/'))).toEqual(['b/kept']);
});

test('a store that fails is no finding about an object', async () => {
  class Broken extends MemoryStore {
    override async get(): Promise<never> {
      throw new Error('away');
    }
  }
  const broken = new Broken();
  expect(new Set(Object.values(await findings('b/', { store: broken })))).toEqual(new Set(['failed']));
});
