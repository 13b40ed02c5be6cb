import type { Stats } from 'node:fs';
import { constants, open } from 'node:fs/promises';

export interface SmallFile {
  readonly stat: Stats;
  /** Undefined where it is no regular file, or has more bytes than it may. */
  readonly text: string | undefined;
}

/** Follows no link, waits for no writer of a pipe, and reads no more than `limit` says, whatever was put there. */
export async function readSmallFile(path: string, limit: number): Promise<SmallFile> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return { stat, text: undefined };
    // Read and not asked for its size: it may grow.
    const { buffer, bytesRead } = await file.read(Buffer.alloc(limit + 1));
    return { stat, text: bytesRead > limit ? undefined : buffer.toString('utf8', 0, bytesRead) };
  } finally {
    await file.close();
  }
}
