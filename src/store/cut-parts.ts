import type { BufferPool } from '../buffer-pool.js';
import { assertWithin, type PartPlan } from './part-plan.js';

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
