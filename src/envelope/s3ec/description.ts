/**
 * Pairs beside the wrapped key: material descriptions and KMS contexts, as JSON.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/data-format/content-metadata.md and
 * metadata-strategy.md ("S3 double encoding").
 */
import { SealdropError, type ErrorCode } from '../../errors.js';
import { printableJson } from '../../printable.js';

type Pairs = Readonly<Record<string, string>>;

/** Bytes of an instruction file, written or read, and characters of a field. */
export const MAX_TEXT = 16 * 1024;

/** What was found, short and harmless enough for a message. */
export const shown = (text: string): string =>
  printableJson(text.length > 40 ? `${text.slice(0, 40)}...` : text);

/**
 * The members of a JSON object, every value a string.
 * @param what what the text is, for the message
 * @param code of what is no JSON object at all
 * @param numbers names whose value may also be a number
 * @throws SealdropError `code`; `malformed_header` where a member is there twice or is no string
 */
export function parsePairs(
  text: string,
  what: string,
  code: ErrorCode,
  numbers: readonly string[] = [],
): Pairs {
  const parsed = parseObject(text);
  if (parsed === undefined) throw malformed(`${what} is no JSON object`, code);
  const pairs = Object.entries(parsed).map(([name, value]) => {
    const taken = typeof value === 'number' && numbers.includes(name) ? String(value) : value;
    if (typeof taken !== 'string' || !taken.isWellFormed() || !name.isWellFormed())
      throw malformed(`${what}: ${shown(name)} is no text`);
    return [name, taken] as const;
  });
  // Of two members with one name JSON.parse takes the last. Every member has its name, and its value where that is a string.
  const strings = text.match(/"(?:[^"\\]|\\.)*"/gs)?.length ?? 0;
  const expected = Object.values(parsed).reduce<number>((n, v) => n + (typeof v === 'string' ? 2 : 1), 0);
  if (strings !== expected) throw malformed(`${what} names something twice`);
  return Object.fromEntries(pairs);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** JSON in ASCII: stores and HTTP clients change what is not. @throws SealdropError `usage` where it is not valid Unicode */
export function asciiJson(pairs: Pairs): string {
  if (
    !Object.entries(pairs)
      .flat()
      .every((text) => text.isWellFormed())
  )
    throw new SealdropError('usage', 'the context is not valid Unicode');
  return JSON.stringify(pairs).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const WORD = /=\?utf-8\?([bq])\?([^?\s]*)\?=/gi;
const ONLY_WORDS = /^=\?utf-8\?[bq]\?[^?\s]*\?=(?:\s+=\?utf-8\?[bq]\?[^?\s]*\?=)*$/i;

/**
 * A description as it was written, of a header's value as it came. S3 returns one that is not ASCII as words of RFC 2047, of
 * UTF-8 that it took for Latin-1 and encoded again; other stores encode once, or not at all. What is JSON already is no word,
 * whatever stands in it.
 * @throws SealdropError `malformed_header`
 */
export function decodeHeaderValue(value: string): string {
  return latin1AsUtf8(ONLY_WORDS.test(value) ? decodeWords(value) : value);
}

/** Words may end within a character: their bytes are put together first. */
function decodeWords(value: string): string {
  const bytes = [...value.matchAll(WORD)].map(([, encoding, text]) =>
    /b/i.test(encoding!) ? Buffer.from(text!, 'base64') : fromQ(text!),
  );
  const decoded = utf8(Buffer.concat(bytes));
  if (decoded === undefined) throw malformed('the description is not valid UTF-8');
  return decoded;
}

function fromQ(text: string): Buffer {
  const spaced = Buffer.from(text.replaceAll('_', ' ')).toString('latin1');
  return Buffer.from(
    spaced.replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  );
}

/** A character below U+0100 is a byte of a header; where such bytes are no UTF-8, they are what was meant. */
function latin1AsUtf8(text: string): string {
  return text.replace(/[\u0080-\u00ff]+/g, (run) => utf8(Buffer.from(run, 'latin1')) ?? run);
}

/** Undefined where it is not valid UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export function malformed(what: string, code: ErrorCode = 'malformed_header'): SealdropError {
  return new SealdropError(code, what, {
    hint: 'the object is damaged, or was not written by an S3 Encryption Client',
  });
}
