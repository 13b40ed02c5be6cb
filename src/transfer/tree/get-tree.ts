/** What lies below a prefix of a vault, into a local tree. */
import { throwIfAborted } from '../../errors.js';
import {
  INSTRUCTION_SUFFIX,
  type Decryptor,
  type ObjectInfo,
  type ObjectStore,
  type ReadPolicy,
} from '../../ports.js';
import { isEmptyDirectory, parseTime } from '../attributes.js';
import type { Binding } from '../context.js';
import { get, type OpenReport } from '../get.js';
import { findInstruction, mayBeInstructionFile } from '../instruction-file.js';
import { readMetadata } from '../metadata.js';
import { nowhere } from '../target.js';
import type { TreeFilter } from './filter.js';
import { DIRECTORY_MARKER, segmentsOf } from './names.js';
import type { TreeRoot } from './tree-root.js';
import { runTree, type TreeEvent, type TreeReport, type TreeRunOptions } from './work.js';

/** How each object of a tree is opened. */
export interface FileGetting extends Binding {
  store: ObjectStore;
  decryptor: Decryptor;
  /** What the vault is configured to allow, where the decryptor was not told. */
  allowed?: ReadPolicy | undefined;
  /** Give files the modification times and permissions that their messages carry. */
  preserve?: boolean;
  signal?: AbortSignal;
  /** Ciphertext bytes that were read since it was told last. */
  onBytes?: (bytes: number) => void;
}

export interface GetTreeJob extends FileGetting, Omit<TreeRunOptions, 'signal'> {
  /** Empty, or with a slash at its end: what it stands in front of is the tree. */
  prefix: string;
  /** Undefined for a dry run: nothing is made. */
  root: TreeRoot | undefined;
  filter?: TreeFilter;
  /** Leave what an earlier run wrote of objects that have not changed since. */
  resume?: boolean;
  /** Write a file that would configure the command. */
  force?: boolean;
}

interface Item {
  readonly info: ObjectInfo;
  readonly path: string;
  /** It is no object by itself: the wrapped key of the one beside it lies there. */
  readonly instruction?: true;
}

/** @throws SealdropError what listing the vault fails with, `interrupted` */
export async function getTree(job: GetTreeJob): Promise<TreeReport> {
  const report = await runTree(
    listTree(job),
    job,
    ({ info, path }) => ({ path, key: info.key }),
    (item) => getEntry(item, job),
  );
  await job.root?.sync();
  return report;
}

const MAX_KEY = 1024;

/** The objects of a tree, with their paths below it. */
export async function* listTree({
  store,
  prefix,
  filter,
  signal,
}: Pick<GetTreeJob, 'store' | 'prefix' | 'filter' | 'signal'>): AsyncGenerator<Item> {
  for await (const info of store.list(prefix, { signal })) {
    throwIfAborted(signal);
    // Stores that say what was not asked for: the beginning of such a key is not its folder.
    if (!info.key.startsWith(prefix)) continue;
    const path = info.key.slice(prefix.length);
    // No pattern is tried on what is too long to be a key.
    const takes = (name: string) => path.length > MAX_KEY || (filter?.takes(name) ?? true);
    const of = await objectOf(info, store, signal);
    if (of === undefined) {
      if (takes(path)) yield { info, path };
    } else if (takes(of.slice(prefix.length))) yield { info, path, instruction: true };
  }
}

/** The key that an instruction file belongs to: it goes where its object goes. */
async function objectOf(
  info: ObjectInfo,
  store: ObjectStore,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (!mayBeInstructionFile(info)) return undefined;
  const key = info.key.slice(0, -INSTRUCTION_SUFFIX.length);
  return (await findInstruction(store, key, signal)) && key;
}

async function getEntry({ info, path, instruction }: Item, job: GetTreeJob): Promise<TreeEvent> {
  const { key } = info;
  if (instruction === true) return { path, key, outcome: 'left_out', why: 'instruction_file' };
  // What consoles make to show a folder; no message of anybody's is empty.
  if (info.size === 0 && (path === '' || path.endsWith('/')))
    return { path, key, outcome: 'left_out', why: 'folder_marker' };
  const segments = segmentsOf(path, job);
  const { root } = job;
  if (root === undefined) return { path, key, outcome: 'planned', bytes: info.size };
  const present = job.resume === true ? await sizeOfPresent(info, segments, { ...job, root }) : undefined;
  if (present !== undefined) {
    job.onBytes?.(info.size);
    return { path, key, outcome: 'present', bytes: present };
  }
  const opened = await getFile({ key, segments, root, size: info.size }, job);
  return { path, key, outcome: 'done', bytes: opened.plaintextSize, opened };
}

/** Above it a message is content, whatever its name is. */
const MAX_MARKER = 128 * 1024;

/**
 * One object of a tree.
 * @throws SealdropError as `get` and `TreeRoot.openFile` do
 */
export async function getFile(
  { key, segments, root, size }: { key: string; segments: readonly string[]; root: TreeRoot; size: number },
  job: FileGetting,
): Promise<OpenReport> {
  if (segments.at(-1) === DIRECTORY_MARKER && size <= MAX_MARKER) {
    const report = await get({ ...job, key, target: nowhere, onProgress: undefined });
    if (isEmptyDirectory(report.info.context) && report.plaintextSize === 0) {
      await root.makeDirectory(segments.slice(0, -1));
      job.onBytes?.(size);
      return report;
    }
  }
  let told = 0;
  const onProgress = (bytes: number) => {
    job.onBytes?.(bytes - told);
    told = bytes;
  };
  return get({ ...job, key, target: await root.openFile(segments), onProgress });
}

/** When an object may have come at the latest: stores that tell whole seconds cut the rest off. */
const latest = (modified: Date): number => modified.getTime() + (modified.getMilliseconds() === 0 ? 1000 : 0);

/**
 * Plaintext bytes of a file that is there already: as many as the store says that the object has, and not written before
 * it, or with the very time that was kept. Asks the store only where that can turn out so.
 */
async function sizeOfPresent(
  { key, modified }: ObjectInfo,
  segments: readonly string[],
  { root, store, preserve, signal }: GetTreeJob & { root: TreeRoot },
): Promise<number | undefined> {
  const there = await root.look(segments);
  const later = there !== undefined && Number(there.mtimeMs) >= latest(modified);
  if (there?.isFile() !== true || !(later || preserve === true)) return undefined;
  const { size, mtime } = readMetadata((await store.head(key, { signal })).metadata);
  const kept = parseTime(mtime);
  const sameTime = kept !== undefined && Math.floor(kept * 1e6) === Number(there.mtimeNs / 1000n);
  if (size !== Number(there.size) || !(later || sameTime)) return undefined;
  root.keep(there);
  return size;
}
