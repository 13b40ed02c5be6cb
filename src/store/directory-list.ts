import { throwIfAborted } from '../errors.js';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectInfo } from '../ports.js';
import { hasCode } from './fs-errors.js';
import { etagOf } from './directory-write.js';
import { isReserved, lstatIfThere, parentsAreThere } from './safe-path.js';

interface Walk {
  readonly root: string;
  readonly prefix: string;
  /** Only keys behind this one. */
  readonly after?: string;
  readonly signal?: AbortSignal;
}

/** Objects in the order of their keys' UTF-8 bytes; no more than one directory's names per level are held. */
export async function* listObjects(walk: Walk): AsyncGenerator<ObjectInfo> {
  const { root, prefix } = walk;
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  // A prefix with such segments is no beginning of any key, but would be a way out as a path.
  if (
    folder
      .split('/')
      .some((segment, index, all) => unsafe(segment) || (segment === '' && index < all.length - 1))
  )
    return;
  if (await parentsAreThere(root, `${folder}x`)) yield* listFolder(walk, folder);
}

const unsafe = (segment: string): boolean => segment === '.' || segment === '..' || segment.includes('\0');

async function* listFolder(walk: Walk, folder: string): AsyncGenerator<ObjectInfo> {
  for (const { key, isFolder } of await entriesOf(walk, folder)) {
    throwIfAborted(walk.signal);
    if (isFolder) yield* listFolder(walk, key);
    else yield* infoOf(walk.root, key);
  }
}

async function* infoOf(root: string, key: string): AsyncGenerator<ObjectInfo> {
  const stat = await lstatIfThere(join(root, key));
  // Gone since the directory was read, or its name is not UTF-8 and came out changed.
  if (!stat?.isFile()) return;
  yield { key, size: Number(stat.size), etag: etagOf(stat), modified: stat.mtime };
}

async function entriesOf(
  { root, prefix, after }: Walk,
  folder: string,
): Promise<{ key: string; isFolder: boolean }[]> {
  const entries = [];
  for (const entry of await readFolder(join(root, folder))) {
    if (isReserved(entry.name)) continue;
    if (!entry.isFile() && !entry.isDirectory()) continue;
    const isFolder = entry.isDirectory();
    // With its slash a directory sorts where the keys below it do: "a-b" before "a/b".
    const key = `${folder}${entry.name}${isFolder ? '/' : ''}`;
    if (after !== undefined && isBefore(key, isFolder, after)) continue;
    if (key.startsWith(prefix) || (isFolder && prefix.startsWith(key))) entries.push({ key, isFolder });
  }
  return entries.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
}

/** Of a folder: whether all below it is. */
const isBefore = (key: string, isFolder: boolean, after: string): boolean =>
  Buffer.compare(Buffer.from(key), Buffer.from(after)) <= 0 && !(isFolder && after.startsWith(key));

async function readFolder(path: string) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
