/** A file of an inbox folder: taken when it rests, opened only inside the folder, removed only if it is still the same. */
import { randomBytes } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { copyFile, link, lstat, mkdir, open, realpath, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { openFileSource, sameState, type FileSource } from '../transfer/source.js';

/** The folder inside an inbox where files wait that are being removed. */
export const PRIVATE_FOLDER = '.sealdrop-leaving';

/** The state of a regular file, or undefined where there is none (any more). */
export async function stateOf(path: string): Promise<BigIntStats | undefined> {
  const stats = await lstat(path, { bigint: true }).catch(() => undefined);
  return stats?.isFile() === true ? stats : undefined;
}

/**
 * Waits until a file has not changed for a while.
 * @returns its state, or undefined where it went away
 */
export async function settled(
  path: string,
  settleMs: number,
  signal: AbortSignal,
): Promise<BigIntStats | undefined> {
  let state = await stateOf(path);
  while (state !== undefined && age(state) < settleMs) {
    await sleep(settleMs, undefined, { signal });
    const next = await stateOf(path);
    // A clock that runs ahead makes files look young for ever: unchanged over our own wait is enough.
    if (next !== undefined && sameState(state, next)) return next;
    state = next;
  }
  return state;
}

function age({ mtimeMs, ctimeMs }: BigIntStats): number {
  return Date.now() - Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs);
}

/** What changes with a file's content, as far as a file system tells. */
export function versionOf({ size, mtimeNs }: BigIntStats): string {
  return `${size}-${mtimeNs}`;
}

/** @throws SealdropError `source_changed` (retryable), `source_unreadable` */
export async function openInboxFile(root: string, path: string, expected: BigIntStats): Promise<FileSource> {
  const source = await openFileSource(path, { follow: false }).catch((error: unknown) => {
    throw systemCode(error) === 'ENOENT' ? goneError(path) : error;
  });
  try {
    // No folder on the way may be a link that leads out, not even for a moment: what was opened must be what the
    // real path names.
    const real = await realpath(path).catch(() => undefined);
    const named = real === undefined ? undefined : await stateOf(real);
    if (real === undefined || !real.startsWith(root + sep) || !sameState(source.stats, named))
      throw new SealdropError('source_unreadable', `${printable(path)} is reached through a symbolic link`);
    if (!sameState(source.stats, expected)) throw goneError(path);
    return source;
  } catch (error) {
    await source.close();
    throw error;
  }
}

function goneError(path: string): SealdropError {
  return new SealdropError('source_changed', `${printable(path)} changed before it was taken`, {
    retryable: true,
  });
}

/**
 * Takes a stored file out of the inbox: deleted, or moved without replacing anything.
 * The file is first renamed to where nobody else writes, then compared with what was stored.
 * @returns false where the file is another one by now; it stays in the inbox
 */
export async function takeAway(
  root: string,
  path: string,
  stored: BigIntStats,
  moveTo?: string,
): Promise<boolean> {
  const folder = join(root, PRIVATE_FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const aside = join(folder, randomBytes(8).toString('hex'));
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
  const now = await stateOf(aside);
  const same =
    now !== undefined &&
    now.dev === stored.dev &&
    now.ino === stored.ino &&
    now.size === stored.size &&
    now.mtimeNs === stored.mtimeNs;
  if (!same) await moveTogether(aside, path);
  else if (moveTo === undefined) await unlink(aside);
  else await moveTogether(aside, moveTo);
  await rmdir(folder).catch(() => undefined);
  return same;
}

/** Moves without replacing: a number is added where the name is taken. */
async function moveTogether(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  for (let n = 0; ; n++) {
    const target = n === 0 ? to : `${to}.${n}`;
    try {
      await link(from, target);
      break;
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EEXIST') continue;
      // Another file system, or one without links.
      if (!(await copied(from, target))) continue;
      break;
    }
  }
  await unlink(from);
}

async function copied(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
  const file = await open(to, 'r');
  await file.sync();
  await file.close();
  return true;
}
