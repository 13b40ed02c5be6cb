/** A directory as a vault: an object's file at `root/key` holds exactly its bytes. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { BigIntStats } from 'node:fs';
import type { Readable } from 'node:stream';
import { SealdropError, throwIfAborted } from '../errors.js';
import type {
  ByteSource,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
  RemoveOptions,
  Replaced,
  ReplaceOptions,
} from '../ports.js';
import { printable } from '../printable.js';
import { listObjects } from './directory-list.js';
import { replaceSidecar } from './directory-replace.js';
import { etagOf, exclusively, failedCondition, writeObject } from './directory-write.js';
import { fileBody } from './file-body.js';
import { fsError, hasCode } from './fs-errors.js';
import { resolveRange } from './ranges.js';
import { assertNotReserved, openObject, pruneParents, statObject } from './safe-path.js';
import { readSidecar, removeSidecar } from './sidecar.js';
import { removeStaleTemp, unlinkIfThere } from './temp-files.js';
import { readMarker } from './vault-marker.js';

export {
  createVault,
  findVaultRoot,
  readMarker,
  type Binding,
  type FoundVault,
  type VaultMarker,
} from './vault-marker.js';
export { removeStaleTemp } from './temp-files.js';

export interface DirectoryStoreOptions {
  /**
   * The vault's directory. One without a marker file can be read; writing needs one, because a key is the path below
   * it (`not_a_vault`).
   */
  root: string;
}

/** Nothing is read or made before the first call; a missing directory is `bucket_not_found`. */
export function openDirectoryStore(options: DirectoryStoreOptions): ObjectStore {
  return new DirectoryStore(options.root);
}

/** A vault that is yet to be made, for whoever wants to know what would come of it. */
export function openUnmadeStore(options: DirectoryStoreOptions): ObjectStore {
  return new UnmadeStore(options.root);
}

interface SignalOption {
  signal?: AbortSignal;
}

class DirectoryStore implements ObjectStore {
  readonly kind = 'directory';
  readonly #given: string;
  #root: string | undefined;
  #writable = false;

  constructor(root: string) {
    this.#given = root;
  }

  address(key: string): string {
    return `file://${this.#given.replace(/\/+$/, '')}/${key}`;
  }

  assertStorable(key: string): void {
    assertNotReserved(key);
  }

  async head(key: string, options: SignalOption = {}): Promise<ObjectInfo> {
    return this.#guard(key, options, async (root) => {
      const stat = await statObject(root, key);
      if (stat === undefined) throw this.#notFound(key);
      return this.#info(root, key, stat);
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<{ info: ObjectInfo; body: Readable }> {
    return this.#guard(key, options, async (root) => {
      const opened = await openObject(root, key);
      if (opened === undefined) throw this.#notFound(key);
      const { handle, stat } = opened;
      try {
        const info = await this.#info(root, key, stat);
        if (options.ifMatch !== undefined && options.ifMatch !== info.etag)
          throw failedCondition({ address: this.address(key) });
        const range = resolveRange(options.range, info.size, this.address(key));
        const body = fileBody(handle, { ...range, address: this.address(key), signal: options.signal });
        return { info, body };
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  async put(key: string, source: ByteSource, options: PutOptions = {}): Promise<PutResult> {
    this.assertStorable(key);
    return this.#guard(key, options, async (root) => {
      await this.#openForWriting(root);
      const stat = await writeObject({ root, key, address: this.address(key) }, source, options);
      return { etag: etagOf(stat), size: Number(stat.size), checked: 'fsync' };
    });
  }

  async replaceMetadata(key: string, options: ReplaceOptions): Promise<Replaced> {
    this.assertStorable(key);
    return this.#guard(key, options, async (root) => {
      await this.#openForWriting(root);
      const stat = await replaceSidecar({ root, key, address: this.address(key) }, options);
      return this.#info(root, key, stat);
    });
  }

  async remove(key: string, options: RemoveOptions = {}): Promise<void> {
    this.assertStorable(key);
    await this.#guard(key, options, async (root) => {
      await this.#openForWriting(root);
      await exclusively(join(root, key), async () => {
        const stat = await statObject(root, key);
        if (stat === undefined) return;
        if (options.ifMatch !== undefined && options.ifMatch !== etagOf(stat))
          throw failedCondition({ address: this.address(key) });
        await unlinkIfThere(join(root, key));
        await removeSidecar(root, key);
        await pruneParents(root, key);
      });
    });
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    try {
      yield* listObjects({ root: await this.#openRoot(), prefix, ...options });
    } catch (error) {
      throw fsError(error, this.address(prefix));
    }
  }

  async unfinished(): Promise<[]> {
    return [];
  }

  async checksums(): Promise<[]> {
    return [];
  }

  close(): void {}

  async #guard<T>(key: string, { signal }: SignalOption, action: (root: string) => Promise<T>): Promise<T> {
    throwIfAborted(signal);
    try {
      return await action(await this.#openRoot());
    } catch (error) {
      throw fsError(error, this.address(key));
    }
  }

  async #openRoot(): Promise<string> {
    if (this.#root !== undefined) return this.#root;
    try {
      this.#root = await realpath(this.#given);
      return this.#root;
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      throw new SealdropError('bucket_not_found', `there is no directory ${printable(this.#given)}`, {
        cause: error,
      });
    }
  }

  async #openForWriting(root: string): Promise<void> {
    if (this.#writable) return;
    if ((await readMarker(root)) === undefined)
      throw new SealdropError('not_a_vault', `${printable(this.#given)} is not a vault`, {
        hint: 'a vault is a new or empty directory, or one with a marker file: see docs/decisions/0004-directory-vault.md',
      });
    await removeStaleTemp(root);
    this.#writable = true;
  }

  async #info(root: string, key: string, stat: BigIntStats): Promise<ObjectInfo> {
    const metadata = (await readSidecar(root, key, stat)) ?? {};
    return { key, size: Number(stat.size), etag: etagOf(stat), modified: stat.mtime, metadata };
  }

  #notFound(key: string): SealdropError {
    return new SealdropError('object_not_found', `there is no object ${printable(this.address(key))}`, {
      hint: 'see what there is: sealdrop ls (links and special files are no objects)',
    });
  }
}

class UnmadeStore extends DirectoryStore {
  override async *list(): AsyncGenerator<ObjectInfo> {}
}
