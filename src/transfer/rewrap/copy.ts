/** An object under another key, or in another vault: opened, and encrypted again bound to where it goes. */
import { crc32 } from 'node:zlib';
import { isSealdropError, SealdropError } from '../../errors.js';
import type {
  ByteSource,
  Decryptor,
  Inspector,
  MessageInfo,
  ObjectStore,
  PutResult,
  ReadPolicy,
} from '../../ports.js';
import { printable } from '../../printable.js';
import { assertStorableKey } from '../../vault-key.js';
import { checkBinding, type Binding, type Bound } from '../context.js';
import { withPlainHint } from '../get.js';
import { assertNotInstruction } from '../instruction-file.js';
import { partsOf } from '../object-parts.js';
import { assertAbsent } from '../put.js';
import { beginOpening, Peekable } from './opening.js';
import { wasReplaced } from './rewrap.js';
import { keptContext, seal, type Sealing, type SealReport } from './seal.js';

export interface Place {
  readonly store: ObjectStore;
  readonly key: string;
}

export interface CopyJob extends Binding, Sealing {
  from: Place;
  to: Place;
  decryptor: Decryptor;
  inspector: Inspector;
  /** What the vault is configured to allow, where the decryptor was not told. */
  allowed?: ReadPolicy | undefined;
  /** Asked for the opener of a message with this context, where none is given. */
  openerFor?: ((context: Readonly<Record<string, string>>) => Promise<Decryptor | undefined>) | undefined;
  /** False: refuse to replace an object. Default true. */
  overwrite?: boolean | undefined;
  /** Remove the source, if it is the one that was read, when the copy was found right. */
  move?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Plaintext bytes, added up. */
  onProgress?: ((bytes: number) => void) | undefined;
}

export interface CopyReport extends SealReport {
  readonly info: MessageInfo;
  readonly bound: Bound;
}

/**
 * When it rejects the source is there, and at the target is what was there before; only where the source could not be
 * removed, the copy is there too.
 * @throws SealdropError an integrity code, `source_changed`, `target_exists`, and what the stores fail with
 */
export async function copy(job: CopyJob): Promise<CopyReport> {
  const { from, to, decryptor, signal } = job;
  assertStorableKey(to.key);
  to.store.assertStorable(to.key);
  if (job.overwrite === false) await assertAbsent(to.store, to.key, signal);
  const guard = await assertNotInstruction(to.store, to.key, signal);
  const { info: source, body } = await from.store.get(from.key, { whole: true, transient: true, signal });
  try {
    let bound: Bound = 'bound';
    const message = new Peekable(body);
    const parts = partsOf(from.store, source, signal);
    assertMessage(await job.inspector.inspect(message.beginning, parts), from);
    const judge = (info: MessageInfo) => void (bound = checkBinding(info, from.key, job));
    const beside = { parts, allowed: job.allowed };
    const opening = await beginOpening(message.whole(), decryptor, judge, beside);
    const sent = { crc: 0 };
    const context = keptContext(opening.info, to.key);
    const opener = job.opener ?? (await job.openerFor?.(context));
    const report = await seal({
      ...{ opening, encryptor: job.encryptor, opener, inspector: job.inspector },
      ...{ oldSize: source.size, oldMetadata: source.metadata, keyChanges: true },
      ...{ ...to, context, onProgress: job.onProgress },
      put: {
        condition: job.overwrite === false ? { absent: true } : guard,
        ...(signal && { signal }),
      },
      onCiphertext: (piece) => void (sent.crc = crc32(piece, sent.crc)),
    });
    await assertStored(to, report, sent.crc, signal);
    if (job.move === true) await removeSource(from, source.etag, to, signal);
    return { ...report, info: opening.info, bound };
  } catch (error) {
    throw explained(withPlainHint(error, source), job);
  } finally {
    body.destroy();
  }
}

/** @throws SealdropError `usage`: what is copied is bound to its new key, which an s3ec object cannot be */
function assertMessage({ format }: MessageInfo, { store, key }: Place): void {
  if (format !== 's3ec') return;
  throw new SealdropError(
    'usage',
    `${printable(store.address(key))} is an object of the S3 Encryption Client, which is bound to no key`,
    {
      hint: 'every S3 tool copies it as it is, with its instruction file where it has one; or take it out and store it again: sealdrop get, sealdrop put',
    },
  );
}

/**
 * Where the store has proven nothing but a size, all of it is read again.
 * @throws SealdropError `upload_corrupted`
 */
async function assertStored(
  { store, key }: Place,
  { checked, etag }: PutResult,
  crc: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (checked !== 'size') return;
  const { body } = await store.get(key, {
    whole: true,
    transient: true,
    ...(etag !== '' && { ifMatch: etag }),
    ...(signal && { signal }),
  });
  if ((await crcOf(body)) === crc) return;
  throw new SealdropError(
    'upload_corrupted',
    `${printable(store.address(key))} is not what was sent: the source stays`,
    { retryable: true, hint: 'let the store check what it gets: --checksum signature' },
  );
}

async function crcOf(bytes: ByteSource): Promise<number> {
  let value = 0;
  for await (const piece of bytes) value = crc32(piece, value);
  return value;
}

/** Of two addresses of one object, the source is the copy by now: it has another ETag, and stays. */
async function removeSource(
  { store, key }: Place,
  ifMatch: string,
  to: Place,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await store.remove(key, { ifMatch, ...(signal && { signal }) });
  } catch (error) {
    if (!isSealdropError(error) || error.code === 'interrupted') throw error;
    const why = error.code === 'precondition_failed' ? 'it was replaced meanwhile' : error.message;
    throw new SealdropError(
      error.code === 'precondition_failed' ? 'source_changed' : error.code,
      `${printable(store.address(key))} stays, and ${printable(to.store.address(to.key))} is a copy of what it was: ${why}`,
      { cause: error, hint: error.hint, retryable: error.retryable },
    );
  }
}

function explained(error: unknown, { from, to, overwrite }: CopyJob): unknown {
  if (!isSealdropError(error) || error.code !== 'precondition_failed') return error;
  // Of the two, only the target has a condition where it must be absent; a source that changes breaks off its reading.
  if (overwrite === false)
    return new SealdropError(
      'target_exists',
      `${printable(to.store.address(to.key))} is there already, or the source was replaced while it was read`,
      { cause: error, hint: 'name another key, or leave --no-overwrite out' },
    );
  return wasReplaced(from.store.address(from.key), error);
}
