/** Ciphertext sizes for plaintext sizes and back, without any key. */
import type { Recipient, SizeEstimate } from '../../ports.js';
import { FINAL_FRAME_HEADER_LENGTH, FRAME_HEADER_LENGTH, IV_LENGTH, TAG_LENGTH } from './format.js';
import type { Suite } from './suites.js';

export const FRAME_OVERHEAD = FRAME_HEADER_LENGTH + TAG_LENGTH;
export const FINAL_OVERHEAD = FINAL_FRAME_HEADER_LENGTH + TAG_LENGTH;
/** The pair that a signed message's context carries beside the user's. */
export const PUBLIC_KEY_FIELD = 'aws-crypto-public-key';

/**
 * Bytes of a header with its authentication, as we write it; at most so many, where a recipient has slack.
 * Source: AWS Encryption SDK specification, data-format/message-header.md.
 */
export function headerLength(
  suite: Suite,
  context: Readonly<Record<string, string>>,
  recipients: readonly Recipient[],
): number {
  const keysLength = 2 + sum(recipients.map((recipient) => wrappedKeyLength(recipient, suite)));
  const fixed =
    suite.messageVersion === 1
      ? 1 + 1 + 2 + 16 + (1 + 4 + 1 + 4) + (IV_LENGTH + TAG_LENGTH)
      : 1 + 2 + 32 + (1 + 4 + 32) + TAG_LENGTH;
  return fixed + 2 + contextLength(suite, context) + keysLength;
}

function wrappedKeyLength(
  { namespace, name, infoBytes = Buffer.byteLength(name), wrappedBytes }: Recipient,
  { dataKeyBytes }: Suite,
): number {
  const wrapped = typeof wrappedBytes === 'number' ? wrappedBytes : wrappedBytes(dataKeyBytes);
  return 6 + Buffer.byteLength(namespace) + infoBytes + wrapped;
}

/** By how many bytes a message may be shorter than its longest: its header, and its signature. */
export function slackOf(suite: Suite, recipients: readonly Recipient[]): number {
  const header = sum(recipients.map(({ slack = 0 }) => slack));
  return header + (suite.signature === undefined ? 0 : SIGNATURE_VARIES);
}

/** Bytes by which an ECDSA signature in DER may be shorter than its longest. */
const SIGNATURE_VARIES = 16;

/** Bytes of an encoded context, without the two that say its length. */
export function contextLength(suite: Suite, context: Readonly<Record<string, string>>): number {
  const pairs = Object.entries(context).map(([k, v]) => 4 + Buffer.byteLength(k) + Buffer.byteLength(v));
  if (suite.signature) pairs.push(4 + PUBLIC_KEY_FIELD.length + suite.signature.publicKeyLength);
  return pairs.length === 0 ? 0 : 2 + sum(pairs);
}

/** Bytes of a framed body as we write it: full frames, and a final one with less than `frameLength` bytes, maybe none. */
export function bodyLength(plaintextSize: number, frameLength: number): number {
  const regular = Math.floor(plaintextSize / frameLength);
  return plaintextSize + regular * FRAME_OVERHEAD + FINAL_OVERHEAD;
}

export function footerLength(suite: Suite): number {
  return suite.signature ? 2 + suite.signature.maxBytes : 0;
}

/** How a framed body (without footer) of so many bytes is cut, or undefined if none has that size. */
export function framesOfBody(
  bodyBytes: number,
  frameLength: number,
): { regular: number; lastLength: number } | undefined {
  const rest = bodyBytes - FINAL_OVERHEAD;
  if (rest < 0) return undefined;
  const regular = Math.floor(rest / (frameLength + FRAME_OVERHEAD));
  const lastLength = rest - regular * (frameLength + FRAME_OVERHEAD);
  return lastLength <= frameLength ? { regular, lastLength } : undefined;
}

/**
 * Plaintext bytes in a body (without footer) of so many bytes, or undefined if no framed body has that size.
 * Every writer's framing has this same arithmetic, also where the final frame is full.
 */
export function plaintextOfBody(bodyBytes: number, frameLength: number): number | undefined {
  const frames = framesOfBody(bodyBytes, frameLength);
  return frames && frames.regular * frameLength + frames.lastLength;
}

/** Plaintext bytes of a whole message; for signed ones an upper bound, since signatures vary in length. */
export function plaintextSize(
  suite: Suite,
  header: { headerLength: number; frameLength: number },
  ciphertextSize: number,
): SizeEstimate {
  const exact = suite.signature === undefined;
  const body = ciphertextSize - header.headerLength;
  if (header.frameLength === 0) return { bytes: Math.max(0, body - (IV_LENGTH + 8 + TAG_LENGTH)), exact };
  if (exact) return { bytes: plaintextOfBody(body, header.frameLength) ?? 0, exact };
  // At least the two length bytes of a footer are not plaintext: enough for a bound.
  return { bytes: Math.max(0, body - FINAL_OVERHEAD - 2), exact };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
