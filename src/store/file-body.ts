import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { SealdropError, interrupted } from '../errors.js';
import { printable } from '../printable.js';
import { fsError } from './fs-errors.js';

const PIECE = 256 * 1024;

interface Part {
  readonly first: number;
  readonly last: number;
  readonly address: string;
  readonly signal: AbortSignal | undefined;
}

/** The bytes of an open file from `first` to `last`; the file is closed at the end, or when the stream is destroyed. */
export function fileBody(handle: FileHandle, part: Part): Readable {
  let position = part.first;
  const body: Readable = new Readable({
    highWaterMark: PIECE,
    read() {
      const length = Math.min(PIECE, part.last + 1 - position);
      readAt(handle, position, length, part).then(
        (piece) => {
          position += piece?.length ?? 0;
          body.push(piece);
        },
        (error: unknown) => body.destroy(fsError(error, part.address) as Error),
      );
    },
    destroy(error, done) {
      part.signal?.removeEventListener('abort', abort);
      handle.close().then(
        () => done(error),
        () => done(error),
      );
    },
  });
  const abort = () => body.destroy(interrupted(part.signal?.reason));
  if (part.signal?.aborted === true) abort();
  else part.signal?.addEventListener('abort', abort, { once: true });
  return body;
}

/** Null at the end of the part. */
async function readAt(
  handle: FileHandle,
  position: number,
  length: number,
  { address }: Part,
): Promise<Buffer | null> {
  if (length <= 0) return null;
  const buffer = Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  if (bytesRead > 0) return buffer.subarray(0, bytesRead);
  throw new SealdropError('source_changed', `${printable(address)} became shorter while it was read`);
}
