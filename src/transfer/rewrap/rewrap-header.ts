/**
 * Another wrapping key for an s3ec object, whose body stays where it is: docs/decisions/0017-rewrap-of-s3ec-objects.md.
 */
import { randomUUID } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import {
  UPLOAD_ENTRY,
  type HeaderRewrapper,
  type Inspector,
  type MessageInfo,
  type ObjectInfo,
  type ObjectParts,
  type ObjectStore,
  type ReadPolicy,
  type Recipient,
  type RewrappedHeader,
} from '../../ports.js';
import { printable } from '../../printable.js';
import { instructionKey, OBJECT_ENTRY, readInstruction, type InstructionFile } from '../instruction-file.js';
import { KEYS, readMetadata, type Metadata } from '../metadata.js';
import type { Proof } from './checking.js';

/** Bytes. What is asked for travels, whether it is read or not. */
const BEGINNING = 16 * 1024;

/** Whom s3ec objects shall be for: what it takes is opened when the first of them is met. */
export interface HeaderTarget {
  /** @throws SealdropError `usage` where there is more than one key */
  readonly to: () => Promise<Pick<HeaderRewrapper, 'recipient' | 'algorithm'>>;
  readonly open: () => Promise<HeaderRewrapper>;
  /** Whether also what says that it is for that key already. */
  readonly again: (recipient: Recipient) => boolean;
  /** Told before anything is written that no key given opens what was made; may throw. */
  readonly onUnopened: () => void;
}

export interface HeaderJob {
  store: ObjectStore;
  inspector: Inspector;
  target: HeaderTarget;
  /** What the vault is configured to allow, where the keys were not told. */
  allowed?: ReadPolicy | undefined;
  /** Go on where the store keeps no conditions on writes. */
  unconditional?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface HeaderReport {
  readonly etag: string;
  readonly version?: string;
  readonly size: number;
  readonly recipients: readonly Recipient[];
  readonly proof: Proof;
  readonly unguarded?: true;
}

type Written = Omit<HeaderReport, 'recipients' | 'proof'>;

/** An object that was looked at, with the instruction file that its wrapped key lies in, if it does. */
export class HeaderOfObject {
  readonly #job: HeaderJob;
  readonly #object: ObjectInfo;
  readonly #parts: ObjectParts;
  #file: InstructionFile | undefined;

  constructor(object: ObjectInfo, job: HeaderJob) {
    this.#job = job;
    this.#object = object;
    const { key, size, metadata = {} } = object;
    this.#parts = {
      metadata,
      size,
      // Kept: what is written in its place is written over exactly this one.
      instruction: async () => (this.#file ??= await readInstruction(job.store, key, job.signal))?.bytes,
    };
  }

  /** @throws SealdropError an integrity code, and what the store throws */
  async inspect(): Promise<MessageInfo> {
    const info = await this.#job.inspector.inspect(this.#body(), this.#parts);
    await this.#assertTogether();
    return info;
  }

  /** As far as the metadata can be believed. */
  async isDone({ wrapping }: MessageInfo): Promise<boolean> {
    const { recipient, algorithm } = await this.#job.target.to();
    const { fingerprints } = readMetadata((this.#file?.info ?? this.#object).metadata);
    const isFor = fingerprints.length === 1 && fingerprints[0] === recipient.fingerprint;
    return isFor && wrapping?.algorithm === algorithm && !this.#job.target.again(recipient);
  }

  /**
   * The very object that was looked at gets the new key, or nothing changes.
   * @throws SealdropError what the rewrapper, `accept` and the store throw; `precondition_failed`
   */
  async rewrap(accept: (info: MessageInfo) => void): Promise<HeaderReport> {
    const { target, allowed } = this.#job;
    const rewrapper = await target.open();
    const header = await rewrapper.rewrap(this.#parts, { accept, allowed });
    const { instruction, opened } = header;
    if (!opened) target.onUnopened();
    const done =
      instruction === undefined
        ? await this.#inMetadata(header, rewrapper)
        : await this.#inFile(instruction, rewrapper);
    return { ...done, proof: opened ? 'opened' : 'framing', recipients: [rewrapper.recipient] };
  }

  async #inMetadata(header: RewrappedHeader, { recipient }: HeaderRewrapper): Promise<Written> {
    const { store, unconditional, signal } = this.#job;
    const { key, etag: ifMatch, metadata: ifMetadata = {} } = this.#object;
    const kept = Object.entries(ifMetadata).filter(([name]) => !header.replaces.includes(name));
    const metadata = { ...Object.fromEntries(kept), ...header.metadata, ...own(recipient) };
    const guarded = unconditional !== true;
    return store.replaceMetadata(key, { ifMatch, ifMetadata, metadata, guarded, ...(signal && { signal }) });
  }

  /** The object itself is not touched. */
  async #inFile(bytes: Uint8Array, { recipient }: HeaderRewrapper): Promise<Written> {
    const { store, unconditional, signal } = this.#job;
    const { key, etag: ifMatch, metadata = {} } = this.#file!.info;
    const guarded = unconditional !== true;
    if (!guarded) assertEtag(await store.head(key, { signal }), ifMatch);
    const { unguarded } = await store.put(key, one(bytes), {
      size: bytes.length,
      metadata: { ...metadata, ...own(recipient) },
      ...{ condition: { ifMatch }, guarded, inParts: true, proven: true },
      ...(signal && { signal }),
    });
    // Who has replaced the object meanwhile has replaced its file too, or needs none: then nothing of that was rewrapped.
    await this.#assertStill();
    const { etag, version, size } = this.#object;
    return { etag, size, ...(version !== undefined && { version }), ...(unguarded && { unguarded }) };
  }

  /** A file that a put has written is there before the object: until that comes, it is of none. */
  async #assertTogether(): Promise<void> {
    const of = this.#file?.info.metadata?.[OBJECT_ENTRY];
    if (of === undefined || of === this.#object.metadata?.[UPLOAD_ENTRY]) return;
    await this.#assertStill();
    const { store } = this.#job;
    const address = printable(store.address(instructionKey(this.#object.key)));
    throw new SealdropError('instruction_file', `${address} was written for another object`, {
      hint: 'if somebody stores that object just now, try again; else a put was broken off: store it again, or restore an older version of both',
    });
  }

  async #assertStill(): Promise<void> {
    const { store, signal } = this.#job;
    assertEtag(await store.head(this.#object.key, { signal }), this.#object.etag);
  }

  /** Where the metadata don't tell what it is, its beginning mostly does. */
  async *#body(): AsyncGenerator<Uint8Array> {
    const { store, signal } = this.#job;
    const { key, size, etag: ifMatch } = this.#object;
    for (const [first, last] of [[0, BEGINNING - 1] as const, [BEGINNING, Infinity] as const]) {
      if (first >= size) return;
      const range = { first, last: Math.min(last, size - 1) };
      const { body } = await store.get(key, { range, ifMatch, ...(signal && { signal }) });
      try {
        yield* body as AsyncIterable<Uint8Array>;
      } finally {
        body.destroy();
      }
    }
  }
}

function assertEtag(now: ObjectInfo, etag: string): void {
  if (now.etag !== etag) throw new SealdropError('precondition_failed', `${printable(now.key)} was replaced`);
}

const own = ({ fingerprint }: Recipient): Metadata & { [UPLOAD_ENTRY]: string } => ({
  [KEYS]: fingerprint,
  [UPLOAD_ENTRY]: randomUUID(),
});

/**
 * What is asked for must make sense for an object of one wrapping key, which is bound to nothing.
 * @throws SealdropError `usage`
 */
export function assertForHeaders(
  info: MessageInfo,
  address: string,
  { rebinds, deletesVersions }: { rebinds: boolean; deletesVersions: boolean },
): void {
  const option = rebinds
    ? '--rebind'
    : deletesVersions && info.wrapping?.at === 'instruction-file'
      ? '--delete-versions'
      : undefined;
  if (option === undefined) return;
  const why = rebinds ? 'bound to no key' : 'opened by older versions of its instruction file, too';
  throw new SealdropError('usage', `${printable(address)} is an object of the S3 Encryption Client, ${why}`, {
    hint: `leave ${option} out`,
  });
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
