/** An object and its instruction file are written, replaced and removed so that they belong together. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createAnyDecryptor } from '../../src/envelope/any.js';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import { SealdropError } from '../../src/errors.js';
import type { ByteSource, Encryptor, ObjectStore, PutOptions, RemoveOptions } from '../../src/ports.js';
import { MemoryStore } from '../../src/store/memory.js';
import { get } from '../../src/transfer/get.js';
import { isInstructionFile, removeWithInstruction } from '../../src/transfer/instruction-file.js';
import { put } from '../../src/transfer/put.js';
import { streamSource } from '../../src/transfer/source.js';
import type { Target } from '../../src/transfer/target.js';
import { removeTree } from '../../src/transfer/tree/remove-tree.js';
import { chunked, collect } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor as esdkFor } from '../helpers/keys.js';
import { encryptorOf, softwareKeys } from '../helpers/s3ec-keys.js';

const keys = softwareKeys();
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const decryptor = createAnyDecryptor({
  esdk: async () => decryptorFor(rsa),
  s3ec: async () => createS3ecDecryptor({ keys: keys.unwrapping }),
});
const withFile = encryptorOf(keys.wrapping, 3, true);
const KEY = 'a/b';
const FILE = 'a/b.instruction';

/** What happens at the store, in order; `on` may throw, or wait, before it does. */
class Watched extends MemoryStore {
  readonly log: string[] = [];
  on: (event: string) => Promise<void> | void = () => undefined;

  async #tell(event: string): Promise<void> {
    await this.on(event);
    this.log.push(event);
  }

  override async put(key: string, source: ByteSource, options: PutOptions = {}) {
    const tell = () => this.#tell(`complete ${key}`);
    async function* told(): AsyncGenerator<Uint8Array> {
      yield* source;
      await tell();
    }
    const result = await super.put(key, told(), options);
    await this.on(`answer ${key}`);
    return result;
  }

  override async head(key: string) {
    await this.on(`head ${key}`);
    return super.head(key);
  }

  override async get(key: string) {
    await this.on(`get ${key}`);
    return super.get(key);
  }

  override async remove(key: string, options?: RemoveOptions) {
    await this.#tell(`remove ${key}`);
    return super.remove(key, options);
  }
}

let store: Watched;
beforeEach(() => {
  store = new Watched();
});

const text = (content: string, chunk = 3) =>
  streamSource(chunked(Buffer.from(content), chunk), content.length);
const store_ = (content: string, more: { encryptor?: Encryptor; key?: string; signal?: AbortSignal } = {}) =>
  put({ source: text(content), store, key: KEY, encryptor: withFile, ...more });

async function read(from: ObjectStore = store, key = KEY): Promise<string> {
  const pieces: Uint8Array[] = [];
  const target: Target = {
    held: true,
    write: async (bytes) => void pieces.push(Uint8Array.from(bytes)),
    commit: async () => undefined,
    discard: async () => undefined,
  };
  await get({ store: from, key, decryptor, target, binding: 'allow' });
  return Buffer.concat(pieces).toString();
}

const stored = async (key: string) => collect((await store.get(key)).body);
const present = async () => {
  const found: string[] = [];
  for await (const { key } of store.list('')) found.push(key);
  return found;
};
const failure = (code: string) => expect.objectContaining({ code });
const broken = () => new SealdropError('store_refused', 'no');

describe('one writer', () => {
  test('the file is written when every byte is at the store, and before the object is seen', async () => {
    await store_('first');
    expect(store.log).toEqual([`complete ${FILE}`, `complete ${KEY}`]);
    expect(await read()).toBe('first');
    store.log.length = 0;
    await store_('second');
    expect(store.log).toEqual([`complete ${FILE}`, `complete ${KEY}`]);
    expect(await read()).toBe('second');
  });

  test('a source that fails leaves the old object and the old file', async () => {
    await store_('first');
    const old = await stored(FILE);
    async function* failing() {
      yield Buffer.from('sec');
      throw new Error('gone');
    }
    const job = { store, key: KEY, encryptor: withFile };
    await expect(put({ ...job, source: streamSource(failing(), 6) })).rejects.toThrow('gone');
    expect(await stored(FILE)).toEqual(old);
    expect(await read()).toBe('first');
  });

  test('where the completion fails, the old file lies there again', async () => {
    await store_('first');
    const old = await stored(FILE);
    store.on = (event) => {
      if (event === `complete ${KEY}`) throw broken();
    };
    await expect(store_('second')).rejects.toEqual(failure('store_refused'));
    expect(store.log.slice(2)).toEqual([`complete ${FILE}`, `complete ${FILE}`]);
    expect(await stored(FILE)).toEqual(old);
    expect(await read()).toBe('first');
  });

  test('an interrupt in the last moment leaves what was there', async () => {
    await store_('first');
    const stop = new AbortController();
    store.on = (event) => {
      if (event === `complete ${KEY}`) stop.abort();
    };
    await expect(store_('second', { signal: stop.signal })).rejects.toEqual(failure('interrupted'));
    expect(await read()).toBe('first');
  });

  test('where there was no file, none is left', async () => {
    store.on = (event) => {
      if (event === `complete ${KEY}`) throw broken();
    };
    await expect(store_('first')).rejects.toEqual(failure('store_refused'));
    expect(await present()).toEqual([]);
  });

  test('a completion that did work, and whose answer was lost, keeps the new file', async () => {
    await store_('first');
    store.on = (event) => {
      if (event === `answer ${KEY}`) throw broken();
    };
    await expect(store_('second')).rejects.toEqual(failure('store_refused'));
    expect(await read()).toBe('second');
  });

  test('what the put fails with is said, not what undoing fails with', async () => {
    await store_('first');
    let completed = false;
    store.on = (event) => {
      if (event === `complete ${KEY}`) completed = true;
      if (completed) throw new SealdropError('store_refused', event);
    };
    await expect(store_('second')).rejects.toThrow(`complete ${KEY}`);
  });

  test('the file cannot be written: the object is not either', async () => {
    store.on = (event) => {
      if (event === `complete ${FILE}`) throw broken();
    };
    await expect(store_('first')).rejects.toEqual(failure('store_refused'));
    expect(await present()).toEqual([]);
  });

  test('other formats over it: the old file is of no meaning, and goes with the object', async () => {
    await store_('first');
    await store_('second', { encryptor: encryptorOf(keys.wrapping, 3) });
    expect(await read()).toBe('second');
    await store_('third', { encryptor: esdkFor(rsa) });
    expect(await read()).toBe('third');
    await removeWithInstruction(store, KEY);
    expect(await present()).toEqual([]);
  });
});

describe('a store that doesn’t keep the metadata without which the object opens no more', () => {
  class Forgetful extends MemoryStore {
    override put(key: string, source: ByteSource, { metadata = {}, ...options }: PutOptions = {}) {
      const kept = Object.entries(metadata).filter(([name]) => !name.startsWith('x-amz-'));
      return super.put(key, source, { ...options, metadata: Object.fromEntries(kept) });
    }
  }
  const job = (encryptor: Encryptor) => ({
    source: text('first'),
    store: new Forgetful(),
    key: KEY,
    encryptor,
  });

  test.each([
    ['V3', encryptorOf(keys.wrapping, 3)],
    ['V3 with an instruction file', withFile],
    ['V2', encryptorOf(keys.wrapping, 2)],
  ])('%s is refused, and nothing is left', async (_what, encryptor) => {
    const forgetful = job(encryptor);
    await expect(put(forgetful)).rejects.toMatchObject({
      code: 'store_refused',
      hint: expect.stringContaining('--format esdk'),
    });
    for (const key of [KEY, FILE])
      await expect(forgetful.store.head(key)).rejects.toEqual(failure('object_not_found'));
  });

  test('V2 with an instruction file needs none', async () => {
    const forgetful = job(encryptorOf(keys.wrapping, 2, true));
    await expect(put(forgetful)).resolves.toMatchObject({ plaintextSize: 5 });
  });

  test('where a length is dropped, as MinIO drops it, nothing is said', async () => {
    class Partial extends MemoryStore {
      override put(key: string, source: ByteSource, options: PutOptions = {}) {
        const { 'x-amz-unencrypted-content-length': _, ...metadata } = options.metadata ?? {};
        return super.put(key, source, { ...options, metadata });
      }
    }
    const v2 = { ...job(encryptorOf(keys.wrapping, 2)), store: new Partial() };
    await expect(put(v2)).resolves.toMatchObject({ plaintextSize: 5 });
  });
});

describe('several writers', () => {
  test('a file that somebody else wrote between looking and writing is not replaced', async () => {
    let once = true;
    store.on = async (event) => {
      if (event !== `complete ${FILE}` || !once) return;
      once = false;
      await store_('theirs');
    };
    await expect(store_('ours')).rejects.toEqual(failure('precondition_failed'));
    expect(await read()).toBe('theirs');
  });

  test('a file that was replaced before our object came is written again', async () => {
    let once = true;
    store.on = async (event) => {
      if (event !== `complete ${KEY}` || !once) return;
      once = false;
      await store_('theirs');
    };
    await store_('ours');
    expect(await read()).toBe('ours');
  });

  test('somebody who writes the file again and again: an error that says so', async () => {
    await store_('first');
    const theirs = await stored(FILE);
    let settling = false;
    store.on = async (event) => {
      if (event === `answer ${KEY}`) settling = true;
      if (!settling || ![`get ${FILE}`, `complete ${FILE}`].includes(event)) return;
      const noise = { ...(JSON.parse(theirs.toString()) as object), n: `${Math.random()}` };
      await MemoryStore.prototype.put.call(store, FILE, chunked(Buffer.from(JSON.stringify(noise)), 99));
    };
    await expect(store_('second')).rejects.toEqual(
      expect.objectContaining({ code: 'upload_corrupted', retryable: true }),
    );
  });

  test('an object that comes while ours writes its file again keeps its own', async () => {
    // Ours is there, theirs has written its file: ours looks, theirs comes, ours writes.
    const told = new Map<string, () => void>();
    const when = (event: string) => new Promise<void>((resolve) => told.set(event, resolve));
    const theirsPlaced = when('theirs placed');
    const theirsDone = when('theirs done');
    let theirs: Promise<unknown> | undefined;
    let mine: 'placing' | 'completing' | 'settling' | 'done' = 'placing';
    store.on = async (event) => {
      if (event === `complete ${KEY}` && mine === 'placing') {
        mine = 'completing';
        theirs = store_('theirs').then(told.get('theirs done'));
        await theirsPlaced;
      } else if (event === `complete ${KEY}`) {
        told.get('theirs placed')!();
        while (mine !== 'done') await new Promise((resolve) => setImmediate(resolve));
      } else if (event === `complete ${FILE}` && mine === 'settling') {
        mine = 'done';
        await theirsDone;
      } else if (event === `answer ${KEY}` && mine === 'completing') mine = 'settling';
    };
    await store_('ours');
    await theirs;
    expect(await read()).toBe('theirs');
  });

  test.each([2, 3])('%d puts to one key at once end readable, whatever the order', async (writers) => {
    const ended = { failed: 0, won: new Set<string>() };
    for (let round = 0; round < 150; round++) {
      store = new Watched();
      await store_('before');
      store.on = async () => {
        for (let turns = Math.floor(Math.random() * 5); turns > 0; turns--)
          await new Promise((resolve) => setImmediate(resolve));
      };
      const contents = Array.from({ length: writers }, (_, i) => `content ${i}`);
      const results = await Promise.allSettled(contents.map((content) => store_(content)));
      store.on = () => undefined;
      const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      for (const error of failed) expect(error).toEqual(failure('precondition_failed'));
      ended.failed += failed.length;
      const content = await read();
      const index = contents.indexOf(content);
      expect(results[index]).toMatchObject({ status: 'fulfilled' });
      ended.won.add(content);
    }
    // Each of the ways was gone.
    expect(ended.failed).toBeGreaterThan(0);
    expect(ended.won.size).toBe(writers);
  });

  test('a reader whose object is replaced between body and file is told so', async () => {
    await store_('old');
    let replaced = false;
    store.on = async (event) => {
      if (event !== `get ${FILE}` || replaced) return;
      replaced = true;
      await store_('new');
    };
    await expect(read()).rejects.toMatchObject({ code: 'source_changed', retryable: true });
    expect(await read()).toBe('new');
  });

  test('a file that was changed and no object: what is wrong with it is said', async () => {
    await store_('old');
    const other = new MemoryStore();
    await put({ source: text('other'), store: other, key: KEY, encryptor: withFile });
    const { body } = await other.get(FILE);
    await store.put(FILE, body);
    await expect(read()).rejects.toMatchObject({ code: 'commitment' });
  });

  test('one that fails beside one that succeeds doesn’t take its file away', async () => {
    for (let round = 0; round < 100; round++) {
      store = new Watched();
      await store_('before');
      let puts = 0;
      store.on = async (event) => {
        for (let turns = Math.floor(Math.random() * 5); turns > 0; turns--)
          await new Promise((resolve) => setImmediate(resolve));
        if (event === `complete ${KEY}` && ++puts === 1) throw broken();
      };
      const results = await Promise.allSettled([store_('one'), store_('two')]);
      store.on = () => undefined;
      const stood = ['one', 'two'].filter((_, i) => results[i]!.status === 'fulfilled');
      // Where both failed, the second one's file was not yet the one that it is put back to.
      if (stood.length > 0) expect(stood).toContain(await read());
    }
  });
});

describe('what only is called so', () => {
  const OWN = [
    ['text', 'mine'],
    ['JSON of something else', '{"mine":true}'],
    ['a list', '["x-amz-3"]'],
    ['nothing', ''],
    ['random bytes', randomBytes(500)],
    ['more than an instruction file has', `{"x-amz-3":"${'A'.repeat(17 * 1024)}"}`],
  ] satisfies [string, string | Buffer][];

  test.each(OWN)('%s is not written over, and stays when the object goes', async (_what, content) => {
    const bytes = Buffer.from(content);
    await store.put(FILE, chunked(bytes, 1000));
    await expect(store_('first')).rejects.toMatchObject({ code: 'target_exists', hint: expect.any(String) });
    expect(await present()).toEqual([FILE]);
    await store_('first', { encryptor: encryptorOf(keys.wrapping, 3) });
    expect(await read()).toBe('first');
    await removeWithInstruction(store, KEY);
    expect(await present()).toEqual([FILE]);
    expect(await stored(FILE)).toEqual(bytes);
  });

  test('a message of ours called so is a message', async () => {
    await store_('mine', { key: FILE, encryptor: esdkFor(rsa) });
    expect(await read(store, FILE)).toBe('mine');
    await expect(store_('first')).rejects.toEqual(failure('target_exists'));
    await removeTree({ store, prefix: 'a/', width: 1, filter: undefined, onEvent: () => undefined });
    expect(await present()).toEqual([]);
  });

  test('an instruction file is known by its wrapped key alone', () => {
    for (const name of ['x-amz-key', 'x-amz-key-v2', 'x-amz-3'])
      expect(isInstructionFile(Buffer.from(JSON.stringify({ [name]: 'AA==' })))).toBe(true);
    for (const text of ['{}', 'null', '"x-amz-3"', '{"X-Amz-3":""}', '{"x-amz-3":1'])
      expect(isInstructionFile(Buffer.from(text))).toBe(false);
  });
});
