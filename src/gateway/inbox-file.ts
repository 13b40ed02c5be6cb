/** A file of an inbox folder: taken when it rests, and opened only inside the folder. */
import { type BigIntStats } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { openFileSource, sameState, type FileSource } from '../transfer/source.js';

/**
 * The state of a regular file, or undefined where there is none (any more).
 * @throws SealdropError `source_unreadable` (retryable) where that cannot be told
 */
export async function stateOf(path: string): Promise<BigIntStats | undefined> {
  try {
    const stats = await lstat(path, { bigint: true });
    return stats.isFile() ? stats : undefined;
  } catch (cause) {
    const code = systemCode(cause) ?? 'unknown error';
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code)) return undefined;
    throw new SealdropError('source_unreadable', `cannot look at ${printable(path)}: ${code}`, {
      cause,
      retryable: true,
    });
  }
}

/** A state of a file, and when it was first seen so. */
export interface Seen {
  readonly state: BigIntStats;
  readonly since: number;
}

/**
 * Whether a file has not changed for a while, by its own times or, since a clock that runs ahead makes files look young
 * for ever, by ours.
 */
export function isSettled(state: BigIntStats, seen: Seen | undefined, settleMs: number): boolean {
  const { mtimeMs, ctimeMs } = state;
  if (Date.now() - Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs) >= settleMs) return true;
  return seen !== undefined && sameState(seen.state, state) && Date.now() - seen.since >= settleMs;
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
