/** Other recipients for an object that is there: opened and encrypted again in one stream, in its own place. */
import { isSealdropError, SealdropError } from '../../errors.js';
import type { Decryptor, Inspector, MessageInfo, ObjectInfo, ObjectStore, ReadPolicy } from '../../ports.js';
import { printable } from '../../printable.js';
import { assertStorableKey } from '../../vault-key.js';
import { checkBinding, type Binding, type Bound } from '../context.js';
import { withPlainHint } from '../get.js';
import { readMetadata, type ObjectFacts } from '../metadata.js';
import { partsOf } from '../object-parts.js';
import { beginOpening, Peekable } from './opening.js';
import { assertForHeaders, HeaderOfObject, type HeaderReport, type HeaderTarget } from './rewrap-header.js';
import { keptContext, seal, type Sealing, type SealReport } from './seal.js';

export interface RewrapJob extends Binding {
  store: ObjectStore;
  key: string;
  inspector: Inspector;
  /** What the vault is configured to allow, where the decryptor was not told. */
  allowed?: ReadPolicy | undefined;
  /** Opens the object. Without one nothing is done: what would be is told. */
  decryptor?: Decryptor | undefined;
  /**
   * Whom the object shall be for, by its header and by what its metadata claim, and whether it is for them already.
   * The context is that of the new message, as far as the header can be believed.
   * @throws SealdropError where it cannot be
   */
  recipients: (
    info: MessageInfo,
    facts: ObjectFacts,
    context: Readonly<Record<string, string>>,
  ) => Promise<Sealing & { already: boolean }>;
  /** For s3ec objects, whose bodies stay. Absent: they are refused. */
  headers?: HeaderTarget | undefined;
  /** Throws where what was found is not to be worked on here. Not asked of what is for them already. */
  admit?: ((found: ObjectInfo) => void) | undefined;
  /** The key that it must be bound to: it will be bound to the one that it lies under. */
  boundTo?: string | undefined;
  /** Older versions are removed afterwards. */
  deleteVersions?: boolean | undefined;
  /** Go on where the store keeps no conditions on writes: the object is looked at right before, in place of that. */
  unconditional?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((bytes: number) => void) | undefined;
}

export type RewrapReport = {
  readonly key: string;
  /** Of the message that was found. */
  readonly info: MessageInfo;
  readonly bound: Bound;
  /** What was found; after a rewrap, the one before. */
  readonly old: ObjectInfo;
} & (
  | { readonly outcome: 'present' | 'planned'; readonly plaintextSize: number }
  | ({ readonly outcome: 'rewrapped' } & SealReport)
  | ({ readonly outcome: 'rewrapped'; readonly plaintextSize: number } & HeaderReport)
);

/**
 * The new object takes the place of the very one that was read, or nothing changes: what somebody else has put there
 * meanwhile stays. Before it does, it was found right as a message, and the store has proven to hold its parts.
 * @throws SealdropError an integrity code of the old message, `source_changed`, `condition_not_kept`, and what the store
 * and `recipients` fail with
 */
export async function rewrap(job: RewrapJob): Promise<RewrapReport> {
  const { store, key, inspector, decryptor, signal } = job;
  assertStorableKey(key);
  store.assertStorable(key);
  const report = job.headers && (await withoutBody(job, job.headers));
  if (report !== undefined) return report;
  // What was read is told by the answer that its bytes came with.
  const { info: old, body } = await store.get(key, { whole: true, transient: true, signal });
  try {
    const message = new Peekable(body);
    const info = await inspector.inspect(message.beginning, partsOf(store, old, signal));
    if (info.format === 's3ec') {
      body.destroy();
      const report = job.headers && (await rewrapBeside(job, old, job.headers));
      if (report === undefined) throw notHere(store.address(key));
      return report;
    }
    const found = { key, info, old };
    // A signed message's is known for certain when it has been read.
    const plaintextSize = inspector.plaintextSize(info, old.size).bytes;
    const sealing = await job.recipients(info, readMetadata(old.metadata), newContext(info, job));
    if (sealing.already && (job.boundTo === undefined || info.context['sealdrop:key'] === key)) {
      // Or somebody has put another object here.
      const bound = judge(info, { ...job, boundTo: undefined });
      return { ...found, bound, outcome: 'present', plaintextSize };
    }
    job.admit?.(old);
    if (decryptor === undefined)
      return { ...found, bound: judge(info, job), outcome: 'planned', plaintextSize };
    return { ...found, outcome: 'rewrapped', ...(await sealAgain(message, old, sealing, job, decryptor)) };
  } catch (error) {
    throw explained(withPlainHint(error, old), job);
  } finally {
    body.destroy();
  }
}

async function sealAgain(
  message: Peekable,
  old: ObjectInfo,
  sealing: Sealing,
  job: RewrapJob,
  decryptor: Decryptor,
): Promise<SealReport & { bound: Bound }> {
  const { store, key, inspector, boundTo, unconditional, signal } = job;
  let bound: Bound = 'bound';
  const accept = (info: MessageInfo) => void (bound = judge(info, job));
  const opening = await beginOpening(message.whole(), decryptor, accept, { allowed: job.allowed });
  const context = newContext(opening.info, job);
  const report = await seal({
    ...{
      opening,
      ...sealing,
      oldSize: old.size,
      oldMetadata: old.metadata,
      keyChanges: boundTo !== undefined,
    },
    ...{ store, key, context, inspector, onProgress: job.onProgress },
    put: {
      ...{ condition: { ifMatch: old.etag }, guarded: unconditional !== true, inParts: true, proven: true },
      ...(signal && { signal }),
    },
    beforeEnd: unconditional === true ? async () => assertSame(job, old) : undefined,
  });
  return { ...report, bound };
}

const newContext = (info: MessageInfo, { key, boundTo }: RewrapJob) =>
  keptContext(info, boundTo === undefined ? undefined : key);

/** @throws SealdropError `wrong_object` */
function judge(info: MessageInfo, job: RewrapJob): Bound {
  const { key, boundTo } = job;
  if (boundTo === undefined) return checkBinding(info, key, job);
  const found = checkBinding(info, boundTo, { binding: 'allow', moved: true, context: job.context ?? {} });
  const made = info.context['sealdrop:key'];
  if (made === boundTo) return found;
  const bound = made === undefined ? 'names no key' : `was made for the key ${printable(made)}`;
  throw new SealdropError('wrong_object', `the message ${bound}, not for ${printable(boundTo)}`, {
    hint: 'only what was moved as a whole tree is bound anew: somebody may have swapped this object',
  });
}

/** Of what has its header beside it the body is not asked for. What others have stored may be such a thing without a word. */
async function withoutBody(job: RewrapJob, headers: HeaderTarget): Promise<RewrapReport | undefined> {
  const { store, key, inspector, signal } = job;
  const object = await store.head(key, { signal });
  const { metadata = {} } = object;
  const isMessage = inspector.isBeside?.(metadata) !== true && readMetadata(metadata).format !== undefined;
  return isMessage ? undefined : rewrapBeside(job, object, headers);
}

/** @returns undefined where it is no s3ec object, whatever its metadata say */
async function rewrapBeside(
  job: RewrapJob,
  old: ObjectInfo,
  target: HeaderTarget,
): Promise<RewrapReport | undefined> {
  const { store, key, inspector, decryptor, allowed, unconditional, signal } = job;
  try {
    const header = new HeaderOfObject(old, { store, inspector, target, allowed, unconditional, signal });
    const info = await header.inspect();
    if (info.format !== 's3ec') return undefined;
    assertForHeaders(info, store.address(key), {
      rebinds: job.boundTo !== undefined,
      deletesVersions: job.deleteVersions === true,
    });
    const plaintextSize = inspector.plaintextSize(info, old.size).bytes;
    const found = { key, info, old, plaintextSize };
    if (await header.isDone(info)) return { ...found, bound: judge(info, job), outcome: 'present' };
    job.admit?.(old);
    if (decryptor === undefined) return { ...found, bound: judge(info, job), outcome: 'planned' };
    let bound: Bound = 'unbound';
    const done = await header.rewrap((judged) => void (bound = judge(judged, job)));
    return { ...found, bound, outcome: 'rewrapped', ...done };
  } catch (error) {
    throw explained(error, job);
  }
}

function notHere(address: string): SealdropError {
  return new SealdropError(
    'usage',
    `${printable(address)} is an object of the S3 Encryption Client, which is not rewrapped here`,
    { hint: 'the command does it: sealdrop rewrap' },
  );
}

async function assertSame({ store, key, signal }: RewrapJob, { etag }: ObjectInfo): Promise<void> {
  if ((await store.head(key, { signal })).etag !== etag) throw wasReplaced(store.address(key));
}

function explained(error: unknown, { store, key }: RewrapJob): unknown {
  const code = isSealdropError(error) ? error.code : undefined;
  return code === 'precondition_failed' ? wasReplaced(store.address(key), error) : error;
}

/** Also where it was removed: then nothing is there, and that stays so. */
export function wasReplaced(address: string, cause?: unknown): SealdropError {
  const message = `${printable(address)} was replaced or removed while it was worked on: what is there now stays`;
  return new SealdropError('source_changed', message, {
    cause,
    hint: 'the same command again takes up what is there now',
  });
}
