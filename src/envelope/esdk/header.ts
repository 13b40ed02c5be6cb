/**
 * Reading and sealing message headers, by the AWS Encryption SDK's own coders.
 *
 * Source: AWS Encryption SDK specification, data-format/message-header.md.
 */
import { randomBytes } from 'node:crypto';
import {
  getEncryptHelper,
  NodeAlgorithmSuite,
  type EncryptedDataKey,
  type GetCipher,
  type NodeEncryptionMaterial,
} from '@aws-crypto/material-management-node';
import {
  deserializeFactory,
  serializeFactory,
  serializeMessageHeaderAuth,
  type HeaderInfo,
} from '@aws-crypto/serialize';
import { SealdropError } from '../../errors.js';
import type { MessageInfo } from '../../ports.js';
import type { ByteReader } from '../byte-reader.js';
import { FRAMED, IV_LENGTH, TAG_LENGTH, UNFRAMED } from './format.js';
import { suiteById, suiteIdText, type Suite } from './suites.js';

const MAX_HEADER_BYTES = 1024 * 1024;
const FIRST_READ = 4096;

const toUtf8 = (input: Uint8Array) => Buffer.from(input).toString('utf8');
const fromUtf8 = (input: string) => Buffer.from(input, 'utf8');
const { deserializeMessageHeader } = deserializeFactory(toUtf8, NodeAlgorithmSuite);
// Code points beyond the BMP sort as their UTF-8 does, as in every other implementation.
const coder = serializeFactory(fromUtf8, { utf8Sorting: true });

export interface Header {
  readonly suite: Suite;
  readonly parsed: HeaderInfo;
  readonly info: MessageInfo;
}

/** Reads a header and leaves the reader behind it. Nothing of it is authenticated yet. */
export async function readHeader(reader: ByteReader): Promise<Header> {
  const begin = await reader.read(4);
  const suite = judgeBegin(begin);
  let bytes = begin;
  while (bytes.length <= MAX_HEADER_BYTES) {
    // Twice as much each time, however small the pieces are that come: parsing starts at the beginning again.
    const more = await reader.read(Math.max(FIRST_READ, bytes.length));
    if (more.length === 0) throw truncatedHeader();
    bytes = Buffer.concat([bytes, more]);
    const parsed = parse(bytes);
    if (!parsed) continue;
    const length = parsed.headerLength + parsed.headerAuth.headerAuthLength;
    reader.unread(bytes.subarray(length));
    return { suite, parsed, info: describe(suite, parsed, length) };
  }
  throw new SealdropError('policy', `the message's header is larger than ${MAX_HEADER_BYTES} bytes`);
}

/** What the first bytes say, before anything else is believed. */
function judgeBegin(begin: Buffer): Suite {
  if (begin.length === 0) throw notAnEnvelope('it is empty');
  const version = begin[0]!;
  const isV1 = version === 1 && (begin.length < 2 || begin[1] === 0x80);
  // A text file begins with none of these: 3 to 8 are control characters that no text uses.
  if (version >= 3 && version <= 8) throw unsupported(`message version ${version}`);
  if (!isV1 && version !== 2) throw notAnEnvelope('it does not begin like one');
  if (begin.length < 4) throw truncatedHeader();
  const id = begin.readUInt16BE(isV1 ? 2 : 1);
  const suite = suiteById(id);
  if (suite?.messageVersion !== version) throw unsupported(`algorithm suite ${suiteIdText(id)}`);
  return suite;
}

function parse(bytes: Buffer): HeaderInfo | false {
  try {
    const parsed = deserializeMessageHeader(bytes, { maxEncryptedDataKeys: false });
    if (!parsed) return false;
    const { contentType, frameLength } = parsed.messageHeader;
    const consistent =
      contentType === FRAMED ? frameLength > 0 : contentType === UNFRAMED && frameLength === 0;
    if (!consistent) throw new Error('content type and frame length disagree');
    return parsed;
  } catch (cause) {
    throw new SealdropError('not_an_envelope', 'the message header is malformed', { cause });
  }
}

function describe(suite: Suite, parsed: HeaderInfo, headerLength: number): MessageInfo {
  const { messageHeader } = parsed;
  return {
    format: 'esdk',
    version: messageHeader.version,
    suite: suite.name,
    suiteId: suiteIdText(suite.id),
    committing: suite.committing,
    signed: suite.signature !== undefined,
    frameLength: messageHeader.frameLength,
    headerLength,
    messageId: Buffer.from(messageHeader.messageId).toString('hex'),
    context: messageHeader.encryptionContext,
    wrappedKeys: messageHeader.encryptedDataKeys.map((key) => ({
      namespace: key.providerId,
      name: nameOf(key),
      bytes: key.encryptedDataKey.byteLength,
    })),
  };
}

/** Bytes behind the name where a raw AES key wraps: the lengths of tag (in bits) and nonce, and the nonce. */
const AES_INFO = Buffer.from([0, 0, 0, 8 * TAG_LENGTH, 0, 0, 0, IV_LENGTH]);

/**
 * What the key is called. Of a raw AES key that is the beginning of what the message has of it.
 * Source: AWS Encryption SDK specification, framework/raw-aes-keyring.md ("Key Provider Information").
 */
function nameOf({ providerInfo, rawInfo }: EncryptedDataKey): string {
  if (rawInfo === undefined) return providerInfo;
  const info = Buffer.from(rawInfo);
  const end = info.length - AES_INFO.length - IV_LENGTH;
  const isAes = end > 0 && info.subarray(end, end + AES_INFO.length).equals(AES_INFO);
  return isAes ? toUtf8(info.subarray(0, end)) : providerInfo;
}

/**
 * Makes the one header of a message: a fresh message id, serialised and sealed exactly once.
 *
 * The header's tag uses nonce 0 under the message's key. A second header under the same key and message id would
 * give the authentication key away, so this takes fresh materials and nothing calls it twice with them.
 */
export function sealHeader(
  material: NodeEncryptionMaterial,
  frameLength: number,
): { messageId: Buffer; bytes: Buffer; getCipher: GetCipher } {
  const { suite, encryptionContext, encryptedDataKeys } = material;
  const messageId = randomBytes(suiteById(suite.id)!.messageVersion === 1 ? 16 : 32);
  const { getCipher, keyCommitment } = getEncryptHelper(material).getCipherInfo(messageId);
  const messageHeader = coder.buildMessageHeader({
    suite,
    encryptionContext,
    encryptedDataKeys,
    messageId,
    frameLength,
    suiteData: keyCommitment,
  });
  const body = Buffer.from(coder.serializeMessageHeader(messageHeader));
  const headerIv = coder.headerAuthIv(suite.ivLength);
  const cipher = getCipher(headerIv);
  cipher.setAAD(body);
  cipher.final();
  const headerAuthTag = cipher.getAuthTag();
  const auth = serializeMessageHeaderAuth({ headerIv, headerAuthTag, messageHeader });
  return { messageId, bytes: Buffer.concat([body, auth]), getCipher };
}

function notAnEnvelope(why: string): SealdropError {
  return new SealdropError('not_an_envelope', `this is not an encrypted message: ${why}`, {
    hint: 'sealdrop opens messages of the AWS Encryption SDK, and objects of the S3 Encryption Client that have their metadata: is this the right object?',
  });
}

function unsupported(what: string): SealdropError {
  return new SealdropError('unsupported_version', `the message is of a kind unknown here: ${what}`, {
    hint: 'it was made by a newer program, or is no encrypted message: look for a newer sealdrop',
  });
}

function truncatedHeader(): SealdropError {
  return new SealdropError('truncated', 'the message ends within its header');
}
