/**
 * What is known of a file that is not whole yet: lines of JSON. The first says which object it is of; each later one how many
 * frames are durably there, and the marks of those that came. No key is in it.
 */
import type { FrameMark } from '../../ports.js';

/** What must be the same for a later run to go on. */
export interface Identity {
  /** The store and the bucket, for a machine. */
  readonly place: string;
  readonly key: string;
  readonly etag: string;
  /** Bytes as stored. */
  readonly size: number;
  /** Exactly as it stands before the frames, base64. */
  readonly header: string;
  readonly frameLength: number;
}

export interface State {
  readonly identity: Identity;
  /** Device and inode of the file with the frames. */
  readonly file: string;
  /** Of the frames that are there, from the first on. */
  readonly marks: readonly FrameMark[];
  /** Bytes that were understood: behind them is the rest of a line that was never written to its end. */
  readonly length: number;
}

const VERSION = 1;
const IV_BYTES = 12;
const MARK_BYTES = IV_BYTES + 16;

export const firstLine = (identity: Identity, file: string): string =>
  JSON.stringify({ version: VERSION, ...identity, file });

export const framesLine = (marks: readonly FrameMark[]): string =>
  JSON.stringify({
    frames: marks.at(-1)!.sequence,
    marks: Buffer.concat(marks.flatMap(({ iv, tag }) => [iv, tag])).toString('base64'),
  });

/** @returns undefined for what is none */
export function readState(bytes: Buffer): State | undefined {
  const marks: FrameMark[] = [];
  let first: (Identity & { file: string }) | undefined;
  let length = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, length)) {
    const line = parse(bytes.subarray(length, end));
    if (first === undefined) {
      if (!isFirst(line)) return undefined;
      first = line;
    } else if (!addMarks(line, marks)) break;
    length = end + 1;
  }
  if (first === undefined) return undefined;
  const { place, key, etag, size, header, frameLength, file } = first;
  return { identity: { place, key, etag, size, header, frameLength }, file, marks, length };
}

function parse(line: Buffer): Record<string, unknown> {
  try {
    return Object(JSON.parse(line.toString())) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function isFirst(
  line: Record<string, unknown>,
): line is Record<string, unknown> & Identity & { file: string } {
  const texts = ['place', 'key', 'etag', 'header', 'file'];
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
  return (
    line['version'] === VERSION &&
    texts.every((name) => typeof line[name] === 'string') &&
    isCount(line['size']) &&
    isCount(line['frameLength'])
  );
}

function addMarks({ frames, marks: encoded }: Record<string, unknown>, marks: FrameMark[]): boolean {
  if (typeof encoded !== 'string') return false;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length % MARK_BYTES !== 0 || frames !== marks.length + bytes.length / MARK_BYTES) return false;
  for (let at = 0; at < bytes.length; at += MARK_BYTES)
    marks.push({
      sequence: marks.length + 1,
      iv: bytes.subarray(at, at + IV_BYTES),
      tag: bytes.subarray(at + IV_BYTES, at + MARK_BYTES),
    });
  return true;
}
