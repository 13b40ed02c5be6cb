import { throwIfAborted } from '../errors.js';
import type { ByteSource, Decryptor, MessageInfo, ObjectStore } from '../ports.js';
import { checkBinding, type Binding, type Bound } from './context.js';
import { counted } from './put.js';
import type { Target } from './target.js';

export interface OpenJob extends Binding {
  decryptor: Decryptor;
  /** The vault key asked for; undefined for a message that comes from no vault. */
  key?: string;
  target: Target;
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
export async function openMessage(message: ByteSource, job: OpenJob): Promise<OpenReport> {
  const { decryptor, target, signal, onProgress } = job;
  let accepted: { info: MessageInfo; bound: Bound } | undefined;
  let plaintextSize = 0;
  try {
    const plaintext = decryptor.decrypt(
      counted(message, (bytes) => onProgress?.(bytes)),
      {
        held: target.held,
        accept: (info) => {
          accepted = { info, bound: checkBinding(info, job.key, job) };
        },
      },
    );
    for await (const piece of plaintext) {
      throwIfAborted(signal);
      await target.write(piece);
      plaintextSize += piece.length;
    }
    throwIfAborted(signal);
    await target.commit();
    return { ...accepted!, plaintextSize };
  } catch (error) {
    await target.discard();
    throw error;
  }
}

export interface GetJob extends Omit<OpenJob, 'key'> {
  store: ObjectStore;
  key: string;
  /** Called when the object is found, with its size as stored. */
  onFound?: (size: number) => void;
}

/** As `openMessage`, from a vault. */
export async function get(job: GetJob): Promise<OpenReport> {
  let body;
  try {
    const found = await job.store.get(job.key, { signal: job.signal });
    job.onFound?.(found.info.size);
    body = found.body;
  } catch (error) {
    await job.target.discard();
    throw error;
  }
  try {
    return await openMessage(body, job);
  } finally {
    body.destroy();
  }
}
