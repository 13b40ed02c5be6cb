/**
 * A put of a large file that goes on where an earlier one was broken off. Whatever is not eligible is put as ever.
 * docs/decisions/0019-resume.md
 */
import { isSealdropError } from '../../errors.js';
import type { ObjectStore, ResumableUploads, UnfinishedUpload, UploadPlan } from '../../ports.js';
import { assertStorableKey } from '../../vault-key.js';
import { contextOf, put, type PutJob } from '../put.js';
import { ResumableRun, type Eligible, type ResumedPutReport, type ResumeEvent } from './run.js';
import { forgetOld, isThere, StateFile, statePath, uploadsFolder } from './state-file.js';

export interface ResumeOptions {
  /** Files of at least so many bytes can be gone on with; of others, and with `Infinity`, nothing stays when a put fails. */
  readonly from: number;
  /** Where the state of unfinished puts lies. Default: in the user's state folder. */
  readonly folder?: string;
  readonly onEvent?: (event: ResumeEvent) => void;
}

/** As `put`, but that of a large file parts and state stay where it is interrupted, or the store can't be reached any more. */
export async function putResumably(job: PutJob, options: ResumeOptions): Promise<ResumedPutReport> {
  const { source } = job;
  try {
    const eligible = eligibleOf(job, options);
    const uploads = job.store.resumable;
    if (uploads === undefined) return await put(job);
    return await putWith(uploads, eligible, job, options);
  } finally {
    await source.close();
  }
}

/** Its file, where it is large enough, and its messages, where they can be gone on with. */
function eligibleOf({ source, encryptor, ...job }: PutJob, { from }: ResumeOptions): Eligible | undefined {
  const { pieces, stats, size } = source as Partial<Eligible['source']>;
  const { resumable: messages } = encryptor;
  const isPlain = job.sourceToken === undefined && job.emptyDirectory !== true;
  if (pieces === undefined || stats === undefined || size === undefined || messages === undefined)
    return undefined;
  return size >= from && isPlain ? { source: { pieces, stats, size }, messages } : undefined;
}

async function putWith(
  uploads: ResumableUploads,
  eligible: Eligible | undefined,
  job: PutJob,
  { folder = uploadsFolder(), onEvent }: ResumeOptions,
): Promise<ResumedPutReport> {
  const { key, store, signal } = job;
  assertStorableKey(key);
  store.assertStorable(key);
  const { bytes } = job.encryptor.ciphertextSize(job.source.size ?? 0, contextOf(job));
  const plan = await uploads.plan(bytes, { signal });
  await forgetOld(folder);
  const path = statePath(plan.place, key, folder);
  const fits = eligible !== undefined && eligible.messages.frameSize <= plan.partSize;
  if (!fits && !(await isThere(path))) return put(job);
  const file = await StateFile.hold(path).catch((error: unknown) => {
    if (!isSealdropError(error)) throw error;
    if (fits) onEvent?.({ kind: 'without', why: whyWithout(error.code, error.message) });
    return undefined;
  });
  if (file === undefined) return put(job);
  try {
    if (fits) return await new ResumableRun({ job, uploads, plan, file, eligible, onEvent }).run();
    await clear(file, uploads, key);
  } finally {
    await file.release();
  }
  return put(job);
}

const whyWithout = (code: string, message: string): string =>
  code === 'precondition_failed' ? 'another put to this address is running' : message;

/** An earlier put that nobody goes on with. */
async function clear(file: StateFile, uploads: ResumableUploads, key: string): Promise<void> {
  const state = await file.read();
  if (state !== undefined) await (await uploads.reopen(key, state.upload, {})).discard(undefined);
  await file.remove();
}

/** An upload that was removed at the store is not gone on with, and its key doesn't stay. */
export async function forgetUpload(
  store: ObjectStore,
  { key, id }: UnfinishedUpload,
  folder = uploadsFolder(),
): Promise<void> {
  const plan: UploadPlan | undefined = await store.resumable?.plan(0);
  const path = plan && statePath(plan.place, key, folder);
  if (path === undefined || !(await isThere(path))) return;
  // Whoever has it finds out, and removes it.
  const file = await StateFile.hold(path).catch(() => undefined);
  try {
    if ((await file?.read())?.upload.id === id) await file!.remove();
  } finally {
    await file?.release();
  }
}
