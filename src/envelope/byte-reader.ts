import type { ByteSource } from '../ports.js';

const EMPTY = Buffer.alloc(0);
// As large as a frame usually is: one of those is gathered without being copied twice.
const FIRST_ROOM = 1024 * 1024;
const WORTHWHILE = 4096;

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
    return this.#gather(length);
  }

  /**
   * The next bytes, as many as have come, but not more than `most`; none where the source has ended. Of a source that gives
   * crumbs enough are gathered to be worth a call of a cipher. Not a promise where they are there.
   */
  some(most: number): Buffer | Promise<Buffer> {
    return this.#current.length >= Math.min(most, WORTHWHILE) ? this.#take(most) : this.#someMore(most);
  }

  async #someMore(most: number): Promise<Buffer> {
    if (this.#current.length === 0 && most > 0) await this.#pull();
    if (this.#current.length >= Math.min(most, WORTHWHILE)) return this.#take(most);
    return this.#gather(Math.min(most, WORTHWHILE));
  }

  /** All that is left, in the pieces that it comes in. */
  async *rest(): AsyncGenerator<Buffer> {
    while (!(await this.atEnd())) yield this.#take(this.#current.length);
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

  /**
   * Bytes of many pieces, in a buffer that doubles: pieces of one byte each would weigh a hundred times as much if they
   * were kept, and what a message claims to hold is not made room for before it comes.
   */
  async #gather(length: number): Promise<Buffer> {
    let out = Buffer.allocUnsafe(Math.min(length, FIRST_ROOM));
    let filled = 0;
    do {
      const part = this.#take(Math.min(length - filled, this.#current.length));
      if (filled + part.length > out.length) {
        const room = Math.min(length, Math.max(filled + part.length, 2 * out.length));
        const larger = Buffer.allocUnsafe(room);
        out.copy(larger, 0, 0, filled);
        out = larger;
      }
      part.copy(out, filled);
      filled += part.length;
    } while (filled < length && (await this.#pull()));
    return out.subarray(0, filled);
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
