/**
 * Objects of the S3 Encryption Client under attack: whoever runs the store changes what he likes, whenever he likes, and
 * holds no key but the public one.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createCipheriv, randomBytes } from 'node:crypto';
import { createAnyDecryptor, createAnyInspector } from '../../src/envelope/any.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import { createS3ecEncryptor } from '../../src/envelope/s3ec/encrypt.js';
import { s3ecInspector } from '../../src/envelope/s3ec/inspect.js';
import { createHeaderRewrapper } from '../../src/envelope/s3ec/rewrap-header.js';
import { SealdropError } from '../../src/errors.js';
import { aesS3ecCandidate } from '../../src/keys/raw-aes/s3ec-unwrap.js';
import { aesS3ecKey } from '../../src/keys/raw-aes/s3ec-wrap.js';
import { rsaS3ecCandidate } from '../../src/keys/raw-rsa/s3ec-unwrap.js';
import { rsaS3ecKey } from '../../src/keys/raw-rsa/s3ec-wrap.js';
import { s3ecUnwrappingKeys } from '../../src/keys/s3ec-unwrapping.js';
import type { ByteSource, PutOptions, ReadPolicy, RemoveOptions, VersionKeeping } from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { MemoryStore } from '../../src/store/memory.js';
import { get } from '../../src/transfer/get.js';
import { removeWithInstruction } from '../../src/transfer/instruction-file.js';
import { put } from '../../src/transfer/put.js';
import { copy } from '../../src/transfer/rewrap/copy.js';
import { rewrapEntry } from '../../src/transfer/tree/rewrap-tree.js';
import { streamSource } from '../../src/transfer/source.js';
import type { Target } from '../../src/transfer/target.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, NAMES, rsaPair } from '../helpers/keys.js';

const pair = rsaPair();
const toRsa = rsaS3ecKey({ ...NAMES, publicKey: pair.publicKey });
const secretKey = { namespace: 'lab', name: 'shared', secretKey: new Secret(randomBytes(32)) };
const toAes = aesS3ecKey(secretKey);
const keys = s3ecUnwrappingKeys({ rsa: rsaS3ecCandidate([pair]), aes: aesS3ecCandidate([secretKey]) });
const ALLOW_ALL: ReadPolicy = { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT', allowLegacy: true };

const esdk = encryptorFor(pair);
const decryptorWith = (policy: ReadPolicy = {}) =>
  createAnyDecryptor({
    esdk: async () => decryptorFor(pair),
    s3ec: async () => createS3ecDecryptor({ keys, ...policy }),
  });
const inspector = createAnyInspector({ esdk: esdkInspector, s3ec: s3ecInspector });

/** Does on demand, right before or right after an operation, what another client or its owner does to it. */
class HostileStore extends MemoryStore {
  afterPut: ((key: string) => Promise<void> | void) | undefined;
  afterRemove: ((key: string) => Promise<void>) | undefined;

  override async put(key: string, source: ByteSource, options: PutOptions = {}) {
    const result = await super.put(key, source, options);
    await this.afterPut?.(key);
    return result;
  }

  override async remove(key: string, options: RemoveOptions = {}): Promise<void> {
    await super.remove(key, options);
    await this.afterRemove?.(key);
  }
}

let store: HostileStore;
beforeEach(() => {
  store = new HostileStore();
});

const plaintext = pattern(1000);
const withFile = createS3ecEncryptor(toRsa, { version: 3, instructionFile: true });
const storeAs = (key: string, bytes: Uint8Array = plaintext, encryptor = withFile) =>
  put({ source: streamSource(chunked(bytes, 99), bytes.length), store, key, encryptor });

/** What a pipe would have got, and why it ended. */
async function read(key: string, more: object = {}) {
  const pieces: Buffer[] = [];
  const target: Target = {
    held: false,
    write: async (bytes) => void pieces.push(Buffer.from(bytes)),
    commit: async () => undefined,
    discard: async () => undefined,
  };
  const job = { store, key, target, decryptor: decryptorWith(), binding: 'allow' as const, ...more };
  const outcome = await get(job).catch((error: unknown) => error);
  const code = outcome instanceof SealdropError ? outcome.code : undefined;
  return { code, bytes: Buffer.concat(pieces), outcome };
}

describe('what stood there before still opens', () => {
  test('when the answer to the new instruction file is lost', async () => {
    await storeAs('a');
    store.afterPut = (key) => {
      if (!key.endsWith('.instruction')) return;
      store.afterPut = undefined;
      throw new SealdropError('store_unavailable', 'the answer is lost');
    };
    await expect(storeAs('a', pattern(50))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await read('a')).bytes.equals(plaintext)).toBe(true);
  });

  test('when a file is stored whose name is that of its instruction file', async () => {
    await storeAs('a');
    const refused = { code: 'target_exists' };
    await expect(storeAs('a.instruction', pattern(50), esdk)).rejects.toMatchObject(refused);
    await storeAs('b', pattern(50), esdk);
    const job = { decryptor: decryptorWith(), inspector, encryptor: esdk, binding: 'allow' as const };
    const [from, to] = ['b', 'a.instruction'].map((key) => ({ store, key }));
    await expect(copy({ ...job, from: from!, to: to! })).rejects.toMatchObject(refused);
    expect((await read('a')).bytes.equals(plaintext)).toBe(true);
  });

  test('when its name ends as those of instruction files, and it is stored again', async () => {
    for (const encryptor of [esdk, withFile]) {
      await storeAs('c.instruction', plaintext, encryptor);
      await storeAs('c.instruction', pattern(50), encryptor);
      expect((await read('c.instruction')).bytes.equals(pattern(50))).toBe(true);
    }
  });

  test('when it came in while another one was removed', async () => {
    await storeAs('a', pattern(50));
    store.afterRemove = async (key) => {
      if (key === 'a') await storeAs('a');
    };
    await removeWithInstruction(store, 'a').catch(() => undefined);
    expect((await read('a')).bytes.equals(plaintext)).toBe(true);
  });
});

describe('rewrap', () => {
  const rewrapped = async (to: typeof toRsa, metadata: Readonly<Record<string, string>>, size: number) => {
    const parts = { metadata, size, instruction: async () => undefined };
    const rewrapper = createHeaderRewrapper({ keys, to, ...ALLOW_ALL });
    return rewrapper.rewrap(parts, { accept: () => undefined });
  };

  test('leaves what it has made readable, however long the data key is', async () => {
    const [dataKey, iv] = [randomBytes(16), randomBytes(12)];
    const cipher = createCipheriv('aes-128-gcm', dataKey, iv);
    const body = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    const { wrappedKey } = await toAes.wrap(dataKey, {
      contentAlgorithm: 'AES/GCM/NoPadding',
      description: {},
    });
    const metadata = {
      'x-amz-key-v2': Buffer.from(wrappedKey).toString('base64'),
      'x-amz-iv': iv.toString('base64'),
      'x-amz-matdesc': '{}',
      'x-amz-cek-alg': 'AES/GCM/NoPadding',
      'x-amz-wrap-alg': 'AES/GCM',
      'x-amz-tag-len': '128',
    };
    const parts = { metadata, size: body.length, instruction: async () => undefined };
    const decryptor = createS3ecDecryptor({ keys, ...ALLOW_ALL });
    expect((await collect(decryptor.decrypt(chunked(body, 99), { parts }))).equals(plaintext)).toBe(true);
  });

  test('removes no older version of what does not open', async () => {
    const removed: string[] = [];
    const metadataOnly = createS3ecEncryptor(toRsa, { version: 3 });
    await storeAs('a', plaintext, metadataOnly);
    const good = await store.head('a');
    // Whoever may write and not delete: another content, with what the object said of its key.
    await store.put('a', chunked(randomBytes(good.size), 99), { metadata: good.metadata! });
    const versions: VersionKeeping = {
      async *list(key) {
        const { etag, size, modified } = await store.head(key);
        yield { key, version: 'null', etag, size, modified, latest: true, marker: false };
        yield { ...good, version: 'good', latest: false, marker: false };
      },
      remove: async ({ version }) => void removed.push(version),
    };
    const rewrapper = createHeaderRewrapper({ keys, to: toRsa });
    const job = {
      ...{ store: Object.assign(store, { versions }), inspector, decryptor: decryptorWith() },
      ...{ binding: 'allow' as const, deleteVersions: true },
      recipients: async () => Promise.reject(new Error('for other objects')),
      headers: { to: async () => rewrapper, open: async () => rewrapper, again: true },
    };
    await expect(rewrapEntry(await store.head('a'), 'a', job)).rejects.toMatchObject({
      code: 'content_auth',
    });
    expect(removed).toEqual([]);
    await storeAs('a', plaintext, metadataOnly);
    await rewrapEntry(await store.head('a'), 'a', job);
    expect(removed).toEqual(['good']);
  });

  test('gives no data key that anybody may have made to a key that only few wrap with', async () => {
    await storeAs('a', plaintext, createS3ecEncryptor(toRsa, { version: 3 }));
    const { metadata = {}, size } = await store.head('a');
    await expect(rewrapped(toAes, metadata, size)).rejects.toMatchObject({ code: 'usage' });
    await expect(rewrapped(toRsa, metadata, size)).resolves.toBeDefined();
  });
});
