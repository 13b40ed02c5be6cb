/** Where plaintext goes: a file that appears only when everything was checked, or a stream. */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { link, lstat, open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isSealdropError, SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { hostId, isRunning } from '../processes.js';
import type { FileAttributes } from './attributes.js';
import { SYNC_EVERY, WriteBehind } from '../write-behind.js';

export interface Target {
  /** True where nothing is seen of the content until `commit`. */
  readonly held: boolean;
  /** True where the bytes given to `write` are not needed any more when it resolves. Default false. */
  readonly copies?: boolean;
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the content visible, durable, under its name; where it is a file, with these attributes. */
  commit(attributes?: FileAttributes): Promise<void>;
  /**
   * Leaves nothing behind, but where it is told why, and that may pass. Safe after a failed or finished `commit`.
   * @param cause what ended it
   */
  discard(cause?: unknown): Promise<void>;
}

export interface FileTargetOptions {
  /** Default true. */
  overwrite?: boolean;
  /** Permissions. Default: those of the file that is replaced, or what the umask leaves. */
  mode?: number;
  /** Waited for when all is on disk, right before it gets its name. Throws to leave what is there. */
  beforeMoving?: () => Promise<void>;
}

/**
 * A file written aside in its own directory and renamed. What is there and no regular file (a pipe, a device) is
 * written to as a stream instead: renaming over it would destroy it.
 * @throws SealdropError `target_exists`, `target_unwritable`, `disk_full`
 */
export async function openFileTarget(path: string, options: FileTargetOptions = {}): Promise<Target> {
  const place = await placeOf(path, options);
  if (place === undefined) return specialTarget(path);
  const aside = join(dirname(place.real), asideName(basename(place.real)));
  const handle = await open(aside, 'wx', 0o600).catch((cause: unknown) => {
    throw unwritable(path, cause);
  });
  return new AsideFile(handle, place.from(aside));
}

export interface Place {
  /** Through symbolic links. */
  readonly real: string;
  /** How a file that lies beside it gets there. */
  readonly from: (aside: string) => AsideFileNames;
}

/**
 * Where a file will lie; undefined where something is that is no regular file.
 * @throws SealdropError `target_exists`, `target_unwritable`
 */
export async function placeOf(path: string, options: FileTargetOptions): Promise<Place | undefined> {
  const overwrite = options.overwrite ?? true;
  const existing = await statOrNothing(path);
  if (existing !== undefined && !overwrite) throw targetExists(path);
  if (existing?.isDirectory() === true)
    throw new SealdropError('target_unwritable', `${printable(path)} is a directory`, {
      hint: 'name a file in it',
    });
  if (existing !== undefined && !existing.isFile()) return undefined;
  // Through a symbolic link, as cp does: the link stays.
  const real = existing === undefined ? path : await realpath(path);
  const from = (aside: string): AsideFileNames => ({
    aside,
    path: real,
    shown: real,
    mode: options.mode ?? existing?.mode,
    moveIn: async () => {
      await options.beforeMoving?.();
      if (overwrite) await rename(aside, real);
      else await moveWithoutOverwriting(aside, real);
      await syncDirectory(dirname(real));
    },
  });
  return { real, from };
}

/** Cut by bytes, not letters: a name may have 255 bytes, which is 85 letters of Japanese. */
export const beginningOf = (name: string): string =>
  Buffer.from(name)
    .subarray(0, 100)
    .toString('utf8')
    .replace(/\ufffd$/, '');

export function asideName(name: string): string {
  const pid = process.pid.toString(16).padStart(6, '0');
  return `.${beginningOf(name)}.${hostId()}${pid}${randomBytes(5).toString('hex')}.sealdrop-part`;
}

/** What differs from one run to the next in such a name. */
export const ASIDE_END = '0123456789abcdef.sealdrop-part'.length;

const ASIDE = /^\..*\.([0-9a-f]{8})?([0-9a-f]{6})[0-9a-f]{10}\.sealdrop-part$/s;
/** Nobody has written to it for so long, in milliseconds. */
const ABANDONED = 24 * 3600 * 1000;

/** Of what a later run may go on with: see src/transfer/kept. */
const KEPT = /^\..*\.sealdrop-(resume|partial)$/s;

export const isAsideName = (name: string): boolean => ASIDE.test(name) || KEPT.test(name);

/**
 * Whether it was left by a run that was killed: the process that made it is there no more, or, on a shared file system, was
 * of another machine and has not written for a day.
 */
export async function isLeftAside(name: string, path: string): Promise<boolean> {
  const [, host, pid] = ASIDE.exec(name) ?? [];
  if (pid === undefined) return false;
  if (host !== hostId()) {
    const stats = await lstat(path).catch(() => undefined);
    return stats !== undefined && Date.now() - stats.mtimeMs > ABANDONED;
  }
  return !isRunning(parseInt(pid, 16));
}

export interface AsideFileNames {
  readonly aside: string;
  /** Where it goes. */
  readonly path: string;
  /** The same, as users know it. */
  readonly shown: string;
  readonly mode?: number;
  /** Puts it under its name, when it is complete and on disk. */
  readonly moveIn: () => Promise<void>;
}

export class AsideFile implements Target {
  readonly held = true;
  readonly copies = true;
  readonly #handle: FileHandle;
  readonly #names: AsideFileNames;
  readonly #content: WriteBehind;
  #open = true;
  #present = true;

  constructor(handle: FileHandle, names: AsideFileNames) {
    this.#handle = handle;
    this.#names = names;
    this.#content = new WriteBehind(handle, { syncEvery: SYNC_EVERY });
  }

  /** Bytes, from the first that was given to `write`, that are on the disk. */
  get durable(): number {
    return this.#content.durable;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#content.write(bytes);
    } catch (cause) {
      throw unwritable(this.#names.shown, cause);
    }
  }

  async commit(attributes: FileAttributes = {}): Promise<void> {
    const { shown, moveIn } = this.#names;
    const mode = attributes.mode ?? this.#names.mode;
    try {
      await this.#content.end();
      // By the handle: under its name something else may lie by now.
      await this.#handle.chmod(mode === undefined ? 0o666 & ~process.umask() : mode & 0o777);
      if (attributes.mtime !== undefined) await this.#handle.utimes(Date.now() / 1000, attributes.mtime);
      await this.#handle.sync();
      await this.#close();
      await moveIn();
      this.#present = false;
    } catch (cause) {
      if (isSealdropError(cause)) throw cause;
      if (systemCode(cause) === 'EEXIST') throw targetExists(shown);
      throw unwritable(shown, cause);
    }
  }

  /** All that was written is on the disk. */
  async sync(): Promise<void> {
    try {
      await this.#content.end();
      await this.#handle.datasync();
    } catch (cause) {
      throw unwritable(this.#names.shown, cause);
    }
  }

  /** Leaves it where it is. */
  async leave(): Promise<void> {
    await this.#close();
  }

  async discard(): Promise<void> {
    await this.#close().catch(() => undefined);
    if (this.#present) await unlink(this.#names.aside).catch(() => undefined);
    this.#present = false;
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}

export async function moveWithoutOverwriting(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    // A file system without hard links: looking first is the best that can be done.
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(systemCode(error) ?? '')) throw error;
    if ((await statOrNothing(to)) !== undefined) throw targetExists(to);
    return rename(from, to);
  }
  await unlink(from);
}

export async function syncDirectory(path: string): Promise<void> {
  // Some file systems do not sync directories; the file itself is safe by then.
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
  const handle = await open(path, flags).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

async function specialTarget(path: string): Promise<Target> {
  // Neither made nor emptied: if a file has come in its place meanwhile, nothing happens to it.
  const handle = await open(path, constants.O_WRONLY).catch((cause: unknown) => {
    throw unwritable(path, cause);
  });
  if ((await handle.stat()).isFile()) {
    await handle.close();
    throw new SealdropError('target_unwritable', `${printable(path)} became another file`, {
      retryable: true,
    });
  }
  const close = () => handle.close().catch(() => undefined);
  return {
    held: false,
    write: (bytes) =>
      handle.writeFile(bytes).catch((cause: unknown) => {
        throw unwritable(path, cause);
      }),
    commit: close,
    discard: close,
  };
}

async function statOrNothing(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw unwritable(path, cause);
  }
}

export function targetExists(path: string): SealdropError {
  return new SealdropError('target_exists', `${printable(path)} is there already`, {
    hint: 'name another target, or leave --no-overwrite out',
  });
}

export function unwritable(path: string, cause: unknown): SealdropError {
  const code = systemCode(cause) ?? 'unknown error';
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code))
    return new SealdropError('disk_full', `no room to write ${printable(path)} (${code})`, {
      cause,
      hint: 'free some space, or name a target on another disk',
    });
  if (code === 'ENOENT')
    return new SealdropError(
      'target_unwritable',
      `cannot write ${printable(path)}: its directory is not there`,
      {
        cause,
        hint: `make it first: mkdir -p ${printable(dirname(path))}`,
      },
    );
  const why = WHY[code] ?? code;
  return new SealdropError('target_unwritable', `cannot write ${printable(path)}: ${why}`, { cause });
}

const WHY: Readonly<Record<string, string>> = {
  EEXIST: 'a file is in the way',
  ENOTDIR: 'what should be a directory on the way is a file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
};

/**
 * A small file, there whole or not at all, that replaces nothing.
 * @throws SealdropError `target_exists`, `target_unwritable`, `disk_full`
 */
export async function writeNewFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const target = await openFileTarget(path, { overwrite: false, mode });
  try {
    await target.write(bytes);
    await target.commit();
  } catch (error) {
    await target.discard();
    throw error;
  }
}

/** A stream, such as standard output, which is not ended: authenticated bytes go out as they come. */
export function streamTarget(stream: NodeJS.WritableStream): Target {
  let failure: Error | undefined;
  const note = (error: Error) => (failure = error);
  stream.on('error', note);
  const release = () => Promise.resolve(void stream.off('error', note));
  return {
    held: false,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (failure) reject(streamFailure(failure));
        else stream.write(bytes, (error) => (error ? reject(streamFailure(error)) : resolve()));
      }),
    commit: release,
    discard: release,
  };
}

export function streamFailure(cause: Error): SealdropError {
  const code = systemCode(cause);
  if (code === 'EPIPE')
    return new SealdropError('output_closed', 'the reader of the output went away', { cause });
  return unwritable('standard output', cause);
}

/** For what is only looked through. */
export const nowhere: Target = {
  held: true,
  copies: true,
  write: () => Promise.resolve(),
  commit: () => Promise.resolve(),
  discard: () => Promise.resolve(),
};
