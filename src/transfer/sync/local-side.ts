/** The local side of a sync: the files of a folder. */
import type { BigIntStats } from 'node:fs';
import { lstat, rmdir, unlink } from 'node:fs/promises';
import { SealdropError, systemCode } from '../../errors.js';
import { walkTo } from '../../held-folder.js';
import { printable } from '../../printable.js';
import { sameState } from '../source.js';
import { isAsideName } from '../target.js';
import { DIRECTORY_MARKER } from '../tree/names.js';
import { walk, type WalkOptions } from '../tree/walk.js';
import type { Entry, SyncEvent } from './sync.js';

export interface LocalEntry extends Entry {
  /** How the file system knows it. */
  readonly file: string;
  readonly stats?: BigIntStats;
}

/**
 * Files below a root, in order, with what else stands under a name there. Empty directories are nobody's content.
 * @param strays gets what cannot be read
 * @throws SealdropError `source_not_found` where there is no root, and it may not be missing
 */
export async function* localEntries(
  root: string,
  options: WalkOptions,
  { strays, mayBeMissing = false }: { strays: SyncEvent[]; mayBeMissing?: boolean },
): AsyncGenerator<LocalEntry> {
  if (mayBeMissing && !(await isThere(root))) return;
  for await (const entry of walk(root, options)) {
    const { path, kind } = entry;
    if (kind === 'failed') strays.push({ path, outcome: 'failed', error: entry.error });
    else if (kind === 'file' && !isOurs(path))
      yield { path, regular: true, file: entry.file, stats: entry.stats };
    // Of a folder, whose place in the order is another.
    else if (kind === 'file' || (kind === 'left_out' && (entry.why === 'symlink' || entry.why === 'special')))
      yield { path, regular: false, file: path };
  }
}

/** Names under which a vault's content is not a file's, or a file is not content. */
function isOurs(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name === DIRECTORY_MARKER || isAsideName(name);
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error: unknown) => systemCode(error) !== 'ENOENT',
  );

/**
 * Removes a file that is still the one that was listed, and the folders that are empty then.
 * @throws SealdropError `source_changed`
 */
export async function removeFile(root: string, { path, stats }: LocalEntry): Promise<void> {
  const segments = path.split('/');
  const folder = await walkTo(root, segments.slice(0, -1));
  try {
    const file = folder.at(segments.at(-1)!);
    if (stats === undefined || !sameState(stats, await lstat(file, { bigint: true }).catch(() => undefined)))
      throw new SealdropError('source_changed', `${printable(path)} is not what it was: it is left alone`);
    await unlink(file);
  } finally {
    await folder.close();
  }
  for (let depth = segments.length - 1; depth > 0; depth--) {
    const above = await walkTo(root, segments.slice(0, depth - 1));
    try {
      await rmdir(above.at(segments[depth - 1]!));
    } catch {
      return;
    } finally {
      await above.close();
    }
  }
}
