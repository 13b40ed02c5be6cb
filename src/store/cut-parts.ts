import { assertWithin, type PartPlan } from './part-plan.js';

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

export interface Part {
  /** From 1. */
  readonly number: number;
  readonly body: Buffer;
  /** To be given back to the pool when the body has been sent for good. */
  readonly buffer: Buffer;
  readonly last: boolean;
}

/** Parts of one size, the last one smaller or as large; an empty source makes one empty part. */
export async function* cutParts(
  pieces: AsyncIterable<Uint8Array>,
  plan: PartPlan,
  pool: BufferPool,
): AsyncGenerator<Part> {
  let number = 1;
  let total = 0;
  let buffer = await pool.take();
  let used = 0;
  for await (const piece of pieces) {
    assertWithin(plan, (total += piece.length));
    for (let at = 0; at < piece.length;) {
      // Only now: a full part that nothing follows is the last one.
      if (used === buffer.length) {
        yield { number: number++, body: buffer, buffer, last: false };
        buffer = await pool.take();
        used = 0;
      }
      const length = Math.min(piece.length - at, buffer.length - used);
      buffer.set(piece.subarray(at, at + length), used);
      used += length;
      at += length;
    }
  }
  yield { number, body: buffer.subarray(0, used), buffer, last: true };
}
