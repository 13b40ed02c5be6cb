/**
 * A directory held open: names in it mean files in that very directory, whatever others rename or link meanwhile.
 * Node has no openat(2); on Linux paths through /proc/self/fd do the same. Elsewhere the path itself has to do, and
 * whoever may write into an inbox or a vault can still swap a folder between two steps.
 */
import { constants, existsSync, type Stats } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from './errors.js';

const FDS = '/proc/self/fd';
const heldByNumber = process.platform === 'linux' && existsSync(FDS);

export class HeldFolder {
  readonly #handle: FileHandle;
  readonly #path: string;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /** Fails (ENOTDIR, ELOOP) where a symbolic link or a file stands. */
  static async open(path: string): Promise<HeldFolder> {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    return new HeldFolder(await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path);
  }

  at(...names: string[]): string {
    return join(heldByNumber ? `${FDS}/${this.#handle.fd}` : this.#path, ...names);
  }

  async stat(): Promise<Stats> {
    return this.#handle.stat();
  }

  async chmod(mode: number): Promise<void> {
    return this.#handle.chmod(mode);
  }

  async close(): Promise<void> {
    return this.#handle.close();
  }
}

/**
 * The folder below `root` that the names lead to; no step of the way may be a link. With `make`, what is missing is
 * made.
 */
export async function walkTo(root: string, names: readonly string[], make = false): Promise<HeldFolder> {
  let folder = await HeldFolder.open(root);
  for (const name of names) {
    const parent = folder;
    try {
      if (make) await mkdir(parent.at(name)).catch(unlessThere);
      folder = await HeldFolder.open(parent.at(name));
    } finally {
      await parent.close();
    }
  }
  return folder;
}

export function unlessThere(error: unknown): void {
  if (systemCode(error) !== 'EEXIST') throw error;
}
