/** What was opened is encrypted again, for other recipients or for another key, and stored when it was found right. */
import type {
  ByteSource,
  Decryptor,
  Encryptor,
  Inspector,
  MessageInfo,
  ObjectStore,
  PutOptions,
  PutResult,
} from '../../ports.js';
import { objectMetadata, readMetadata, type Metadata } from '../metadata.js';
import { checked, Sum, summed, type Proof } from './checking.js';
import type { Opening } from './opening.js';

/** Whom the new messages are for. */
export interface Sealing {
  readonly encryptor: Encryptor;
  /** Opens what the encryptor makes, where anything at hand does. */
  readonly opener?: Decryptor | undefined;
}

export interface SealJob extends Sealing {
  opening: Opening;
  /** Bytes of the old message as stored. */
  oldSize: number;
  oldMetadata: Metadata | undefined;
  /** A gateway's token of the source counts for one key alone: it is left out then. */
  keyChanges: boolean;
  store: ObjectStore;
  key: string;
  context: Readonly<Record<string, string>>;
  inspector: Inspector;
  put: Pick<PutOptions, 'condition' | 'guarded' | 'inParts' | 'proven' | 'signal'>;
  /** Waited for at the end of the message, before the store completes it. Throws to have nothing stored. */
  beforeEnd?: (() => Promise<void>) | undefined;
  /** Sees what goes to the store. */
  onCiphertext?: ((piece: Uint8Array) => void) | undefined;
  /** Plaintext bytes, added up. */
  onProgress?: ((bytes: number) => void) | undefined;
}

export interface SealReport extends PutResult {
  readonly plaintextSize: number;
  readonly proof: Proof;
  readonly recipients: Encryptor['recipients'];
}

/** @throws SealdropError of the old message, of the new one (`internal`) and of the store: nothing is stored then */
export async function seal(job: SealJob): Promise<SealReport> {
  const { opening, encryptor, opener, store, key, context, inspector } = job;
  const plaintext = new Sum();
  const source = noting(summed(opening.plaintext, plaintext, job.onProgress));
  const message = checked(encryptor.encrypt(source.pieces, context), {
    ...{ context, plaintext, inspector, opener },
  });
  const old = inspector.plaintextSize(opening.info, job.oldSize);
  try {
    const result = await store.put(key, leaving(message, job), {
      ...announced(encryptor, old, context),
      metadata: newMetadata(job, old.exact ? old.bytes : undefined),
      ...job.put,
    });
    const { recipients } = encryptor;
    return {
      ...result,
      plaintextSize: plaintext.size,
      proof: opener === undefined ? 'framing' : 'opened',
      recipients,
    };
  } catch (error) {
    // Whatever it made fail after it: that the old message is not whole is what happened.
    throw source.failure() ?? error;
  }
}

/** The pairs of the new message: those of the old one, which its writer signed with a key that is gone. */
export function keptContext({ context }: MessageInfo, boundTo?: string): Readonly<Record<string, string>> {
  const { 'aws-crypto-public-key': _, ...kept } = context;
  return boundTo === undefined ? kept : { ...kept, 'sealdrop:key': boundTo };
}

function announced(
  encryptor: Encryptor,
  old: { bytes: number; exact: boolean },
  context: Readonly<Record<string, string>>,
) {
  const { bytes, exact } = encryptor.ciphertextSize(old.bytes, context);
  return exact && old.exact ? { size: bytes } : { expectedSize: bytes };
}

function newMetadata({ encryptor, oldMetadata = {}, keyChanges }: SealJob, size?: number): Metadata {
  const { 'sealdrop-keys': _, 'sealdrop-source': source, ...kept } = oldMetadata;
  const { size: claimed = size, mtime } = readMetadata(oldMetadata);
  const facts = { size: size ?? claimed, mtime, ...(!keyChanges && { source }) };
  const present = Object.entries(facts).filter(([, value]) => value !== undefined);
  return { ...kept, ...objectMetadata(encryptor, Object.fromEntries(present)) };
}

async function* leaving(
  message: ByteSource,
  { onCiphertext, beforeEnd }: SealJob,
): AsyncGenerator<Uint8Array> {
  for await (const piece of message) {
    onCiphertext?.(piece);
    yield piece;
  }
  await beforeEnd?.();
}

function noting(pieces: ByteSource): { pieces: ByteSource; failure: () => unknown } {
  let failure: unknown;
  const noted = async function* () {
    try {
      yield* pieces;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  return { pieces: noted(), failure: () => failure };
}
