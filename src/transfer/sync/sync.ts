/** Making one side like the other: what is done with each path, in which order, and what keeps a tree from being wiped. */
import { setMaxListeners } from 'node:events';
import { unlink } from 'node:fs/promises';
import { isSealdropError, SealdropError, throwIfAborted } from '../../errors.js';
import { inOrder } from './in-order.js';
import { compareKeys, joined, type Joined, type Located } from './join.js';
import { IndexWriter, readIndex, type Known } from './index-file.js';

export type SyncOutcome =
  | 'transferred'
  | 'unchanged'
  | 'removed'
  | 'failed'
  | 'would_transfer'
  | 'would_remove'
  /** Something that is no regular file is in the way: nothing is done about it. */
  | 'left';

export interface SyncEvent extends Located {
  readonly outcome: SyncOutcome;
  /** Of the content. */
  readonly bytes?: number;
  readonly error?: unknown;
}

/** What is at a path of one side. */
export interface Entry extends Located {
  /** False for what is skipped and still means that the path is not free: a symbolic link, a device. */
  readonly regular: boolean;
}

type Listings<From extends Entry, To extends Entry> = { from: From; to: To; known: Known };

/** How one direction does its work. What it throws fails the path alone. */
export interface Direction<From extends Entry, To extends Entry> {
  from(): AsyncIterable<From>;
  to(): AsyncIterable<To>;
  /** What cannot be listed, complete when the listings are at their end. */
  readonly strays: SyncEvent[];
  /** Whether both have the same content, as far as that can be told without reading it. */
  same(from: From, to: To, known: Known | undefined): Promise<Known | undefined>;
  /** Bytes that a transfer of it would move, where known. */
  bytes(from: From): number | undefined;
  transfer(from: From, to: To | undefined): Promise<Known & { readonly bytes: number }>;
  /** Removes what is still what was listed. @throws SealdropError `source_changed` where it isn't */
  remove(to: To): Promise<void>;
}

/** Most entries of a side that may go: so many, or a share of all. */
export type DeletionLimit = { readonly count: number } | { readonly share: number };

export interface SyncJob<From extends Entry, To extends Entry> {
  direction: Direction<From, To>;
  /** File of the index; none: nothing is remembered. */
  index?: string;
  /** Nobody chose its place: what cannot be used there is done without, or replaced. */
  mayLoseIndex?: boolean;
  /** Remove what the one side doesn't have. */
  deletion?: DeletionLimit;
  dryRun?: boolean;
  /** Paths at the same time. */
  width: number;
  signal: AbortSignal;
  /** A transfer begins, of so many bytes. */
  onTransfer?: (bytes: number) => void;
  /** The index can't be used: all is done as well without it, with more requests. */
  onIndexLost?: (error: unknown) => void;
}

interface Done {
  readonly path: string;
  readonly event: SyncEvent | undefined;
  readonly known?: Known | undefined;
}

/**
 * Yields what became of each path, removals last. Nothing is removed if anything failed, or was not listed as a whole.
 * @throws SealdropError `too_many_deletions`, what listing a side fails with, `interrupted`
 */
export async function* sync<From extends Entry, To extends Entry>(
  job: SyncJob<From, To>,
): AsyncGenerator<SyncEvent> {
  const { direction, signal, width, dryRun = false } = job;
  // Several for each path that is under way.
  setMaxListeners(0, signal);
  // A wrong place is found before anything is put into it.
  if (job.deletion !== undefined) await assertFewSurplus(direction, job.deletion);
  const index = await openIndex(job);
  const surplus: To[] = [];
  const inTheWay = new Set<string>();
  const seen = { from: 0, to: 0, failed: 0 };
  try {
    const known = knownOf(job);
    const paths = joined<Listings<From, To>>({ from: direction.from(), to: direction.to(), known });
    const act = async (each: Joined<Listings<From, To>>): Promise<Done> => {
      if (each.from !== undefined) seen.from++;
      if (each.to !== undefined) seen.to++;
      if (each.from?.regular === false) inTheWay.add(each.path);
      if (job.deletion !== undefined && each.from === undefined && each.to?.regular === true)
        surplus.push(each.to);
      return deal(each, job);
    };
    for await (const { path, event, known } of inOrder(paths, width, act)) {
      throwIfAborted(signal);
      await index?.settle(path, known);
      if (event?.outcome === 'failed') seen.failed++;
      if (event !== undefined) yield event;
    }
    seen.failed += direction.strays.length;
    yield* direction.strays;
  } finally {
    await index?.keep().catch((error: unknown) => job.onIndexLost?.(error));
  }
  if (job.deletion === undefined || seen.failed > 0) return;
  // Where something else took the place of a folder, nobody said that what was in it may go.
  const wanted = surplus.filter(({ path }) => !foldersOf(path).some((folder) => inTheWay.has(folder)));
  assertFew(wanted.length, seen, job.deletion);
  for (const entry of wanted) {
    throwIfAborted(signal);
    yield await removed(entry, direction, dryRun);
  }
}

/** @throws SealdropError `target_exists`, `target_unwritable` where somebody chose the place */
async function openIndex<From extends Entry, To extends Entry>({
  index,
  mayLoseIndex,
  dryRun,
  onIndexLost,
}: SyncJob<From, To>): Promise<RollingIndex | undefined> {
  if (index === undefined || dryRun === true) return undefined;
  try {
    return await RollingIndex.open(index);
  } catch (error) {
    if (mayLoseIndex !== true) throw error;
    onIndexLost?.(error);
    if (!isSealdropError(error) || error.code !== 'target_exists') return undefined;
  }
  return unlink(index).then(
    () => RollingIndex.open(index),
    () => undefined,
  );
}

async function* knownOf<From extends Entry, To extends Entry>({
  index,
  mayLoseIndex,
}: SyncJob<From, To>): AsyncGenerator<Known> {
  if (index === undefined) return;
  try {
    yield* readIndex(index);
  } catch (error) {
    if (mayLoseIndex !== true) throw error;
  }
}

async function assertFewSurplus<From extends Entry, To extends Entry>(
  direction: Direction<From, To>,
  limit: DeletionLimit,
): Promise<void> {
  const seen = { from: 0, to: 0 };
  let surplus = 0;
  const listings = { from: direction.from(), to: direction.to() };
  for await (const { from, to } of joined<{ from: From; to: To }>(listings)) {
    if (from !== undefined) seen.from++;
    if (to !== undefined) seen.to++;
    if (from === undefined && to?.regular === true) surplus++;
  }
  // What cannot be listed is told when it is met, and then nothing is removed.
  const complete = direction.strays.length === 0;
  direction.strays.length = 0;
  if (complete) assertFew(surplus, seen, limit);
}

/** `a` and `a/b` of `a/b/c` */
function foldersOf(path: string): string[] {
  const segments = path.split('/').slice(0, -1);
  return segments.map((_, i) => segments.slice(0, i + 1).join('/'));
}

async function deal<From extends Entry, To extends Entry>(
  { path, from, to, known }: Joined<Listings<From, To>>,
  { direction, dryRun, signal, onTransfer }: SyncJob<From, To>,
): Promise<Done> {
  // What stands on the other side alone is looked at when all is known.
  if (from === undefined) return { path, event: undefined, known: to && known };
  try {
    if (!from.regular || to?.regular === false) return { path, event: { path, outcome: 'left' }, known };
    throwIfAborted(signal);
    const same = to && (await direction.same(from, to, known));
    if (same !== undefined) return { path, event: { path, outcome: 'unchanged' }, known: same };
    const bytes = direction.bytes(from);
    if (dryRun === true)
      return { path, event: { path, outcome: 'would_transfer', ...(bytes !== undefined && { bytes }) } };
    onTransfer?.(bytes ?? 0);
    const made = await direction.transfer(from, to);
    return { path, event: { path, outcome: 'transferred', bytes: made.bytes }, known: made };
  } catch (error) {
    // What was once the same stays known: without that, times alone would tell the next time.
    return { path, event: { path, outcome: 'failed', error }, known };
  }
}

async function removed<From extends Entry, To extends Entry>(
  entry: To,
  direction: Direction<From, To>,
  dryRun: boolean,
): Promise<SyncEvent> {
  const { path } = entry;
  if (dryRun) return { path, outcome: 'would_remove' };
  try {
    await direction.remove(entry);
    return { path, outcome: 'removed' };
  } catch (error) {
    return { path, outcome: 'failed', error };
  }
}

/** A listing that is empty, or much shorter than before, is rather a broken or hostile one than somebody's wish. */
function assertFew(count: number, seen: { from: number; to: number }, limit: DeletionLimit): void {
  if (count === 0) return;
  const most = 'count' in limit ? limit.count : Math.floor(seen.to * limit.share);
  if (seen.from > 0 && count <= most) return;
  const why =
    seen.from === 0
      ? 'the source is empty'
      : `${count} of ${seen.to} would be removed, and ${most} are allowed`;
  throw new SealdropError('too_many_deletions', `nothing was removed: ${why}`, {
    hint:
      seen.from === 0
        ? 'look whether that is the right place; sealdrop rm -r removes a tree'
        : 'look with --dry-run --max-delete 100% what they are; then allow them with --max-delete',
  });
}

/** The new index, which holds what the old one did of all that was not come to. */
class RollingIndex {
  readonly #path: string;
  readonly #writer: IndexWriter;
  #last: string | undefined;

  private constructor(path: string, writer: IndexWriter) {
    this.#path = path;
    this.#writer = writer;
  }

  static async open(path: string): Promise<RollingIndex> {
    return new RollingIndex(path, await IndexWriter.open(path));
  }

  async settle(path: string, known: Known | undefined): Promise<void> {
    this.#last = path;
    if (known !== undefined) await this.#writer.add(known);
  }

  async keep(): Promise<void> {
    try {
      for await (const known of readIndex(this.#path))
        if (this.#last === undefined || compareKeys(known.path, this.#last) > 0)
          await this.#writer.add(known);
      await this.#writer.keep();
    } catch (error) {
      await this.#writer.drop();
      throw error;
    }
  }
}
