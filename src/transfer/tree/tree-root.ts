/**
 * A folder that a tree is written into, and nothing outside of it: every folder on the way to a file is held open, and
 * none of them is reached through a link.
 */
import type { BigIntStats } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SealdropError, systemCode } from '../../errors.js';
import { type HeldFolder, walkTo } from '../../held-folder.js';
import { printable } from '../../printable.js';
import { placesOf } from '../../real-path.js';
import { folded } from './names.js';
import {
  AsideFile,
  asideName,
  isLeftAside,
  moveWithoutOverwriting,
  syncDirectory,
  targetExists,
  unwritable,
  type Target,
} from '../target.js';

export interface TreeRootOptions {
  /** Default true. */
  overwrite?: boolean;
  /** Remove what an earlier run, which was killed, left half done. */
  sweep?: boolean;
  /** Paths whose places nothing takes, nor anything below them. */
  protect?: readonly string[];
}

export class TreeRoot {
  readonly #root: string;
  /** As the user knows it. */
  readonly #shown: string;
  readonly #options: TreeRootOptions;
  /** Device and inode of every file that this run wrote or left as it was. */
  readonly #mine = new Set<string>();
  /** Folders that were written into, by their paths below the root; and whether they have been swept. */
  readonly #folders = new Map<string, Promise<void>>();
  /** Paths, with device and inode of files and links, and what would be taken for the path of a folder or of what isn't there. */
  readonly #protected: ReadonlySet<string>;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    root: string,
    shown: string,
    options: TreeRootOptions,
    protectedFiles: ReadonlySet<string>,
  ) {
    this.#protected = protectedFiles;
    this.#root = root;
    this.#shown = shown;
    this.#options = options;
  }

  /** Makes the folder if it isn't there. @throws SealdropError `target_unwritable`, `disk_full` */
  static async open(path: string, options: TreeRootOptions = {}): Promise<TreeRoot> {
    try {
      await mkdir(path, { recursive: true });
      const protectedFiles = await identitiesOf(options.protect ?? []);
      return new TreeRoot(await realpath(path), path, options, protectedFiles);
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }

  /** What stands there now, not followed. Undefined where nothing can be seen. */
  async look(segments: readonly string[]): Promise<BigIntStats | undefined> {
    const folder = await walkTo(this.#root, segments.slice(0, -1)).catch(() => undefined);
    try {
      return folder && (await lstatIfThere(folder.at(segments.at(-1)!)));
    } finally {
      await folder?.close();
    }
  }

  /** Of a file that is left as it is: nothing else of this run may replace it. */
  keep(stats: BigIntStats): void {
    this.#mine.add(identity(stats));
  }

  /** @throws SealdropError `target_exists`, `target_unwritable`, `key_not_storable`, `disk_full` */
  async makeDirectory(segments: readonly string[]): Promise<void> {
    this.#assertFree(segments);
    const folder = await this.#folder(segments, segments);
    await folder.close();
  }

  /**
   * A file that is written aside in its own folder, and appears under its name when it is complete. It takes the place
   * of a file or a link, of nothing else, and of nothing that this run wrote: file systems take names for one that are
   * different keys.
   * @throws SealdropError `target_exists`, `target_unwritable`, `key_not_storable`, `disk_full`
   */
  async openFile(segments: readonly string[]): Promise<Target> {
    const name = segments.at(-1)!;
    const shown = this.#path(segments);
    this.#assertFree(segments);
    const folder = await this.#folder(segments.slice(0, -1), segments);
    try {
      const there = await lstatIfThere(folder.at(name));
      this.#assertReplaceable(there, shown);
      const [aside, path] = [folder.at(asideName(name)), folder.at(name)];
      const handle = await open(aside, 'wx', 0o600);
      const id = identity(await handle.stat({ bigint: true }));
      const mode = there?.isFile() === true ? Number(there.mode) : undefined;
      const moveIn = () => this.#moveIn({ aside, path, shown, id });
      return closing(new AsideFile(handle, { aside, path, shown, mode, moveIn }), folder);
    } catch (cause) {
      await folder.close();
      throw this.#explained(cause, shown);
    }
  }

  /** Makes all names durable. */
  async sync(): Promise<void> {
    for (const path of this.#folders.keys()) await syncDirectory(join(this.#root, path));
  }

  async #folder(way: readonly string[], segments: readonly string[]): Promise<HeldFolder> {
    try {
      const folder = await walkTo(this.#root, way, true);
      await this.#known(way.join('/'), folder);
      return folder;
    } catch (cause) {
      throw this.#explained(cause, this.#path(segments));
    }
  }

  async #known(path: string, folder: HeldFolder): Promise<void> {
    const swept =
      this.#folders.get(path) ?? (this.#options.sweep === true ? sweep(folder) : Promise.resolve());
    this.#folders.set(path, swept);
    await swept;
  }

  /** One at a time: between the look and the renaming no other name may turn out to be the same. */
  async #moveIn(names: { aside: string; path: string; shown: string; id: string }): Promise<void> {
    const { aside, path, shown, id } = names;
    const move = async () => {
      this.#assertReplaceable(await lstatIfThere(path), shown);
      if (this.#options.overwrite === false) await moveWithoutOverwriting(aside, path);
      else await rename(aside, path);
      this.#mine.add(id);
    };
    const mine = this.#turn.then(move, move);
    this.#turn = mine.catch(() => undefined);
    await mine;
  }

  #assertFree(segments: readonly string[]): void {
    const place = join(this.#root, ...segments);
    for (let above = place; above !== dirname(above); above = dirname(above))
      if (this.#protected.has(above) || this.#protected.has(byName(above)))
        throw isProtected(this.#path(segments));
  }

  #assertReplaceable(there: BigIntStats | undefined, shown: string): void {
    if (there === undefined) return;
    if (this.#protected.has(identity(there))) throw isProtected(shown);
    if (this.#mine.has(identity(there)))
      throw new SealdropError(
        'target_exists',
        `${printable(shown)} is, to this file system, the name of a file that was just written`,
        {
          hint: 'names differ by case or Unicode form alone: take it out by its own address, under another name',
        },
      );
    if (there.isDirectory())
      throw new SealdropError('target_exists', `${printable(shown)} is a directory here`, {
        hint: 'a file system has "a" or "a/b", not both: take it out by its own address, under another name',
      });
    if (!there.isFile() && !there.isSymbolicLink())
      throw new SealdropError('target_unwritable', `${printable(shown)} is no regular file`);
    if (this.#options.overwrite === false) throw targetExists(shown);
  }

  #path(segments: readonly string[]): string {
    return join(this.#shown, ...segments);
  }

  #explained(cause: unknown, shown: string): unknown {
    if (cause instanceof SealdropError) return cause;
    const code = systemCode(cause) ?? '';
    if (['ENOTDIR', 'ELOOP', 'EEXIST'].includes(code))
      return new SealdropError(
        'target_exists',
        `${printable(shown)} cannot be written: what should be a directory is something else`,
        { cause, hint: 'links are not followed below the target; a file cannot have others below it' },
      );
    if (['ENAMETOOLONG', 'EILSEQ', 'EINVAL'].includes(code))
      return new SealdropError('key_not_storable', `${printable(shown)} cannot be a file here: ${code}`, {
        cause,
        hint: 'take the object out by its own address: sealdrop get ADDRESS FILE',
      });
    return unwritable(shown, cause);
  }
}

/** The folder is held as long as the file is worked on. */
function closing(file: AsideFile, folder: HeldFolder): Target {
  return {
    held: true,
    write: (bytes) => file.write(bytes),
    async commit(attributes) {
      await file.commit(attributes);
      await folder.close();
    },
    async discard() {
      await file.discard();
      await folder.close();
    },
  };
}

async function identitiesOf(paths: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const path of paths) {
    for (const place of await placesOf(path)) {
      const there = await lstat(place, { bigint: true }).catch(() => undefined);
      found.add(place).add(there === undefined || there.isDirectory() ? byName(place) : identity(there));
    }
  }
  return found;
}

/** Where no file is, the file system cannot be asked which names are one. */
const byName = (path: string): string => `path ${folded(path)}`;

export const isProtected = (shown: string): SealdropError =>
  new SealdropError('target_unwritable', `${printable(shown)} is a file that this command works with`, {
    hint: 'a key or a setting does not come out of a vault: leave it out with --exclude, or take it out under another name, or with --force',
  });

async function sweep(folder: HeldFolder): Promise<void> {
  for (const name of await readdir(folder.at()))
    if (await isLeftAside(name, folder.at(name))) await unlink(folder.at(name)).catch(() => undefined);
}

async function lstatIfThere(path: string): Promise<BigIntStats | undefined> {
  return lstat(path, { bigint: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
}

const identity = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;
