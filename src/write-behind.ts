import type { FileHandle } from 'node:fs/promises';

const SIZE = 1024 * 1024;
/** For what shall be on the disk in the end: left until then, the disk would have it all to do while nothing else happens. */
export const SYNC_EVERY = 32 * SIZE;

export interface WriteBehindOptions {
  /** Bytes after which those that are written are brought to the disk while others come. Default: they never are. */
  readonly syncEvery?: number | undefined;
}

/** Writes to a file, from its beginning, what it has copied, while the next bytes come. */
export class WriteBehind {
  readonly #handle: FileHandle;
  readonly #syncEvery: number;
  #filling: Buffer | undefined;
  #used = 0;
  #other: Buffer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #written = 0;
  #durable = 0;
  #syncing: Promise<void> | undefined;
  /** The system tells of it once: a later sync that succeeds means nothing then. */
  #syncFailure: Error | undefined;

  constructor(handle: FileHandle, { syncEvery = Infinity }: WriteBehindOptions = {}) {
    this.#handle = handle;
    this.#syncEvery = syncEvery;
  }

  /** Bytes, from the first that was given, that are on the disk. */
  get durable(): number {
    return this.#durable;
  }

  /** @throws what this write, the one before it or a sync failed with */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      // Pages of it that are never written take no memory.
      this.#filling ??= Buffer.allocUnsafeSlow(SIZE);
      const piece = bytes.subarray(at, at + SIZE - this.#used);
      this.#filling.set(piece, this.#used);
      this.#used += piece.length;
      at += piece.length;
      if (this.#used === SIZE) await this.#flush();
    }
  }

  /** Resolves when all of it is with the operating system, and no sync is under way. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#writing;
    await this.#syncing;
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
  }

  async #flush(): Promise<void> {
    await this.#writing;
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    const full = this.#filling?.subarray(0, this.#used);
    if (full === undefined || full.length === 0) return;
    [this.#filling, this.#other, this.#used] = [this.#other, this.#filling, 0];
    this.#writing = this.#writeAll(full);
    // It is asked for when the next bytes come, or the end.
    this.#writing.catch(() => undefined);
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await this.#handle.write(bytes, at)).bytesWritten;
    this.#written += bytes.length;
    if (this.#syncing === undefined && this.#written - this.#durable >= this.#syncEvery)
      this.#syncing = this.#sync(this.#written);
  }

  async #sync(written: number): Promise<void> {
    try {
      await this.#handle.datasync();
      this.#durable = written;
    } catch (error) {
      this.#syncFailure = error as Error;
    }
    this.#syncing = undefined;
  }
}
