/** What a rewrap is made of: whom an object shall be for, what is done already, and whether a store keeps its word. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SealdropError } from '../../src/errors.js';
import type { ByteSource, ObjectStore, ObjectVersion, PutOptions } from '../../src/ports.js';
import { MemoryStore } from '../../src/store/memory.js';
import { DoneFile } from '../../src/transfer/rewrap/done-file.js';
import { assertKeepsConditions } from '../../src/transfer/rewrap/keeps-conditions.js';
import {
  assertNoneRetired,
  wantedKeys,
  type KnownKey,
  type RewrapMode,
} from '../../src/transfer/rewrap/recipients.js';
import { removeOlderVersions } from '../../src/transfer/rewrap/versions.js';
import { Peekable } from '../../src/transfer/rewrap/opening.js';
import { chunked, drain, pattern } from '../helpers/bytes.js';

const key = (name: string, print = name): KnownKey => ({ namespace: 'n', name, fingerprint: print });
const [A, B, C] = [key('a'), key('b'), key('c')];
/** Two bare keys, which have one name. */
const [OLD, NEW] = [key('bare', 'old'), key('bare', 'new')];

describe('whom an object shall be for', () => {
  const wanted = (
    mode: RewrapMode,
    has: readonly KnownKey[],
    to: readonly KnownKey[],
    { known = [] as readonly KnownKey[], claimed = has.map(({ fingerprint }) => fingerprint) } = {},
  ) => {
    const wrappedKeys = has.map(({ namespace, name }) => ({ namespace, name, bytes: 256 }));
    const { keys, already } = wantedKeys({ wrappedKeys }, { fingerprints: claimed }, { mode, to, known });
    return [keys.map(({ fingerprint }) => fingerprint), already];
  };

  test.each<[RewrapMode, KnownKey[], KnownKey[], string[], boolean]>([
    ['set', [A], [B], ['b'], false],
    ['set', [A], [A], ['a'], true],
    ['set', [A, B], [A], ['a'], false],
    ['set', [A], [A, B], ['a', 'b'], false],
    ['set', [A, B], [B, A], ['b', 'a'], true],
    ['set', [A, A], [A], ['a'], false],
    ['set', [OLD], [NEW], ['new'], false],
    ['set', [NEW], [NEW], ['new'], true],
    ['add', [A], [B], ['a', 'b'], false],
    ['add', [A, B], [B], ['a', 'b'], true],
    ['remove', [A, B, C], [B], ['a', 'c'], false],
    ['remove', [A, NEW], [A], ['new'], false],
    ['remove', [A, B], [{ ...B, name: 'bare' }], ['a'], false],
    ['add', [A, B], [{ ...B, name: 'bare' }], ['a', 'b'], true],
  ])('%s: from %j by %j', (mode, has, to, keys, already) => {
    expect(wanted(mode, has, to, { known: [A, B, C, NEW] })).toEqual([keys, already]);
  });

  test('a header alone does not say that it is done: any bare key may have the name', () => {
    expect(wanted('set', [OLD], [NEW], { claimed: [] })).toEqual([['new'], false]);
    expect(wanted('set', [A], [A], { claimed: [] })).toEqual([['a'], false]);
  });

  test('one that stays is found by its name, where the metadata are lost', () => {
    expect(wanted('add', [A], [B], { known: [A], claimed: [] })).toEqual([['a', 'b'], false]);
  });

  test.each<[string, RewrapMode, KnownKey[], KnownKey[], KnownKey[]]>([
    ['no key given is that one', 'add', [A], [B], []],
    ['no key given is that one', 'remove', [A, B], [B], []],
    ['no key given is that one', 'add', [OLD], [NEW], []],
    ['no key given is that one', 'add', [OLD], [NEW], [B]],
    ['may be any of 2 keys given', 'add', [OLD], [B], [OLD, NEW]],
    ['may be any of 2 keys given', 'remove', [OLD, B], [NEW, B], [OLD]],
    ['it names 2 times', 'add', [OLD, NEW], [B], [OLD]],
    ['may be any of 2 keys given', 'remove', [OLD, NEW], [OLD], [NEW]],
  ])('%s: one that stays is named (%s from %j by %j, known %j)', (said, mode, has, to, known) => {
    const message = expect.stringMatching(new RegExp(`n/${has[0]!.name}.*${said}`));
    // Whatever the metadata say.
    for (const claimed of [[], ['old'], ['new'], has.map(({ fingerprint }) => fingerprint)])
      expect(() => wanted(mode, has, to, { known, claimed })).toThrow(
        expect.objectContaining({ code: 'key_required', message }),
      );
  });

  test('one that is retired is known, may be taken away, and is not wrapped to again', () => {
    const retired = { ...A, retired: true };
    const of = (mode: RewrapMode, to: readonly KnownKey[], known: readonly KnownKey[]) => {
      const wrappedKeys = [A, B].map(({ namespace, name }) => ({ namespace, name, bytes: 256 }));
      return wantedKeys({ wrappedKeys }, { fingerprints: ['a', 'b'] }, { mode, to, known }).keys;
    };
    const removed = of('remove', [retired], [retired, B]);
    expect(removed).toEqual([B]);
    expect(() => assertNoneRetired(removed)).not.toThrow();
    for (const keys of [of('add', [C], [retired, B]), of('remove', [B], [retired, B])])
      expect(() => assertNoneRetired(keys)).toThrow(
        expect.objectContaining({
          code: 'key_required',
          message: expect.stringContaining('n/a, which is retired'),
          hint: expect.stringContaining('--remove'),
        }),
      );
    // Who names it as an active key besides wants it so.
    expect(() => assertNoneRetired(of('add', [C], [retired, A, B]))).not.toThrow();
  });

  test('metadata choose nobody', () => {
    for (const claimed of [[], ['b'], ['c', 'b'], ['old']])
      expect(wanted('add', [A, OLD], [B], { known: [A, OLD, C], claimed })[0]).toEqual(['a', 'old', 'b']);
  });

  test.each<[KnownKey[], KnownKey[]]>([
    [[A, C], [B]],
    [
      [A, B, C],
      [B, NEW],
    ],
    [[A, B], [NEW]],
  ])('from %j one that is no recipient is not removed, and that is said: %j', (has, to) => {
    const message = expect.stringContaining('is no recipient of the object');
    expect(() => wanted('remove', has, to, { known: [A, B, C, OLD] })).toThrow(
      expect.objectContaining({ code: 'usage', message }),
    );
  });

  test('nobody is left', () => {
    expect(() => wanted('remove', [A, B], [A, B])).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('the notes of what is done', () => {
  const asked = { store: 's3://b/', mode: 'set', to: ['f2', 'f1'] };
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealdrop-done-'));
    path = join(folder, 'done');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('are gone on with, for the very objects', async () => {
    const first = await DoneFile.open(path, asked);
    await Promise.all([first.add('a', '1'), first.add('b\n"', '2')]);
    await first.add('a', '3');
    await first.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const second = await DoneFile.open(path, { ...asked, to: ['f1', 'f2'] });
    expect([
      second.has('a', '1'),
      second.has('a', '3'),
      second.has('b\n"', '2'),
      second.has('c', ''),
    ]).toEqual([false, true, true, false]);
    await second.close();
  });

  test.each([
    ['of other keys', { to: ['f1'] }],
    ['of another store', { store: 's3://c/' }],
    ['of another kind', { mode: 'add' }],
  ])('%s are refused, and stay as they are', async (_, other) => {
    await (await DoneFile.open(path, asked)).close();
    const before = readFileSync(path);
    await expect(DoneFile.open(path, { ...asked, ...other })).rejects.toMatchObject({ code: 'usage' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('that end within a line are gone on with on the next', async () => {
    const first = await DoneFile.open(path, asked);
    await first.add('a', '1');
    await first.add('b', '2');
    await first.close();
    writeFileSync(path, readFileSync(path).subarray(0, -5));
    const second = await DoneFile.open(path, asked);
    expect([second.has('a', '1'), second.has('b', '2')]).toEqual([true, false]);
    await second.add('b', '2');
    await second.close();
    const third = await DoneFile.open(path, asked);
    expect(third.has('b', '2')).toBe(true);
    await third.close();
  });

  test('some other file is none, nor is a folder', async () => {
    writeFileSync(path, 'dear diary');
    await expect(DoneFile.open(path, asked)).rejects.toMatchObject({ code: 'usage' });
    expect(readFileSync(path, 'utf8')).toBe('dear diary');
    await expect(DoneFile.open(folder, asked)).rejects.toBeInstanceOf(SealdropError);
  });
});

describe('a store that shall keep conditions', () => {
  /** As an S3 store, in memory, that keeps them or not. */
  function s3(keeps: 'always' | 'of what is there' | 'never' | 'says no') {
    const store = new MemoryStore();
    const removed: string[] = [];
    const put = async (at: string, source: ByteSource, options: PutOptions = {}) => {
      const there = await store.head(at).then(
        () => true,
        () => false,
      );
      if (keeps === 'says no' && options.guarded === true)
        throw new SealdropError('condition_not_kept', 'no');
      const kept = keeps === 'always' || (keeps === 'of what is there' && there);
      const { condition: _, ...rest } = options;
      return store.put(at, source, kept ? options : rest);
    };
    const remove = async (at: string) => {
      removed.push(at);
      await store.remove(at);
    };
    const address = (at: string) => `s3://b/${at}`;
    const s3Store = {
      kind: 's3',
      put,
      remove,
      address,
      list: store.list.bind(store),
    } as unknown as ObjectStore;
    return { store: s3Store, removed, memory: store };
  }
  const keysOf = async (store: MemoryStore) => {
    const keys = [];
    for await (const { key: name } of store.list('')) keys.push(name);
    return keys;
  };

  test.each(['always', 'of what is there'] as const)('%s: passes, and nothing stays there', async (keeps) => {
    const { store, removed, memory } = s3(keeps);
    await assertKeepsConditions(store, 'x/');
    expect(await keysOf(memory)).toEqual([]);
    expect(removed).toHaveLength(keeps === 'always' ? 0 : 1);
    for (const name of removed) expect(name).toMatch(/^x\/sealdrop-probe-[0-9a-f]{16}$/);
  });

  test.each(['never', 'says no'] as const)('%s: is refused, and nothing stays there', async (keeps) => {
    const { store, memory } = s3(keeps);
    await expect(assertKeepsConditions(store, '')).rejects.toMatchObject({
      code: 'condition_not_kept',
      hint: expect.stringContaining('--unconditional'),
    });
    expect(await keysOf(memory)).toEqual([]);
  });
});

describe('older versions', () => {
  const current = { etag: 'e', version: 'v3' };
  const version = (id: string, more: Partial<ObjectVersion> = {}): ObjectVersion => ({
    ...{ key: 'k', version: id, etag: 'e', latest: false, marker: false },
    ...more,
  });
  const storeWith = (versions: ObjectVersion[], stuck: string[] = []) => {
    const removed: string[] = [];
    const keeping = {
      async *list() {
        yield* versions;
      },
      async remove({ version: id }: ObjectVersion) {
        if (stuck.includes(id)) throw new SealdropError('access_denied', 'locked');
        removed.push(id);
      },
    };
    return { removed, store: { versions: keeping, address: (k: string) => k } as unknown as ObjectStore };
  };

  test('what is locked stays, and is told of; the rest goes', async () => {
    const { store, removed } = storeWith(
      [version('v3', { latest: true }), version('v2'), version('v1'), version('v0', { marker: true })],
      ['v1'],
    );
    expect(await removeOlderVersions(store, 'k', current)).toMatchObject({
      ...{ removed: 2, left: 1 },
      error: { code: 'access_denied' },
    });
    expect(removed).toEqual(['v2', 'v0']);
  });

  test.each<[string, ObjectVersion[]]>([
    ['another is the latest', [version('v4', { latest: true }), version('v3')]],
    ['another of the same bytes is', [version('v4', { latest: true, etag: 'e' }), version('v3')]],
    ['it was written over', [version('v3', { latest: true, etag: 'other' }), version('v2')]],
    ['it was removed', [version('v4', { latest: true, marker: true, etag: '' }), version('v3')]],
    ['two say that they are the latest', [version('v3', { latest: true }), version('v4', { latest: true })]],
    ['none says so', [version('v3'), version('v2')]],
  ])('nothing is removed where %s', async (_, versions) => {
    const { store, removed } = storeWith(versions);
    await expect(removeOlderVersions(store, 'k', current)).rejects.toMatchObject({ code: 'source_changed' });
    expect(removed).toEqual([]);
  });

  test('a store without them has none', async () => {
    expect(await removeOlderVersions(new MemoryStore(), 'k', current)).toEqual({ removed: 0, left: 0 });
  });
});

describe('a message that is looked at before it is read', () => {
  const bytes = pattern(1000);
  /** One buffer for all pieces. */
  async function* reusing() {
    const scratch = Buffer.alloc(64);
    for await (const piece of chunked(bytes, 64)) {
      scratch.set(piece);
      yield scratch.subarray(0, piece.length);
    }
  }
  test.each([0, 1, 3, 99])('%d pieces seen before: all of it comes', async (pieces) => {
    const message = new Peekable(reusing());
    const beginning = message.beginning[Symbol.asyncIterator]();
    for (let i = 0; i < pieces; i++) await beginning.next();
    await beginning.return?.();
    const { released } = await drain(message.whole());
    expect(released.equals(bytes)).toBe(true);
  });
});
