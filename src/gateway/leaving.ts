/**
 * How a stored file leaves an inbox. It is renamed into a folder where nobody else writes, compared with what was
 * stored, and only then deleted or moved. There it keeps its name, so that a run that finds what a killed one left
 * can put it back.
 */
import { randomBytes } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { copyFile, link, lstat, mkdir, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { sameState } from '../transfer/source.js';
import { HeldFolder, unlessThere, walkTo } from '../held-folder.js';
import { stateOf } from './inbox-file.js';

/** The folder inside an inbox where files wait that are being removed. */
export const PRIVATE_FOLDER = '.sealdrop-leaving';

/** Slots of this process: a folder for each file, named by process and chance. */
const SLOT = /^(\d+)-[0-9a-f]{16}$/;
const mine = new Set<string>();

/**
 * Takes a stored file out of the inbox: deleted, or moved without replacing anything.
 * @param name the path below `root`
 * @returns false where the file is another one by now; it stays in the inbox
 * @throws SealdropError `target_unwritable`; the file is in the inbox again
 */
export async function takeAway(
  root: string,
  name: string,
  stored: BigIntStats,
  moveTo?: string,
): Promise<boolean> {
  if (moveTo !== undefined) await orUnwritable(moveTo, mkdir(dirname(moveTo), { recursive: true }));
  const parts = name.split(sep);
  const base = parts.pop()!;
  const folder = await walkTo(root, parts).catch(unlessGone);
  if (folder === undefined) return false;
  try {
    // The rename changes ctime: it can be compared only before.
    if (!sameState(stored, await stateOf(folder.at(base)))) return false;
    return await inSlot(root, async (slot) => {
      const aside = join(slot, name);
      await mkdir(dirname(aside), { recursive: true });
      if ((await rename(folder.at(base), aside).then(() => true, unlessGone)) === undefined) return false;
      const same = isSameFile(stored, await stateOf(aside));
      try {
        if (!same) await putBack(root, aside, name);
        else if (moveTo === undefined) await unlink(aside);
        else await orUnwritable(moveTo, moveTogether(aside, moveTo));
      } catch (error) {
        await putBack(root, aside, name);
        throw error;
      }
      return same;
    });
  } finally {
    await folder.close();
  }
}

/** All but ctime, which a rename changes. */
export function isSameFile(a: BigIntStats, b: BigIntStats | undefined): boolean {
  return (
    b !== undefined && a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs
  );
}

function unlessGone(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) throw error;
  return undefined;
}

async function orUnwritable<T>(to: string, work: Promise<T>): Promise<T> {
  return work.catch((cause: unknown) => {
    throw new SealdropError(
      'target_unwritable',
      `cannot move to ${printable(to)}: ${systemCode(cause) ?? 'error'}`,
      { cause, hint: 'it is stored, and stays in the inbox until it can be moved', retryable: true },
    );
  });
}

/**
 * Puts back what runs left behind that ended, or were killed, half-way through `takeAway`.
 * @param onBack called with each name
 */
export async function putBackLeftovers(root: string, onBack: (name: string) => void): Promise<void> {
  if ((await lstat(join(root, PRIVATE_FOLDER)).catch(unlessGone)) === undefined) return;
  const leaving = await openLeaving(root);
  let failure: { error: unknown } | undefined;
  try {
    for (const slot of await readdir(leaving.at())) {
      const pid = SLOT.exec(slot)?.[1];
      if (pid === undefined || mine.has(slot) || isRunning(Number(pid))) continue;
      const from = leaving.at(slot);
      for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
        if (entry.isDirectory()) continue;
        const aside = join(entry.parentPath, entry.name);
        const name = relative(from, aside);
        // One that cannot go back must not keep the others.
        await putBack(root, aside, name).then(
          () => onBack(name),
          (error: unknown) => (failure ??= { error }),
        );
      }
      await removeEmpty(from);
    }
  } finally {
    await leaving.close();
  }
  await rmdir(join(root, PRIVATE_FOLDER)).catch(() => undefined);
  if (failure !== undefined) throw failure.error;
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

async function inSlot<T>(root: string, action: (slot: string) => Promise<T>): Promise<T> {
  const name = `${process.pid}-${randomBytes(8).toString('hex')}`;
  mine.add(name);
  const leaving = await makeSlot(root, name);
  try {
    return await action(leaving.at(name));
  } finally {
    await removeEmpty(leaving.at(name));
    await leaving.close();
    mine.delete(name);
    await rmdir(join(root, PRIVATE_FOLDER)).catch(() => undefined);
  }
}

/** Whoever has finished removes the folder when it is empty: then it is made again. */
async function makeSlot(root: string, name: string): Promise<HeldFolder> {
  for (let attempt = 1; ; attempt++) {
    let leaving: HeldFolder | undefined;
    try {
      leaving = await openLeaving(root);
      await mkdir(leaving.at(name), 0o700);
      return leaving;
    } catch (error) {
      await leaving?.close();
      if (systemCode(error) === 'ENOENT' && attempt < 20) continue;
      mine.delete(name);
      throw error;
    }
  }
}

/** @throws SealdropError `target_unwritable` where somebody else has made it */
async function openLeaving(root: string): Promise<HeldFolder> {
  const inbox = await HeldFolder.open(root);
  try {
    const made = await mkdir(inbox.at(PRIVATE_FOLDER), 0o700).then(() => true, unlessThere);
    const folder = await HeldFolder.open(inbox.at(PRIVATE_FOLDER)).catch((error: unknown) => {
      throw systemCode(error) === 'ENOENT' ? error : notOurs(root, error);
    });
    const { uid, mode } = await folder.stat();
    // What was made just now is ours, whatever owner a network share makes up.
    if (made !== true && process.geteuid !== undefined && uid !== process.geteuid()) {
      await folder.close();
      throw notOurs(root);
    }
    if ((mode & 0o077) !== 0) await folder.chmod(0o700).catch(() => undefined);
    return folder;
  } finally {
    await inbox.close();
  }
}

function notOurs(root: string, cause?: unknown): SealdropError {
  const path = printable(join(root, PRIVATE_FOLDER));
  return new SealdropError('target_unwritable', `${path} is not a directory of this user`, {
    cause,
    hint: 'stored files leave the inbox through it, so that nobody can swap them: remove it',
  });
}

/** Back under its name, or beside whatever has taken it; at the top where its folder is gone or no folder any more. */
async function putBack(root: string, aside: string, name: string): Promise<void> {
  const parts = name.split(sep);
  const base = parts.pop()!;
  const folder = await walkTo(root, parts, true).catch(() => HeldFolder.open(root));
  try {
    const to = folder.at(base);
    if ((await stateOf(aside)) !== undefined) await moveTogether(aside, to);
    else await renameBeside(aside, to);
  } finally {
    await folder.close();
  }
}

/** What is no regular file is never opened: a link could lead anywhere, and a pipe would wait for ever. */
async function renameBeside(from: string, to: string): Promise<void> {
  for (let n = 0; ; n++) {
    const target = n === 0 ? to : `${to}.${n}`;
    if ((await lstat(target).catch(unlessGone)) !== undefined) continue;
    await rename(from, target).catch(unlessGone);
    return;
  }
}

/** Moves without replacing: a number is added where the name is taken. */
async function moveTogether(from: string, to: string): Promise<void> {
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

/** Folders alone: a file that could not be put back stays, and is looked at again later. */
async function removeEmpty(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeEmpty(join(path, entry.name));
  await rmdir(path).catch(() => undefined);
}
