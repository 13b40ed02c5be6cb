import type { FileHandle } from 'node:fs/promises';

const SIZE = 1024 * 1024;

/** Writes to a file, from its beginning, what it has copied, while the next bytes come. */
export class WriteBehind {
  readonly #handle: FileHandle;
  #filling: Buffer | undefined;
  #used = 0;
  #other: Buffer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** @throws what this write or the one before it failed with */
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

  /** Resolves when all of it is with the operating system. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#writing;
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const full = this.#filling?.subarray(0, this.#used);
    if (full === undefined || full.length === 0) return;
    [this.#filling, this.#other, this.#used] = [this.#other, this.#filling, 0];
    this.#writing = writeAll(this.#handle, full);
    // It is asked for when the next bytes come, or the end.
    this.#writing.catch(() => undefined);
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
}
