/**
 * Which configuration files of working directories the user has made or approved, by real path and content: a tree that
 * was downloaded must not bring settings that decide where things are sent and to which keys they are encrypted.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { configFolder, stateFolder } from '../user-folders.js';

const recordPath = () => join(configFolder(), 'trusted.json');

/** What decides for every command of the user; of the state, whatever is in it: a gateway's key, and what a sync knows. */
export const userPlaces = (): string[] => [join(configFolder(), 'config.json'), recordPath(), stateFolder()];

export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export type Trust = 'trusted' | 'changed' | 'unknown';

/** @param path a real path */
export async function trustIn(path: string, bytes: Uint8Array): Promise<Trust> {
  const files = await readRecord();
  const known = Object.hasOwn(files, path) ? files[path] : undefined;
  if (known === undefined) return 'unknown';
  return known === digestOf(bytes) ? 'trusted' : 'changed';
}

/**
 * @param path a real path
 * @throws SealdropError `target_unwritable`
 */
export async function recordTrust(path: string, bytes: Uint8Array): Promise<void> {
  const record = recordPath();
  const files = { ...(await readRecord()), [path]: digestOf(bytes) };
  const aside = `${record}.${randomUUID()}`;
  try {
    await mkdir(dirname(record), { recursive: true, mode: 0o700 });
    await writeFile(aside, `${JSON.stringify({ version: 1, files }, null, 2)}\n`, {
      mode: 0o600,
      flag: 'wx',
    });
    await rename(aside, record);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw new SealdropError(
      'target_unwritable',
      `cannot write ${printable(record)}: ${systemCode(cause) ?? 'unknown error'}`,
      {
        cause,
        hint: 'XDG_CONFIG_HOME says where it lies; or name the configuration each time: --config FILE',
      },
    );
  }
}

/** Empty where there is none, or it cannot be understood: then nothing is trusted. */
async function readRecord(): Promise<Record<string, unknown>> {
  const text = await readFile(recordPath(), 'utf8').catch(() => '{}');
  try {
    const { files } = JSON.parse(text) as { files?: unknown };
    return typeof files === 'object' && files !== null ? (files as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
