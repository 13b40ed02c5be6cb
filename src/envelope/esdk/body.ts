/**
 * The body of a message as a sequence of units (frames, or the one unframed block), with their order and number
 * checked. Needs no key.
 *
 * Source: AWS Encryption SDK specification, data-format/message-body.md.
 */
import { SealdropError } from '../../errors.js';
import type { ByteReader } from '../byte-reader.js';
import { PIECE } from '../pieces.js';
import {
  FINAL_FRAME_HEADER_LENGTH,
  FRAME_HEADER_LENGTH,
  IV_LENGTH,
  SEQUENCE_END,
  TAG_LENGTH,
  UNFRAMED_HEADER_LENGTH,
} from './format.js';
import type { Header } from './header.js';
import { MAX_FRAME_LENGTH } from './policy.js';

// AES-GCM's bound for one message under one nonce: 2^36 - 32 bytes (NIST SP 800-38D, 5.2.1.1).
const MAX_UNFRAMED = 2 ** 36 - 32;

export interface Unit {
  readonly kind: 'frame' | 'final' | 'unframed';
  readonly sequence: number;
  readonly iv: Buffer;
  /** The unit's header as it stands in the message (a signature covers it). */
  readonly header: Buffer;
  readonly length: number;
  /** True where nothing of the content is to be released before its tag was checked. */
  readonly whole: boolean;
  /** The content, piece by piece, each of at most `PIECE`; undefined behind the last. Not a promise where it is there. */
  next(): Buffer | undefined | Promise<Buffer>;
  /** The authentication tag; after the content. */
  tag(): Promise<Buffer>;
}

/** Each unit's content and tag must be read before the next unit is asked for. */
export async function* readUnits(
  reader: ByteReader,
  { info }: Header,
  held: boolean,
  maxWhole = MAX_FRAME_LENGTH,
): AsyncGenerator<Unit> {
  if (info.frameLength === 0) {
    yield await unframed(reader, held, maxWhole);
    return;
  }
  const whole = info.frameLength <= maxWhole || !held;
  for (let expected = 1; ; expected++) {
    const unit = await readFrame(reader, expected, info.frameLength, whole);
    yield unit;
    if (unit.kind === 'final') return;
  }
}

/** @param whole whether its content comes as one piece */
export async function readFrame(
  reader: ByteReader,
  expected: number,
  frameLength: number,
  whole: boolean,
): Promise<Unit> {
  let header = await exactly(reader, FRAME_HEADER_LENGTH, expected);
  const final = header.readUInt32BE(0) === SEQUENCE_END;
  if (final) {
    const rest = await exactly(reader, FINAL_FRAME_HEADER_LENGTH - FRAME_HEADER_LENGTH, expected);
    header = Buffer.concat([header, rest]);
  }
  const at = final ? 4 : 0;
  const sequence = header.readUInt32BE(at);
  if (sequence !== expected)
    throw new SealdropError(
      'frame_order',
      `the message has frame ${sequence} where frame ${expected} belongs`,
    );
  const length = final ? header.readUInt32BE(at + 4 + IV_LENGTH) : frameLength;
  if (length > frameLength)
    throw new SealdropError(
      'frame_auth',
      `the final frame claims ${length} bytes, frames have ${frameLength}`,
    );
  return unit(reader, {
    kind: final ? 'final' : 'frame',
    sequence,
    // Copied: it is asked for when the content has been read, and the source may use its memory again.
    iv: Buffer.from(header.subarray(at + 4, at + 4 + IV_LENGTH)),
    header,
    length,
    whole,
  });
}

async function unframed(reader: ByteReader, held: boolean, maxWhole: number): Promise<Unit> {
  const header = await exactly(reader, UNFRAMED_HEADER_LENGTH, 1);
  const length = Number(header.readBigUInt64BE(IV_LENGTH));
  if (length > MAX_UNFRAMED)
    throw new SealdropError(
      'frame_auth',
      `the message claims ${length} bytes in one block: more than can be`,
    );
  if (length > maxWhole && !held)
    throw new SealdropError(
      'policy',
      `the message is one block of ${length} bytes that can only be checked as a whole`,
      {
        hint: 'get the object into a file: it appears there when all was checked',
      },
    );
  const iv = header.subarray(0, IV_LENGTH);
  return unit(reader, { kind: 'unframed', sequence: 1, iv, header, length, whole: length <= maxWhole });
}

function unit(reader: ByteReader, head: Omit<Unit, 'next' | 'tag'>): Unit {
  let left = head.length;
  const took = (piece: Buffer): Buffer => {
    if (piece.length === 0) throw truncated(head.sequence);
    left -= piece.length;
    return piece;
  };
  return {
    ...head,
    next() {
      if (left === 0) return undefined;
      const most = Math.min(left, PIECE);
      // What may be released comes in whole pieces: how much of a cut one is does not depend on how it came.
      const piece = head.whole ? reader.some(most) : exactly(reader, most, head.sequence);
      return piece instanceof Promise ? piece.then(took) : took(piece);
    },
    tag: () => exactly(reader, TAG_LENGTH, head.sequence),
  };
}

/** The pieces of a unit's content. */
export async function* contentOf(unit: Unit): AsyncGenerator<Buffer> {
  for (let piece; (piece = await unit.next());) yield piece;
}

async function exactly(reader: ByteReader, length: number, sequence: number): Promise<Buffer> {
  const bytes = await reader.read(length);
  if (bytes.length < length) throw truncated(sequence);
  return bytes;
}

const truncated = (sequence: number): SealdropError =>
  new SealdropError('truncated', `the message ends within frame ${sequence}`);
