/** A key set in a file: written aside and renamed, and for its owner alone where private halves are in it. */
import { createHash } from 'node:crypto';
import { readdir, realpath, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { SealdropError, systemCode } from './errors.js';
import { readKeyFile } from './key-source.js';
import type { Kept, KeptValue } from './kept.js';
import { holdLock, type FileLock } from './transfer/lock-file.js';
import { printable } from './printable.js';
import { Secret } from './secret.js';
import { ASIDE_END, asideName, isLeftAside, openFileTarget } from './transfer/target.js';

const OWNER_ONLY = 0o600;
const EVERYBODY_READS = 0o644;

export function keptFile(path: string, hint?: string): KeptValue {
  async function read(): Promise<Kept | undefined> {
    const stats = await statOrNothing(path);
    if (stats === undefined) return undefined;
    const bytes = await readKeyFile(path, hint);
    return { bytes: new Secret(bytes), version: digestOf(bytes) };
  }

  return {
    read,
    async write(bytes, { replaces, isPrivate }) {
      const stats = await statOrNothing(path);
      if (stats !== undefined && !stats.isFile())
        throw new SealdropError('target_unwritable', `${printable(path)} is no regular file`);
      const mode = isPrivate === true ? OWNER_ONLY : (stats?.mode ?? EVERYBODY_READS) & 0o777;
      const lock = await holdLock(path);
      try {
        await replaceFile(path, bytes, { mode, replaces, lock, read });
      } finally {
        await lock.release();
      }
      return { created: replaces === undefined, version: digestOf(bytes), arn: resolve(path) };
    },
    close: () => undefined,
  };
}

interface Replacement {
  readonly mode: number;
  readonly replaces: string | undefined;
  readonly lock: FileLock;
  readonly read: () => Promise<Kept | undefined>;
}

/** @throws SealdropError `precondition_failed` where it is not what was read; nothing is changed then */
async function replaceFile(
  path: string,
  bytes: Buffer,
  { mode, replaces, lock, read }: Replacement,
): Promise<void> {
  async function assertUnchanged(): Promise<void> {
    if ((await read())?.version !== replaces) throw changed(path);
    await lock.assertHeld();
  }

  await assertUnchanged();
  const overwrite = replaces !== undefined;
  const target = await openFileTarget(path, { overwrite, mode, beforeMoving: assertUnchanged });
  try {
    await target.write(bytes);
    await target.commit();
    await sweep(path);
  } catch (error) {
    await target.discard();
    if (error instanceof SealdropError && error.code === 'target_exists') throw changed(path);
    throw error;
  }
}

/** What a run that was killed left of this set has private halves in it. */
async function sweep(path: string): Promise<void> {
  const real = await realpath(path).catch(() => path);
  const name = asideName(basename(real));
  const begin = name.slice(0, -ASIDE_END);
  for (const each of await readdir(dirname(real)).catch(() => [])) {
    const path = join(dirname(real), each);
    const isOfThis = each.length === name.length && each.startsWith(begin);
    if (isOfThis && (await isLeftAside(each, path))) await unlink(path).catch(() => undefined);
  }
}

/** Whether somebody besides the owner may read it. */
export async function isExposed(path: string): Promise<boolean> {
  const stats = await statOrNothing(path);
  return stats?.isFile() === true && (stats.mode & 0o077) !== 0;
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');

async function statOrNothing(path: string) {
  return stat(path).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw new SealdropError(
      'invalid_key',
      `cannot read the key file ${printable(path)}: ${systemCode(cause) ?? 'unknown error'}`,
      { cause },
    );
  });
}

function changed(path: string): SealdropError {
  return new SealdropError(
    'precondition_failed',
    `${printable(path)} was changed by somebody else meanwhile`,
    {
      retryable: true,
      hint: 'nothing was written: look at what it holds now, and run this again',
    },
  );
}
