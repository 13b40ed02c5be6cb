/**
 * What a sync remembers of each path: how the file and the object were when they were the same. It saves requests and may be
 * lost. Lines of JSON in the order of the paths: read and written as streams.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BigIntStats } from 'node:fs';
import { isSealdropError, SealdropError, systemCode } from '../../errors.js';
import { printable, printableJson } from '../../printable.js';
import { stateFolder } from '../../user-folders.js';
import { compareKeys } from './join.js';

/** State of a file by which a change of it is seen: bytes, and nanoseconds in decimal. */
export interface FileState {
  readonly size: number;
  readonly mtime: string;
  readonly ctime: string;
}

export interface Known extends FileState {
  readonly path: string;
  /** Of the object that had the content of this file. */
  readonly etag: string;
  /** Only their times say that they are the same: nobody has seen it. */
  readonly guessed?: true;
}

export const stateOf = ({ size, mtimeNs, ctimeNs }: BigIntStats): FileState => ({
  size: Number(size),
  mtime: String(mtimeNs),
  ctime: String(ctimeNs),
});

export const isState = (a: FileState, b: FileState): boolean =>
  a.size === b.size && a.mtime === b.mtime && a.ctime === b.ctime;

/** Where the index of a pair is kept, unless somebody says otherwise. */
export function indexPath(root: string, address: string): string {
  const name = createHash('sha256')
    .update(JSON.stringify([root, address]))
    .digest('hex')
    .slice(0, 32);
  return join(stateFolder(), 'sync', `${name}.jsonl`);
}

/** Of a file that is not there, or no index, nothing; of a damaged one, what stands before the damage. */
export async function* readIndex(path: string): AsyncGenerator<Known> {
  const handle = await open(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw unusable(path, error);
  });
  if (handle === undefined) return;
  try {
    let before: Known | undefined;
    for await (const line of handle.readLines({ autoClose: false })) {
      const known = parse(line);
      if (known === undefined || (before !== undefined && compareKeys(before.path, known.path) >= 0)) return;
      yield (before = known);
    }
  } catch (error) {
    throw unusable(path, error);
  } finally {
    await handle.close();
  }
}

const GUESSED = 'guessed';

function parse(line: string): Known | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const [path, etag, size, mtime, ctime, ...more] = value as unknown[];
  const texts = [path, etag, mtime, ctime].every((each) => typeof each === 'string');
  const guessed = more.length === 1 && more[0] === GUESSED;
  if (!texts || !Number.isSafeInteger(size) || (more.length > 0 && !guessed)) return undefined;
  return { path, etag, size, mtime, ctime, ...(guessed && { guessed }) } as Known;
}

/** Whatever a user's slip of the finger named: it is not written over. @throws SealdropError `target_exists` */
async function assertIndex(path: string): Promise<void> {
  const size = await stat(path).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size === 0) return;
  for await (const _known of readIndex(path)) return;
  throw new SealdropError('target_exists', `${printable(path)} is there, and is no index of sync`, {
    hint: 'name another file with --index; an index that was damaged may be removed',
  });
}

const BUFFERED = 64 * 1024;

/** A new index, written aside; it takes the place of the old one when it is kept. */
export class IndexWriter {
  readonly #path: string;
  readonly #aside: string;
  readonly #handle: FileHandle;
  #lines = '';

  private constructor(path: string, aside: string, handle: FileHandle) {
    this.#path = path;
    this.#aside = aside;
    this.#handle = handle;
  }

  /** @throws SealdropError `target_unwritable` */
  static async open(path: string): Promise<IndexWriter> {
    const aside = `${path}.${randomBytes(8).toString('hex')}.new`;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await assertIndex(path);
      return new IndexWriter(path, aside, await open(aside, 'wx', 0o600));
    } catch (error) {
      throw isSealdropError(error) ? error : unusable(path, error);
    }
  }

  /** In the order of the paths. */
  async add({ path, etag, size, mtime, ctime, guessed }: Known): Promise<void> {
    const more = guessed === true ? [GUESSED] : [];
    this.#lines += `${printableJson([path, etag, size, mtime, ctime, ...more])}\n`;
    if (this.#lines.length > BUFFERED) await this.#flush();
  }

  async keep(): Promise<void> {
    try {
      await this.#flush();
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#aside, this.#path);
    } catch (error) {
      throw unusable(this.#path, error);
    }
  }

  async drop(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await unlink(this.#aside).catch(() => undefined);
  }

  async #flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = '';
    await this.#handle.writeFile(lines);
  }
}

function unusable(path: string, cause: unknown): SealdropError {
  const why = systemCode(cause) ?? 'unknown error';
  return new SealdropError('target_unwritable', `the index ${printable(path)} cannot be used: ${why}`, {
    cause,
    hint: 'name another place for it with --index FILE',
  });
}
