import { createHash, type Hash } from 'node:crypto';
import type { ByteSource } from '../ports.js';

/** The same bytes, and a hash that has seen them when they are at their end. */
export async function* hashed(content: ByteSource, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    hash.update(piece);
    yield piece;
  }
}

export async function sha256Of(content: ByteSource): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const piece of content) hash.update(piece);
  return hash.digest();
}
