import {
  isIntegrityError,
  isSealdropError,
  SealdropError,
  throwIfAborted,
  type ErrorCode,
} from '../errors.js';
import {
  INSTRUCTION_SUFFIX,
  type ByteSource,
  type Decryptor,
  type MessageInfo,
  type ObjectInfo,
  type ObjectParts,
  type ObjectStore,
  type ReadPolicy,
} from '../ports.js';
import { printable } from '../printable.js';
import { readAttributes } from './attributes.js';
import { checkBinding, type Binding, type Bound } from './context.js';
import { mayBeInstructionFile } from './instruction-file.js';
import { readMetadata } from './metadata.js';
import { partsOf } from './object-parts.js';
import { counted } from './put.js';
import { spooled } from './spool.js';
import { replacedMeanwhile } from './stored-object.js';
import type { Target } from './target.js';

export interface OpenJob extends Binding {
  decryptor: Decryptor;
  /** The vault key asked for; undefined for a message that comes from no vault. */
  key?: string;
  target: Target;
  /** What the vault is configured to allow, where the decryptor was not told. */
  allowed?: ReadPolicy | undefined;
  /**
   * Let a target that holds nothing back have content whose tag comes at the end before it was checked. Default false: such
   * content goes through a private temporary file.
   */
  releaseUnverified?: boolean | undefined;
  /** Give the file the modification time and permissions that the message carries. */
  preserve?: boolean;
  signal?: AbortSignal;
  /** Ciphertext bytes read, added up. */
  onProgress?: (bytes: number) => void;
}

export interface OpenReport {
  readonly info: MessageInfo;
  readonly bound: Bound;
  readonly plaintextSize: number;
}

/**
 * Decrypts a message into a target, which is committed after the last check and discarded on any failure.
 * @throws SealdropError an integrity code, or what source and target throw
 */
export async function openMessage(
  message: ByteSource,
  job: OpenJob,
  parts?: ObjectParts,
): Promise<OpenReport> {
  const { decryptor, signal, onProgress, allowed, releaseUnverified: unverified = false } = job;
  let target = job.target;
  let accepted: { info: MessageInfo; bound: Bound } | undefined;
  let plaintextSize = 0;
  try {
    const plaintext = decryptor.decrypt(
      counted(message, (bytes) => onProgress?.(bytes)),
      {
        ...{ held: target.held, transient: target.copies === true, unverified, parts, allowed },
        accept: (info) => {
          accepted = { info, bound: checkBinding(info, job.key, job) };
          if (target.held || unverified || info.format !== 's3ec') return undefined;
          target = spooled(target);
          return 'held';
        },
      },
    );
    for await (const piece of plaintext) {
      throwIfAborted(signal);
      await target.write(piece);
      plaintextSize += piece.length;
    }
    throwIfAborted(signal);
    const { info, bound } = accepted!;
    await target.commit(job.preserve === true ? readAttributes(info.context) : undefined);
    return { info, bound, plaintextSize };
  } catch (error) {
    await target.discard(error);
    throw error;
  }
}

export interface GetJob extends Omit<OpenJob, 'key'> {
  store: ObjectStore;
  key: string;
  /** Called when the object is found, with its size as stored. */
  onFound?: (size: number, info: ObjectInfo) => void;
}

/** As `openMessage`, from a vault. */
export async function get(job: GetJob): Promise<OpenReport> {
  const transient = job.target.copies === true;
  let info, body;
  try {
    ({ info, body } = await job.store.get(job.key, { whole: true, transient, signal: job.signal }));
    job.onFound?.(info.size, info);
  } catch (error) {
    await job.target.discard();
    throw error;
  }
  const beside = partsOf(job.store, info, job.signal);
  let asked = false;
  const instruction = async () => {
    asked = true;
    return beside.instruction();
  };
  try {
    return await openMessage(body, job, { ...beside, instruction });
  } catch (error) {
    throw withPlainHint(asked ? await unlessReplaced(error, info, job) : error, info);
  } finally {
    body.destroy();
  }
}

/** A body and an instruction file are two requests: they need not be of one object where somebody writes meanwhile. */
async function unlessReplaced(
  error: unknown,
  { key, etag }: ObjectInfo,
  { store, signal }: GetJob,
): Promise<unknown> {
  if (!isIntegrityError(error)) return error;
  const now = await store.head(key, { signal }).catch(() => undefined);
  if (now === undefined || now.etag === etag) return error;
  return replacedMeanwhile(store.address(key), error);
}

const NO_MESSAGE: readonly ErrorCode[] = ['not_an_envelope', 'unsupported_version'];

const isPlain = ({ metadata }: ObjectInfo): boolean => readMetadata(metadata).format === 'plain';

/** The metadata alone say it, which anybody may have written: never reason enough to take the object as it is. */
export function withPlainHint<E>(error: E, info: ObjectInfo): E | SealdropError {
  if (!isSealdropError(error) || !NO_MESSAGE.includes(error.code)) return error;
  if (!isPlain(info)) return mayBeInstructionFile(info) ? asInstructionFile(error, info) : error;
  return new SealdropError(
    'not_an_envelope',
    'it is no message: it was stored without client-side encryption',
    {
      cause: error,
      hint: 'take it as it is, which nothing authenticates: --format plain',
    },
  );
}

function asInstructionFile(cause: SealdropError, { key }: ObjectInfo): SealdropError {
  const object = printable(key.slice(0, -INSTRUCTION_SUFFIX.length));
  return new SealdropError(cause.code, cause.message, {
    cause,
    hint: `it may be an instruction file, with the wrapped key of ${object}: name that`,
  });
}
