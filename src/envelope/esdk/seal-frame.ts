import type { GetCipher } from '@aws-crypto/material-management-node';
import { giveBack } from '../../give-back.js';
import { PIECE } from '../pieces.js';
import { bodyAad, encodeFrameHeader, frameIv } from './format.js';

export interface FrameOf {
  readonly messageId: Uint8Array;
  readonly getCipher: GetCipher;
  /** From 1. */
  readonly sequence: number;
  readonly final: boolean;
}

/**
 * One frame, in pieces. Under one message and sequence number, never of two contents.
 * @param transient whether a piece is done with when the next one is asked for
 *
 * Source: AWS Encryption SDK specification, data-format/message-body.md.
 */
export function* sealFrame(
  { messageId, getCipher, sequence, final }: FrameOf,
  content: Uint8Array,
  transient: boolean,
): Generator<Buffer> {
  const cipher = getCipher(frameIv(sequence));
  cipher.setAAD(bodyAad(messageId, final ? 'final' : 'frame', sequence, content.length));
  yield encodeFrameHeader(sequence, final, content.length);
  for (let at = 0; at < content.length; at += PIECE) {
    const piece = cipher.update(content.subarray(at, at + PIECE) as Buffer);
    yield piece;
    if (transient) giveBack(piece);
  }
  cipher.final();
  yield cipher.getAuthTag();
}
