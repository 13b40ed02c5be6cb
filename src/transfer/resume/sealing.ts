/**
 * From a file to the parts of a message, one after the other. The rule that all hangs on: no nonce meets two plaintexts, in one
 * run or in two. So each extent is read into a buffer, and that buffer is digested; the digest is compared with what an earlier
 * run wrote down, or written down and on the disk before anything of it goes out; and that same buffer is encrypted.
 */
import type { Hash } from 'node:crypto';
import { BufferPool } from '../../buffer-pool.js';
import { throwIfAborted } from '../../errors.js';
import type { OutgoingPart, ResumableMessage } from '../../ports.js';
import type { DurableLines } from '../durable-lines.js';
import type { FilePieces } from '../source.js';
import { digestOf } from './digest.js';
import { extentsOf, type Extent } from './extents.js';
import { extentLine } from './state.js';

export interface Sealing {
  readonly message: ResumableMessage;
  readonly pieces: FilePieces;
  readonly partSize: number;
  /** Of a longest frame, in bytes. */
  readonly frameSize: number;
  /** Parts that are on their way at the same time. */
  readonly parallel: number;
  readonly digestKey: Uint8Array;
  /** What earlier runs wrote down. */
  readonly digests: ReadonlyMap<number, string>;
  /** Parts that the store has. */
  readonly there: { has(number: number): boolean };
  readonly lines: DurableLines;
  /** Sees the whole message, in order. */
  readonly hash?: Hash | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of plaintext that were read so far. */
  readonly onRead: (bytes: number) => void;
}

/** The file has other bytes than those that an earlier run encrypted, though nothing else of it differs. */
export class OtherPlaintext extends Error {}

/** @throws OtherPlaintext before anything was encrypted of what is another; SealdropError `source_changed`, `interrupted` */
export async function* sealedParts(sealing: Sealing): AsyncGenerator<OutgoingPart> {
  const { message, partSize, frameSize, parallel, there, hash, lines, digests } = sealing;
  const buffers = new BufferPool(Math.min(partSize, message.size), parallel + 1);
  const plain = Buffer.allocUnsafeSlow(Math.min(partSize + frameSize, message.size));
  const spill = new Spill(frameSize);
  let next: Extent | undefined;
  const extents = extentsOf(message, partSize);
  for (let extent = take(extents); extent !== undefined; extent = next) {
    next = take(extents);
    throwIfAborted(sealing.signal);
    const { number, plaintext } = extent;
    const content = plain.subarray(0, plaintext.end - plaintext.begin);
    await sealing.pieces.fill(content, plaintext.begin);
    const digest = digestOf(sealing.digestKey, number, content);
    const known = digests.get(number);
    if (known !== undefined && known !== digest) throw new OtherPlaintext();
    const recorded = known === undefined ? lines.add(extentLine(number, digest)) : Promise.resolve();
    // It is waited for below.
    recorded.catch(() => undefined);
    const isWanted = !there.has(number);
    const buffer = isWanted || hash !== undefined ? await buffers.take() : undefined;
    const body = buffer?.subarray(0, lengthOf(extent));
    const spills = hash !== undefined || (next !== undefined && !there.has(next.number));
    seal(extent, { message, content, body, spill, spills });
    if (body !== undefined) hash?.update(body);
    await recorded;
    sealing.onRead(plaintext.end);
    if (buffer === undefined || body === undefined) continue;
    const release = () => buffers.give(buffer);
    if (isWanted) yield { number, body, release };
    else release();
  }
}

const take = (extents: Generator<Extent>): Extent | undefined => extents.next().value as Extent | undefined;

const lengthOf = ({ part }: Extent): number => part.end - part.begin;

interface Sealed {
  readonly message: ResumableMessage;
  /** The plaintext of the extent. */
  readonly content: Buffer;
  /** The part, where it is wanted. */
  readonly body: Buffer | undefined;
  /** Before: what the last extent has in this part. After: what this one has in the next. */
  readonly spill: Spill;
  /** Whether that is wanted. */
  readonly spills: boolean;
}

function seal({ part, frames, plaintext }: Extent, { message, content, body, spill, spills }: Sealed): void {
  if (part.begin === 0) body?.set(message.kept.header);
  const rest = spill.take();
  if (rest.length > 0) body?.set(rest);
  // Without the part itself, only its last frame goes on into the next one.
  const first =
    body !== undefined ? frames.begin : spills ? Math.max(frames.begin, frames.end - 1) : frames.end;
  for (let index = first; index < frames.end; index++) {
    const frame = message.frame(index);
    const { begin, end } = frame.plaintext;
    let at = frame.begin;
    for (const piece of message.seal(
      index,
      content.subarray(begin - plaintext.begin, end - plaintext.begin),
    )) {
      const inside = Math.max(0, Math.min(piece.length, part.end - at));
      if (inside > 0) body?.set(inside < piece.length ? piece.subarray(0, inside) : piece, at - part.begin);
      if (inside < piece.length && spills) spill.add(piece.subarray(inside));
      at += piece.length;
    }
  }
}

/** The end of a frame that began in the part before. */
class Spill {
  readonly #bytes: Buffer;
  #used = 0;

  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  add(piece: Uint8Array): void {
    this.#bytes.set(piece, this.#used);
    this.#used += piece.length;
  }

  /** To be used at once. */
  take(): Buffer {
    const used = this.#used;
    this.#used = 0;
    return this.#bytes.subarray(0, used);
  }
}
