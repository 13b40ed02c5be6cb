/** One run of a put that can be gone on with: it takes up what an earlier one left, or begins. */
import { createHash, type Hash } from 'node:crypto';
import { isSealdropError, type ErrorCode } from '../../errors.js';
import type {
  PutResult,
  ResumableMessage,
  ResumableMessages,
  ResumableUpload,
  ResumableUploads,
  SentPart,
  UnfinishedUpload,
  UploadPlan,
} from '../../ports.js';
import { hostId } from '../../processes.js';
import { Secret } from '../../secret.js';
import type { DurableLines } from '../durable-lines.js';
import { assertNotInstruction } from '../instruction-file.js';
import { assertAbsent, contextOf, metadataOf, type PutJob, type PutReport } from '../put.js';
import type { FileSource } from '../source.js';
import { newDigestKey } from './digest.js';
import { OtherPlaintext, sealedParts } from './sealing.js';
import type { StateFile } from './state-file.js';
import { difference, partLine, type Identity, type State } from './state.js';
import { partsThere } from './there.js';

/** Bytes are of the message. */
export type ResumeEvent =
  | { readonly kind: 'resumed' | 'kept'; readonly there: number; readonly size: number }
  /** An earlier put could not be gone on with, and is cleared away. */
  | { readonly kind: 'restarted'; readonly why: string }
  /** This one can't be gone on with. */
  | { readonly kind: 'without'; readonly why: string };

export interface ResumedPutReport extends PutReport {
  /** Where it went on with an earlier one: bytes of the message that were there, and that were sent now. */
  readonly resumed?: { readonly there: number; readonly sent: number };
}

export interface Eligible {
  readonly source: Required<Pick<FileSource, 'pieces' | 'stats'>> & { readonly size: number };
  readonly messages: ResumableMessages;
}

export interface RunOptions {
  readonly job: PutJob;
  readonly uploads: ResumableUploads;
  readonly plan: UploadPlan;
  /** Held. */
  readonly file: StateFile;
  readonly eligible: Eligible;
  readonly onEvent?: ((event: ResumeEvent) => void) | undefined;
}

interface Attempt {
  readonly message: ResumableMessage;
  readonly upload: ResumableUpload;
  readonly lines: DurableLines;
  readonly digestKey: Uint8Array;
  readonly digests: ReadonlyMap<number, string>;
  /** Parts that the store has, by their numbers. */
  readonly there: ReadonlyMap<number, SentPart>;
  /** An earlier run began it. */
  readonly resumed: boolean;
  /** What it has become already: the earlier run came as far as that. */
  readonly became?: PutResult | undefined;
}

type Restart = { readonly why: string };

const GONE = 'the store has no such upload any more';

export class ResumableRun {
  readonly #options: RunOptions;
  readonly #context: Readonly<Record<string, string>>;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#context = contextOf(options.job);
  }

  async run(): Promise<ResumedPutReport> {
    const { job, file, onEvent } = this.#options;
    const { store, key, signal } = job;
    const guard = await assertNotInstruction(store, key, signal);
    const condition = job.condition ?? (job.overwrite === false ? { absent: true as const } : guard);
    const identity = await this.#identity();
    const found = await file.read();
    const taken = found && (await this.#takeUp(found, identity, condition));
    let why = taken !== undefined && 'why' in taken ? taken.why : undefined;
    if (taken !== undefined && !('why' in taken))
      try {
        return await this.#finish(taken);
      } catch (error) {
        if (!(error instanceof OtherPlaintext)) throw error;
        why = 'the file has other bytes than then';
      }
    if (why !== undefined) onEvent?.({ kind: 'restarted', why });
    return this.#finish(await this.#begin(found, identity, condition));
  }

  async #identity(): Promise<Identity> {
    const { job, plan, eligible } = this.#options;
    const { stats, pieces, size } = eligible.source;
    return {
      host: hostId(),
      source: {
        path: await pieces.path(),
        device: String(stats.dev),
        inode: String(stats.ino),
        size,
        modified: String(stats.mtimeNs),
        changed: String(stats.ctimeNs),
      },
      place: plan.place,
      key: job.key,
      terms: plan.terms,
      partSize: plan.partSize,
      recipients: job.encryptor.recipients.map(({ namespace, name, fingerprint }) => [
        namespace,
        name,
        fingerprint,
      ]),
      metadata: metadataOf(job),
    };
  }

  async #takeUp(
    found: State,
    identity: Identity,
    condition: PutJob['condition'],
  ): Promise<Attempt | Restart> {
    const { job, uploads, file, eligible } = this.#options;
    const why = difference(found.identity, identity);
    if (why !== undefined) return { why };
    const message = await eligible.messages.reopen(found.message, this.#context, eligible.source.size);
    if (message === undefined) return { why: 'it was begun with other options' };
    try {
      const { metadata } = found.identity;
      const { signal } = job;
      const upload = await uploads.reopen(job.key, found.upload, { metadata, condition, signal });
      const listed = await upload.parts().catch(orUntold);
      if (listed === 'untold') return { why: 'the store does not tell which parts it has' };
      const there = partsThere(found, listed, message.size);
      if (there === undefined) return { why: 'the store has other parts than those that were sent' };
      upload.take([...there.values()]);
      const became = listed === undefined ? await upload.became(message.size) : undefined;
      const isWhole = found.digests.size === Math.ceil(message.size / identity.partSize);
      if (listed === undefined && (became === undefined || !isWhole)) return { why: GONE };
      const { digests, digestKey } = found;
      const lines = await file.continue(found);
      return { message, upload, lines, digests, digestKey: digestKey.reveal(), there, resumed: true, became };
    } catch (error) {
      message.close();
      throw error;
    }
  }

  /** What was there before goes only when the new one has begun: else whoever can't begin one would have neither. */
  async #begin(
    found: State | undefined,
    identity: Identity,
    condition: PutJob['condition'],
  ): Promise<Attempt> {
    const { job, uploads, file, eligible } = this.#options;
    const { store, key, signal } = job;
    if (job.overwrite === false) await assertAbsent(store, key, signal);
    const message = await eligible.messages.begin(this.#context, eligible.source.size);
    try {
      const { metadata } = identity;
      const upload = await uploads.begin(key, { metadata, condition, signal });
      const digestKey = newDigestKey();
      try {
        if (found !== undefined) await (await uploads.reopen(key, found.upload, {})).discard(undefined);
        await file.remove();
        const { id, agreed } = upload;
        const kept = { identity, upload: { id, agreed }, message: message.kept };
        const lines = await file.create({ ...kept, digestKey: new Secret(digestKey) });
        const nothing = new Map<number, never>();
        return { message, upload, lines, digestKey, digests: nothing, there: nothing, resumed: false };
      } catch (error) {
        throw await upload.discard(error);
      }
    } catch (error) {
      message.close();
      throw error;
    }
  }

  async #finish(attempt: Attempt): Promise<ResumedPutReport> {
    const { job, file, onEvent } = this.#options;
    const { message, upload, lines, there, resumed } = attempt;
    const known = new Map(there);
    let sent = 0;
    const unfinished = this.#unfinished();
    const hash = job.record && createHash('sha256');
    try {
      if (resumed) onEvent?.({ kind: 'resumed', there: bytesOf(there), size: message.size });
      await upload.send(this.#parts(attempt, hash), this.#options.plan, async (part) => {
        known.set(part.number, part);
        sent += part.size;
        await lines.add(partLine(part), { passing: true });
      });
      await this.#options.eligible.source.pieces.assertSame();
      const result = attempt.became ?? (await upload.complete());
      await file.remove();
      const { key } = job;
      if (hash !== undefined) await job.record?.({ key, size: result.size, sha256: hash.digest('hex') });
      const others = (await unfinished).filter(({ id }) => id !== upload.id);
      return {
        ...{ ...result, key, plaintextSize: this.#options.eligible.source.size, unfinished: others },
        ...(resumed && { resumed: { there: bytesOf(there), sent } }),
      };
    } catch (error) {
      if (error instanceof OtherPlaintext) throw error;
      if (isPassing(error) && known.size > 0) {
        onEvent?.({ kind: 'kept', there: bytesOf(known), size: message.size });
        throw error;
      }
      const explained = await upload.discard(error);
      await file.remove().catch(() => undefined);
      throw explained;
    } finally {
      message.close();
    }
  }

  #parts({ message, lines, digestKey, digests, there, became }: Attempt, hash: Hash | undefined) {
    const { job, plan, eligible } = this.#options;
    const { pieces, size } = eligible.source;
    // The progress begins at what is there.
    const begin = Math.min(bytesOf(there), size);
    job.onProgress?.(begin);
    return sealedParts({
      ...{ message, pieces, digestKey, digests, lines, hash, signal: job.signal },
      ...{ partSize: plan.partSize, parallel: plan.parallel, frameSize: eligible.messages.frameSize },
      // An object has all its parts, also those whose answers were lost.
      there: became === undefined ? there : { has: () => true },
      onRead: (bytes) => job.onProgress?.(Math.max(begin, bytes)),
    });
  }

  async #unfinished(): Promise<UnfinishedUpload[]> {
    const { store, key, signal, lookForUnfinished } = this.#options.job;
    if (lookForUnfinished === false) return [];
    return store.unfinished(key, { signal }).catch(() => []);
  }
}

const bytesOf = (parts: ReadonlyMap<number, SentPart>): number =>
  [...parts.values()].reduce((sum, { size }) => sum + size, 0);

/** Not every store, and not every credential, may be asked. */
function orUntold(error: unknown): 'untold' {
  if (isSealdropError(error) && ['access_denied', 'store_refused'].includes(error.code)) return 'untold';
  throw error;
}

/** What the same command gets over, later. */
function isPassing(error: unknown): boolean {
  return isSealdropError(error) && PASSING.has(error.code);
}

const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'interrupted',
  'endpoint_unreachable',
  'store_unavailable',
  'access_denied',
  'credentials_missing',
]);
