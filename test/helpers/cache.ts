/** What tests build once and keep: server binaries and Python environments. */
import { mkdir, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export const cacheFolder = (): string => process.env.SEALDROP_CACHE || join(PROJECT, '.cache');

const STALE_AFTER = 60_000;
const GIVE_UP_AFTER = 15 * 60_000;

/**
 * Runs `action` while no other process that uses the same lock does. The lock is a folder whose time its holder
 * renews, so that one of a killed process is taken over.
 */
export async function withLock<T>(lock: string, action: () => Promise<T>): Promise<T> {
  await mkdir(dirname(lock), { recursive: true });
  await acquire(lock);
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(lock, now, now).catch(() => undefined);
  }, STALE_AFTER / 4);
  try {
    return await action();
  } finally {
    clearInterval(renewal);
    await rm(lock, { recursive: true, force: true });
  }
}

async function acquire(lock: string): Promise<void> {
  for (const until = Date.now() + GIVE_UP_AFTER; Date.now() < until; await sleep(250)) {
    try {
      return await mkdir(lock);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const age = Date.now() - (await stat(lock).then(({ mtimeMs }) => mtimeMs, Date.now));
    if (age > STALE_AFTER) await rm(lock, { recursive: true, force: true });
  }
  throw new Error(`${lock} has been held for ${GIVE_UP_AFTER / 60_000} minutes: remove it if nothing runs`);
}
