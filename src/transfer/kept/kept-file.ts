/** A file that appears when it is whole, and of which a later run has use where this one is broken off. */
import { constants } from 'node:fs';
import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isIntegrityError, isSealdropError, SealdropError, type ErrorCode } from '../../errors.js';
import type { FrameMark } from '../../ports.js';
import { printable } from '../../printable.js';
import type { FileAttributes } from '../attributes.js';
import { DurableLines } from '../durable-lines.js';
import { holdLock, type FileLock } from '../lock-file.js';
import {
  AsideFile,
  asideName,
  placeOf,
  syncDirectory,
  unwritable,
  type FileTargetOptions,
  type Place,
  type Target,
} from '../target.js';
import {
  fileIdentity,
  forgetOld,
  isKept,
  isOwn,
  keptNames,
  readKept,
  removeKept,
  type KeptNames,
} from './files.js';
import { firstLine, framesLine, type Identity, type State } from './state.js';

/** What may pass: everything else leaves nothing. */
const KEPT_AFTER: readonly ErrorCode[] = ['interrupted', 'endpoint_unreachable', 'store_unavailable'];

const { O_RDWR, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;

export class KeptFile implements Target {
  readonly held = true;
  readonly copies = true;
  readonly names: KeptNames;
  /** What an earlier run left. */
  readonly previous: State | undefined;
  /** After a failure: bytes of plaintext that a later run has not to fetch again. */
  kept = 0;
  readonly #place: Place;
  readonly #lock: FileLock;
  #file: AsideFile | undefined;
  #id = '';
  #identity: Identity | undefined;
  #lines: DurableLines | undefined;
  /** Bytes that an earlier run left, and those with what was written since. */
  #begun = 0;
  #position = 0;
  /** Frames that the state tells of, or is being told of. */
  #durable = 0;
  /** Of frames behind those. */
  #marks: FrameMark[] = [];
  #telling: Promise<void> | undefined;
  #tellingFailure: Error | undefined;

  private constructor(place: Place, names: KeptNames, lock: FileLock, previous: State | undefined) {
    this.names = names;
    this.previous = previous;
    this.#place = place;
    this.#lock = lock;
  }

  /**
   * For this process alone, until it is committed or discarded.
   * @returns undefined for what is no regular file
   * @throws SealdropError `precondition_failed` (retryable) where another run is at it; as `openFileTarget`
   */
  static async open(path: string, options: FileTargetOptions = {}): Promise<KeptFile | undefined> {
    const place = await placeOf(path, options);
    if (place === undefined) return undefined;
    const names = keptNames(place.real);
    const lock = await holdLock(names.state, { patience: 0, long: true }).catch((cause: unknown) => {
      if (!isSealdropError(cause) || cause.code !== 'precondition_failed') throw cause;
      const message = `${printable(path)} is being written by another run`;
      throw new SealdropError(cause.code, message, { cause, retryable: true, hint: cause.hint });
    });
    await forgetOld(dirname(names.state));
    return new KeptFile(place, names, lock, await readKept(names));
  }

  /** Removes what an earlier run left of it. */
  static async clear(path: string, options: FileTargetOptions = {}): Promise<void> {
    const place = await placeOf(path, options);
    if (place === undefined || !(await isKept(keptNames(place.real)))) return;
    await (await KeptFile.open(path, options))?.discard();
  }

  /** Begins anew. @throws SealdropError `target_unwritable`, `disk_full` */
  async start(): Promise<void> {
    try {
      await removeKept(this.names);
      await this.#hold(await open(this.names.content, 'wx', 0o600));
    } catch (cause) {
      throw unwritable(this.#place.real, cause);
    }
  }

  /**
   * Goes on behind so many frames of those that an earlier run left.
   * @param holds whether a frame's content is what the message has there
   * @returns false where what is there is not what was left
   */
  async goOn(frames: number, holds: (mark: FrameMark, content: Buffer) => boolean): Promise<boolean> {
    const { identity, file, marks } = this.previous!;
    const handle = await open(this.names.content, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK).catch(
      () => undefined,
    );
    if (handle === undefined) return false;
    const bytes = frames * identity.frameLength;
    try {
      const stats = await handle.stat({ bigint: true });
      const isSame = isOwn(stats) && stats.size >= bytes && (await fileIdentity(handle)) === file;
      if (!isSame || !(await haveAll(handle, marks.slice(0, frames), identity.frameLength, holds))) {
        await handle.close();
        return false;
      }
      await handle.truncate(bytes);
      // The frames behind them are fetched again, and told again.
      await this.#hold(handle);
      this.#identity = identity;
      this.#begun = bytes;
      this.#position = bytes;
      this.#marks = marks.slice(0, frames);
      return true;
    } catch (cause) {
      await handle.close().catch(() => undefined);
      throw unwritable(this.#place.real, cause);
    }
  }

  /** Of the object, once it is known: nothing is kept before. */
  identify(identity: Identity): void {
    this.#identity = identity;
  }

  /** Each frame, right before its content is written. */
  readonly onFrame = ({ sequence, iv, tag }: FrameMark): void => {
    if (sequence !== this.#durable + this.#marks.length + 1) return;
    this.#marks.push({ sequence, iv: Buffer.from(iv), tag: Buffer.from(tag) });
  };

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#tellingFailure !== undefined) throw this.#tellingFailure;
    await this.#file!.write(bytes);
    this.#position += bytes.length;
    if (this.#telling !== undefined || this.#settled(this.#onDisk) === 0) return;
    // Not waited for: more comes meanwhile.
    this.#telling = this.#tell(this.#onDisk)
      .catch((error: Error) => void (this.#tellingFailure = error))
      .finally(() => (this.#telling = undefined));
  }

  async commit(attributes?: FileAttributes): Promise<void> {
    await this.#telling;
    await this.#file!.commit(attributes);
    await this.#end();
    await removeKept(this.names);
    await this.#lock.release();
  }

  async discard(cause?: unknown): Promise<void> {
    await this.#telling;
    try {
      if (this.#file === undefined) await this.#untouched(cause);
      else if (!(await this.#keep(cause))) {
        await this.#file.discard();
        await removeKept(this.names);
      }
    } finally {
      await this.#end().catch(() => undefined);
      await this.#lock.release();
    }
  }

  /** Failed before anything was done about it: what an earlier run left stays, as far as it was not that which failed. */
  async #untouched(cause: unknown): Promise<void> {
    if (cause === undefined || isIntegrityError(cause)) await removeKept(this.names);
    else if (this.previous !== undefined)
      this.kept = this.previous.marks.length * this.previous.identity.frameLength;
  }

  async #keep(cause: unknown): Promise<boolean> {
    if (!isSealdropError(cause) || !KEPT_AFTER.includes(cause.code) || this.#identity === undefined)
      return false;
    try {
      await this.#settle();
    } catch {
      // No room for it, or the disk is gone: then it is not kept.
      return false;
    }
    if (this.#durable === 0) return false;
    await this.#file!.leave();
    this.kept = this.#durable * this.#identity.frameLength;
    return true;
  }

  /** Makes whole frames durable, and then says so. */
  async #settle(): Promise<void> {
    await this.#telling;
    if (this.#tellingFailure !== undefined) throw this.#tellingFailure;
    await this.#file!.sync();
    await this.#tell(this.#position);
  }

  get #onDisk(): number {
    return this.#begun + this.#file!.durable;
  }

  /** Frames that nothing tells of yet, where so many bytes of plaintext are on the disk. */
  #settled(bytes: number): number {
    if (this.#identity === undefined) return 0;
    return Math.floor(bytes / this.#identity.frameLength) - this.#durable;
  }

  /** Says which whole frames are on the disk. */
  async #tell(bytes: number): Promise<void> {
    const settled = this.#marks.splice(0, this.#settled(bytes));
    if (settled.length === 0) return;
    this.#durable += settled.length;
    if (this.#lines === undefined) await this.#begin(this.#identity!, settled);
    else await this.#lines.add(framesLine(settled));
  }

  /** In place of what an earlier run said, at once. */
  async #begin(identity: Identity, settled: readonly FrameMark[]): Promise<void> {
    const { state } = this.names;
    const aside = join(dirname(state), asideName(basename(state)));
    this.#lines = await DurableLines.open(aside);
    try {
      await this.#lines.add(`${firstLine(identity, this.#id)}\n${framesLine(settled)}`);
      await rename(aside, state);
    } catch (error) {
      await unlink(aside).catch(() => undefined);
      throw error;
    }
    await syncDirectory(dirname(state));
  }

  async #hold(handle: FileHandle): Promise<void> {
    this.#id = await fileIdentity(handle);
    this.#file = new AsideFile(handle, this.#place.from(this.names.content));
  }

  async #end(): Promise<void> {
    const lines = this.#lines;
    this.#lines = undefined;
    await lines?.close();
  }
}

async function haveAll(
  handle: FileHandle,
  marks: readonly FrameMark[],
  frameLength: number,
  holds: (mark: FrameMark, content: Buffer) => boolean,
): Promise<boolean> {
  const content = Buffer.allocUnsafe(frameLength);
  for (const mark of marks) {
    const { bytesRead } = await handle.read(content, 0, frameLength, (mark.sequence - 1) * frameLength);
    if (bytesRead < frameLength || !holds(mark, content)) return false;
  }
  return true;
}
