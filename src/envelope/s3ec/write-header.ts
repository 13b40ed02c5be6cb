/**
 * The header of a new object: entries of its metadata, or of an instruction file beside it.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/data-format/content-metadata.md and
 * metadata-strategy.md.
 */
import { SealdropError } from '../../errors.js';
import type { S3ecWrapName, S3ecWrapped } from '../../ports.js';
import { codeOf, COMMITTING_GCM, GCM, TAG_BYTES, wrapNamed } from './algorithms.js';
import { asciiJson, MAX_TEXT } from './description.js';
import * as key from './metadata-keys.js';

type Pairs = Readonly<Record<string, string>>;

export type HeaderToWrite = {
  readonly wrap: S3ecWrapName;
  readonly wrapped: S3ecWrapped;
  /** Where the wrapped key goes. */
  readonly place: 'metadata' | 'instruction-file';
} & (
  | { readonly version: 2; readonly iv: Uint8Array; readonly plaintextSize?: number | undefined }
  | { readonly version: 3; readonly messageId: Uint8Array; readonly commitment: Uint8Array }
);

export interface WrittenHeader {
  readonly metadata: Pairs;
  /** The content of `KEY.instruction`: JSON. */
  readonly instruction?: Buffer;
}

/** S3 allows 2 KB of metadata in all; the rest is for entries that are not the header's. */
const MAX_METADATA_BYTES = 2048 - 384;
/** Some stores count it. */
const PREFIX = 'x-amz-meta-';

/** @throws SealdropError `usage` where the context is not valid Unicode or there is no room for it */
export function writeHeader(header: HeaderToWrite): WrittenHeader {
  const { stays, goes } = header.version === 2 ? v2(header) : v3(header);
  if (header.place === 'instruction-file') return { metadata: stays, instruction: fileOf(goes) };
  const metadata = { ...goes, ...stays };
  const size = Object.entries(metadata).flat().join('').length + PREFIX.length * Object.keys(metadata).length;
  if (size > MAX_METADATA_BYTES)
    throw new SealdropError(
      'usage',
      `the object's header has ${size} bytes, and metadata take ${MAX_METADATA_BYTES}`,
      {
        hint: 'a shorter context, or --instruction-file, which writes it beside the object',
      },
    );
  return { metadata };
}

interface Entries {
  /** With the object, wherever the wrapped key goes. */
  readonly stays: Pairs;
  readonly goes: Pairs;
}

function v2(header: HeaderToWrite & { version: 2 }): Entries {
  const { iv, plaintextSize, wrap, wrapped } = header;
  return {
    stays: plaintextSize === undefined ? {} : { [key.PLAINTEXT_LENGTH]: String(plaintextSize) },
    goes: {
      [key.V2_WRAPPED_KEY]: base64(wrapped.wrappedKey),
      [key.IV]: base64(iv),
      [key.DESCRIPTION]: asciiJson(wrapped.description),
      [key.CONTENT_ALGORITHM]: GCM.name,
      [key.WRAP_ALGORITHM]: wrap,
      // Clients for Java read none without it.
      [key.TAG_LENGTH]: String(8 * TAG_BYTES),
    },
  };
}

function v3(header: HeaderToWrite & { version: 3 }): Entries {
  const { messageId, commitment, wrap, wrapped } = header;
  const name = wrapNamed(wrap)!.kms ? key.V3_CONTEXT : key.V3_DESCRIPTION;
  const isEmpty = Object.keys(wrapped.description).length === 0;
  return {
    stays: {
      [key.V3_CONTENT_ALGORITHM]: COMMITTING_GCM.name,
      [key.V3_COMMITMENT]: base64(commitment),
      [key.V3_MESSAGE_ID]: base64(messageId),
    },
    goes: {
      [key.V3_WRAPPED_KEY]: base64(wrapped.wrappedKey),
      [key.V3_WRAP_ALGORITHM]: codeOf(wrap),
      ...(!isEmpty && { [name]: asciiJson(wrapped.description) }),
    },
  };
}

function fileOf(fields: Pairs): Buffer {
  const file = Buffer.from(JSON.stringify(fields));
  if (file.length > MAX_TEXT)
    throw new SealdropError(
      'usage',
      `the instruction file has ${file.length} bytes, allowed are ${MAX_TEXT}`,
      {
        hint: 'the context is too long: keep large things in files of their own',
      },
    );
  return file;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
