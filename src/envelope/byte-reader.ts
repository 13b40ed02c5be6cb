import type { ByteSource } from '../ports.js';

const EMPTY = Buffer.alloc(0);

/** Reads exact numbers of bytes from pieces of any size. Copies only where a read spans pieces. */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #current: Buffer = EMPTY;
  #ended = false;
  /** Bytes handed out so far. */
  position = 0;

  constructor(source: ByteSource) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  /** The next `length` bytes, or fewer where the source ends before. */
  async read(length: number): Promise<Buffer> {
    if (this.#current.length === 0 && length > 0) await this.#pull();
    if (this.#current.length >= length) return this.#take(length);
    const parts = [this.#take(this.#current.length)];
    let missing = length - parts[0]!.length;
    while (missing > 0 && (await this.#pull())) {
      const part = this.#take(Math.min(missing, this.#current.length));
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** The next bytes at hand, at most `limit`; empty only at the end. */
  async readSome(limit: number): Promise<Buffer> {
    if (this.#current.length === 0) await this.#pull();
    return this.#take(Math.min(limit, this.#current.length));
  }

  /** Puts bytes back in front of what comes. */
  unread(bytes: Buffer): void {
    this.#current = this.#current.length === 0 ? bytes : Buffer.concat([bytes, this.#current]);
    this.position -= bytes.length;
  }

  async atEnd(): Promise<boolean> {
    return this.#current.length === 0 && !(await this.#pull());
  }

  /** Lets go of the source; safe to call at any time and more than once. */
  async close(): Promise<void> {
    this.#current = EMPTY;
    if (this.#ended) return;
    this.#ended = true;
    await this.#pieces.return?.();
  }

  #take(length: number): Buffer {
    const taken = this.#current.subarray(0, length);
    this.#current = this.#current.subarray(length);
    this.position += length;
    return taken;
  }

  /** Makes sure that there is a current piece; false at the end. */
  async #pull(): Promise<boolean> {
    while (this.#current.length === 0) {
      if (this.#ended) return false;
      const next = await this.#pieces.next();
      if (next.done === true) {
        this.#ended = true;
        return false;
      }
      const { buffer, byteOffset, byteLength } = next.value;
      this.#current = Buffer.from(buffer, byteOffset, byteLength);
    }
    return true;
  }
}
