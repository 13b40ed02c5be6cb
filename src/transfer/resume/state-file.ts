/** Where the state of an unfinished put lies: one file for each key of a vault, in the user's own folder, and for nobody else. */
import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SealdropError, systemCode } from '../../errors.js';
import { printable } from '../../printable.js';
import { stateFolder } from '../../user-folders.js';
import { DurableLines } from '../durable-lines.js';
import { holdLock, type FileLock } from '../lock-file.js';
import { firstLine, readState, type Begun, type State } from './state.js';

const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Of more parts than an object has. */
const MAX_BYTES = 16 * 1024 * 1024;
/** An unfinished put of which nothing was heard for so long is not gone on with: its key does not stay. */
const FORGOTTEN_MS = 30 * 24 * 3_600_000;
const SUFFIX = '.jsonl';

export const uploadsFolder = (): string => join(stateFolder(), 'uploads');

/** @param place of the store and the bucket */
export function statePath(place: string, key: string, folder = uploadsFolder()): string {
  const name = createHash('sha256')
    .update(JSON.stringify([place, key]))
    .digest('hex')
    .slice(0, 32);
  return join(folder, name + SUFFIX);
}

export class StateFile {
  readonly #path: string;
  readonly #lock: FileLock;
  #handle: FileHandle | undefined;

  private constructor(path: string, lock: FileLock) {
    this.#path = path;
    this.#lock = lock;
  }

  /**
   * For this process alone, until `release`.
   * @throws SealdropError `precondition_failed` where another has it, `target_unwritable`, `disk_full`
   */
  static async hold(path: string): Promise<StateFile> {
    const folder = dirname(path);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const stats = await lstat(folder);
      if (!stats.isDirectory() || !isOwn(stats)) throw new Error('others may write there');
    } catch (cause) {
      throw unusable(folder, cause);
    }
    return new StateFile(path, await holdLock(path, { patience: 0, long: true }));
  }

  /** @returns undefined where there is none, or none that can be gone on with */
  async read(): Promise<State | undefined> {
    const handle = await open(this.#path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw unusable(this.#path, error);
    });
    if (handle === undefined) return undefined;
    try {
      const stats = await handle.stat();
      // Nobody else has written it, or can.
      if (!stats.isFile() || !isOwn(stats) || stats.nlink !== 1)
        throw unusable(this.#path, new Error('somebody else put it there'));
      return stats.size > MAX_BYTES ? undefined : readState(await handle.readFile());
    } finally {
      await handle.close();
    }
  }

  /** A new one, on the disk before this resolves. There must be none. */
  async create(begun: Begun): Promise<DurableLines> {
    try {
      this.#handle = await open(this.#path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o600);
      await this.#handle.appendFile(`${firstLine(begun)}\n`);
      await this.#handle.sync();
      await syncFolder(dirname(this.#path));
      return DurableLines.of(this.#handle, this.#path);
    } catch (cause) {
      throw unusable(this.#path, cause);
    }
  }

  /** @param state as it was read */
  async continue({ length }: State): Promise<DurableLines> {
    try {
      this.#handle = await open(this.#path, O_RDWR | O_APPEND | O_NOFOLLOW);
      await this.#handle.truncate(length);
      await this.#handle.sync();
      return DurableLines.of(this.#handle, this.#path);
    } catch (cause) {
      throw unusable(this.#path, cause);
    }
  }

  /** Its key is written over, as far as the file system does that. None there is no error. */
  async remove(): Promise<void> {
    await this.#close();
    // Somebody on another machine, who shares the folder, may have taken it for left behind: then it is theirs.
    const isHeld = await this.#lock.assertHeld().then(
      () => true,
      () => false,
    );
    if (!isHeld) return;
    await shred(this.#path).catch((cause: unknown) => {
      throw unusable(this.#path, cause);
    });
  }

  async release(): Promise<void> {
    await this.#close();
    await this.#lock.release();
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

/** Whose put was given up long ago, and said so to nobody. What is being used has been written to. */
export async function forgetOld(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith(SUFFIX)) continue;
    const path = join(folder, name);
    const stats = await lstat(path).catch(() => undefined);
    if (stats === undefined || Date.now() - stats.mtimeMs < FORGOTTEN_MS) continue;
    const file = await StateFile.hold(path).catch(() => undefined);
    await file?.remove().catch(() => undefined);
    await file?.release();
  }
}

export async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function shred(path: string): Promise<void> {
  try {
    const handle = await open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const { size } = await handle.stat();
      await handle.write(Buffer.alloc(Math.min(size, MAX_BYTES)), 0, undefined, 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // It is removed all the same.
  }
  await unlink(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error;
  });
  await syncFolder(dirname(path));
}

/** The user's, and nobody else may do anything with it. */
const isOwn = ({ uid, mode }: Stats): boolean =>
  (process.getuid === undefined || uid === process.getuid()) && (mode & 0o077) === 0;

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, O_RDONLY);
  // Not every file system syncs folders: what is lost then is the state as a whole, and nothing is gone on with.
  await handle.sync().catch(() => undefined);
  await handle.close();
}

function unusable(path: string, cause: unknown): SealdropError {
  const why = systemCode(cause) ?? (cause as Error).message;
  return new SealdropError(
    'target_unwritable',
    `cannot keep the state of an upload in ${printable(path)}: ${why}`,
    {
      cause,
      hint: 'XDG_STATE_HOME says where it lies; --no-resume keeps none',
    },
  );
}
