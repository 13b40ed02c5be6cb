/** The files that a command works with: what comes out of a vault must not take their place. */
import { stat } from 'node:fs/promises';
import { userPlaces } from '../config/trust.js';
import { isKeyFile } from '../key-input.js';
import { isWithin } from '../real-path.js';
import { isProtected } from '../transfer/tree/tree-root.js';
import type { Environment } from './command.js';

/** Options whose values are paths of such files. */
export interface FileOptions {
  publicKey?: readonly string[];
  privateKey?: readonly string[];
  recipient?: readonly string[];
  keySet?: string;
  passphraseFile?: string;
  caBundle?: string;
  sseKeyFile?: string;
  sseEnv?: string;
  syncKey?: string;
}

/**
 * Those of the options, and all that the configuration names, whether this command uses them or not; and the places of the
 * user's own configuration and state, which may not be there: nobody else is to bring them.
 */
export function ownFiles(options: FileOptions, { config }: Environment): string[] {
  const { publicKeys = [], privateKeys = [], recipients = [], keySet } = config?.config.keys ?? {};
  const vaults = [...(config?.config.vaults.values() ?? [])];
  const files = [
    ...(options.publicKey ?? []),
    ...(options.privateKey ?? []),
    ...(options.recipient ?? []),
    ...[options.keySet, keySet, ...recipients],
    ...[options.passphraseFile, options.caBundle, options.sseKeyFile, options.sseEnv, options.syncKey],
    ...publicKeys,
    ...privateKeys,
    ...vaults.flatMap(({ sseKeyFile, settings }) => [sseKeyFile, settings.caBundle]),
    config?.config.defaults.caBundle,
    ...(config?.files ?? []),
    ...userPlaces(),
  ];
  const named = files.filter((file) => file !== undefined && file !== '') as string[];
  return named.filter(isKeyFile);
}

/** @throws SealdropError `target_unwritable` where a file would take the place of one of them, or lie below it */
export async function assertNotOwn(path: string, own: readonly string[]): Promise<void> {
  const there = await statOrNothing(path);
  for (const file of own) {
    const other = await statOrNothing(file);
    const same = there !== undefined && other?.dev === there.dev && other.ino === there.ino;
    if (same || (await isWithin(path, file))) throw isProtected(path);
  }
}

const statOrNothing = (path: string) => stat(path).catch(() => undefined);
