/**
 * Writes an object's instruction file so that the two belong together: docs/decisions/0016-instruction-files.md.
 */
import { randomUUID } from 'node:crypto';
import { isSealdropError, SealdropError } from '../errors.js';
import { UPLOAD_ENTRY, type ObjectInfo, type ObjectStore, type WriteCondition } from '../ports.js';
import { printable } from '../printable.js';
import { KEYS } from './metadata.js';
import { assertStorableKey } from '../vault-key.js';
import {
  instructionKey,
  isInstructionFile,
  OBJECT_ENTRY,
  readInstruction,
  type InstructionFile,
} from './instruction-file.js';

/** As the S3 Encryption Clients mark theirs; nobody requires it. */
const MARK = { 'x-amz-crypto-instr-file': 'true' };
/** Writers that meet there again and again: each round settles one of them. */
const ROUNDS = 5;

export interface BesideJob {
  readonly store: ObjectStore;
  /** Of the object. */
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Of the wrapping key. */
  readonly fingerprint: string;
  /** `UPLOAD_ENTRY` of the object. */
  readonly upload: string;
  readonly signal?: AbortSignal | undefined;
}

/** The file of one object that is being written. */
export class BesideObject {
  readonly #job: BesideJob;
  readonly #at: string;
  /** `UPLOAD_ENTRY` of the file. */
  readonly #mark = randomUUID();
  #begun = false;
  #before: InstructionFile | undefined;
  #etag: string | undefined;

  /** @throws SealdropError `key_not_storable` */
  constructor(job: BesideJob) {
    this.#job = job;
    this.#at = instructionKey(job.key);
    assertStorableKey(this.#at);
    job.store.assertStorable(this.#at);
  }

  /**
   * What lies there now, which the file will take the place of.
   * @throws SealdropError `target_exists` where it is no instruction file
   */
  async look(): Promise<void> {
    this.#before = await this.#read();
  }

  /** Writes the file: when all of the object is at the store, and before it is seen. */
  async place(): Promise<void> {
    await this.look();
    this.#begun = true;
    this.#etag = await this.#write(this.#before?.info);
  }

  /** The object was not stored: what lay there before lies there again, also where the answer to the file was lost. */
  async undo(): Promise<void> {
    if (!this.#begun || (await this.#isOurs())) return;
    const found = await this.#find();
    // Somebody else has written there meanwhile: that is theirs.
    if (found !== undefined && found.etag !== this.#etag && found.metadata?.[UPLOAD_ENTRY] !== this.#mark)
      return;
    await this.#putBack(this.#before, found);
  }

  /**
   * The object is there. Where another writer has replaced the file and not the object, the file is written again.
   * @throws SealdropError `upload_corrupted`
   */
  async settle(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      const found = await this.#read();
      // Also where it was rewrapped meanwhile: it is this object's.
      if (found?.info.etag === this.#etag || found?.info.metadata?.[OBJECT_ENTRY] === this.#job.upload)
        return;
      if (!(await this.#isOurs())) return;
      const etag = await this.#write(found?.info).catch(ifLost);
      if (etag === undefined) continue;
      // Where the other one's object came meanwhile, the file that was replaced is the one that belongs to it.
      if (!(await this.#isOurs())) await this.#putBack(found, { etag });
      return;
    }
    const address = printable(this.#job.store.address(this.#at));
    throw new SealdropError('upload_corrupted', `${address} is written by somebody else again and again`, {
      retryable: true,
      hint: 'store it again when nobody else does',
    });
  }

  async #read(): Promise<InstructionFile | undefined> {
    const { store, key, signal } = this.#job;
    const found = await readInstruction(store, key, signal).catch((error: unknown) => {
      if (isSealdropError(error) && error.code === 'instruction_file') throw this.#notOurs(error);
      throw error;
    });
    if (found !== undefined && !isInstructionFile(found.bytes)) throw this.#notOurs();
    return found;
  }

  /** @param ours our file, undefined where it is gone; where another lies there by now, that is somebody else's */
  async #putBack(
    before: InstructionFile | undefined,
    ours: Pick<ObjectInfo, 'etag'> | undefined,
  ): Promise<void> {
    const done =
      before === undefined
        ? ours && this.#job.store.remove(this.#at, { ifMatch: ours.etag })
        : this.#restore(before, ours === undefined ? { absent: true } : { ifMatch: ours.etag });
    await done?.catch(ifLost);
  }

  async #write(over: Pick<ObjectInfo, 'etag'> | undefined): Promise<string> {
    const { store, bytes, fingerprint, upload, signal } = this.#job;
    const { etag } = await store.put(this.#at, one(bytes), {
      size: bytes.length,
      metadata: { ...MARK, [KEYS]: fingerprint, [OBJECT_ENTRY]: upload, [UPLOAD_ENTRY]: this.#mark },
      condition: over === undefined ? { absent: true } : { ifMatch: over.etag },
      ...(signal && { signal }),
    });
    return etag;
  }

  /** What lies there now. */
  async #find(): Promise<ObjectInfo | undefined> {
    return this.#job.store.head(this.#at).catch((error: unknown) => {
      if (isSealdropError(error) && error.code === 'object_not_found') return undefined;
      throw error;
    });
  }

  /** Whatever has stopped the put does not stop this. */
  async #restore({ bytes, info }: InstructionFile, condition: WriteCondition): Promise<void> {
    await this.#job.store.put(this.#at, one(bytes), {
      size: bytes.length,
      metadata: { ...info.metadata, [UPLOAD_ENTRY]: randomUUID() },
      condition,
    });
  }

  /** Whether the object that is there now is the one that this file is of. */
  async #isOurs(): Promise<boolean> {
    const { store, key, upload } = this.#job;
    try {
      return (await store.head(key)).metadata?.[UPLOAD_ENTRY] === upload;
    } catch (error) {
      if (isSealdropError(error) && error.code === 'object_not_found') return false;
      throw error;
    }
  }

  #notOurs(cause?: unknown): SealdropError {
    const address = printable(this.#job.store.address(this.#at));
    return new SealdropError('target_exists', `${address} is there, and is no instruction file`, {
      cause,
      hint: 'it would be lost: name another key, or leave --instruction-file out',
    });
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A write that somebody else was faster than. */
function ifLost(error: unknown): undefined {
  if (!isSealdropError(error) || error.code !== 'precondition_failed') throw error;
}
