/**
 * What an object says of its encryption, read and checked as far as it can be without a key.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/data-format/content-metadata.md ("Determining S3EC
 * Object Status") and metadata-strategy.md.
 */
import { SealdropError } from '../../errors.js';
import type { MessageInfo, ObjectParts } from '../../ports.js';
import {
  ALGORITHM_PAIR,
  CBC,
  COMMITTING_GCM,
  CONTENT_OF_V2,
  TAG_BYTES,
  V1_KEY_PAIR,
  V3_ID_BYTES,
  WRAP_OF_V1,
  wrapCoded,
  wrapNamed,
  type ContentAlgorithm,
  type S3ecVersion,
  type WrapAlgorithm,
} from './algorithms.js';
import { decodeHeaderValue, malformed, MAX_TEXT, parsePairs, shown } from './description.js';
import {
  assertOneFormat,
  badFile,
  bytesOf,
  fieldsOfFile,
  fieldsOfMetadata,
  OF_V3,
  required,
  STAYING,
  type Fields,
} from './fields.js';
import * as key from './metadata-keys.js';

type Place = 'metadata' | 'instruction-file';

export interface S3ecHeader {
  readonly version: S3ecVersion;
  readonly content: ContentAlgorithm;
  readonly wrap: WrapAlgorithm;
  readonly wrappedKey: Buffer;
  /** Material description, or KMS context with the reserved pair: as stored. */
  readonly description: Readonly<Record<string, string>>;
  /** Of V1 and V2. */
  readonly iv?: Buffer;
  /** Of V3: 28 bytes each. */
  readonly messageId?: Buffer;
  readonly commitment?: Buffer;
  /** Where the wrapped key lies. */
  readonly at: Place;
}

/** Whether metadata say that the object is one of the S3 Encryption Client's. One of V1 or V2 with an instruction file says nothing. */
export function hasMarks(metadata: Readonly<Record<string, string>>): boolean {
  const marks = [key.V1_WRAPPED_KEY, key.V2_WRAPPED_KEY, key.IV, key.CONTENT_ALGORITHM, ...OF_V3];
  return Object.entries(metadata).some(([name, value]) => value !== '' && marks.includes(name.toLowerCase()));
}

/**
 * Asks for the instruction file only where the metadata have no wrapped key.
 * @throws SealdropError `not_an_envelope`, `mixed_formats`, `instruction_file`, `malformed_header`, `unsupported_version`,
 * `wrong_context`; what the store throws
 */
export async function readHeader(parts: ObjectParts): Promise<S3ecHeader> {
  const metadata = fieldsOfMetadata(parts.metadata);
  assertOneFormat(metadata);
  if ([...metadata.keys()].some((name) => !STAYING.includes(name))) return headerOf(metadata, 'metadata');
  if (metadata.size > 0) for (const name of STAYING) required(metadata, name);
  const bytes = await parts.instruction();
  if (bytes === undefined) throw metadata.size > 0 ? badFile('is missing') : notAnEnvelope();
  const fields = new Map([...metadata, ...fieldsOfFile(bytes)]);
  assertOneFormat(fields);
  return headerOf(fields, 'instruction-file');
}

function headerOf(fields: Fields, at: Place): S3ecHeader {
  const header = {
    ...(OF_V3.some((name) => fields.has(name))
      ? v3(fields, at)
      : fields.has(key.V1_WRAPPED_KEY)
        ? v1(fields, at)
        : v2(fields, at)),
    at,
  };
  assertConsistent(header);
  return header;
}

type Found = Omit<S3ecHeader, 'at'>;

function v3(fields: Fields, at: Place): Found {
  const content = required(fields, key.V3_CONTENT_ALGORITHM);
  if (content !== COMMITTING_GCM.name) throw unknown(key.V3_CONTENT_ALGORITHM, content);
  const code = required(fields, key.V3_WRAP_ALGORITHM);
  const wrap = wrapCoded(code);
  if (wrap === undefined) throw unknown(key.V3_WRAP_ALGORITHM, code);
  const isId = (bytes: number) => bytes === V3_ID_BYTES;
  return {
    version: 3,
    content: COMMITTING_GCM,
    wrap,
    wrappedKey: bytesOf(fields, key.V3_WRAPPED_KEY, wrap.fits),
    description: descriptionOf(fields, wrap.kms ? key.V3_CONTEXT : key.V3_DESCRIPTION, at),
    messageId: bytesOf(fields, key.V3_MESSAGE_ID, isId),
    commitment: bytesOf(fields, key.V3_COMMITMENT, isId),
  };
}

function v2(fields: Fields, at: Place): Found {
  required(fields, key.V2_WRAPPED_KEY);
  const name = required(fields, key.CONTENT_ALGORITHM);
  const content = CONTENT_OF_V2.get(name);
  if (content === undefined) throw unknown(key.CONTENT_ALGORITHM, name);
  const wrapName = required(fields, key.WRAP_ALGORITHM);
  const wrap = wrapNamed(wrapName);
  if (wrap === undefined) throw unknown(key.WRAP_ALGORITHM, wrapName);
  const tag = fields.get(key.TAG_LENGTH);
  if (tag !== undefined && !(content.mode === 'gcm' && tag === String(8 * TAG_BYTES)))
    throw malformed(`${key.TAG_LENGTH} can't be ${shown(tag)} with ${content.name}`);
  return {
    version: 2,
    content,
    wrap,
    wrappedKey: bytesOf(fields, key.V2_WRAPPED_KEY, wrap.fits),
    // Some writers leave it out where it is empty.
    description: descriptionOf(fields, key.DESCRIPTION, at),
    iv: bytesOf(fields, key.IV, (bytes) => bytes === content.ivBytes),
  };
}

function v1(fields: Fields, at: Place): Found {
  required(fields, key.DESCRIPTION);
  return {
    version: 1,
    content: CBC,
    wrap: WRAP_OF_V1,
    wrappedKey: bytesOf(fields, key.V1_WRAPPED_KEY, WRAP_OF_V1.fits),
    description: descriptionOf(fields, key.DESCRIPTION, at),
    iv: bytesOf(fields, key.IV, (bytes) => bytes === CBC.ivBytes),
  };
}

function descriptionOf(fields: Fields, name: string, at: Place): Readonly<Record<string, string>> {
  const stored = fields.get(name) ?? '{}';
  const text = at === 'metadata' ? decodeHeaderValue(stored) : stored;
  if (text.length > MAX_TEXT) throw malformed(`${name} is longer than ${MAX_TEXT} characters`);
  return parsePairs(text, name, 'malformed_header');
}

/** What the header rules out by itself costs no key operation. */
function assertConsistent({ content, wrap, description }: S3ecHeader): void {
  const bound = Object.hasOwn(description, ALGORITHM_PAIR) ? description[ALGORITHM_PAIR] : undefined;
  if (wrap.kms && wrap.legacy && bound !== undefined)
    throw wrongContext(`${wrap.name} is named, but its context is of a wrapped key that names its algorithm`);
  if (wrap.kms && !wrap.legacy && bound !== content.name)
    throw wrongContext(`the wrapped key was not made for ${content.name}`);
  if (content.legacy && !wrap.legacy) throw malformed(`${wrap.name} wraps no key for ${content.name}`);
}

/** For people, and for what is decided by the header. Nothing of it is authenticated yet. */
export function infoOf({
  version,
  content,
  wrap,
  wrappedKey,
  description,
  messageId,
  at,
}: S3ecHeader): MessageInfo {
  const reserved = wrap.legacy ? V1_KEY_PAIR : ALGORITHM_PAIR;
  const own = Object.fromEntries(Object.entries(description).filter(([name]) => name !== reserved));
  return {
    format: 's3ec',
    version,
    suite: content.suite,
    suiteId: suiteIdText(content),
    committing: content.committing,
    signed: false,
    ...(content.legacy && { unauthenticated: true }),
    frameLength: 0,
    headerLength: 0,
    messageId: messageId?.toString('base64') ?? '',
    context: wrap.kms ? own : {},
    ...(!wrap.kms && { description }),
    wrappedKeys: [],
    wrapping: { algorithm: wrap.name, bytes: wrappedKey.length, at },
  };
}

export const suiteIdText = ({ suiteId }: ContentAlgorithm): string =>
  `0x${suiteId.toString(16).padStart(4, '0')}`;

function notAnEnvelope(): SealdropError {
  return new SealdropError('not_an_envelope', 'this is no object of the S3 Encryption Client', {
    hint: 'neither its metadata nor a KEY.instruction beside it say how it is encrypted: is this the right object?',
  });
}

function unknown(name: string, value: string): SealdropError {
  return new SealdropError('unsupported_version', `${name} is of a kind unknown here: ${shown(value)}`, {
    hint: 'the object was written by a newer program, or somebody changed its metadata',
  });
}

function wrongContext(what: string): SealdropError {
  return new SealdropError('wrong_context', what, {
    hint: 'somebody changed the object: restore it from a copy of the bucket, or an older version',
  });
}
