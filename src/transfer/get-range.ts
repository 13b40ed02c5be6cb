/** A part of an object's content, by requests for what it lies in alone. */
import { SealdropError, throwIfAborted } from '../errors.js';
import type {
  ByteSource,
  DecryptOptions,
  MessageInfo,
  ObjectStore,
  OpenedObject,
  PlaintextRange,
  Ranges,
  ReadPolicy,
} from '../ports.js';
import { checkBinding, type Binding, type Bound } from './context.js';
import { withPlainHint, type OpenReport } from './get.js';
import { openStored, type FoundObject } from './stored-object.js';
import type { Target } from './target.js';

export interface OpenObjectJob extends Binding {
  store: ObjectStore;
  key: string;
  ranges: Ranges;
  /** What the vault is configured to allow, where the reader was not told. */
  allowed?: ReadPolicy | undefined;
  onFrame?: DecryptOptions['onFrame'];
  signal?: AbortSignal | undefined;
}

export interface BoundObject {
  readonly opened: OpenedObject;
  readonly bound: Bound;
}

/**
 * An object of which parts are read, each authenticated. Its header is judged as for the whole.
 * @throws SealdropError what `Ranges.open` and the store throw, `wrong_object`; `usage` for an object of s3ec
 */
export async function openObject(job: OpenObjectJob): Promise<BoundObject> {
  const object = await openStored(job.store, job.key, job);
  if (!(await job.ranges.authenticates(object))) throw unauthenticated();
  return openFound(object, job);
}

/** The same, of one that was found. */
export async function openFound(object: FoundObject, job: OpenObjectJob): Promise<BoundObject> {
  let bound: Bound | undefined;
  try {
    const accept = (info: MessageInfo) => void (bound = checkBinding(info, job.key, job));
    const opened = await job.ranges.open(object, { accept, onFrame: job.onFrame, allowed: job.allowed });
    return { opened, bound: bound! };
  } catch (error) {
    throw withPlainHint(error, object.info);
  }
}

export interface GetRangeJob extends OpenObjectJob {
  range: PlaintextRange;
  /** Opened when the range was found. */
  openTarget: () => Promise<Target>;
  /** Parts of s3ec objects too, which nothing authenticates. */
  releaseUnverified?: boolean | undefined;
  /** Called when the range was found, with its bytes. */
  onFound?: (bytes: number) => void;
  /** Of plaintext, added up. */
  onProgress?: (bytes: number) => void;
}

export interface RangeReport extends OpenReport {
  /** Of the plaintext, both included. */
  readonly range: { readonly first: number; readonly last: number };
}

/** @throws SealdropError as `openObject`; what `OpenedObject.range` and the target throw */
export async function getRange(job: GetRangeJob): Promise<RangeReport> {
  const object = await openStored(job.store, job.key, job);
  if (!(await job.ranges.authenticates(object))) return getUnverified(object, job);
  const { opened, bound } = await openFound(object, job);
  try {
    const { content, ...range } = await opened.range(job.range);
    const plaintextSize = await write(content, range, job);
    return { info: opened.info, bound, plaintextSize, range };
  } finally {
    opened.close();
  }
}

async function getUnverified(object: FoundObject, job: GetRangeJob): Promise<RangeReport> {
  if (job.releaseUnverified !== true) throw unauthenticated();
  const unverified = await job.ranges.unverified();
  const range = await unverified.open(object, job.range, job.allowed);
  const { info, first, last, fetch } = range;
  const bound = checkBinding(info, job.key, job);
  const content = range.decryptUnverified(object.fetch(fetch.first, fetch.last));
  const plaintextSize = await write(content, { first, last }, job);
  return { info: { ...info, unauthenticated: true }, bound, plaintextSize, range: { first, last } };
}

const unauthenticated = (): SealdropError =>
  new SealdropError('usage', 'nothing authenticates a part of this object: its tag is over the whole', {
    hint: 'if that will do: --range with --release-unverified; else cat or get the whole object',
  });

async function write(
  content: ByteSource,
  { first, last }: RangeReport['range'],
  { openTarget, onFound, onProgress, signal }: GetRangeJob,
): Promise<number> {
  onFound?.(last + 1 - first);
  const target = await openTarget();
  let bytes = 0;
  try {
    for await (const piece of content) {
      throwIfAborted(signal);
      await target.write(piece);
      bytes += piece.length;
      onProgress?.(bytes);
    }
    await target.commit();
    return bytes;
  } catch (error) {
    await target.discard();
    throw error;
  }
}
