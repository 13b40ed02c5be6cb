/** Many things at the same time, a failure of one of which is noted and stops no other. */
import { setMaxListeners } from 'node:events';
import { isSealdropError, throwIfAborted, type ErrorCode } from '../../errors.js';
import type { OpenReport } from '../get.js';
import type { PutReport } from '../put.js';
import type { CopyReport } from '../rewrap/copy.js';
import type { RewrapReport } from '../rewrap/rewrap.js';
import type { LeftOut } from './walk.js';

export interface TreeEvent {
  /** Below the root of the tree, with slashes. */
  readonly path: string;
  readonly key: string;
  /** Of an upload: the file as the user would name it. */
  readonly file?: string;
  /**
   * `done`: stored, written, removed. `present`: an earlier run did it. `planned`: would be done, were this no dry run.
   * `left_out`: nothing to be done about it.
   */
  readonly outcome: 'done' | 'present' | 'planned' | 'left_out' | 'failed';
  /** Of plaintext; of a planned download or removal as stored. */
  readonly bytes?: number;
  readonly why?: LeftOut | 'folder_marker' | 'instruction_file';
  readonly error?: unknown;
  readonly put?: PutReport;
  readonly opened?: OpenReport;
  readonly rewrapped?: RewrapReport;
  readonly copied?: CopyReport;
  /** Older versions that were removed with it. */
  readonly versionsRemoved?: number;
}

export interface TreeReport {
  done: number;
  present: number;
  planned: number;
  failed: number;
  leftOut: Partial<Record<NonNullable<TreeEvent['why']>, number>>;
  bytes: number;
  /** Of those opened, copied and rewrapped: messages that name no key. */
  unbound: number;
  firstError?: unknown;
  /** What ended the run before all was tried. */
  stoppedBy?: unknown;
}

/** With these nothing else of the tree would succeed either. */
const HOPELESS: readonly ErrorCode[] = [
  'bucket_not_found',
  'credentials_missing',
  'endpoint_unreachable',
  'not_a_vault',
  'not_s3',
  'disk_full',
];

/** Refusals before anything succeeded, after which the credentials are what is wrong and not some of the keys. */
const REFUSALS = 10;

export interface TreeRunOptions {
  /** How many at the same time. */
  width: number;
  signal?: AbortSignal | undefined;
  onEvent?: ((event: TreeEvent) => void) | undefined;
}

/**
 * Acts on each item; what it resolves to is told, and so is what it throws.
 * @param place what an item is about, for the event of a failure
 * @throws SealdropError `interrupted`, and what `items` throws
 */
export async function runTree<T>(
  items: AsyncIterable<T>,
  { width, signal, onEvent }: TreeRunOptions,
  place: (item: T) => Pick<TreeEvent, 'path' | 'key' | 'file'>,
  act: (item: T) => Promise<TreeEvent>,
): Promise<TreeReport> {
  const report: TreeReport = {
    done: 0,
    present: 0,
    planned: 0,
    failed: 0,
    leftOut: {},
    bytes: 0,
    unbound: 0,
  };
  // One or more for each that is under way.
  if (signal !== undefined) setMaxListeners(0, signal);
  const tell = (event: TreeEvent) => {
    count(report, event);
    onEvent?.(event);
  };
  await atOnce(items, width, async (item) => {
    if (report.stoppedBy !== undefined) return false;
    throwIfAborted(signal);
    try {
      tell(await act(item));
    } catch (error) {
      // Whatever an interruption made fail, it is the interruption that happened.
      throwIfAborted(signal);
      tell({ ...place(item), outcome: 'failed', error });
      if (isHopeless(error, report)) report.stoppedBy ??= error;
    }
    return true;
  });
  return report;
}

function isHopeless(error: unknown, { done, present, failed }: TreeReport): boolean {
  if (!isSealdropError(error)) return false;
  if (error.code === 'access_denied') return done + present === 0 && failed >= REFUSALS;
  return HOPELESS.includes(error.code);
}

function count(report: TreeReport, event: TreeEvent): void {
  const { outcome, why } = event;
  if (outcome !== 'left_out') report[outcome]++;
  else if (why !== undefined) report.leftOut[why] = (report.leftOut[why] ?? 0) + 1;
  if (outcome === 'done' || outcome === 'planned') report.bytes += event.bytes ?? 0;
  if ((event.opened ?? event.copied ?? event.rewrapped)?.bound === 'unbound') report.unbound++;
  if (outcome === 'failed') report.firstError ??= event.error;
}

/** @param act returns false when no more is to be begun; what it throws is thrown when all that was begun has ended */
async function atOnce<T>(
  items: AsyncIterable<T>,
  width: number,
  act: (item: T) => Promise<boolean>,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  let failure: { error: unknown } | undefined;
  let ended = false;
  const worker = async () => {
    try {
      while (!ended) {
        const next = await iterator.next();
        if (next.done === true || !(await act(next.value))) ended = true;
      }
    } catch (error) {
      failure ??= { error };
      ended = true;
    }
  };
  try {
    await Promise.all(Array.from({ length: width }, worker));
  } finally {
    await iterator.return?.();
  }
  if (failure !== undefined) throw failure.error;
}
