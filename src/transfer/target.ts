/** Where plaintext goes: a file that appears only when everything was checked, or a stream. */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { link, open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isSealdropError, SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';

export interface Target {
  /** True where nothing is seen of the content until `commit`. */
  readonly held: boolean;
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the content visible, durable, under its name. */
  commit(): Promise<void>;
  /** Leaves nothing behind. Safe after a failed or finished `commit`. */
  discard(): Promise<void>;
}

export interface FileTargetOptions {
  /** Default true. */
  overwrite?: boolean;
  /** Permissions. Default: those of the file that is replaced, or what the umask leaves. */
  mode?: number;
}

/**
 * A file written aside in its own directory and renamed. What is there and no regular file (a pipe, a device) is
 * written to as a stream instead: renaming over it would destroy it.
 * @throws SealdropError `target_exists`, `target_unwritable`, `disk_full`
 */
export async function openFileTarget(path: string, options: FileTargetOptions = {}): Promise<Target> {
  const overwrite = options.overwrite ?? true;
  const existing = await statOrNothing(path);
  if (existing !== undefined && !overwrite) throw targetExists(path);
  if (existing?.isDirectory() === true)
    throw new SealdropError('target_unwritable', `${printable(path)} is a directory`, {
      hint: 'name a file in it',
    });
  if (existing !== undefined && !existing.isFile()) return specialTarget(path);
  // Through a symbolic link, as cp does: the link stays.
  const real = existing === undefined ? path : await realpath(path);
  const aside = join(dirname(real), asideName(basename(real)));
  const handle = await open(aside, 'wx', 0o600).catch((cause: unknown) => {
    throw unwritable(path, cause);
  });
  return new AsideFile(handle, {
    aside,
    path: real,
    overwrite,
    mode: options.mode ?? existing?.mode,
  });
}

/** Cut by bytes, not letters: a name may have 255 bytes, which is 85 letters of Japanese. */
function asideName(name: string): string {
  const begin = Buffer.from(name)
    .subarray(0, 100)
    .toString('utf8')
    .replace(/\ufffd$/, '');
  return `.${begin}.${randomBytes(6).toString('hex')}.sealdrop-part`;
}

class AsideFile implements Target {
  readonly held = true;
  readonly #handle: FileHandle;
  readonly #names: { aside: string; path: string; overwrite: boolean; mode?: number };
  #open = true;
  #present = true;

  constructor(handle: FileHandle, names: { aside: string; path: string; overwrite: boolean; mode?: number }) {
    this.#handle = handle;
    this.#names = names;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#handle.writeFile(bytes);
    } catch (cause) {
      throw unwritable(this.#names.path, cause);
    }
  }

  async commit(): Promise<void> {
    const { aside, path, overwrite, mode } = this.#names;
    try {
      // By the handle: under its name something else may lie by now.
      await this.#handle.chmod(mode === undefined ? 0o666 & ~process.umask() : mode & 0o777);
      await this.#handle.sync();
      await this.#close();
      if (overwrite) await rename(aside, path);
      else await moveWithoutOverwriting(aside, path);
      this.#present = false;
      await syncDirectory(dirname(path));
    } catch (cause) {
      if (isSealdropError(cause)) throw cause;
      if (systemCode(cause) === 'EEXIST') throw targetExists(path);
      throw unwritable(path, cause);
    }
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

async function moveWithoutOverwriting(from: string, to: string): Promise<void> {
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

async function syncDirectory(path: string): Promise<void> {
  // Some file systems do not sync directories; the file itself is safe by then.
  const handle = await open(path, 'r').catch(() => undefined);
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

function targetExists(path: string): SealdropError {
  return new SealdropError('target_exists', `${printable(path)} is there already`, {
    hint: 'name another target, or leave --no-overwrite out',
  });
}

function unwritable(path: string, cause: unknown): SealdropError {
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
  return new SealdropError('target_unwritable', `cannot write ${printable(path)}: ${code}`, { cause });
}

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
