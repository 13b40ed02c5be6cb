/** A local tree, file by file. */
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SealdropError, systemCode, throwIfAborted } from '../../errors.js';
import { printable } from '../../printable.js';
import { treeFilter, type TreeFilter } from './filter.js';

/** What is done with a symbolic link below the root. `follow`: what it leads to is taken, as `cp -L` does. */
export const LINK_RULES = ['skip', 'follow', 'refuse'] as const;
export type LinkRule = (typeof LINK_RULES)[number];

export type LeftOut = 'symlink' | 'loop' | 'special' | 'empty_directory';

export type WalkEntry =
  | { readonly kind: 'file'; readonly path: string; readonly file: string; readonly stats: BigIntStats }
  /** `path` is the directory's. */
  | { readonly kind: 'empty_directory'; readonly path: string }
  | { readonly kind: 'left_out'; readonly path: string; readonly why: LeftOut }
  /** Cannot be read, or its name cannot be a key. Nothing below it is seen. */
  | { readonly kind: 'failed'; readonly path: string; readonly error: SealdropError };

export interface WalkOptions {
  links?: LinkRule;
  filter?: TreeFilter;
  /** Yield directories that have nothing in them as such; else they are left out. */
  emptyDirectories?: boolean;
  signal?: AbortSignal | undefined;
}

/** What stands at a path, as far as the rules for links let see. */
type Found =
  WalkEntry | { readonly kind: 'folder'; readonly path: string; readonly file: string; readonly id: string };

interface Folder {
  /** Below the root, with a slash at its end; empty for the root. */
  readonly path: string;
  readonly directory: string;
  /** Device and inode of it and of those above. */
  readonly above: readonly string[];
}

type Rules = WalkOptions & { links: LinkRule; filter: TreeFilter };

/**
 * Files below a root in the order of their paths' UTF-8 bytes, as stores list keys. Paths are relative, with slashes. Of
 * each level one directory's entries are held, no more. The root itself may be a symbolic link.
 * @throws SealdropError `source_not_found`, `source_unreadable` for the root; `interrupted`
 */
export async function* walk(root: string, options: WalkOptions = {}): AsyncGenerator<WalkEntry> {
  let folder: Folder;
  let names: Buffer[];
  try {
    folder = { path: '', directory: root, above: [identity(await stat(root, { bigint: true }))] };
    names = await namesIn(root);
  } catch (cause) {
    throw unreadable(root, cause);
  }
  yield* walkFolder(folder, names, { links: 'skip', filter: treeFilter({}), ...options });
}

async function* walkFolder(folder: Folder, names: Buffer[], rules: Rules): AsyncGenerator<WalkEntry> {
  for (const found of await entriesOf(folder, names, rules)) {
    throwIfAborted(rules.signal);
    if (found.kind !== 'folder') yield found;
    else yield* walkInto(folder, found, rules);
  }
}

async function* walkInto(
  folder: Folder,
  { path, file, id }: Found & { kind: 'folder' },
  rules: Rules,
): AsyncGenerator<WalkEntry> {
  if (folder.above.includes(id)) {
    yield { kind: 'left_out', path, why: 'loop' };
    return;
  }
  const names = await namesIn(file).catch((cause: unknown) => unreadable(file, cause));
  if (names instanceof SealdropError) yield { kind: 'failed', path, error: names };
  else if (names.length > 0)
    yield* walkFolder({ path: `${path}/`, directory: file, above: [...folder.above, id] }, names, rules);
  else if (!rules.filter.takes(path)) return;
  else if (rules.emptyDirectories === true) yield { kind: 'empty_directory', path };
  else yield { kind: 'left_out', path, why: 'empty_directory' };
}

/** Sorted: with its slash a directory stands where what is below it does, so "a-b" comes before "a/b". */
async function entriesOf(folder: Folder, names: Buffer[], rules: Rules): Promise<Found[]> {
  const found: { at: Buffer; entry: Found }[] = [];
  for (const bytes of names) {
    const entry = await look(folder, bytes, rules);
    if (entry === undefined) continue;
    found.push({ at: entry.kind === 'folder' ? Buffer.concat([bytes, SLASH]) : bytes, entry });
  }
  return found.sort((a, b) => Buffer.compare(a.at, b.at)).map(({ entry }) => entry);
}

const SLASH = Buffer.from('/');

async function look(folder: Folder, bytes: Buffer, rules: Rules): Promise<Found | undefined> {
  const name = bytes.toString();
  const path = folder.path + name;
  const file = join(folder.directory, name);
  // Its path, as text, would name another file or none.
  if (!Buffer.from(name).equals(bytes)) return { kind: 'failed', path, error: notUnicode(file) };
  if (rules.filter.prunes(path)) return undefined;
  try {
    const seen = await lstat(file, { bigint: true });
    const followed = seen.isSymbolicLink() && rules.links === 'follow';
    const stats = followed ? await stat(file, { bigint: true }) : seen;
    if (stats.isDirectory()) return { kind: 'folder', path, file, id: identity(stats) };
    if (!rules.filter.takes(path)) return undefined;
    if (stats.isFile()) return { kind: 'file', path, file, stats };
    if (!stats.isSymbolicLink()) return { kind: 'left_out', path, why: 'special' };
    if (rules.links === 'refuse') return { kind: 'failed', path, error: linkRefused(file) };
    return { kind: 'left_out', path, why: 'symlink' };
  } catch (cause) {
    return { kind: 'failed', path, error: unreadable(file, cause) };
  }
}

const namesIn = (directory: string): Promise<Buffer[]> => readdir(directory, { encoding: 'buffer' });

const identity = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;

function notUnicode(file: string): SealdropError {
  return new SealdropError(
    'key_not_storable',
    `${printable(file)} cannot be stored: its name is not valid UTF-8`,
    { hint: 'rename it: the names of objects are Unicode text' },
  );
}

function linkRefused(file: string): SealdropError {
  return new SealdropError('source_unreadable', `${printable(file)} is a symbolic link`, {
    hint: 'leave links out with --symlinks skip, or store what they lead to with --symlinks follow',
  });
}

function unreadable(path: string, cause: unknown): SealdropError {
  const code = systemCode(cause) ?? 'unknown error';
  if (code === 'ENOENT')
    return new SealdropError('source_not_found', `there is nothing at ${printable(path)}`, { cause });
  return new SealdropError('source_unreadable', `cannot read ${printable(path)}: ${code}`, { cause });
}
