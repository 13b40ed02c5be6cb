/**
 * Messages that one run may begin and another one end: the header and the data key are kept, and frames are sealed one by one,
 * each from its own plaintext alone. Unsigned suites only: a signature would have to see all bytes again, and its key be kept too.
 *
 * Source: AWS Encryption SDK specification, client-apis/encrypt.md.
 */
import { timingSafeEqual } from 'node:crypto';
import {
  getEncryptHelper,
  KeyringTraceFlag,
  NodeAlgorithmSuite,
  NodeEncryptionMaterial,
  unwrapDataKey,
  type GetCipher,
} from '@aws-crypto/material-management-node';
import type {
  FramePlace,
  KeptMessage,
  ResumableMessage,
  ResumableMessages,
  WrappingKeys,
} from '../../ports.js';
import { Secret } from '../../secret.js';
import { ByteReader } from '../byte-reader.js';
import { beginMessage, framing, tooManyFrames, type EncryptorOptions, type MessageJob } from './encrypt.js';
import { SEQUENCE_END } from './format.js';
import { readHeader, type Header } from './header.js';
import { sealFrame } from './seal-frame.js';
import { bodyLength, FINAL_OVERHEAD, FRAME_OVERHEAD } from './sizes.js';

/**
 * @returns undefined for signed suites
 * @throws SealdropError `usage`
 */
export function resumableMessages(
  keys: WrappingKeys,
  options: EncryptorOptions = {},
): ResumableMessages | undefined {
  const { suite, frameLength } = framing(options);
  if (suite.signature !== undefined) return undefined;
  return {
    frameSize: frameLength + Math.max(FRAME_OVERHEAD, FINAL_OVERHEAD),
    async begin(context, plaintextSize) {
      const job: MessageJob = { keys, suite, frameLength, context };
      assertFrames(plaintextSize, frameLength);
      const { material, messageId, bytes, getCipher } = await beginMessage(job);
      const dataKey = new Secret(Uint8Array.from(unwrapDataKey(material.getUnencryptedDataKey())));
      const kept = { header: bytes, dataKey };
      return new EsdkMessage({ kept, material, messageId, getCipher, frameLength, plaintextSize });
    },
    async reopen(kept, context, plaintextSize) {
      const header = await parsed(kept.header);
      const { info } = header ?? {};
      const isSame =
        info?.headerLength === kept.header.length &&
        header?.suite === suite &&
        info.frameLength === frameLength &&
        arePairs(info.context, context);
      if (!isSame) return undefined;
      return reopened(kept, header, plaintextSize);
    },
  };
}

/** Before a data key is made. @throws SealdropError `too_large` */
function assertFrames(plaintextSize: number, frameLength: number): void {
  if (framesOf(plaintextSize, frameLength) >= SEQUENCE_END) throw tooManyFrames(frameLength);
}

const framesOf = (plaintextSize: number, frameLength: number): number =>
  Math.floor(plaintextSize / frameLength) + 1;

async function parsed(bytes: Uint8Array): Promise<Header | undefined> {
  return readHeader(new ByteReader(once(bytes))).catch(() => undefined);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function arePairs(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** Never seals a header: the tag of the one that was kept must come out, and its commitment to this very data key. */
function reopened(kept: KeptMessage, header: Header, plaintextSize: number): EsdkMessage | undefined {
  const { messageHeader, headerAuth, rawHeader } = header.parsed;
  const dataKey = kept.dataKey.reveal();
  const suite = new NodeAlgorithmSuite(header.suite.id);
  if (dataKey.length !== suite.keyLengthBytes) return undefined;
  const material = new NodeEncryptionMaterial(suite, messageHeader.encryptionContext);
  const trace = {
    keyNamespace: 'sealdrop',
    keyName: 'kept',
    flags: KeyringTraceFlag.WRAPPING_KEY_GENERATED_DATA_KEY,
  };
  material.setUnencryptedDataKey(Uint8Array.from(dataKey), trace);
  const messageId = Buffer.from(messageHeader.messageId);
  const { getCipher, keyCommitment } = getEncryptHelper(material).getCipherInfo(messageId);
  const commitment = 'suiteData' in messageHeader ? messageHeader.suiteData : undefined;
  const isCommitted =
    !header.suite.committing || (keyCommitment !== undefined && areEqual(keyCommitment, commitment));
  const cipher = getCipher(headerAuth.headerIv);
  cipher.setAAD(Buffer.from(rawHeader));
  cipher.final();
  if (!isCommitted || !areEqual(cipher.getAuthTag(), headerAuth.headerAuthTag)) {
    material.zeroUnencryptedDataKey();
    return undefined;
  }
  const { frameLength } = messageHeader;
  return new EsdkMessage({ kept, material, messageId, getCipher, frameLength, plaintextSize });
}

const areEqual = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  a.length === b?.length && timingSafeEqual(a, b);

interface Opened {
  readonly kept: KeptMessage;
  readonly material: NodeEncryptionMaterial;
  readonly messageId: Buffer;
  readonly getCipher: GetCipher;
  readonly frameLength: number;
  readonly plaintextSize: number;
}

class EsdkMessage implements ResumableMessage {
  readonly kept: KeptMessage;
  readonly size: number;
  readonly frames: number;
  readonly #opened: Opened;

  constructor(opened: Opened) {
    const { kept, frameLength, plaintextSize } = opened;
    this.#opened = opened;
    this.kept = kept;
    this.size = kept.header.length + bodyLength(plaintextSize, frameLength);
    this.frames = framesOf(plaintextSize, frameLength);
  }

  frame(index: number): FramePlace {
    const { kept, frameLength, plaintextSize } = this.#opened;
    const begin = kept.header.length + index * (frameLength + FRAME_OVERHEAD);
    const plaintext = {
      begin: index * frameLength,
      end: Math.min((index + 1) * frameLength, plaintextSize),
    };
    const isFinal = index === this.frames - 1;
    return { begin, end: isFinal ? this.size : begin + frameLength + FRAME_OVERHEAD, plaintext };
  }

  *seal(index: number, plaintext: Uint8Array): Generator<Uint8Array> {
    const { messageId, getCipher } = this.#opened;
    const { begin, end } = this.frame(index).plaintext;
    // Whatever else came would be another plaintext, under a nonce that has one.
    if (plaintext.length !== end - begin) throw new RangeError('a frame has its own length');
    const final = index === this.frames - 1;
    yield* sealFrame({ messageId, getCipher, sequence: index + 1, final }, plaintext, true);
  }

  close(): void {
    this.#opened.material.zeroUnencryptedDataKey();
    this.kept.dataKey.reveal().fill(0);
  }
}
