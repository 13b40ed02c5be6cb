/**
 * Which plaintext goes into which part. Parts have one size (some stores want that) and frames another, so a frame may lie in two
 * parts. The extent of a part is the plaintext of all frames that begin in it: the part itself is the rest of the last frame
 * before, and these frames as far as they go. The first one also has the header.
 */
import type { ResumableMessage } from '../../ports.js';

export interface Extent {
  /** Of its part, from 1. */
  readonly number: number;
  /** Bytes of the part in the message, from the first to behind the last. */
  readonly part: { readonly begin: number; readonly end: number };
  /** Frames that begin in the part, from the first to behind the last. */
  readonly frames: { readonly begin: number; readonly end: number };
  /** Their bytes of the plaintext. */
  readonly plaintext: { readonly begin: number; readonly end: number };
}

/** In order; together they have all of the message. A frame must not be longer than a part. */
export function* extentsOf(
  message: Pick<ResumableMessage, 'size' | 'frames' | 'frame'>,
  partSize: number,
): Generator<Extent> {
  let next = 0;
  let read = 0;
  for (let number = 1; (number - 1) * partSize < message.size; number++) {
    const part = { begin: (number - 1) * partSize, end: Math.min(number * partSize, message.size) };
    const frames = { begin: next, end: next };
    const plaintext = { begin: read, end: read };
    for (; next < message.frames; next++) {
      const frame = message.frame(next);
      if (frame.begin >= part.end) break;
      frames.end = next + 1;
      plaintext.end = read = frame.plaintext.end;
    }
    yield { number, part, frames, plaintext };
  }
}
