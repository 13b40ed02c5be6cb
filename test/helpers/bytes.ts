/** Byte streams for tests: cut up, collected, and what came out of them before they failed. */
import { createCipheriv } from 'node:crypto';
import type { ByteSource } from '../../src/ports.js';

/** The bytes in chunks of `size`. */
export async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The bytes in chunks of the sizes given, over and over; 0 makes an empty chunk. */
export async function* chunkedBy(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export async function collect(source: ByteSource): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  // Copied: the source may use its memory again.
  for await (const piece of source) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

export interface Outcome {
  readonly released: Buffer;
  /** What was thrown, if anything. */
  readonly error?: unknown;
}

/** Reads to the end or to the failure, and keeps what came before it. */
export async function drain(source: ByteSource): Promise<Outcome> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of source) pieces.push(Uint8Array.from(piece));
    return { released: Buffer.concat(pieces) };
  } catch (error) {
    return { released: Buffer.concat(pieces), error };
  }
}

/** Bytes that are the same on every run and repeat nowhere. */
export function pattern(length: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(length));
}
