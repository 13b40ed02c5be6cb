/** A file that says who is changing another one: `.NAME.sealdrop-lock` beside it, made by one alone and soon gone. */
import { randomUUID } from 'node:crypto';
import { readFileSync, unlinkSync } from 'node:fs';
import { link, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { realTarget } from '../real-path.js';
import { unwritable } from './target.js';

export interface FileLock {
  /** @throws SealdropError `precondition_failed` where somebody has taken it for left behind */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
}

/** Far longer than any change takes: whoever has been at it for so long is there no more. */
const ABANDONED_MS = 10 * 60_000;
const PATIENCE_MS = 10_000;

/**
 * Waits while somebody else has it. It ends with the process, but for one that is killed: then it is taken over, at once
 * on the same machine, by its age on another.
 * @throws SealdropError `precondition_failed` (retryable) where they don't let go of it, `target_unwritable`, `disk_full`
 */
export async function holdLock(path: string, { patience = PATIENCE_MS } = {}): Promise<FileLock> {
  const real = await realTarget(path);
  const lock = join(dirname(real), `.${basename(real)}.sealdrop-lock`);
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() });
  for (const end = Date.now() + patience; !(await make(lock, mine, path)); await sleep(20)) {
    if ((await removeAbandoned(lock)) || Date.now() < end) continue;
    throw new SealdropError('precondition_failed', `${printable(path)} is being changed by somebody else`, {
      retryable: true,
      hint: `run this again; if nobody else is at it, remove ${printable(lock)}`,
    });
  }
  return held(lock, mine, path);
}

function held(lock: string, mine: string, path: string): FileLock {
  // A second signal ends the process at once.
  const onExit = () => {
    try {
      if (readFileSync(lock, 'utf8') === mine) unlinkSync(lock);
    } catch {
      // Somebody else's by now, or gone.
    }
  };
  process.on('exit', onExit);
  const isHeld = async () => (await readFile(lock, 'utf8').catch(() => '')) === mine;
  return {
    async assertHeld() {
      if (await isHeld()) return;
      throw new SealdropError('precondition_failed', `${printable(path)} was taken over by somebody else`, {
        retryable: true,
        hint: 'nothing was written: look at what it holds now, and run this again',
      });
    },
    async release() {
      if (await isHeld()) await unlink(lock).catch(() => undefined);
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
  const found = await readFile(lock, 'utf8').catch(() => undefined);
  if (found === undefined || !(await isAbandoned(lock, found))) return false;
  const aside = `${lock}.${randomUUID()}`;
  try {
    await rename(lock, aside);
    if ((await readFile(aside, 'utf8')) !== found) await link(aside, lock);
    return true;
  } catch {
    return false;
  } finally {
    await unlink(aside).catch(() => undefined);
  }
}

async function isAbandoned(lock: string, content: string): Promise<boolean> {
  const age = Date.now() - ((await stat(lock).catch(() => undefined))?.mtimeMs ?? Date.now());
  if (age > ABANDONED_MS) return true;
  const { pid, host } = holderIn(content);
  return host === hostname() && !runs(pid);
}

/** One that is being written says nothing yet. */
function holderIn(content: string): Partial<Holder> {
  try {
    return Object(JSON.parse(content)) as Partial<Holder>;
  } catch {
    return {};
  }
}

function runs(pid = 0): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
