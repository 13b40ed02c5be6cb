/** The fields of a header, wherever they lie: found, and each checked for itself. */
import { SealdropError } from '../../errors.js';
import { malformed, MAX_TEXT, parsePairs, shown, utf8 } from './description.js';
import * as key from './metadata-keys.js';

/** By name; none is empty. */
export type Fields = ReadonlyMap<string, string>;

/** V3's that stay with the object, where an instruction file has the rest. */
export const STAYING: readonly string[] = [key.V3_CONTENT_ALGORITHM, key.V3_COMMITMENT, key.V3_MESSAGE_ID];
const OF_V3_FILE = [key.V3_WRAPPED_KEY, key.V3_WRAP_ALGORITHM, key.V3_DESCRIPTION, key.V3_CONTEXT];
/** Beside V1's wrapped key. */
const OF_V1_AND_V2 = [key.IV, key.DESCRIPTION];
const OF_V2 = [key.V2_WRAPPED_KEY, key.CONTENT_ALGORITHM, key.WRAP_ALGORITHM, key.TAG_LENGTH];
const OLDER = [key.V1_WRAPPED_KEY, ...OF_V1_AND_V2, ...OF_V2];
export const OF_V3 = [...STAYING, ...OF_V3_FILE];
/** All entries of a header, but for the plaintext's length, which stays with the body. */
export const OF_HEADER: readonly string[] = [...OLDER, ...OF_V3];
const ALL: ReadonlySet<string> = new Set(OF_HEADER);
// Read and passed over: nothing authenticates the length, and nothing needs it.
const IN_FILE: ReadonlySet<string> = new Set([...OLDER, ...OF_V3_FILE, key.PLAINTEXT_LENGTH]);
/** Some writers have them as numbers. */
const NUMBERS = [key.TAG_LENGTH, key.PLAINTEXT_LENGTH];

/** What an object's metadata have of a header. @throws SealdropError `malformed_header` */
export function fieldsOfMetadata(metadata: Readonly<Record<string, string>>): Fields {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(metadata)) {
    const lower = name.toLowerCase();
    if (!ALL.has(lower) || value === '') continue;
    if (fields.has(lower)) throw malformed(`${lower} is there twice`);
    fields.set(lower, bounded(lower, value));
  }
  return fields;
}

/** @throws SealdropError `instruction_file`, `malformed_header` */
export function fieldsOfFile(bytes: Uint8Array): Fields {
  if (bytes.length > MAX_TEXT) throw badFile(`is larger than ${MAX_TEXT} bytes`);
  const text = utf8(bytes);
  if (text === undefined) throw badFile('is no text');
  const pairs = parsePairs(text, 'the instruction file', 'instruction_file', NUMBERS);
  const fields = Object.entries(pairs).filter(([, value]) => value !== '');
  for (const [name] of fields) {
    if (STAYING.includes(name)) throw badFile(`has ${name}, which belongs to the object itself`);
    if (!IN_FILE.has(name)) throw badFile(`has ${shown(name)}, which no header has`);
  }
  return new Map(fields.filter(([name]) => ALL.has(name)));
}

/** @throws SealdropError `mixed_formats` where the fields are not all of one version */
export function assertOneFormat(fields: Fields): void {
  const first = (names: readonly string[]) => names.find((name) => fields.has(name));
  const v3 = first(OF_V3);
  const older = first(OLDER);
  if (v3 !== undefined && older !== undefined) throw mixed(v3, older);
  const v2 = first(OF_V2);
  if (fields.has(key.V1_WRAPPED_KEY) && v2 !== undefined) throw mixed(key.V1_WRAPPED_KEY, v2);
}

/** @throws SealdropError `malformed_header` */
export function required(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (value === undefined) throw malformed(`${name} is missing`);
  return value;
}

/** Of standard base64 with padding. @throws SealdropError `malformed_header` */
export function bytesOf(fields: Fields, name: string, fits: (bytes: number) => boolean): Buffer {
  const text = required(fields, name);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw malformed(`${name} is not base64: ${shown(text)}`);
  if (!fits(bytes.length)) throw malformed(`${name} can't have ${bytes.length} bytes`);
  return bytes;
}

function bounded(name: string, value: string): string {
  if (value.length > MAX_TEXT) throw malformed(`${name} is longer than ${MAX_TEXT} characters`);
  return value;
}

export function badFile(what: string): SealdropError {
  return new SealdropError('instruction_file', `the instruction file ${what}`, {
    hint: 'the wrapped key lies in KEY.instruction beside the object: restore it from a copy of the bucket, or an older version',
  });
}

function mixed(one: string, other: string): SealdropError {
  return new SealdropError('mixed_formats', `the object has ${one} and ${other}, which are of two formats`, {
    hint: 'somebody changed its metadata: restore them from a copy of the bucket, or an older version',
  });
}
