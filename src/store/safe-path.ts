/**
 * From keys to paths that stay below the root. Every parent is looked at before it is walked through, and files are
 * opened with O_NOFOLLOW. Node has no openat(2), so whoever may write into the vault can still swap a parent between
 * the look and the opening: the vault's directories have to belong to their owner.
 */
import type { BigIntStats } from 'node:fs';
import { constants, lstat, mkdir, open, rmdir, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { isReserved, RESERVED } from '../reserved-name.js';
import { hasCode } from './fs-errors.js';
import { syncFolder } from './temp-files.js';

export { isReserved };

/** At any depth: a marker further down would make that folder a vault of its own, or none at all. */
const hasReserved = (key: string): boolean => key.split('/').some(isReserved);

/** @throws SealdropError `key_not_storable` */
export function assertNotReserved(key: string): void {
  if (!hasReserved(key)) return;
  throw new SealdropError('key_not_storable', `the key ${printable(key)} cannot be stored in a directory`, {
    hint: `names that begin with "${RESERVED}" are kept for sealdrop's own files: choose a different key`,
  });
}

export async function lstatIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** The directories from the root down to the one that holds the key's file. */
function parentsOf(root: string, key: string): string[] {
  const segments = key.split('/').slice(0, -1);
  return segments.map((_, index) => join(root, ...segments.slice(0, index + 1)));
}

/** True where every parent of the key is a directory; a link to one isn't. */
export async function parentsAreThere(root: string, key: string): Promise<boolean> {
  for (const path of parentsOf(root, key)) if (!(await lstatIfThere(path))?.isDirectory()) return false;
  return true;
}

/** The status of the object's file, or undefined where the key has no object. */
export async function statObject(root: string, key: string): Promise<BigIntStats | undefined> {
  if (hasReserved(key) || !(await parentsAreThere(root, key))) return undefined;
  const stat = await lstatIfThere(join(root, key));
  return stat?.isFile() ? stat : undefined;
}

export interface OpenObject {
  readonly handle: FileHandle;
  readonly stat: BigIntStats;
}

/** Opens the object's file for reading, or undefined where the key has no object. */
export async function openObject(root: string, key: string): Promise<OpenObject | undefined> {
  if ((await statObject(root, key)) === undefined) return undefined;
  // Not blocking: if a pipe has been put there since, opening it must not wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(join(root, key), flags);
  try {
    const stat = await handle.stat({ bigint: true });
    if (stat.isFile()) return { handle, stat };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/**
 * Checks that the key's file can stand where it would, as far as its parents are there.
 * @throws SealdropError `key_not_storable` where something else is in the way
 */
export async function assertFree(root: string, key: string): Promise<void> {
  for (const path of parentsOf(root, key)) {
    const stat = await lstatIfThere(path);
    if (stat === undefined) return;
    if (!stat.isDirectory()) throw inTheWay(key, path, stat);
  }
  const path = join(root, key);
  const stat = await lstatIfThere(path);
  if (stat !== undefined && !stat.isFile()) throw inTheWay(key, path, stat);
}

/** Makes the parents of a key. @throws SealdropError `key_not_storable` */
export async function makeParents(root: string, key: string): Promise<void> {
  for (const path of parentsOf(root, key)) {
    // Looked at one by one: a recursive mkdir walks through symbolic links.
    const stat = await lstatIfThere(path);
    if (stat === undefined) await makeFolder(path);
    else if (!stat.isDirectory()) throw inTheWay(key, path, stat);
  }
  await assertFree(root, key);
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    // Another writer made it; what it is gets looked at by whoever goes through it.
    if (hasCode(error, 'EEXIST')) return;
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Removes the parents of a key that are empty, from the innermost. */
export async function pruneParents(root: string, key: string): Promise<void> {
  for (const path of parentsOf(root, key).reverse()) {
    try {
      // A symbolic link is no directory to rmdir, and is left alone.
      await rmdir(path);
    } catch {
      return;
    }
  }
}

function inTheWay(key: string, path: string, stat: BigIntStats): SealdropError {
  const what = stat.isSymbolicLink()
    ? 'a symbolic link'
    : stat.isDirectory()
      ? 'a directory'
      : stat.isFile()
        ? 'a file'
        : 'something that is not a file';
  return new SealdropError(
    'key_not_storable',
    `the key ${printable(key)} cannot be stored: ${printable(path)} is ${what}`,
    {
      hint: stat.isSymbolicLink()
        ? 'links below a vault are never followed: put a directory in its place, or choose a different key'
        : 'a directory can hold "a" or "a/b", not both: choose a different key',
    },
  );
}
