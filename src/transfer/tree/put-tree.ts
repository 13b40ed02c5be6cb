/** Local trees into a vault. */
import type { BigIntStats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { SealdropError, systemCode, throwIfAborted } from '../../errors.js';
import { isOfSize, type Encryptor, type ObjectInfo, type ObjectStore } from '../../ports.js';
import { printable } from '../../printable.js';
import { assertStorableKey } from '../../vault-key.js';
import { messageContext, put, type PutJob, type PutReport } from '../put.js';
import { openFileBelow, openFileSource, streamSource, type FileSource } from '../source.js';
import type { TreeFilter } from './filter.js';
import { DIRECTORY_MARKER } from './names.js';
import { StoredKeys } from './stored-keys.js';
import { walk, type LinkRule, type WalkEntry } from './walk.js';
import { runTree, type TreeEvent, type TreeReport, type TreeRunOptions } from './work.js';

export interface TreeRootName {
  /** A file or a directory, as the user named it. */
  readonly name: string;
  readonly directory: boolean;
  /** What it is called below the place that it goes to; empty where what is in it goes there itself. */
  readonly below: string;
}

export interface TreeSource extends Pick<TreeRootName, 'name' | 'directory'> {
  /** Of a directory what its files' keys begin with, empty or with a slash at its end; of a file its key. */
  readonly prefix: string;
}

/** How each file of a tree is put. */
export interface FilePutting {
  store: ObjectStore;
  encryptor: Encryptor;
  /** The user's own pairs, for each message. */
  context?: Readonly<Record<string, string>>;
  preserve?: boolean;
  overwrite?: boolean;
  /** Takes each into a manifest. */
  record?: PutJob['record'];
  signal?: AbortSignal;
}

export interface PutTreeJob extends FilePutting, Omit<TreeRunOptions, 'signal'> {
  sources: readonly TreeSource[];
  links?: LinkRule;
  filter?: TreeFilter;
  /** Store a marker for a directory that has nothing in it. */
  emptyDirectories?: boolean;
  /** Leave what an earlier run stored of files that have not changed since. */
  resume?: boolean;
  /** Whether it took this object into the manifest too; what it did not is stored again. Default: all that is there. */
  recorded?: (stored: ObjectInfo) => boolean;
  dryRun?: boolean;
  /** Plaintext bytes that were read since it was told last. */
  onBytes?: (bytes: number) => void;
}

/**
 * Where a source's files go, as `cp -r` and rsync have it: a directory keeps its name below the place, unless it was
 * named with a slash at its end, or as `.` or `..`: then its contents alone go there.
 * @throws SealdropError `source_not_found`
 */
export async function lookAt(name: string): Promise<TreeRootName> {
  const stats = await stat(name).catch((cause: unknown) => {
    throw new SealdropError('source_not_found', `there is no file or directory ${printable(name)}`, {
      cause,
    });
  });
  const directory = stats.isDirectory();
  const below = directory && /(^|\/)\.{0,2}$/.test(name) ? '' : basename(resolve(name));
  return { name, directory, below };
}

/** @param place empty, or with a slash at its end */
export function treeSource({ name, directory, below }: TreeRootName, place: string): TreeSource {
  return { name, directory, prefix: place + below + (directory && below !== '' ? '/' : '') };
}

/** @throws SealdropError what listing the vault fails with, `interrupted` */
export async function putTree(job: PutTreeJob): Promise<TreeReport> {
  return runTree(entriesOf(job), job, placeOf, async (item) => ({
    ...placeOf(item),
    ...(await putEntry(item, job)),
  }));
}

interface Item {
  readonly entry: WalkEntry;
  readonly file: string;
  readonly key: string;
  /** Opens it, where it is a file. */
  readonly open: () => Promise<FileSource>;
  readonly stored?: ObjectInfo | undefined;
}

const placeOf = ({ entry, key, file }: Item) => ({ path: entry.path, key, file });

async function* entriesOf(job: PutTreeJob): AsyncGenerator<Item> {
  for (const source of job.sources) {
    const stored = job.resume === true ? new StoredKeys(job.store, source.prefix, job.signal) : undefined;
    try {
      for await (const item of itemsOf(source, job)) yield { ...item, stored: await stored?.find(item.key) };
    } finally {
      await stored?.close();
    }
  }
}

/** A root that can't be read fails as a file does: the others are stored. */
async function* itemsOf(source: TreeSource, job: PutTreeJob): AsyncGenerator<Item> {
  const { name, prefix } = source;
  try {
    yield* readableItems(source, job);
  } catch (cause) {
    throwIfAborted(job.signal);
    const known = cause instanceof SealdropError ? cause : undefined;
    const why = systemCode(cause) ?? 'unknown error';
    const error =
      known ?? new SealdropError('source_unreadable', `cannot read ${printable(name)}: ${why}`, { cause });
    const entry = { kind: 'failed' as const, path: basename(name), error };
    yield { entry, file: name, key: prefix, open: async () => Promise.reject(error) };
  }
}

async function* readableItems(
  { name, directory, prefix }: TreeSource,
  job: PutTreeJob,
): AsyncGenerator<Item> {
  if (!directory) {
    const stats = await stat(name, { bigint: true });
    const entry = { kind: 'file' as const, path: basename(name), file: name, stats };
    yield { entry, file: name, key: prefix, open: async () => openFileSource(name) };
    return;
  }
  const root = await realpath(name);
  for await (const entry of walk(name, job)) {
    const end = entry.kind === 'empty_directory' ? `/${DIRECTORY_MARKER}` : '';
    const file = join(name, entry.path);
    const open = async () =>
      job.links === 'follow' ? openFileSource(file, { regular: true }) : openFileBelow(root, entry.path);
    yield { entry, file, key: prefix + entry.path + end, open };
  }
}

async function putEntry(
  { entry, key, open, stored }: Item,
  job: PutTreeJob,
): Promise<Omit<TreeEvent, 'path' | 'key'>> {
  if (entry.kind === 'failed') throw entry.error;
  if (entry.kind === 'left_out') return { outcome: 'left_out', why: entry.why };
  const bytes = entry.kind === 'file' ? Number(entry.stats.size) : 0;
  if (stored !== undefined && isStored(stored, entry, job)) {
    job.onBytes?.(bytes);
    return { outcome: 'present', bytes };
  }
  if (job.dryRun === true) {
    assertStorableKey(key);
    job.store.assertStorable(key);
    return { outcome: 'planned', bytes };
  }
  const report = entry.kind === 'file' ? await putFile(key, await open(), job) : await putMarker(key, job);
  return { outcome: 'done', bytes: report.plaintextSize, put: report };
}

/** One file of a tree. Nobody looks for unfinished uploads of it: that would be a request for each. */
async function putFile(key: string, source: FileSource, job: PutTreeJob): Promise<PutReport> {
  let told = 0;
  const onProgress = (bytes: number) => {
    job.onBytes?.(bytes - told);
    told = bytes;
  };
  return put({ ...settings(job), source, key, onProgress });
}

const putMarker = (key: string, job: PutTreeJob): Promise<PutReport> =>
  put({ ...settings(job), source: streamSource(nothing(), 0), key, emptyDirectory: true });

function settings({ store, encryptor, context, preserve, overwrite, record, signal }: FilePutting) {
  return { store, encryptor, context, preserve, overwrite, record, signal, lookForUnfinished: false };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Whether an object is what this file would become: of exactly its size, and stored after the last change. */
function isStored(stored: ObjectInfo, entry: WalkEntry, job: PutTreeJob): boolean {
  const { key } = stored;
  if (job.recorded?.(stored) === false) return false;
  const stats = entry.kind === 'file' ? entry.stats : undefined;
  const emptyDirectory = entry.kind === 'empty_directory';
  const context = messageContext({ ...job, key, emptyDirectory }, stats);
  const expected = job.encryptor.ciphertextSize(Number(stats?.size ?? 0), context);
  return isOfSize(stored.size, expected) && (stats === undefined || isSince(stored.modified, stats));
}

const isSince = (time: Date, { mtimeMs, ctimeMs }: BigIntStats): boolean =>
  time.getTime() >= mtimeMs && time.getTime() >= ctimeMs;
