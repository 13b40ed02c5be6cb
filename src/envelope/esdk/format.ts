/**
 * The frame layout of the AWS Encryption SDK's messages.
 *
 * Source: AWS Encryption SDK specification, data-format/message-body.md; framework/structures.md for the AAD.
 */
export const TAG_LENGTH = 16;
export const IV_LENGTH = 12;
export const SEQUENCE_END = 0xffffffff;
/** Sequence number and IV. */
export const FRAME_HEADER_LENGTH = 4 + IV_LENGTH;
/** End mark, sequence number, IV and content length. */
export const FINAL_FRAME_HEADER_LENGTH = 4 + 4 + IV_LENGTH + 4;
/** IV and content length. */
export const UNFRAMED_HEADER_LENGTH = IV_LENGTH + 8;

export const FRAMED = 2;
export const UNFRAMED = 1;

/** The IV of a frame of ours is its sequence number; 0 is the header's. */
export function frameIv(sequence: number): Buffer {
  const iv = Buffer.alloc(IV_LENGTH);
  iv.writeUInt32BE(sequence, IV_LENGTH - 4);
  return iv;
}

export function encodeFrameHeader(sequence: number, final: boolean, contentLength: number): Buffer {
  const out = Buffer.alloc(final ? FINAL_FRAME_HEADER_LENGTH : FRAME_HEADER_LENGTH);
  let at = final ? out.writeUInt32BE(SEQUENCE_END, 0) : 0;
  at = out.writeUInt32BE(sequence, at);
  frameIv(sequence).copy(out, at);
  if (final) out.writeUInt32BE(contentLength, at + IV_LENGTH);
  return out;
}

const AAD_TEXT = {
  frame: Buffer.from('AWSKMSEncryptionClient Frame'),
  final: Buffer.from('AWSKMSEncryptionClient Final Frame'),
  unframed: Buffer.from('AWSKMSEncryptionClient Single Block'),
};

/** Message id, content string, sequence number (4 bytes), content length (8 bytes). */
export function bodyAad(
  messageId: Uint8Array,
  kind: keyof typeof AAD_TEXT,
  sequence: number,
  contentLength: number,
): Buffer {
  const tail = Buffer.alloc(12);
  tail.writeUInt32BE(sequence, 0);
  tail.writeBigUInt64BE(BigInt(contentLength), 4);
  return Buffer.concat([messageId, AAD_TEXT[kind], tail]);
}
