/**
 * The marker file that makes a directory a vault. Keys of objects are paths below it, and messages are bound to their
 * keys, so the root must be found the same way by whoever writes and whoever reads.
 */
import type { Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { fsError, hasCode } from './fs-errors.js';
import { readSmallFile } from './small-file.js';
import { removeStaleTemp } from './temp-files.js';

export const MARKER_FILE = '.sealdrop-vault';
const MAX_BYTES = 4096;
const OTHERS_WRITE = 0o002;

/** Whether objects that are not bound to their key are refused there. */
export type Binding = 'required' | 'allow';

export interface VaultMarker {
  readonly version: 1;
  readonly binding: Binding;
}

export interface FoundVault {
  readonly root: string;
  /** The path below the root with `/` between its parts; empty for the root itself. */
  readonly rest: string;
  readonly binding: Binding;
}

/**
 * The marker of a directory, or undefined where it has none, or none that is believed.
 * @throws SealdropError `not_a_vault` for a marker that cannot be understood
 */
export async function readMarker(root: string): Promise<VaultMarker | undefined> {
  const path = join(root, MARKER_FILE);
  try {
    const folder = await stat(root);
    const seen = await lstat(path);
    // Before anything else: others' files in a shared directory must not be errors either.
    if (!isBelieved(folder, seen)) return undefined;
    if (!seen.isFile()) throw badMarker(path, 'it is not a regular file');
    const opened = await readSmallFile(path, MAX_BYTES);
    // Another file may have been put there since.
    if (!isBelieved(folder, opened.stat)) return undefined;
    return parseMarker(path, opened.text);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined;
    throw fsError(error, `file://${path}`);
  }
}

/**
 * Where everybody may write (/tmp), anybody could plant a marker, and so choose the root and the binding of everything
 * below: there it counts if it is ours, root's, or the directory's owner's, and is as good as absent otherwise.
 */
export function isBelieved(folder: Pick<Stats, 'mode' | 'uid'>, marker: Pick<Stats, 'uid'>): boolean {
  return (folder.mode & OTHERS_WRITE) === 0 || [process.geteuid?.(), 0, folder.uid].includes(marker.uid);
}

/** Walks up from a path, which need not exist, to the vault that it is in. */
export async function findVaultRoot(path: string): Promise<FoundVault | undefined> {
  const target = resolve(path);
  for (let root = target; ; root = dirname(root)) {
    const marker = await readMarker(root);
    if (marker) return { root, rest: relative(root, target).split(sep).join('/'), binding: marker.binding };
    if (root === dirname(root)) return undefined;
  }
}

export interface CreateVaultOptions {
  /** Make a vault of a directory that has something in it already. */
  adopt?: boolean;
}

/**
 * Makes a directory a vault, creating it if it is missing. A vault that is there already is left as it is.
 * @throws SealdropError `not_a_vault` for a directory with something else in it, or a vault of another binding
 */
export async function createVault(
  root: string,
  binding: Binding = 'required',
  options: CreateVaultOptions = {},
): Promise<VaultMarker> {
  try {
    await mkdir(root, { recursive: true });
    const existing = await readMarker(root);
    if (existing) return await reuse(root, existing, binding);
    if (options.adopt !== true && (await readdir(root)).length > 0) throw notEmpty(root);
    const marker: VaultMarker = { version: 1, binding };
    await writeMarker(root, marker);
    return marker;
  } catch (error) {
    throw fsError(error, `file://${root}`);
  }
}

async function reuse(root: string, marker: VaultMarker, binding: Binding): Promise<VaultMarker> {
  if (marker.binding !== binding)
    throw new SealdropError(
      'not_a_vault',
      `${printable(root)} is a vault already, with "binding":"${marker.binding}" and not "${binding}"`,
      { hint: `edit ${MARKER_FILE} in it if that is meant` },
    );
  await removeStaleTemp(root);
  return marker;
}

async function writeMarker(root: string, marker: VaultMarker): Promise<void> {
  // Exclusive: two processes that make the same vault must not disagree about its binding.
  const file = await open(join(root, MARKER_FILE), 'wx', 0o644);
  try {
    await file.writeFile(`${JSON.stringify(marker)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

function parseMarker(path: string, text: string | undefined): VaultMarker {
  if (text === undefined) throw badMarker(path, `it has more than ${MAX_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw badMarker(path, 'it is not JSON', cause);
  }
  const { version, binding } = (value ?? {}) as Record<string, unknown>;
  if (version !== 1) throw badMarker(path, 'its version is not 1');
  if (binding !== 'required' && binding !== 'allow')
    throw badMarker(path, 'its binding is not "required" or "allow"');
  return { version, binding };
}

function badMarker(path: string, why: string, cause?: unknown): SealdropError {
  return new SealdropError('not_a_vault', `the marker file ${printable(path)} cannot be used: ${why}`, {
    cause,
  });
}

function notEmpty(root: string): SealdropError {
  return new SealdropError('not_a_vault', `${printable(root)} is not empty and is not a vault`, {
    hint: 'take a new or empty directory; keys of objects would otherwise have no certain root',
  });
}
