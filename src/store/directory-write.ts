/** How an object gets into a directory: written aside, synced, then renamed or linked into place. */
import type { BigIntStats } from 'node:fs';
import { link, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SealdropError, throwIfAborted } from '../errors.js';
import type { ByteSource, PutOptions, WriteCondition } from '../ports.js';
import { printable } from '../printable.js';
import { SYNC_EVERY, WriteBehind } from '../write-behind.js';
import { hasCode } from './fs-errors.js';
import { pull } from './pull.js';
import { assertFree, lstatIfThere, makeParents, pruneParents } from './safe-path.js';
import { removeSidecar, writeSidecar } from './sidecar.js';
import { openTemp, syncFolder, unlinkIfThere, type TempFile } from './temp-files.js';

export interface Target {
  readonly root: string;
  readonly key: string;
  readonly address: string;
}

/** Size, time and inode: another body has another. */
export function etagOf(stat: BigIntStats): string {
  return [stat.size, stat.mtimeNs, stat.ino].map((part) => part.toString(16)).join('-');
}

/** Stores an object, or leaves no trace. */
export async function writeObject(
  target: Target,
  source: ByteSource,
  options: PutOptions,
): Promise<BigIntStats> {
  // Before any byte is read: what cannot be stored should not be sent either.
  await assertFree(target.root, target.key);
  const temp = await openTemp(target.root);
  try {
    const stat = await fill(temp, target, source, options);
    throwIfAborted(options.signal);
    await commit(temp.path, stat, target, options);
    return stat;
  } catch (error) {
    await unlinkIfThere(temp.path).catch(() => undefined);
    throw error;
  }
}

async function fill(
  temp: TempFile,
  { address }: Target,
  source: ByteSource,
  options: PutOptions,
): Promise<BigIntStats> {
  const { handle } = temp;
  try {
    const content = new WriteBehind(handle, { syncEvery: SYNC_EVERY });
    for await (const piece of pull(source, { address, size: options.size, signal: options.signal }))
      await content.write(piece);
    await content.end();
    // Ciphertext is no secret: whoever may enter the vault's folders may read it, as with any other file.
    await handle.chmod(0o666 & ~process.umask());
    await handle.sync();
    return await handle.stat({ bigint: true });
  } finally {
    await handle.close();
  }
}

async function commit(temp: string, stat: BigIntStats, target: Target, options: PutOptions): Promise<void> {
  const { root, key } = target;
  const path = join(root, key);
  await exclusively(path, async () => {
    try {
      await withParents(target, async () => {
        await assertCondition(path, target, options.condition);
        if (options.metadata) await writeSidecar(root, key, { stamp: stat, metadata: options.metadata });
        await moveIn(temp, path, target, options.condition);
      });
      if (!options.metadata) await removeSidecar(root, key);
      await syncFolder(dirname(path));
    } catch (error) {
      await pruneParents(root, key);
      throw error;
    }
  });
}

/** Another writer may remove a parent that it finds empty just after it was made: then it is made again. */
async function withParents({ root, key }: Target, action: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await makeParents(root, key);
      return await action();
    } catch (error) {
      if (attempt === 5 || !hasCode(error, 'ENOENT')) throw error;
    }
  }
}

async function assertCondition(
  path: string,
  target: Target,
  condition: WriteCondition | undefined,
): Promise<void> {
  if (condition === undefined) return;
  const stat = await lstatIfThere(path);
  const current = stat && etagOf(stat);
  const expected = 'ifMatch' in condition ? condition.ifMatch : undefined;
  if (current !== expected) throw failedCondition(target);
}

async function moveIn(
  temp: string,
  path: string,
  target: Target,
  condition: WriteCondition | undefined,
): Promise<void> {
  if (condition && 'absent' in condition && (await linkedIn(temp, path, target))) await unlinkIfThere(temp);
  else await rename(temp, path);
}

/** link(2) fails where something is: the one check that holds against other processes too. */
async function linkedIn(temp: string, path: string, target: Target): Promise<boolean> {
  try {
    await link(temp, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw failedCondition(target);
    // File systems without hard links: the check that was made just before has to do.
    if (hasCode(error, 'EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK')) return false;
    throw error;
  }
}

export function failedCondition({ address }: Pick<Target, 'address'>): SealdropError {
  return new SealdropError('precondition_failed', `${printable(address)} is not what it was expected to be`);
}

const running = new Map<string, Promise<unknown>>();

/**
 * One commit at a time per path within this process, so that `ifMatch` holds between its check and the rename.
 * Writers in other processes are not held off: with several of them only `absent` is safe in a directory.
 */
export async function exclusively<T>(path: string, action: () => Promise<T>): Promise<T> {
  const before = running.get(path) ?? Promise.resolve();
  const mine = before.then(action, action);
  const settled = mine.catch(() => undefined);
  running.set(path, settled);
  try {
    return await mine;
  } finally {
    if (running.get(path) === settled) running.delete(path);
  }
}
