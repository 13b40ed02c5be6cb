/** Where plaintext comes from: a file that must stay as it is while it is read, or a stream. */
import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import { SealdropError, systemCode } from '../errors.js';
import type { ByteSource } from '../ports.js';
import { printable } from '../printable.js';

const READ_SIZE = 1024 * 1024;

export interface Source {
  /** Plaintext bytes, where known before reading. */
  readonly size?: number;
  /** May be called once. Throws `source_changed` at the end if what was read is not one consistent state. */
  read(): ByteSource;
  close(): Promise<void>;
}

export interface FileSource extends Source {
  readonly size: number | undefined;
  readonly stats: BigIntStats;
}

/**
 * @param options.follow whether a symbolic link is followed. Default true.
 * @throws SealdropError `source_not_found`, `source_unreadable`, `usage` for a directory
 */
export async function openFileSource(path: string, options: { follow?: boolean } = {}): Promise<FileSource> {
  const follow = options.follow ?? true;
  const handle = await openForReading(path, follow);
  try {
    const stats = await handle.stat({ bigint: true });
    if (stats.isDirectory())
      throw new SealdropError('usage', `${printable(path)} is a directory`, {
        hint: 'name the files themselves, or let sealdrop serve watch the directory',
      });
    const regular = stats.isFile();
    return {
      stats,
      size: regular ? Number(stats.size) : undefined,
      read: () => readFile(handle, { path, follow, stats: regular ? stats : undefined }),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openForReading(path: string, follow: boolean): Promise<FileHandle> {
  try {
    // Where links are not followed only regular files are meant: a pipe in their place must not be waited for.
    return await open(path, constants.O_RDONLY | (follow ? 0 : constants.O_NOFOLLOW | constants.O_NONBLOCK));
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new SealdropError('source_not_found', `there is no file ${printable(path)}`, { cause });
    throw new SealdropError(
      'source_unreadable',
      `cannot read ${printable(path)}: ${code ?? 'unknown error'}`,
      // Short of descriptors, a share that is away: that passes.
      { cause, retryable: !['EACCES', 'EPERM', 'ELOOP'].includes(code ?? '') },
    );
  }
}

/** Bytes of a file; a regular one must be the same file with the same size and times when all was read. */
async function* readFile(
  handle: FileHandle,
  { path, follow, stats }: { path: string; follow: boolean; stats?: BigIntStats },
): AsyncGenerator<Buffer> {
  for (;;) {
    const buffer = Buffer.allocUnsafeSlow(READ_SIZE);
    const { bytesRead } = await handle.read(buffer, 0, READ_SIZE, null);
    if (bytesRead === 0) break;
    yield buffer.subarray(0, bytesRead);
  }
  if (stats === undefined) return;
  if (!sameState(stats, await handle.stat({ bigint: true }))) throw changed(path, 'was written to');
  // A link that is followed may lead elsewhere by now; what was read is still one whole file.
  if (!follow && !sameState(stats, await statOrNothing(path)))
    throw changed(path, 'was renamed, replaced or deleted');
}

export function sameState(a: BigIntStats, b: BigIntStats | undefined): boolean {
  return (
    b !== undefined &&
    a.dev === b.dev &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs
  );
}

async function statOrNothing(path: string): Promise<BigIntStats | undefined> {
  return lstat(path, { bigint: true }).catch(() => undefined);
}

function changed(path: string, how: string): SealdropError {
  return new SealdropError(
    'source_changed',
    `${printable(path)} ${how} while it was read; nothing was stored`,
    {
      hint: 'try again when it rests',
      retryable: true,
    },
  );
}

/** A stream of unknown length, such as standard input. */
export function streamSource(stream: ByteSource, size?: number): Source {
  return { size, read: () => stream, close: () => Promise.resolve() };
}
