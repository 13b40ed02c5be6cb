/** The list of what was stored: added to, read, and not mistaken for another file. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManifestWriter, readManifest, type ManifestEntry } from '../../src/transfer/manifest.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealdrop-manifest-'));
  path = join(folder, 'manifest.jsonl');
});
afterEach(async () => rm(folder, { recursive: true }));

const entry = (key: string, fill = 'a'): ManifestEntry => ({ key, size: 7, sha256: fill.repeat(64) });
async function add(...entries: ManifestEntry[]): Promise<void> {
  const writer = await ManifestWriter.open(path);
  for (const each of entries) await writer.add(each);
  await writer.close();
}

test('is added to; of several entries for a key the last counts', async () => {
  await add(entry('a'), entry('b\n"\u2028日本'));
  await add(entry('a', 'f'));
  const read = await readManifest(path);
  expect([...read.values()]).toEqual([entry('a', 'f'), entry('b\n"\u2028日本')]);
});

test('that ends in a torn line is read without it, and goes on behind what is whole', async () => {
  await add(entry('a'));
  await appendFile(path, '{"key":"b","si');
  expect([...(await readManifest(path)).keys()]).toEqual(['a']);
  await add(entry('c'));
  expect([...(await readManifest(path)).keys()]).toEqual(['a', 'c']);
});

test('two at the same time lose nothing of each other', async () => {
  const writers = await Promise.all([ManifestWriter.open(path), ManifestWriter.open(path)]);
  const adding = writers.map(async (writer, i) => {
    for (let n = 0; n < 50; n++) {
      await writer.add(entry(`${i}/${n}`));
      // Somebody else begins meanwhile.
      if (n % 10 === 0) await (await ManifestWriter.open(path)).close();
    }
  });
  await Promise.all(adding);
  for (const writer of writers) await writer.close();
  expect((await readManifest(path)).size).toBe(100);
});

test('another file is not taken for one, nor written to', async () => {
  for (const text of [
    'a,b\n1,2\n',
    '{"key":"a"}\n{}\n',
    `${JSON.stringify(entry('a'))}\nx\n${JSON.stringify(entry('b'))}\n`,
  ]) {
    await writeFile(path, text);
    await expect(ManifestWriter.open(path)).rejects.toMatchObject({ code: 'usage' });
    expect(await readFile(path, 'utf8')).toBe(text);
  }
});

test('one that is not there, or cannot be written', async () => {
  await expect(readManifest(path)).rejects.toMatchObject({ code: 'source_not_found' });
  await expect(ManifestWriter.open(join(folder, 'none', 'm'))).rejects.toMatchObject({
    code: 'target_unwritable',
  });
});
