/** A file of an inbox folder: taken when it rests, and opened only inside the folder. */
import { type BigIntStats } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { openFileSource, sameState, type FileSource } from '../transfer/source.js';

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

/**
 * What changes with a file's content, as far as a file system tells. Not mtime alone: programs set it, and an archive
 * whose files all have one time makes two of the same size look the same.
 */
export function versionOf({ size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${size}-${mtimeNs}-${ctimeNs}`;
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
