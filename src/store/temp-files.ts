/** Files written aside, under the root so that they can be renamed into place, in a folder that is never listed. */
import { randomBytes } from 'node:crypto';
import { constants, lstat, mkdir, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { SealdropError } from '../errors.js';
import { HeldFolder } from '../held-folder.js';
import { printable } from '../printable.js';
import { hasCode } from './fs-errors.js';

const TEMP_FOLDER = '.sealdrop-tmp';
const TEMP_NAME = /^[0-9a-f]{32}$/;
const STALE_AFTER = 24 * 60 * 60 * 1000;

/** A folder of ours right under the root, made if missing. Never one that a symbolic link leads to. */
export async function ownFolder(root: string, name: string, mode: number): Promise<string> {
  const path = join(root, name);
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    if (!(await lstat(path)).isDirectory())
      throw new SealdropError('not_a_vault', `${printable(path)} is not a directory`);
  }
  return path;
}

export interface TempFile {
  readonly path: string;
  readonly handle: FileHandle;
}

export async function openTemp(root: string): Promise<TempFile> {
  const path = join(await ownFolder(root, TEMP_FOLDER, 0o700), randomBytes(16).toString('hex'));
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  return { path, handle: await open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600) };
}

/** Removes a file that may be gone already. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/**
 * Removes what crashed writers left behind: files older than a day, so that no running one loses its own. Only in a
 * folder of ours, held while it is done, and only what is named as such files are: whoever may write into the vault
 * could put a link to other files of ours in its place.
 */
export async function removeStaleTemp(root: string, now = Date.now()): Promise<number> {
  const folder = await openIfThere(join(root, TEMP_FOLDER));
  if (folder === undefined) return 0;
  try {
    return (await folder.stat()).uid === (process.geteuid?.() ?? 0) ? await removeStale(folder, now) : 0;
  } finally {
    await folder.close();
  }
}

async function removeStale(folder: HeldFolder, now: number): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder.at())) {
    if (!TEMP_NAME.test(name)) continue;
    const stat = await lstat(folder.at(name)).catch(() => undefined);
    if (!stat?.isFile() || now - stat.mtimeMs < STALE_AFTER) continue;
    await unlinkIfThere(folder.at(name));
    removed++;
  }
  return removed;
}

async function openIfThere(path: string): Promise<HeldFolder | undefined> {
  try {
    return await HeldFolder.open(path);
  } catch (error) {
    // A link, or a file: what it leads to is not ours.
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** Makes names durable. Some file systems know no such thing; the data itself was synced before. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'ENOTSUP', 'EPERM', 'EBADF')) throw error;
  } finally {
    await folder.close();
  }
}
