/** What a sync is made of: listings side by side, work in order, and the index. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inOrder } from '../../src/transfer/sync/in-order.js';
import { IndexWriter, readIndex, type Known } from '../../src/transfer/sync/index-file.js';
import { compareKeys, joined } from '../../src/transfer/sync/join.js';

async function* listing(...paths: string[]) {
  for (const path of paths) yield { path };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('listings side by side', () => {
  const sides = (a: string[], b: string[]) => joined({ a: listing(...a), b: listing(...b) });

  test('what has one path comes together, in order', async () => {
    const found = await all(sides(['a', 'b', 'd'], ['b', 'c', 'd']));
    expect(found.map(({ path, a, b }) => [path, a !== undefined, b !== undefined])).toEqual([
      ['a', true, false],
      ['b', true, true],
      ['c', false, true],
      ['d', true, true],
    ]);
  });

  test('none at all, or only one side', async () => {
    expect(await all(sides([], []))).toEqual([]);
    expect(await all(sides([], ['x']))).toEqual([{ path: 'x', b: { path: 'x' } }]);
  });

  test('the order is that of UTF-8 bytes, which JavaScript’s is not', async () => {
    const [low, high] = ['\uff5e', '\u{1f5dd}'];
    expect(high < low).toBe(true);
    expect(compareKeys(low, high)).toBeLessThan(0);
    expect((await all(sides([low, high], [low, high]))).map(({ path }) => path)).toEqual([low, high]);
  });

  test.each([
    ['out of order', ['b', 'a']],
    ['with a repeat', ['a', 'a']],
  ])('a listing %s is refused: nobody can say what is missing in it', async (_, paths) => {
    await expect(all(sides(['a'], paths))).rejects.toMatchObject({ code: 'store_refused' });
  });

  test('all are closed when one fails, or the reader goes', async () => {
    let closed = 0;
    async function* endless() {
      try {
        for (let i = 0; ; i++) yield { path: `a${String(i).padStart(6, '0')}` };
      } finally {
        closed++;
      }
    }
    async function* broken() {
      yield { path: 'a' };
      throw new Error('no');
    }
    await expect(all(joined({ a: endless(), b: broken() }))).rejects.toThrow('no');
    for await (const _ of joined({ a: endless(), b: endless() })) break;
    expect(closed).toBe(3);
  });
});

describe('work in order', () => {
  test('several at once, results in the order of the items', async () => {
    let running = 0;
    let most = 0;
    const act = async ({ path }: { path: string }) => {
      most = Math.max(most, ++running);
      await sleep(path === 'a' ? 30 : 1);
      running--;
      return path;
    };
    expect(await all(inOrder(listing('a', 'b', 'c', 'd', 'e'), 3, act))).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(most).toBe(3);
  });

  test('whoever stops early leaves nothing at work', async () => {
    let running = 0;
    const act = async () => {
      running++;
      await sleep(5);
      running--;
    };
    for await (const _ of inOrder(listing('a', 'b', 'c', 'd'), 2, act)) break;
    expect(running).toBe(0);
  });
});

describe('the index', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'sealdrop-index-'))));
  afterEach(async () => rm(folder, { recursive: true }));

  const known = (path: string, etag = 'e'): Known => ({ path, etag, size: 3, mtime: '1', ctime: '2' });
  const write = async (path: string, ...entries: Known[]) => {
    const writer = await IndexWriter.open(path);
    for (const entry of entries) await writer.add(entry);
    await writer.keep();
  };

  test('is read as it was written, whatever the names', async () => {
    const path = join(folder, 'deep/er/index');
    const entries = ['"q"', 'a\nb', 'a\u2028b', '\u{1f5dd}', '日本']
      .sort(compareKeys)
      .map((each) => known(each));
    await write(path, ...entries);
    expect(await all(readIndex(path))).toEqual(entries);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('that is lost holds nothing; of a damaged one what stands before the damage counts', async () => {
    const path = join(folder, 'index');
    expect(await all(readIndex(path))).toEqual([]);
    await write(path, known('a'), known('b'));
    const lines = await readFile(path, 'utf8');
    for (const damage of ['{', '["a"]', '["b","e","3","1","2"]', '["a","e",3,"1","2"]', '\0'])
      for (const [text, rest] of [
        [`${lines}${damage}\n${JSON.stringify(['z', 'e', 3, '1', '2'])}\n`, ['a', 'b']],
        [`${damage === '["a","e",3,"1","2"]' ? '{' : damage}\n${lines}`, []],
      ] as const) {
        await writeFile(path, text);
        expect((await all(readIndex(path))).map((entry) => entry.path)).toEqual(rest);
      }
  });

  test('stays as it was until the new one is kept', async () => {
    const path = join(folder, 'index');
    await write(path, known('a', 'old'));
    const writer = await IndexWriter.open(path);
    await writer.add(known('a', 'new'));
    expect(await all(readIndex(path))).toEqual([known('a', 'old')]);
    await writer.drop();
    expect(await all(readIndex(path))).toEqual([known('a', 'old')]);
    expect(await readdir(folder)).toEqual(['index']);
  });

  test('is written over no other file, nor through a link that somebody planted', async () => {
    const path = join(folder, 'thesis.txt');
    await writeFile(path, 'mine');
    await expect(IndexWriter.open(path)).rejects.toMatchObject({ code: 'target_exists' });
    expect(await readFile(path, 'utf8')).toBe('mine');
    const planted = join(folder, 'index');
    await symlink(path, `${planted}.${process.pid}.new`);
    await write(planted, known('a'));
    expect(await readFile(path, 'utf8')).toBe('mine');
  });

  test('that cannot be written is told with what to do', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(IndexWriter.open(join(folder, 'file/index'))).rejects.toMatchObject({
      code: 'target_unwritable',
      hint: expect.stringContaining('--index'),
    });
  });
});
