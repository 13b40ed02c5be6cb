/**
 * What a message may say of the file that it was made from. It stands in the encryption context, so it is authenticated;
 * what the object's metadata say of it is a copy for whoever lists.
 */
import type { BigIntStats } from 'node:fs';

type Pairs = Readonly<Record<string, string>>;

/** Modification time, RFC 3339 in UTC with nine digits of a second. */
export const MTIME_PAIR = 'sealdrop:mtime';
/** Permissions in octal, as `644`. Set-user-id, set-group-id and the sticky bit are never kept. */
const MODE_PAIR = 'sealdrop:mode';
/** On the marker of a directory that had nothing in it. */
export const EMPTY_DIRECTORY: Pairs = { 'sealdrop:directory': 'empty' };

export interface FileAttributes {
  /** Seconds since 1970. */
  readonly mtime?: number;
  readonly mode?: number;
}

export function keptPairs({ mtimeNs, mode }: Pick<BigIntStats, 'mtimeNs' | 'mode'>): Record<string, string> {
  const mtime = timeText(mtimeNs);
  return {
    ...(mtime !== undefined && { [MTIME_PAIR]: mtime }),
    [MODE_PAIR]: (Number(mode) & 0o777).toString(8).padStart(3, '0'),
  };
}

/** What is missing or malformed is left out. */
export function readAttributes(context: Pairs): FileAttributes {
  const mode = context[MODE_PAIR];
  const mtime = parseTime(context[MTIME_PAIR]);
  return {
    ...(mtime !== undefined && { mtime }),
    ...(mode !== undefined && /^[0-7]{3}$/.test(mode) && { mode: parseInt(mode, 8) }),
  };
}

export const isEmptyDirectory = (context: Pairs): boolean => context['sealdrop:directory'] === 'empty';

/** @returns undefined outside of the years 0 to 9999 */
export function timeText(nanoseconds: bigint): string | undefined {
  const fraction = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = Number((nanoseconds - fraction) / 1_000_000_000n);
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  const text = date.toISOString().replace(/\.\d{3}Z$/, `.${fraction.toString().padStart(9, '0')}Z`);
  return TIME.test(text) ? text : undefined;
}

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z$/;

/**
 * Seconds since 1970, to the microsecond: Node sets no finer time, and cuts off what is behind. Half a microsecond is
 * added so that a time which a binary fraction cannot hold doesn't come out one less.
 */
export function parseTime(text: string | undefined): number | undefined {
  const match = TIME.exec(text ?? '');
  const seconds = match === null ? NaN : Date.parse(`${match[1]}Z`) / 1000;
  if (match === null || Number.isNaN(seconds)) return undefined;
  return seconds + (Math.floor(Number(match[2]) / 1000) + 0.5) / 1e6;
}
