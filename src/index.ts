/**
 * The library. `put` and `get` move files and streams; `encryptStream` and `decryptStream` are the envelope alone;
 * the `open…` functions give the parts to those who build their own.
 */
import { Duplex, type Readable, type Writable } from 'node:stream';
import { basename, resolve } from 'node:path';
import { openDecryptor, openEncryptor, openRanges, openVault } from './compose.js';
import type { DecryptSettings, EncryptSettings, StoreSettings } from './config/settings.js';
import type { ByteSource, MessageInfo, PlaintextRange } from './ports.js';
import { checkBinding, objectContext, type Binding, type Bound } from './transfer/context.js';
import { get as getObject, type OpenReport } from './transfer/get.js';
import { openObject as openBoundObject } from './transfer/get-range.js';
import { put as putObject, type PutReport } from './transfer/put.js';
import { openFileSource, streamSource } from './transfer/source.js';
import { openFileTarget, streamTarget } from './transfer/target.js';
import { assertTakes, newVaultFor } from './transfer/unbound-format.js';

type Pairs = Readonly<Record<string, string>>;

export interface PutOptions extends EncryptSettings, StoreSettings {
  /** A file's path, or a stream. */
  source: string | ByteSource;
  /** `s3://bucket/key` or `file:///directory/key`; a slash at the end takes the file's own name. */
  target: string;
  /** Pairs to keep, readable and authenticated, with the message. */
  context?: Pairs;
  /** Default true. */
  overwrite?: boolean;
  /** Bytes of a stream, about: chooses the part size. Needed above 150 GiB. */
  expectedSize?: number;
  signal?: AbortSignal;
  /** Plaintext bytes read so far. */
  onProgress?: (bytes: number) => void;
}

/**
 * Encrypts a file or a stream into a vault. A new or empty directory becomes one.
 * @throws SealdropError: what keys, source and store can fail with (docs/errors.md). Nothing of it is in the vault then,
 * but where the store went silent at the end, or kept it damaged (`upload_corrupted`)
 */
export async function put(options: PutOptions): Promise<PutReport & { address: string }> {
  const encryptor = await openEncryptor(options);
  const vault = await openVault(options.target, 'write', { ...options, ...newVaultFor(encryptor) });
  const { store, key } = vault;
  try {
    assertTakes(vault, encryptor);
    const { source } = options;
    const name = typeof source === 'string' ? basename(resolve(source)) : '';
    const vaultKey = key === '' || key.endsWith('/') ? key + name : key;
    const opened = typeof source === 'string' ? await openFileSource(source) : streamSource(source);
    const report = await putObject({ ...options, source: opened, store, key: vaultKey, encryptor });
    return { ...report, address: store.address(vaultKey) };
  } finally {
    store.close();
  }
}

export interface GetOptions extends DecryptSettings, StoreSettings, Partial<Binding> {
  /** `s3://bucket/key`, `file:///directory/key`, or a message file's path. */
  source: string;
  /** A file's path (it appears when all was checked), or a stream (it gets authenticated pieces; await the result). */
  target: string | Writable;
  /**
   * Let a stream have content of s3ec objects before their one tag, at the end, was checked. Default false: it goes through a
   * private temporary file.
   */
  releaseUnverified?: boolean;
  /** Default true. */
  overwrite?: boolean;
  signal?: AbortSignal;
  /** Ciphertext bytes read so far. */
  onProgress?: (bytes: number) => void;
}

/**
 * Decrypts an object into a file or a stream, which is not ended.
 * @throws SealdropError: an integrity code, or what keys, store and target can fail with (docs/errors.md). A file target is
 * as it was before then
 */
export async function get(options: GetOptions): Promise<OpenReport> {
  const decryptor = await openDecryptor(options);
  const vault = await openVault(options.source, 'read', options);
  try {
    const { store, key } = vault;
    await store.head(key, { signal: options.signal });
    const target =
      typeof options.target === 'string'
        ? await openFileTarget(options.target, options)
        : streamTarget(options.target);
    return await getObject({
      ...options,
      binding: options.binding ?? vault.binding,
      allowed: vault.allowed,
      store,
      key,
      decryptor,
      target,
    });
  } finally {
    vault.store.close();
  }
}

export interface OpenObjectOptions extends DecryptSettings, StoreSettings, Partial<Binding> {
  /** As in `GetOptions`. */
  source: string;
  signal?: AbortSignal;
}

export interface ReadableObject {
  readonly info: MessageInfo;
  readonly bound: Bound;
  /** Bytes, by the size that the store says that the object has: proven by a range that reaches the end. */
  readonly plaintextSize: number;
  /**
   * A part, as it comes: `{ first: 0, last: 99 }` (both included), `{ first: 100 }`, or `{ suffix: 50 }` for the last 50 bytes.
   * Several may be read at a time.
   * @throws SealdropError through the iterator: `usage` for a range that is none or begins behind the end, an integrity code,
   * `source_changed` where the object was replaced. What came before was authenticated
   */
  read(range: PlaintextRange): ByteSource;
  /** Lets go of the data key and the connections. */
  close(): void;
}

/**
 * Opens an object of which parts are wanted: one request, and one or two for each part, which fetch the frames that it lies
 * in and nothing else. The data key is unwrapped once.
 * @throws SealdropError as `get`; `usage` for objects whose parts cannot be authenticated: of s3ec (see
 * `openUnverifiedRanges`), of one piece, signed
 */
export async function openObject(options: OpenObjectOptions): Promise<ReadableObject> {
  const ranges = await openRanges(options);
  const vault = await openVault(options.source, 'read', options);
  const { store, key, binding, allowed } = vault;
  try {
    const job = { ...options, binding: options.binding ?? binding, allowed, store, key, ranges };
    const { opened, bound } = await openBoundObject(job);
    return {
      ...{ info: opened.info, bound, plaintextSize: opened.plaintextSize },
      async *read(range) {
        yield* (await opened.range(range)).content;
      },
      close() {
        opened.close();
        store.close();
      },
    };
  } catch (error) {
    store.close();
    throw error;
  }
}

/**
 * One part of an object, as it comes. For several of one object there is `openObject`.
 * @throws SealdropError through the iterator: as `openObject` and its `read`
 */
export async function* openRange(
  options: OpenObjectOptions & { range: PlaintextRange },
): AsyncGenerator<Uint8Array> {
  const object = await openObject(options);
  try {
    yield* object.read(options.range);
  } finally {
    object.close();
  }
}

/** A transform from plaintext to one message. It names no vault key, so readers that require a binding refuse it. */
export async function encryptStream(settings: EncryptSettings & { context?: Pairs }): Promise<Duplex> {
  const encryptor = await openEncryptor(settings);
  const context = objectContext(undefined, settings.context);
  return Duplex.from((plaintext: Readable) => encryptor.encrypt(plaintext, context));
}

/**
 * A transform from one message to its plaintext. Every piece was authenticated; only the stream's end says that none
 * is missing. Fails with a SealdropError.
 */
export async function decryptStream(settings: DecryptSettings & { context?: Pairs }): Promise<Duplex> {
  const decryptor = await openDecryptor(settings);
  const rules = { binding: 'allow', moved: true, context: settings.context } as const;
  return Duplex.from((message: Readable) =>
    decryptor.decrypt(message, { accept: (info) => void checkBinding(info, undefined, rules) }),
  );
}

export {
  generateKeyPair,
  openDecryptor,
  openEncryptor,
  openInspector,
  openRanges,
  openUnverifiedRanges,
  openVault,
} from './compose.js';
export type {
  DecryptSettings,
  EncryptSettings,
  KeyInput,
  KeyPair,
  StoreSettings,
  Vault,
} from './config/settings.js';
export { exitCodeOf, isIntegrityError, isSealdropError, SealdropError, type ErrorCode } from './errors.js';
export type * from './ports.js';
export { Secret } from './secret.js';
export { MemoryStore } from './store/memory.js';
export type { OpenReport } from './transfer/get.js';
export type { PutReport } from './transfer/put.js';
