/** Buffers that are used again: the whole upload takes no more memory than there are of them. */
export class BufferPool {
  readonly #free: Buffer[] = [];
  readonly #waiting: ((buffer: Buffer) => void)[] = [];
  readonly #size: number;
  #left: number;

  constructor(size: number, count: number) {
    this.#size = size;
    this.#left = count;
  }

  async take(): Promise<Buffer> {
    const free = this.#free.pop();
    if (free) return free;
    // Pages of it that are never written take no memory.
    if (this.#left-- > 0) return Buffer.allocUnsafeSlow(this.#size);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(buffer: Buffer): void {
    const next = this.#waiting.shift();
    if (next) next(buffer);
    else this.#free.push(buffer);
  }
}
