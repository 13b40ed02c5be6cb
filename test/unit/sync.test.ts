/** What a sync does with each path, and what keeps a tree from being wiped. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealdropError } from '../../src/errors.js';
import { readIndex, type Known } from '../../src/transfer/sync/index-file.js';
import {
  sync,
  type DeletionLimit,
  type Direction,
  type Entry,
  type SyncEvent,
  type SyncJob,
} from '../../src/transfer/sync/sync.js';

let folder: string;
let index: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealdrop-sync-'));
  index = join(folder, 'index');
});
afterEach(async () => rm(folder, { recursive: true }));

/** Two sides of names and contents. */
class Sides implements Direction<Entry, Entry> {
  readonly log: string[] = [];
  readonly strays: SyncEvent[] = [];
  readonly broken = new Set<string>();
  links = new Set<string>();
  unreadable = new Set<string>();

  constructor(
    readonly source: Record<string, string>,
    readonly target: Record<string, string>,
  ) {}

  from() {
    return this.#list(this.source, this.links);
  }

  to() {
    return this.#list(this.target, new Set());
  }

  async *#list(side: Record<string, string>, links: Set<string>): AsyncGenerator<Entry> {
    for (const path of [...Object.keys(side), ...links].sort()) {
      if (side === this.source && this.unreadable.has(path))
        this.strays.push({ path, outcome: 'failed', error: new Error('EACCES') });
      else yield { path, regular: !links.has(path) };
    }
  }

  async same({ path }: Entry, _: Entry, known: Known | undefined): Promise<Known | undefined> {
    const content = this.source[path]!;
    if (known?.etag !== content) this.log.push(`head ${path}`);
    return content === this.target[path] ? this.#known(path) : undefined;
  }

  bytes({ path }: Entry) {
    return this.source[path]!.length;
  }

  async transfer({ path }: Entry) {
    await sleep(1);
    if (this.broken.has(path)) throw new SealdropError('store_unavailable', 'no');
    this.log.push(`transfer ${path}`);
    this.target[path] = this.source[path]!;
    return { ...this.#known(path), bytes: this.source[path]!.length };
  }

  async remove({ path }: Entry) {
    if (this.broken.has(path)) throw new SealdropError('store_unavailable', 'no');
    this.log.push(`remove ${path}`);
    delete this.target[path];
  }

  #known(path: string): Known {
    return { path, etag: this.source[path]!, size: 1, mtime: '1', ctime: '1' };
  }
}

const ALL: DeletionLimit = { share: 1 };
const run = async (direction: Sides, more: Partial<SyncJob<Entry, Entry>> = {}) => {
  const job = { direction, index, width: 3, signal: new AbortController().signal, ...more };
  const events: SyncEvent[] = [];
  for await (const event of sync(job)) events.push(event);
  return Object.fromEntries(events.map(({ path, outcome }) => [path, outcome]));
};
const indexed = async () => {
  const paths = [];
  for await (const { path } of readIndex(index)) paths.push(path);
  return paths;
};

test('what is missing or another is transferred, the rest left alone', async () => {
  const sides = new Sides({ a: '1', b: '2', c: '3' }, { b: '2', c: 'old', d: 'theirs' });
  expect(await run(sides)).toEqual({ a: 'transferred', b: 'unchanged', c: 'transferred' });
  expect(sides.target).toEqual({ a: '1', b: '2', c: '3', d: 'theirs' });
  expect(await indexed()).toEqual(['a', 'b', 'c']);
  sides.log.length = 0;
  expect(await run(sides)).toEqual({ a: 'unchanged', b: 'unchanged', c: 'unchanged' });
  // The index told.
  expect(sides.log).toEqual([]);
});

test('a dry run does nothing and says all', async () => {
  const sides = new Sides({ a: '1', b: '2' }, { b: '2', d: 'x' });
  const said = await run(sides, { dryRun: true, deletion: ALL });
  expect(said).toEqual({ a: 'would_transfer', b: 'unchanged', d: 'would_remove' });
  expect(sides.target).toEqual({ b: '2', d: 'x' });
  expect(await indexed()).toEqual([]);
});

test('what fails does not stop the rest, is forgotten, and nothing is removed then', async () => {
  const sides = new Sides({ a: '1', b: '2', c: '3' }, { d: 'x' });
  sides.broken.add('b');
  expect(await run(sides, { deletion: ALL })).toEqual({
    a: 'transferred',
    b: 'failed',
    c: 'transferred',
  });
  expect(sides.target).toHaveProperty('d');
  expect(await indexed()).toEqual(['a', 'c']);
});

test('what cannot be read at the source is a failure, and not gone', async () => {
  const sides = new Sides({ a: '1', b: '2' }, { a: '1', b: '2', c: 'x' });
  sides.unreadable.add('b');
  expect(await run(sides, { deletion: ALL })).toEqual({ a: 'unchanged', b: 'failed' });
  expect(sides.target).toHaveProperty('b');
  expect(sides.target).toHaveProperty('c');
});

test('a link in the place of a file does not remove what was stored of it', async () => {
  const sides = new Sides({ a: '1' }, { a: '1', b: 'of before' });
  sides.links.add('b');
  expect(await run(sides, { deletion: ALL })).toEqual({ a: 'unchanged', b: 'left' });
  expect(sides.target).toHaveProperty('b');
});

test('a link in the place of a folder does not remove what was in it', async () => {
  const sides = new Sides({ a: '1' }, { a: '1', 'b/c': 'x', 'b/d/e': 'y', 'b-c': 'z' });
  sides.links.add('b');
  sides.links.add('b-');
  expect(await run(sides, { deletion: ALL })).toMatchObject({ 'b-c': 'removed' });
  expect(Object.keys(sides.target).sort()).toEqual(['a', 'b/c', 'b/d/e']);
});

test('what failed stays known as it was: the next time it is not taken for new', async () => {
  const sides = new Sides({ a: '1' }, {});
  await run(sides);
  sides.source.a = '2';
  sides.broken.add('a');
  expect(await run(sides)).toEqual({ a: 'failed' });
  expect(await indexed()).toEqual(['a']);
});

test('what was stored before a listing broke off is told', async () => {
  class Broken extends Sides {
    override async *from(): AsyncGenerator<Entry> {
      for (const path of ['a', 'b']) yield { path, regular: true };
      throw new SealdropError('store_unavailable', 'broken off');
    }
  }
  const events: SyncEvent[] = [];
  const job = {
    direction: new Broken({ a: '1', b: '2' }, {}),
    width: 8,
    signal: new AbortController().signal,
  };
  const all = async () => {
    for await (const event of sync(job)) events.push(event);
  };
  await expect(all()).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(events.map(({ outcome }) => outcome)).toEqual(['transferred', 'transferred']);
});

describe('removal', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${String(i).padStart(3, '0')}`, 'x']));

  test('takes what is not at the source and nothing else, when it is asked for', async () => {
    const source = many(20);
    const sides = new Sides(source, { ...source, gone: 'x', 'f000/below': 'y' });
    expect(Object.values(await run(sides)).includes('removed')).toBe(false);
    const said = await run(sides, { deletion: { share: 0.1 } });
    expect(Object.keys(said).filter((path) => said[path] === 'removed')).toEqual(['f000/below', 'gone']);
    expect(sides.target).toEqual(source);
    expect(await indexed()).toEqual(Object.keys(source));
  });

  test.each<[string, DeletionLimit, number]>([
    ['a tenth', { share: 0.1 }, 3],
    ['a number', { count: 2 }, 3],
    ['none at all', { count: 0 }, 1],
  ])('of more than %s is refused as a whole, before anything is stored', async (_, deletion, surplus) => {
    const source = many(20);
    const gone = Object.fromEntries(Array.from({ length: surplus }, (_, i) => [`gone${i}`, 'x']));
    const sides = new Sides({ ...source, new: 'n' }, { ...source, ...gone });
    await expect(run(sides, { deletion })).rejects.toMatchObject({ code: 'too_many_deletions' });
    expect(sides.target).toEqual({ ...source, ...gone });
    expect(sides.log).toEqual([]);
  });

  test('is refused where the source is empty, whatever is allowed', async () => {
    const sides = new Sides({}, { a: '1' });
    await expect(run(sides, { deletion: ALL })).rejects.toMatchObject({
      code: 'too_many_deletions',
      message: expect.stringContaining('empty'),
    });
    expect(sides.target).toEqual({ a: '1' });
    expect(await run(new Sides({}, {}), { deletion: ALL })).toEqual({});
  });

  test('that fails for one goes on with the others', async () => {
    const sides = new Sides({ a: '1' }, { a: '1', b: 'x', c: 'y' });
    sides.broken.add('b');
    expect(await run(sides, { deletion: ALL })).toEqual({ a: 'unchanged', b: 'failed', c: 'removed' });
  });

  test('never follows a listing that breaks off, or is out of order', async () => {
    class Broken extends Sides {
      override async *from(): AsyncGenerator<Entry> {
        yield { path: 'a', regular: true };
        throw new SealdropError('store_unavailable', 'broken off');
      }
    }
    class Shuffled extends Sides {
      override async *from(): AsyncGenerator<Entry> {
        for (const path of ['b', 'a']) yield { path, regular: true };
      }
    }
    for (const [kind, code] of [
      [Broken, 'store_unavailable'],
      [Shuffled, 'store_refused'],
    ] as const) {
      const sides = new kind({ a: '1', b: '2' }, { a: '1', b: '2', z: 'x' });
      await expect(run(sides, { deletion: ALL })).rejects.toMatchObject({ code });
      expect(sides.target).toHaveProperty('z');
    }
  });
});

test('interrupted: what was not come to is remembered as before', async () => {
  const source = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((path) => [path, 'x']));
  const sides = new Sides(source, {});
  await run(sides);
  source.b = 'new';
  const controller = new AbortController();
  sides.transfer = async () => {
    controller.abort(new SealdropError('interrupted', 'interrupted'));
    throw controller.signal.reason;
  };
  await expect(run(sides, { signal: controller.signal, width: 1 })).rejects.toMatchObject({
    code: 'interrupted',
  });
  expect(await indexed()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});

test('an index that cannot be written is said, and the sync is done', async () => {
  const sides = new Sides({ a: '1' }, {});
  let lost: unknown;
  const onIndexLost = (error: unknown) => (lost = error);
  const transfer = sides.transfer.bind(sides);
  sides.transfer = async (entry) => {
    await rm(folder, { recursive: true });
    return transfer(entry);
  };
  expect(await run(sides, { onIndexLost })).toEqual({ a: 'transferred' });
  expect(lost).toMatchObject({ code: 'target_unwritable' });
  folder = await mkdtemp(join(tmpdir(), 'sealdrop-sync-'));
});

describe('an index that cannot be used', () => {
  const sides = () => new Sides({ a: '1', b: '2' }, {});
  const DAMAGES: [string, () => Promise<unknown>][] = [
    ['damaged', () => writeFile(index, '{ half a line')],
    ['no file', () => mkdir(index)],
    [
      'below no folder',
      async () => {
        await writeFile(join(folder, 'file'), '');
        index = join(folder, 'file/index');
      },
    ],
  ];

  test.each(DAMAGES)('%s, at a place that nobody named: said, and done without', async (what, damage) => {
    await damage();
    const said: unknown[] = [];
    const more = { mayLoseIndex: true, onIndexLost: (error: unknown) => said.push(error) };
    expect(await run(sides(), more)).toEqual({ a: 'transferred', b: 'transferred' });
    expect(said).toEqual([expect.objectContaining({ code: expect.stringMatching(/^target_/) })]);
    // What was damaged is made anew.
    if (what === 'damaged') expect(await indexed()).toEqual(['a', 'b']);
    expect(await run(sides(), { ...more, dryRun: true })).toEqual({
      a: 'would_transfer',
      b: 'would_transfer',
    });
  });

  test.each(DAMAGES)('%s, at the place that a user named: nothing is done', async (what, damage) => {
    await damage();
    const both = sides();
    await expect(run(both)).rejects.toMatchObject({ code: expect.stringMatching(/^target_/) });
    expect(both.log).toEqual([]);
    if (what === 'damaged') expect(await readFile(index, 'utf8')).toBe('{ half a line');
  });
});
