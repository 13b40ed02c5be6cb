/**
 * Objects of the S3 Encryption Client under attack: whoever runs the store changes what he likes, whenever he likes, and
 * holds no key but the public one.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto';
import { createAnyDecryptor, createAnyInspector } from '../../src/envelope/any.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import { createS3ecEncryptor } from '../../src/envelope/s3ec/encrypt.js';
import { s3ecInspector } from '../../src/envelope/s3ec/inspect.js';
import { createHeaderRewrapper } from '../../src/envelope/s3ec/rewrap-header.js';
import { SealdropError } from '../../src/errors.js';
import { KmsClients } from '../../src/keys/kms/client.js';
import { parseKmsKey } from '../../src/keys/kms/names.js';
import { kmsS3ecCandidate } from '../../src/keys/kms/s3ec-unwrap.js';
import { kmsS3ecKey } from '../../src/keys/kms/s3ec-wrap.js';
import { aesS3ecCandidate } from '../../src/keys/raw-aes/s3ec-unwrap.js';
import { aesS3ecKey } from '../../src/keys/raw-aes/s3ec-wrap.js';
import { rsaS3ecCandidate } from '../../src/keys/raw-rsa/s3ec-unwrap.js';
import { rsaS3ecKey } from '../../src/keys/raw-rsa/s3ec-wrap.js';
import { s3ecUnwrappingKeys } from '../../src/keys/s3ec-unwrapping.js';
import type {
  ByteSource,
  ListOptions,
  MessageInfo,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  ReadPolicy,
  RemoveOptions,
  VersionKeeping,
} from '../../src/ports.js';
import { Secret } from '../../src/secret.js';
import { createVault, openDirectoryStore } from '../../src/store/directory.js';
import { MemoryStore } from '../../src/store/memory.js';
import { get } from '../../src/transfer/get.js';
import { removeWithInstruction } from '../../src/transfer/instruction-file.js';
import { put } from '../../src/transfer/put.js';
import { copy } from '../../src/transfer/rewrap/copy.js';
import { rewrapEntry } from '../../src/transfer/tree/rewrap-tree.js';
import { streamSource } from '../../src/transfer/source.js';
import { nowhere, type Target } from '../../src/transfer/target.js';
import { removeTree } from '../../src/transfer/tree/remove-tree.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { keyArn, startFakeKms, type FakeKms } from '../helpers/fake-kms.js';
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

  /** In one page, as stores answer. */
  override async *list(prefix: string, options: ListOptions = {}) {
    const page: ObjectInfo[] = [];
    for await (const info of super.list(prefix, options)) page.push(info);
    yield* page;
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

/** With its tag it is as long as a content of AES-CBC can be. */
const plaintext = pattern(1008);
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

const getFrom = (from: ObjectStore, key: string) =>
  get({ store: from, key, target: nowhere, decryptor: decryptorWith(), binding: 'allow' }).catch(
    (error: unknown) => error,
  );

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
    await removeWithInstruction(store, 'a');
    expect((await read('a')).bytes.equals(plaintext)).toBe(true);
    const job = { store, prefix: '', width: 1, signal: new AbortController().signal };
    expect(await removeTree({ ...job, onEvent: () => undefined })).toMatchObject({ done: 1, failed: 1 });
    expect((await read('a')).bytes.equals(plaintext)).toBe(true);
  });

  test('where it has no room for an instruction file, or a folder lies there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealdrop-attack-'));
    try {
      await createVault(folder, 'allow');
      const directory = openDirectoryStore({ root: folder });
      await directory.put('a', chunked(plaintext, 99));
      await directory.put('a.instruction/b', chunked(plaintext, 99));
      const noKey = { code: 'not_an_envelope' };
      await expect(getFrom(directory, 'a')).resolves.toMatchObject(noKey);
      await directory.put('l'.repeat(250), chunked(plaintext, 99));
      await expect(getFrom(directory, 'l'.repeat(250))).resolves.toMatchObject(noKey);
      execFileSync('mkfifo', [join(folder, 'p.instruction')]);
      await directory.put('p', chunked(plaintext, 99));
      await expect(getFrom(directory, 'p')).resolves.toMatchObject(noKey);
      symlinkSync('/etc/passwd', join(folder, 's.instruction'));
      await directory.put('s', chunked(plaintext, 99));
      await expect(getFrom(directory, 's')).resolves.toMatchObject(noKey);
    } finally {
      rmSync(folder, { recursive: true });
    }
    await store.put('k'.repeat(1020), chunked(plaintext, 99));
    await expect(read('k'.repeat(1020))).resolves.toMatchObject({ code: 'not_an_envelope' });
  });
});

describe('nothing is released, and nothing counts, that no key has authenticated', () => {
  const v3 = createS3ecEncryptor(toRsa, { version: 3 });
  const v2 = createS3ecEncryptor(toAes, { version: 2 });

  /** Lays down what the owner of a store makes of an object that is there. */
  async function changed(key: string, changes: Changes): Promise<void> {
    const { info, body } = await store.get(key);
    const bytes = await collect(body);
    const metadata = changes.metadata?.(info.metadata!) ?? info.metadata!;
    await store.put(key, chunked(changes.body?.(bytes) ?? bytes, 99), { metadata });
  }
  interface Changes {
    readonly metadata?: (was: Readonly<Record<string, string>>) => Record<string, string>;
    readonly body?: (was: Buffer) => Buffer;
  }
  const flipped = (bytes: Buffer, at: number) => {
    const copy = Buffer.from(bytes);
    copy[at]! ^= 1;
    return copy;
  };

  // By the first byte, which is any.
  const NO_MESSAGE = expect.stringMatching(/^(not_an_envelope|unsupported_version)$/) as unknown as string;
  test.each<[string, Changes, string]>([
    ['first byte', { body: (was) => flipped(was, 0) }, 'content_auth'],
    ['last byte', { body: (was) => flipped(was, was.length - 1) }, 'content_auth'],
    ['end', { body: (was) => was.subarray(0, -1) }, 'content_auth'],
    ['length', { body: (was) => Buffer.concat([was, Buffer.alloc(1)]) }, 'content_auth'],
    ['commitment', { metadata: (was) => ({ ...was, 'x-amz-d': was['x-amz-i']! }) }, 'commitment'],
    ['format, to none', { metadata: () => ({}) }, NO_MESSAGE],
    ['format, to esdk', { metadata: () => ({ 'sealdrop-format': 'esdk' }) }, NO_MESSAGE],
  ])('of an object whose %s was changed', async (_what, changes, code) => {
    await storeAs('a', plaintext, v3);
    await changed('a', changes);
    expect(await read('a')).toMatchObject({ code, bytes: Buffer.alloc(0) });
  });

  /** The same wrapped key, as the other versions and algorithms would have it. */
  const asV2 = (wrap: string, content = 'AES/GCM/NoPadding', iv = 12) => ({
    metadata: (was: Readonly<Record<string, string>>) => ({
      'x-amz-key-v2': (was['x-amz-3'] ?? was['x-amz-key-v2'])!,
      'x-amz-iv': Buffer.alloc(iv, 1).toString('base64'),
      'x-amz-matdesc': '{}',
      'x-amz-cek-alg': content,
      'x-amz-wrap-alg': wrap,
    }),
  });
  const CBC = 'AES/CBC/PKCS5Padding';
  const OAEP_SHA256 = 'RSA/ECB/OAEPWithSHA-256AndMGF1Padding';
  test.each<[string, typeof v3, Changes, string]>([
    ['V3 to V2', v3, asV2('RSA-OAEP-SHA1'), 'wrong_key_or_header'],
    ['V3 to V2, legacy', v3, asV2(OAEP_SHA256), 'wrong_key_or_header'],
    ['V3 to AES-CBC, legacy', v3, asV2(OAEP_SHA256, CBC, 16), 'wrong_key_or_header'],
    ['V2 to AES-CBC', v2, asV2('AES/GCM', CBC, 16), 'malformed_header'],
    ['V2 to another wrapping', v2, asV2('AESWrap'), 'malformed_header'],
    ['V2 with an AES key to one of KMS', v2, asV2('kms'), 'wrong_key_or_header'],
  ])('of one called down from %s, though all is allowed', async (_what, encryptor, changes, code) => {
    await storeAs('a', plaintext, encryptor);
    const decryptor = decryptorWith(ALLOW_ALL);
    expect((await read('a', { decryptor })).bytes.equals(plaintext)).toBe(true);
    await changed('a', changes);
    expect(await read('a', { decryptor })).toMatchObject({ code, bytes: Buffer.alloc(0) });
  });

  test("of one that has another's instruction file, or its own changing one", async () => {
    await storeAs('a');
    await storeAs('b', pattern(50));
    const { body } = await store.get('b.instruction');
    await store.put('a.instruction', body);
    expect(await read('a')).toMatchObject({ code: 'commitment', bytes: Buffer.alloc(0) });
  });

  test('pairs that the store gives an object make it neither bound, nor fit for what is asked, nor a marker', async () => {
    const pairs = {
      'sealdrop:key': 'a/.d',
      'sealdrop:directory': 'empty',
      'sealdrop:mode': '777',
      team: 'ops',
    };
    await storeAs('a/.d', Buffer.alloc(0), v3);
    await changed('a/.d', { metadata: (was) => ({ ...was, 'x-amz-m': JSON.stringify(pairs) }) });
    const wrong = { code: 'wrong_object', bytes: Buffer.alloc(0) };
    expect(await read('a/.d', { binding: 'required' })).toMatchObject(wrong);
    expect(await read('a/.d', { context: { team: 'ops' } })).toMatchObject(wrong);
    const { outcome } = await read('a/.d');
    expect(outcome).toMatchObject({ bound: 'unbound', info: { context: {}, description: pairs } });
  });

  test('a name of JavaScript in a description is a name, and changes no object', async () => {
    await storeAs('a', plaintext, v3);
    const description = '{"__proto__":"x","constructor":"y"}';
    await changed('a', { metadata: (was) => ({ ...was, 'x-amz-m': description }) });
    const { outcome } = await read('a');
    expect(JSON.stringify((outcome as { info: MessageInfo }).info.description)).toBe(description);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    await changed('a', { metadata: (was) => ({ ...was, 'x-amz-m': '{"__proto__":{"x":"y"}}' }) });
    expect(await read('a')).toMatchObject({ code: 'malformed_header' });
  });

  test('no error of a header brings a control character of it along', async () => {
    await storeAs('a', plaintext, v3);
    const { metadata = {}, size } = await store.head('a');
    const names = Object.keys(metadata).filter((name) => name.startsWith('x-amz-'));
    for (const name of [...names, 'x-amz-m', 'x-amz-key-v2'])
      for (const value of ['\u001b[2J\u202e', '{"\u001b]0;x\u0007":1}']) {
        const hostile = {
          metadata: { ...metadata, [name]: value },
          size,
          instruction: async () => undefined,
        };
        const error = await s3ecInspector.inspect(chunked(plaintext, 99), hostile).catch((e: unknown) => e);
        const { message, hint = '' } = error as SealdropError;
        expect(message + hint).not.toMatch(/[\u0000-\u001f\u202e]/);
        expect(error).toBeInstanceOf(SealdropError);
      }
  });
});

test('a store that reads a content twice gets no second one under its key', async () => {
  const begun = await withFile.begin!({}, plaintext.length);
  await collect(begun.encrypt(chunked(plaintext, 99)));
  await expect(collect(begun.encrypt(chunked(pattern(1008), 7)))).rejects.toMatchObject({ code: 'internal' });
});

describe('KMS', () => {
  let kms: FakeKms;
  beforeAll(async () => {
    kms = await startFakeKms();
    const credentials = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' };
    Object.assign(process.env, credentials, { AWS_ENDPOINT_URL_KMS: kms.endpoint });
  });
  afterAll(() => kms.stop());
  const name = parseKmsKey(keyArn('mine'), 'kms:');
  const clients = new KmsClients({ grantTokens: [], maxAttempts: 1 });
  const opening = () => {
    const unwrapping = s3ecUnwrappingKeys({ kms: kmsS3ecCandidate({ clients, keys: [name] }) });
    return { decryptor: createS3ecDecryptor({ keys: unwrapping }) };
  };
  const pairsOf = (text: string) => JSON.parse(text) as Record<string, string>;

  test.each<[string, (was: Record<string, string>) => Record<string, string>, number]>([
    ['its context gets the key that it is to be bound to', (was) => ({ ...was, 'sealdrop:key': 'a' }), 1],
    ['its context gets a name of JavaScript', (was) => ({ ...was, ...pairsOf('{"__proto__":"x"}') }), 1],
    ['its context loses the algorithm', ({ 'aws:x-amz-cek-alg': _, ...was }) => was, 0],
    ['its context names another', (was) => ({ ...was, 'aws:x-amz-cek-alg': 'AES/GCM/NoPadding' }), 0],
  ])('is asked no more than it has to be where %s', async (_what, change, calls) => {
    await storeAs('a', plaintext, createS3ecEncryptor(kmsS3ecKey(name, clients), { version: 3 }));
    expect((await read('a', opening())).bytes.equals(plaintext)).toBe(true);
    const { metadata = {} } = await store.head('a');
    const body = await collect((await store.get('a')).body);
    const context = JSON.stringify(change(pairsOf(metadata['x-amz-t']!)));
    await store.put('a', chunked(body, 99), { metadata: { ...metadata, 'x-amz-t': context } });
    kms.calls.length = 0;
    const { code, bytes } = await read('a', { ...opening(), binding: 'required' });
    expect({ code, bytes: bytes.length, calls: kms.calls.length }).toEqual({
      code: expect.stringMatching(/^wrong_/),
      bytes: 0,
      calls,
    });
  });
});

describe('one key for both formats', () => {
  test("a data key of a message opens no object, by any wrapping's name and for any content", async () => {
    const dataKey = randomBytes(32);
    const { publicKey: key } = pair;
    for (const oaepHash of ['sha1', 'sha256']) {
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      const wrappedKey = publicEncrypt({ key, padding, oaepHash }, dataKey);
      for (const contentAlgorithm of ['115', 'AES/GCM/NoPadding']) {
        const sealed = { algorithm: 'RSA-OAEP-SHA1', contentAlgorithm, wrappedKey, description: {} };
        await expect(keys.unwrap(sealed)).rejects.toMatchObject({ code: 'wrong_key_or_header' });
      }
    }
  });

  test('a message that the store calls an object of the other format opens as what it is, or not at all', async () => {
    await storeAs('a', plaintext, esdk);
    const { metadata = {} } = await store.head('a');
    const message = await collect((await store.get('a')).body);
    await store.put('a', chunked(message, 99), { metadata: { ...metadata, 'sealdrop-format': 's3ec' } });
    expect(await read('a', { binding: 'required' })).toMatchObject({ code: undefined, bytes: plaintext });
    await storeAs('b');
    const { body } = await store.get('b.instruction');
    await store.put('a.instruction', body);
    expect(await read('a')).toMatchObject({ code: 'malformed_header', bytes: Buffer.alloc(0) });
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
      headers: {
        to: async () => rewrapper,
        open: async () => rewrapper,
        again: () => true,
        onUnopened: () => undefined,
      },
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
