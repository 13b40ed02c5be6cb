/** A file that says who is changing another one: `.NAME.sealdrop-lock` beside it, made by one alone and soon gone. */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { link, lstat, rename, unlink, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { bornAt, hostId, isRunning } from '../processes.js';
import { realTarget } from '../real-path.js';
import { beginningOf, unwritable } from './target.js';

export interface FileLock {
  /** @throws SealdropError `precondition_failed` where somebody has taken it for left behind */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Of one that is held for as long as its process lives: when that began. */
  readonly born?: string;
}

/** Far longer than any change takes: whoever has been at it for so long is there no more. */
const ABANDONED_MS = 10 * 60_000;
const PATIENCE_MS = 10_000;
/** Of one that is held for long: elsewhere its age says whether somebody is there. */
const RENEWED_MS = 60_000;

/**
 * Waits while somebody else has it. It ends with the process, but for one that is killed: then it is taken over, at once
 * on the same machine, by its age on another.
 * @param options `long`: as long as the process lives, nobody of the same machine takes it over, whatever its age is
 * @throws SealdropError `precondition_failed` (retryable) where they don't let go of it, `target_unwritable`, `disk_full`
 */
export async function holdLock(
  path: string,
  { patience = PATIENCE_MS, long = false } = {},
): Promise<FileLock> {
  const real = await realTarget(path);
  const lock = join(dirname(real), lockName(basename(real)));
  const born = long ? { born: bornAt(process.pid) ?? '' } : {};
  const mine = JSON.stringify({ pid: process.pid, host: hostId(), id: randomUUID(), ...born });
  for (const end = Date.now() + patience; !(await make(lock, mine, path)); await sleep(20)) {
    if ((await removeAbandoned(lock)) || Date.now() < end) continue;
    throw new SealdropError('precondition_failed', `${printable(path)} is being changed by somebody else`, {
      retryable: true,
      hint: `run this again; if nobody else is at it, remove ${printable(lock)}`,
    });
  }
  return held(lock, mine, path, long);
}

/** Names have 255 bytes at most; a long one is told from others that begin so by a digest. */
function lockName(name: string): string {
  const isLong = Buffer.byteLength(name) > 200;
  const digest = () => createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `.${isLong ? `${beginningOf(name)}.${digest()}` : name}.sealdrop-lock`;
}

function held(lock: string, mine: string, path: string, long: boolean): FileLock {
  // A second signal ends the process at once.
  const onExit = () => {
    if (isHeld()) rmSync(lock, { force: true });
  };
  process.on('exit', onExit);
  const isHeld = () => readLock(lock) === mine;
  const renew = () => {
    const now = new Date();
    if (isHeld()) utimes(lock, now, now).catch(() => undefined);
  };
  const renewal = long ? setInterval(renew, RENEWED_MS).unref() : undefined;
  return {
    async assertHeld() {
      if (isHeld()) return;
      throw new SealdropError('precondition_failed', `${printable(path)} was taken over by somebody else`, {
        retryable: true,
        hint: 'nothing was written: look at what it holds now, and run this again',
      });
    },
    async release() {
      clearInterval(renewal);
      if (isHeld()) await unlink(lock).catch(() => undefined);
      process.off('exit', onExit);
    },
  };
}

/** @returns false where there is one */
async function make(lock: string, content: string, path: string): Promise<boolean> {
  try {
    await writeFile(lock, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return false;
    // Made, and then there was no room for what it says.
    await unlink(lock).catch(() => undefined);
    throw unwritable(path, cause);
  }
}

/** Several may find the same one: it goes to one of them, and what another has made meanwhile is put back. */
async function removeAbandoned(lock: string): Promise<boolean> {
  const found = readLock(lock);
  if (found === undefined || !(await isAbandoned(lock, found))) return false;
  const aside = `${lock}.${randomUUID()}`;
  try {
    await rename(lock, aside);
    if (readLock(aside) !== found) await link(aside, lock);
    return true;
  } catch {
    return false;
  } finally {
    await unlink(aside).catch(() => undefined);
  }
}

async function isAbandoned(lock: string, content: string): Promise<boolean> {
  const age = Date.now() - ((await lstat(lock).catch(() => undefined))?.mtimeMs ?? Date.now());
  const { pid = 0, host, born } = holderIn(content);
  const isGone = host === hostId() && !isRunning(pid);
  if (born === undefined || host !== hostId()) return isGone || age > ABANDONED_MS;
  return isGone || born !== (bornAt(pid) ?? '');
}

/** One that is being written says nothing yet. */
function holderIn(content: string): Partial<Holder> {
  try {
    return Object(JSON.parse(content)) as Partial<Holder>;
  } catch {
    return {};
  }
}

const MOST = 1024;

/** What a lock says. Whatever else has its name is nobody's lock: no link is followed, and no pipe waited for. */
function readLock(path: string): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (!fstatSync(file).isFile()) return undefined;
    const bytes = Buffer.alloc(MOST);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, MOST, 0));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
