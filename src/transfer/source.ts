/** Where plaintext comes from: a file that must stay as it is while it is read, or a stream. */
import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { SealdropError, systemCode } from '../errors.js';
import { walkTo } from '../held-folder.js';
import type { ByteSource } from '../ports.js';
import { printable } from '../printable.js';

const READ_SIZE = 1024 * 1024;

export interface Source {
  /** Plaintext bytes, where known before reading. */
  readonly size?: number;
  /** Of the file that it is, where it is one. */
  readonly stats?: BigIntStats;
  /** May be called once. Throws `source_changed` at the end if what was read is not one consistent state. */
  read(): ByteSource;
  close(): Promise<void>;
}

export interface FileSource extends Source {
  readonly size: number | undefined;
  readonly stats: BigIntStats;
  /** Of a regular file: in place of `read`, for whoever knows where to begin. */
  readonly pieces?: FilePieces;
}

export interface FilePieces {
  /** Absolute, with no link in it. */
  path(): Promise<string>;
  /** Fills a buffer with what begins there. @throws SealdropError `source_changed` where the file ends before */
  fill(buffer: Uint8Array, position: number): Promise<void>;
  /** When all was read. @throws SealdropError `source_changed` where it is not the file that it was any more */
  assertSame(): Promise<void>;
}

export interface FileSourceOptions {
  /** Whether a symbolic link is followed. Default true. */
  follow?: boolean;
  /** Refuse what is no regular file; else a pipe is waited for and read. */
  regular?: boolean;
  /** What messages call it. Default: the path. */
  shown?: string;
}

/** @throws SealdropError `source_not_found`, `source_unreadable`, `usage` for a directory */
export async function openFileSource(at: string, options: FileSourceOptions = {}): Promise<FileSource> {
  const { follow = true, regular: only = false, shown: path = at } = options;
  const handle = await openForReading(at, path, { follow, wait: follow && !only });
  try {
    const stats = await handle.stat({ bigint: true });
    if (only && !stats.isFile())
      throw new SealdropError('source_unreadable', `${printable(path)} is no regular file`);
    if (stats.isDirectory())
      throw new SealdropError('usage', `${printable(path)} is a directory`, {
        hint: 'put -r takes directories; sealdrop serve watches one',
      });
    const regular = stats.isFile();
    const file = { at, path, follow, stats: regular ? stats : undefined };
    return {
      stats,
      size: regular ? Number(stats.size) : undefined,
      read: () => readFile(handle, file),
      ...(regular && { pieces: piecesOf(handle, { ...file, stats }) }),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * A regular file below a root. No step of the way to it may be a link, whoever swaps folders meanwhile (on Linux).
 * @param root a real path
 * @throws SealdropError `source_not_found`, `source_unreadable`
 */
export async function openFileBelow(root: string, path: string): Promise<FileSource> {
  const shown = join(root, path);
  const segments = path.split('/');
  const folder = await walkTo(root, segments.slice(0, -1)).catch((cause: unknown) => {
    throw unreadable(shown, cause);
  });
  try {
    const options = { follow: false, regular: true, shown };
    const source = await openFileSource(folder.at(segments.at(-1)!), options);
    const close = () => source.close().finally(() => folder.close());
    return { ...source, close };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function openForReading(
  at: string,
  path: string,
  { follow, wait }: { follow: boolean; wait: boolean },
): Promise<FileHandle> {
  try {
    // Where regular files alone are meant, a pipe in their place must not be waited for.
    const flags = (follow ? 0 : constants.O_NOFOLLOW) | (wait ? 0 : constants.O_NONBLOCK);
    return await open(at, constants.O_RDONLY | flags);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): SealdropError {
  const code = systemCode(cause);
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new SealdropError('source_not_found', `there is no file ${printable(path)}`, { cause });
  return new SealdropError(
    'source_unreadable',
    `cannot read ${printable(path)}: ${code ?? 'unknown error'}`,
    // Short of descriptors, a share that is away: that passes.
    { cause, retryable: !['EACCES', 'EPERM', 'ELOOP'].includes(code ?? '') },
  );
}

/** Bytes of a file; a regular one must be the same file with the same size and times when all was read. */
async function* readFile(handle: FileHandle, file: OpenedFile): AsyncGenerator<Buffer> {
  const { stats } = file;
  // One byte more than there should be, so that a second read finds the end.
  const size = stats === undefined ? READ_SIZE : Math.min(READ_SIZE, Number(stats.size) + 1);
  yield* stats === undefined ? readOn(handle, size) : readAhead(handle, size);
  if (stats !== undefined) await assertSame(handle, { ...file, stats });
}

interface OpenedFile {
  readonly at: string;
  /** What messages call it. */
  readonly path: string;
  readonly follow: boolean;
  readonly stats?: BigIntStats | undefined;
}

type RegularFile = OpenedFile & { readonly stats: BigIntStats };

async function assertSame(handle: FileHandle, { at, path, follow, stats }: RegularFile): Promise<void> {
  if (!sameState(stats, await handle.stat({ bigint: true }))) throw changed(path, 'was written to');
  // A link that is followed may lead elsewhere by now; what was read is still one whole file.
  if (!follow && !sameState(stats, await statOrNothing(at)))
    throw changed(path, 'was renamed, replaced or deleted');
}

async function* readOn(handle: FileHandle, size: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(size);
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, size, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Fills one buffer while the other is used. Not for pipes: who closes one would wait for bytes that may never come. */
async function* readAhead(handle: FileHandle, size: number): AsyncGenerator<Buffer> {
  const read = (buffer: Buffer) => {
    const reading = handle.read(buffer, 0, size, null);
    // Asked for later, or never.
    reading.catch(() => undefined);
    return reading;
  };
  let reading = read(Buffer.allocUnsafeSlow(size));
  for (let spare: Buffer | undefined; ;) {
    const { buffer, bytesRead } = await reading;
    if (bytesRead === 0) return;
    reading = read(spare ?? Buffer.allocUnsafeSlow(size));
    yield buffer.subarray(0, bytesRead);
    spare = buffer;
  }
}

function piecesOf(handle: FileHandle, file: RegularFile): FilePieces {
  return {
    path: async () => realpath(file.at),
    async fill(buffer, position) {
      for (let at = 0; at < buffer.length;) {
        const { bytesRead } = await handle.read(buffer, at, buffer.length - at, position + at);
        if (bytesRead === 0) throw changed(file.path, 'became shorter');
        at += bytesRead;
      }
    },
    assertSame: async () => assertSame(handle, file),
  };
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
