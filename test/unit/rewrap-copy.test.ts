/** Copying and moving: the source goes only when the copy was found right, and only if it is the one that was read. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import type { ByteSource, ObjectStore, PutOptions } from '../../src/ports.js';
import { MemoryStore } from '../../src/store/memory.js';
import { put } from '../../src/transfer/put.js';
import { copy, type CopyJob } from '../../src/transfer/rewrap/copy.js';
import { streamSource } from '../../src/transfer/source.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';

const pair = rsaPair();
const encryptor = encryptorFor(pair, { frameLength: 512 });
const decryptor = decryptorFor(pair);
const bytes = pattern(5000);
let store: MemoryStore;
beforeEach(async () => {
  store = new MemoryStore();
  const source = streamSource(chunked(bytes, 999), bytes.length);
  await put({
    source,
    store,
    key: 'a',
    encryptor,
    context: { p: 'q' },
    sourceToken: 't.o.k',
    metadata: { x: 'y' },
  });
});

const job = (more: Partial<CopyJob> = {}): CopyJob => ({
  ...{ from: { store, key: 'a' }, to: { store, key: 'b' }, binding: 'required' },
  ...{ encryptor, decryptor, opener: decryptor, inspector: esdkInspector },
  ...more,
});
const read = async (key: string, at: ObjectStore = store) => collect((await at.get(key)).body);
const opened = async (key: string) => collect(decryptor.decrypt(chunked(await read(key), 777)));
const there = async (key: string) =>
  store.head(key).then(
    () => true,
    () => false,
  );

/** The store, but for some of its methods. */
const with_ = (methods: Partial<ObjectStore>): ObjectStore => {
  const bound = Object.fromEntries(
    (['head', 'get', 'put', 'remove', 'address', 'assertStorable'] as const).map((name) => [
      name,
      (store[name] as () => unknown).bind(store),
    ]),
  );
  return { ...bound, kind: 'memory', ...methods } as ObjectStore;
};

test('a copy is bound to its key, and keeps pairs and metadata but what was for the old key', async () => {
  await copy(job());
  expect((await opened('b')).equals(bytes)).toBe(true);
  const info = await esdkInspector.inspect(chunked(await read('b'), 99));
  expect({ ...info.context }).toEqual({ p: 'q', 'sealdrop:key': 'b' });
  const [{ metadata: old }, { metadata: now }] = [await store.head('a'), await store.head('b')];
  const { 'sealdrop-source': _, ...kept } = old!;
  expect(now).toEqual({ ...kept, 'sealdrop-upload': expect.any(String) });
});

test('a move removes the source', async () => {
  await copy(job({ move: true }));
  expect([await there('a'), await there('b')]).toEqual([false, true]);
});

describe('the source stays', () => {
  test('where somebody has replaced it meanwhile', async () => {
    const to = with_({
      put: async (key, source, options) => {
        const result = await store.put(key, source, options);
        await store.put('a', chunked(Buffer.from('theirs'), 9));
        return result;
      },
    });
    const moving = copy(job({ move: true, to: { store: to, key: 'b' } }));
    await expect(moving).rejects.toMatchObject({ code: 'source_changed' });
    expect((await read('a')).toString()).toBe('theirs');
    expect((await opened('b')).equals(bytes)).toBe(true);
  });

  test('where both addresses are of one object', async () => {
    const alias = with_({
      put: async (_key, source, options) => store.put('a', source, options),
      get: async (_key, options) => store.get('a', options),
    });
    await expect(copy(job({ move: true, to: { store: alias, key: 'A' } }))).rejects.toMatchObject({
      code: 'source_changed',
    });
    expect((await opened('a')).equals(bytes)).toBe(true);
  });

  test('where the store keeps something else than what was sent', async () => {
    const lying = with_({
      put: async (key: string, source: ByteSource, options?: PutOptions) => {
        const sent = await collect(source);
        sent[sent.length - 1]! ^= 1;
        return store.put(key, chunked(sent, 999), options);
      },
    });
    await expect(copy(job({ move: true, to: { store: lying, key: 'b' } }))).rejects.toMatchObject({
      code: 'upload_corrupted',
    });
    expect((await opened('a')).equals(bytes)).toBe(true);
  });

  test('where it is damaged, and no copy of it comes to be', async () => {
    const damaged = await read('a');
    damaged[damaged.length - 1]! ^= 1;
    await store.put('a', chunked(damaged, 999));
    await expect(copy(job({ move: true }))).rejects.toMatchObject({ code: 'frame_auth' });
    expect([await there('a'), await there('b')]).toEqual([true, false]);
  });

  test('where something is at the target that may not be replaced', async () => {
    await store.put('b', chunked(Buffer.from('theirs'), 9));
    await expect(copy(job({ move: true, overwrite: false }))).rejects.toMatchObject({
      code: 'target_exists',
    });
    expect((await read('b')).toString()).toBe('theirs');
    expect(await there('a')).toBe(true);
  });

  test('where it cannot be removed, and that is said with the copy', async () => {
    const from = with_({ remove: async () => Promise.reject(new Error('no')) });
    await expect(copy(job({ move: true, from: { store: from, key: 'a' } }))).rejects.toThrow('no');
    expect([await there('a'), await there('b')]).toEqual([true, true]);
  });
});
