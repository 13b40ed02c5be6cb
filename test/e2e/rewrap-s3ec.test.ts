/** Rewrap of s3ec objects at MinIO: what travels, and what comes in between. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createAnyInspector } from '../../src/envelope/any.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import { s3ecInspector } from '../../src/envelope/s3ec/inspect.js';
import { createHeaderRewrapper } from '../../src/envelope/s3ec/rewrap-header.js';
import { isSealdropError, SealdropError } from '../../src/errors.js';
import type { ByteSource, GetOptions, ObjectStore, PutOptions, S3ecUnwrappingKeys } from '../../src/ports.js';
import { MemoryStore } from '../../src/store/memory.js';
import { partsOf } from '../../src/transfer/object-parts.js';
import { put } from '../../src/transfer/put.js';
import { rewrap } from '../../src/transfer/rewrap/rewrap.js';
import { streamSource } from '../../src/transfer/source.js';
import '../helpers/core-errors.js';
import { chunked, collect } from '../helpers/bytes.js';
import { startFaultProxy, type Fault, type FaultProxy } from '../helpers/fault-proxy.js';
import { encryptorFor, rsaPair } from '../helpers/keys.js';
import { encryptorOf, softwareKeys, type SoftwareKeys } from '../helpers/s3ec-keys.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const KEY = 'folder/object';
const OLD = softwareKeys();
const NEW = softwareKeys();
const OTHER = softwareKeys();
const POLICY = { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' } as const;
const inspector = createAnyInspector({ esdk: esdkInspector, s3ec: s3ecInspector });

const anyOf = (...all: readonly SoftwareKeys[]): S3ecUnwrappingKeys => ({
  async unwrap(sealed) {
    for (const { unwrapping } of all) {
      const found = await unwrapping.unwrap(sealed).catch(() => undefined);
      if (found !== undefined) return found;
    }
    throw new SealdropError('wrong_key_or_header', 'none of them');
  },
});
const decryptorOf = (...all: readonly SoftwareKeys[]) =>
  createS3ecDecryptor({ keys: anyOf(...all), ...POLICY });

interface Put {
  version?: 2 | 3;
  file?: boolean;
  keys?: SoftwareKeys;
}
const putAt = async (
  store: ObjectStore,
  bytes: Uint8Array,
  { version = 3, file = false, keys = OLD }: Put = {},
) =>
  put({
    source: streamSource(chunked(bytes, MIB), bytes.length),
    ...{ store, key: KEY, encryptor: encryptorOf(keys.wrapping, version, file), lookForUnfinished: false },
  });

async function rewrapAt(store: ObjectStore, to = NEW, more: { unconditional?: boolean } = {}) {
  const keys = anyOf(OLD, NEW, OTHER);
  return rewrap({
    ...{ store, key: KEY, inspector, binding: 'allow', decryptor: decryptorOf(OLD), ...more },
    recipients: async () => Promise.reject(new Error('it is no message')),
    headers: {
      to: async () => to.wrapping,
      open: async () => createHeaderRewrapper({ keys, to: to.wrapping, ...POLICY }),
      again: () => true,
      onUnopened: () => {
        throw new Error('a key given opens it');
      },
    },
  });
}

/** What the object opens to, by these keys. */
async function open(store: ObjectStore, ...keys: SoftwareKeys[]): Promise<Buffer> {
  const { info, body } = await store.get(KEY);
  return collect(decryptorOf(...keys).decrypt(body, { parts: partsOf(store, info) }));
}

async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (isSealdropError(error)) return error.code;
    throw error;
  }
  return 'none';
}

async function expectFor(store: ObjectStore, bytes: Buffer, keys: SoftwareKeys): Promise<void> {
  expect((await open(store, keys)).equals(bytes)).toBe(true);
  for (const others of [OLD, NEW, OTHER].filter((each) => each !== keys))
    expect(await failure(open(store, others))).toBe('wrong_key_or_header');
  for (const key of [KEY, `${KEY}.instruction`]) expect(await store.unfinished(key)).toEqual([]);
}

const PLACES = ([2, 3] as const).flatMap((version) => [false, true].map((file) => ({ version, file })));

describe('at MinIO', () => {
  let minio: S3Server;
  let proxy: FaultProxy;
  /** Through the proxy, and around it. */
  let store: ObjectStore;
  let direct: ObjectStore;
  let count = 0;

  beforeAll(async () => {
    minio = await startMinio();
    proxy = await startFaultProxy(minio.endpoint);
  }, SETUP_TIME);
  afterAll(async () => {
    await proxy?.close();
    await minio?.stop();
  });
  beforeEach(async () => {
    const bucket = await minio.createBucket(`rewrap-${++count}`);
    store = minio.store(bucket, { endpoint: proxy.endpoint, maxAttempts: 3 });
    direct = minio.store(bucket);
  });
  afterEach(() => {
    proxy.reset();
    store.close();
    direct.close();
  });

  /** Requests that make something visible under the key, or its file's. */
  const object: Fault = { method: 'POST', url: /\/object\?uploadId=/ };
  const instruction: Fault = { method: 'POST', url: /\/object\.instruction\?uploadId=/ };
  const visible = (file: boolean): Fault => (file ? instruction : object);

  test.each(PLACES)('of 64 MiB less than 1 MiB travels: %p', async (one) => {
    const bytes = randomBytes(64 * MIB);
    await putAt(direct, bytes, one);
    const before = proxy.transferred();
    expect(await rewrapAt(store)).toMatchObject({ outcome: 'rewrapped', proof: 'opened', bound: 'unbound' });
    const moved = proxy.transferred() - before;
    expect(moved).toBeGreaterThan(1000);
    expect(moved).toBeLessThan(MIB);
    await expectFor(direct, bytes, NEW);
  });

  test.each(PLACES)("of another client's 64 MiB less than 1 MiB travels: %p", async (one) => {
    const bytes = randomBytes(64 * MIB);
    await putAt(direct, bytes, one);
    for (const key of one.file ? [KEY, `${KEY}.instruction`] : [KEY]) {
      const { info, body } = await direct.get(key);
      const content = await collect(body);
      const theirs = Object.entries(info.metadata!).filter(([name]) => !name.startsWith('sealdrop-'));
      await direct.put(key, chunked(content, MIB), { metadata: Object.fromEntries(theirs) });
    }
    const before = proxy.transferred();
    await rewrapAt(store);
    expect(proxy.transferred() - before).toBeLessThan(MIB);
    await expectFor(direct, bytes, NEW);
  });

  test('what says that it is an s3ec object and is a message is read', async () => {
    const bytes = randomBytes(1000);
    const encryptor = encryptorFor(rsaPair());
    await direct.put(KEY, encryptor.encrypt(chunked(bytes, 999), { 'sealdrop:key': KEY }), {
      metadata: { 'sealdrop-format': 's3ec' },
    });
    // It gets as far as to ask for the recipients of a message.
    await expect(rewrapAt(store)).rejects.toThrow('it is no message');
  });

  describe.each(PLACES)('what comes in between: %p', (one) => {
    const before = randomBytes(6 * MIB);
    const after = randomBytes(1000);
    beforeEach(async () => void (await putAt(direct, before, one)));

    test.each([
      { file: false, keys: OLD, version: 3 as const },
      { file: false, keys: OTHER, version: 2 as const },
      { file: true, keys: OTHER, version: 3 as const },
      { file: true, keys: OTHER, version: 2 as const },
    ])('an overwrite right before the new key is seen stays: $version $file', async (other) => {
      proxy.add({ ...visible(one.file), before: async () => putAt(direct, after, other) });
      expect(await failure(rewrapAt(store))).toBe('source_changed');
      await expectFor(direct, after, other.keys);
      expect(await failure(rewrapAt(store))).toBe('none');
      await expectFor(direct, after, NEW);
    });

    test('so does one right after the object was looked at, and a removal', async () => {
      proxy.add({ method: 'HEAD', url: /\/object$/, after: async () => putAt(direct, after, one) });
      expect(await failure(rewrapAt(store))).toBe('source_changed');
      await expectFor(direct, after, OLD);
      proxy.add({ ...visible(one.file), before: async () => direct.remove(KEY) });
      expect(await failure(rewrapAt(store))).not.toBe('none');
      expect(await failure(direct.head(KEY))).toBe('object_not_found');
    });

    test('another rewrap: one of both wins', async () => {
      proxy.add({ ...visible(one.file), before: async () => rewrapAt(direct, OTHER) });
      expect(await failure(rewrapAt(store))).toBe('source_changed');
      await expectFor(direct, before, OTHER);
    });

    test('the answer is lost: it is rewrapped once, and says so', async () => {
      proxy.add({ ...visible(one.file), loseAnswer: true });
      expect(await rewrapAt(store)).toMatchObject({ outcome: 'rewrapped' });
      await expectFor(direct, before, NEW);
    });

    test('all answers are refusals: it stays as it was', async () => {
      proxy.add({ ...visible(one.file), times: 9, answer: { status: 403 } });
      expect(await failure(rewrapAt(store))).toBe('access_denied');
      await expectFor(direct, before, OLD);
    });

    test('without conditions it is looked at right before', async () => {
      await rewrapAt(store, NEW, { unconditional: true });
      await expectFor(direct, before, NEW);
    });
  });

  describe.each([2, 3] as const)('a put with an instruction file (V%d)', (version) => {
    const [before, after] = [randomBytes(1000), randomBytes(2000)];
    const one = { version, file: true };
    const seen: Fault = { method: 'PUT', url: /\/object(\?x-id=PutObject)?$/ };

    test('the file of an object that is not there yet is not rewrapped', async () => {
      await putAt(direct, before, one);
      const found: string[] = [];
      const between = async () => found.push(await failure(rewrapAt(direct)));
      proxy.add({ ...seen, before: between, answer: { status: 403 } });
      expect(await failure(putAt(store, after, { ...one, keys: OTHER }))).toBe('access_denied');
      expect(found).toEqual(['instruction_file']);
      await expectFor(direct, before, OLD);
      await rewrapAt(direct);
      await expectFor(direct, before, NEW);
    });

    test('an object that is rewrapped before the put has ended stays rewrapped', async () => {
      proxy.add({ ...seen, after: async () => rewrapAt(direct) });
      await putAt(store, after, one);
      await expectFor(direct, after, NEW);
    });
  });
});

/** Puts off everything it does by turns, and fails some puts at their end. */
class Shuffled extends MemoryStore {
  failing = false;
  constructor(private readonly random: () => number) {
    super();
  }
  async #turns(): Promise<void> {
    for (let i = Math.floor(this.random() * 6); i > 0; i--) await new Promise(setImmediate);
  }
  override async head(key: string) {
    await this.#turns();
    return super.head(key);
  }
  override async get(key: string, options?: GetOptions) {
    await this.#turns();
    return super.get(key, options);
  }
  override async put(key: string, source: ByteSource, options: PutOptions = {}) {
    const turns = async () => this.#turns();
    const isFailing = () => this.failing && key === KEY;
    async function* slow() {
      await turns();
      yield* source;
      await turns();
      if (isFailing()) throw new SealdropError('store_unavailable', 'not now');
    }
    return super.put(key, slow(), options);
  }
}

/** Mulberry32: the same turns every time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe.each(PLACES)('puts and rewraps at once: %p', (one) => {
  test('afterwards the object opens, to what was stored last', async () => {
    const told = { put: 0, failed: 0, rewrapped: 0, refused: 0, both: 0 };
    for (let seed = 0; seed < 400; seed++) {
      const store = new Shuffled(seeded(seed));
      const [before, after] = [randomBytes(100), randomBytes(200)];
      await putAt(store, before, one);
      store.failing = seed % 3 === 0;
      const [written, ...rewrapped] = await Promise.all([
        failure(putAt(store, after, { ...one, keys: OTHER })),
        failure(rewrapAt(store)),
        ...(seed % 2 === 0 ? [failure(rewrapAt(store))] : []),
      ]);
      const content = await open(store, OLD, NEW, OTHER).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String([written, ...rewrapped])}`, { cause: error });
      });
      expect([seed, content.equals(written === 'none' ? after : before)]).toEqual([seed, true]);
      const done = rewrapped.includes('none');
      // What is told to be rewrapped is: only a put can have come after it.
      if (done && written !== 'none') await expectFor(store, before, NEW);
      told[written === 'none' ? 'put' : 'failed']++;
      told[done ? 'rewrapped' : 'refused']++;
      if (done && written === 'none') told.both++;
    }
    // Each has happened.
    for (const times of Object.values(told)) expect(times).toBeGreaterThan(0);
  });
});
