/** Where what is kept of a file lies: two files beside it, for its owner alone. */
import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../../errors.js';
import { holdLock } from '../lock-file.js';
import { beginningOf } from '../target.js';
import { readState, type State } from './state.js';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
const STATE_END = '.sealdrop-resume';
const CONTENT_END = '.sealdrop-partial';
/** What is larger is not read: frames so small that going on would cost more than beginning anew. */
export const MAX_STATE = 64 * 1024 * 1024;
/** Of which nothing was heard for so long, nobody will go on with it. */
const FORGOTTEN_MS = 30 * 24 * 3_600_000;

export interface KeptNames {
  readonly state: string;
  readonly content: string;
}

/** @param path real, of the file that it will become */
export function keptNames(path: string): KeptNames {
  const name = basename(path);
  const isLong = Buffer.byteLength(name) > 200;
  const digest = () => createHash('sha256').update(name).digest('hex').slice(0, 16);
  const begin = join(dirname(path), `.${isLong ? `${beginningOf(name)}.${digest()}` : name}`);
  return { state: begin + STATE_END, content: begin + CONTENT_END };
}

export async function isKept({ state }: KeptNames): Promise<boolean> {
  return lstat(state).then(
    () => true,
    () => false,
  );
}

/** @returns undefined where there is none that can be gone on with */
export async function readKept({ state }: KeptNames): Promise<State | undefined> {
  const handle = await open(state, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat({ bigint: true });
    return isOwn(stats) && stats.size <= MAX_STATE ? readState(await handle.readFile()) : undefined;
  } finally {
    await handle.close();
  }
}

/** A regular file of the user's, under one name, that nobody else may read or write. */
export const isOwn = (stats: BigIntStats): boolean =>
  stats.isFile() &&
  stats.nlink === 1n &&
  (stats.mode & 0o077n) === 0n &&
  (process.getuid === undefined || Number(stats.uid) === process.getuid());

export const fileIdentity = async (handle: FileHandle): Promise<string> => {
  const { dev, ino } = await handle.stat({ bigint: true });
  return `${dev}:${ino}`;
};

/** The state first: without it nothing is gone on with. */
export async function removeKept({ state, content }: KeptNames): Promise<void> {
  for (const path of [state, content])
    await unlink(path).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error;
    });
}

/** What was given up long ago in a folder, and by nobody cleared. */
export async function forgetOld(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith('.') || !name.endsWith(STATE_END)) continue;
    const state = join(folder, name);
    const stats = await lstat(state).catch(() => undefined);
    if (stats === undefined || Date.now() - stats.mtimeMs < FORGOTTEN_MS) continue;
    const lock = await holdLock(state, { patience: 0, long: true }).catch(() => undefined);
    if (lock === undefined) continue;
    const content = state.slice(0, -STATE_END.length) + CONTENT_END;
    await removeKept({ state, content }).catch(() => undefined);
    await lock.release();
  }
}
