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
  const { entries } = await readManifest(path);
  expect([...entries.values()]).toEqual([entry('a', 'f'), entry('b\n"\u2028日本')]);
});

test('that ends in a torn line is read without it, and goes on behind what is whole', async () => {
  for (const torn of ['{"key":"b","si', '{"k', JSON.stringify(entry('b')).slice(0, -1)]) {
    await rm(path, { force: true });
    await add(entry('a'));
    await appendFile(path, torn);
    expect(await readManifest(path)).toMatchObject({ damaged: 0 });
    await add(entry('c'));
    await add(entry('d'));
    const { entries, damaged } = await readManifest(path);
    expect({ keys: [...entries.keys()], damaged }).toEqual({ keys: ['a', 'c', 'd'], damaged: 0 });
  }
});

test('a line that was damaged later is counted: what it named is missed', async () => {
  await add(entry('a'), entry('b'), entry('c'));
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  for (const damage of ['{"key":"b","si', '{"key":"b","size":7,"sha256":"0"}', '{"key":"'])
    for (const [text, count] of [
      [`${lines[0]}\n${damage}\n${lines[2]}\n`, 1],
      [`${damage}\n${damage}\n${lines[2]}\n`, 2],
      // Behind the last whole line, with its end: nothing that was torn.
      [`${lines[0]}\n${damage}\n`, 1],
    ] as const) {
      await writeFile(path, text);
      expect(await readManifest(path)).toMatchObject({ damaged: count });
      await add(entry('d'));
      expect(await readManifest(path)).toMatchObject({ damaged: count });
    }
});

test('knows what stands in it already, of this size', async () => {
  await add(entry('a'));
  await appendFile(path, '{"key":"b","si');
  const writer = await ManifestWriter.open(path);
  await writer.add(entry('c'));
  const has = (key: string, size = 7) => writer.has({ key, size });
  expect([has('a'), has('a', 8), has('b'), has('c')]).toEqual([true, false, false, true]);
  await writer.close();
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
  expect((await readManifest(path)).entries.size).toBe(100);
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
