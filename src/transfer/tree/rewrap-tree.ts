/** Other recipients for all objects below a prefix. */
import { SealdropError, isSealdropError } from '../../errors.js';
import type { ObjectInfo } from '../../ports.js';
import { printable } from '../../printable.js';
import { get } from '../get.js';
import type { DoneFile } from '../rewrap/done-file.js';
import { rewrap, type RewrapJob } from '../rewrap/rewrap.js';
import { olderVersions, removeOlderVersions } from '../rewrap/versions.js';
import { nowhere } from '../target.js';
import { listTree, type GetTreeJob } from './get-tree.js';
import { runTree, type TreeEvent, type TreeReport, type TreeRunOptions } from './work.js';

export interface RewrapEntryJob extends Omit<RewrapJob, 'key' | 'boundTo' | 'onProgress'> {
  /** What the keys began with that the objects must be bound to, in place of the prefix. */
  rebind?: string | undefined;
  /** What an earlier run has done, and where this one notes it. */
  done?: DoneFile | undefined;
  /** Remove what lay there before, for good. */
  deleteVersions?: boolean | undefined;
  /** Plaintext bytes since it was told last. */
  onBytes?: ((bytes: number) => void) | undefined;
}

export interface RewrapTreeJob
  extends RewrapEntryJob, Pick<GetTreeJob, 'prefix' | 'filter'>, Omit<TreeRunOptions, 'signal'> {}

/** `rewrapped` is absent where an earlier run's notes say that it is done. */
export type RewrapEvent = Pick<TreeEvent, 'outcome' | 'bytes' | 'rewrapped' | 'versionsRemoved'>;

/** @throws SealdropError what listing the vault fails with, `interrupted` */
export async function rewrapTree(job: RewrapTreeJob): Promise<TreeReport> {
  return runTree(
    listTree({ ...job, signal: job.signal! }),
    job,
    ({ info, path }) => ({ path, key: info.key }),
    async ({ info, path, instruction }) => {
      const { key, size } = info;
      if (instruction === true) return { path, key, outcome: 'left_out', why: 'instruction_file' };
      // What consoles make to show a folder; no message of anybody's is empty.
      if (size === 0 && (path === '' || path.endsWith('/')))
        return { path, key, outcome: 'left_out', why: 'folder_marker' };
      return { path, key, ...(await rewrapEntry(info, path, job)) };
    },
  );
}

/** @param path what follows the prefix in its key */
export async function rewrapEntry(
  listed: Pick<ObjectInfo, 'key' | 'etag' | 'size'>,
  path: string,
  job: RewrapEntryJob,
): Promise<RewrapEvent> {
  const { key, etag } = listed;
  if (job.done?.has(key, etag) === true) {
    const versionsRemoved = await removed({ key, etag }, job, true);
    return { outcome: 'present', bytes: listed.size, ...versionsRemoved };
  }
  let told = 0;
  const onProgress = (bytes: number) => {
    job.onBytes?.(bytes - told);
    told = bytes;
  };
  const boundTo = job.rebind === undefined ? undefined : job.rebind + path;
  const report = await rewrap({ ...job, key, boundTo, onProgress });
  const bytes = report.plaintextSize;
  if (report.outcome !== 'rewrapped') {
    const rest = report.outcome === 'present' ? await removed(report.old, job, true) : undefined;
    return { outcome: report.outcome, bytes, rewrapped: report, ...rest };
  }
  await job.done?.add(key, report.etag);
  // Of an s3ec object the body was not read: it may be another, with what the object says of its key.
  const versionsRemoved = await removed({ ...report, key }, job, !('checked' in report));
  return { outcome: 'done', bytes, rewrapped: report, ...versionsRemoved };
}

/**
 * Nothing but the object that was made: where this run has not made it, it has to open before anything is removed.
 * @throws SealdropError what stopped it: the object is there, and so are its versions
 */
async function removed(
  current: { key: string; etag: string; version?: string | undefined },
  job: RewrapEntryJob,
  unproven: boolean,
): Promise<{ versionsRemoved: number } | undefined> {
  const { store, signal, decryptor } = job;
  const { key } = current;
  if (job.deleteVersions !== true || decryptor === undefined) return undefined;
  // Those of the notes are known by their ETags alone.
  const version = current.version ?? (await store.head(key, { ...(signal && { signal }) })).version;
  const exact = { etag: current.etag, version };
  try {
    if (unproven && (await olderVersions(store, key, exact, signal)).length > 0)
      await get({ ...job, ...{ key, decryptor, target: nowhere, onProgress: undefined }, signal: signal! });
    const { removed: versionsRemoved, left, error } = await removeOlderVersions(store, key, exact, signal);
    if (left > 0) throw error;
    return { versionsRemoved };
  } catch (error) {
    throw versionsStay(error, store.address(key));
  }
}

function versionsStay(error: unknown, address: string): unknown {
  if (!isSealdropError(error) || error.code === 'interrupted') return error;
  return new SealdropError(
    error.code,
    `${printable(address)} is wrapped as wanted, but older versions of it stay, which open with the old key: ${error.message}`,
    {
      cause: error,
      hint: error.hint ?? 'remove them when that is put right: the same command again',
      retryable: error.retryable,
    },
  );
}
