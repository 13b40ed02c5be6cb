/**
 * Parts of a message, without the rest: the header, and the frames that a part lies in. Each frame has its own tag, over its
 * number, kind and length besides its content, so what comes is what lies at that place of this very message. Where the
 * message ends, only its final frame says.
 *
 * Source: AWS Encryption SDK specification, data-format/message-body.md; framework/structures.md for the AAD.
 */
import type { GetDecipher, NodeDecryptionMaterial } from '@aws-crypto/material-management-node';
import { SealdropError } from '../../errors.js';
import type {
  ByteSource,
  FrameMark,
  MessageInfo,
  OpenedObject,
  OpenedRange,
  OpenObjectCall,
  PlaintextRange,
  Ranges,
  StoredObject,
} from '../../ports.js';
import { ByteReader } from '../byte-reader.js';
import { resolveRange } from '../plaintext-range.js';
import { contentOf, readFrame } from './body.js';
import { openHeader, unwrap, type DecryptorOptions } from './decrypt.js';
import { bodyAad, IV_LENGTH, SEQUENCE_END, TAG_LENGTH } from './format.js';
import { readHeader, type Header } from './header.js';
import { assertAllowed } from './policy.js';
import { FINAL_OVERHEAD, FRAME_OVERHEAD, framesOfBody } from './sizes.js';

export function createRanges(options: DecryptorOptions): Pick<Ranges, 'open'> {
  return { open: async (object, call = {}) => open(object, options, call) };
}

async function open(
  object: StoredObject,
  options: DecryptorOptions,
  { accept, allowed = {}, onFrame }: OpenObjectCall,
): Promise<OpenedObject> {
  const header = await headerOf(object);
  const { commitmentPolicy = allowed.commitmentPolicy } = options;
  assertAllowed(header, { ...options, commitmentPolicy }, false);
  assertHasRanges(header.info);
  const layout = layoutOf(header.info, object.size);
  const material = await unwrap(header, options.keyring);
  try {
    const getDecipher = openHeader(header, material);
    accept?.(header.info);
    return new OpenedMessage(object, { header, layout, material, getDecipher, onFrame });
  } catch (error) {
    material.zeroUnencryptedDataKey();
    throw error;
  }
}

async function headerOf(object: StoredObject): Promise<Header> {
  const reader = new ByteReader(fromTheStart(object));
  try {
    return await readHeader(reader);
  } finally {
    await reader.close();
  }
}

/** As much as is read of it: each request asks for four times what is there. */
async function* fromTheStart(object: StoredObject): AsyncGenerator<Uint8Array> {
  const { beginning, size } = object;
  if (beginning.length > 0) yield beginning;
  for (let at = beginning.length; at < size;) {
    const end = Math.min(size, 4 * Math.max(at, 1024));
    yield* object.fetch(at, end - 1);
    at = end;
  }
}

/** @throws SealdropError `usage` */
function assertHasRanges({ frameLength, signed }: MessageInfo): void {
  if (frameLength === 0) throw noRanges('the message is of one piece, with one tag');
  // Where it ends cannot be told from its size, and its signature is over the whole.
  if (signed) throw noRanges('the message is signed as a whole');
}

const noRanges = (why: string): SealdropError =>
  new SealdropError('usage', `no part of it can be read by itself: ${why}`, {
    hint: 'get the whole object into a file, and take the part from there',
  });

interface Layout {
  /** Of the frames, those before the final one. */
  readonly regular: number;
  /** Plaintext bytes of the final frame: none, or all that a frame has, where that is how its writer ends messages. */
  readonly lastLength: number;
  readonly plaintextSize: number;
}

/** @throws SealdropError `truncated` for a size that no message with this header has */
function layoutOf({ headerLength, frameLength }: MessageInfo, size: number): Layout {
  const frames = framesOfBody(size - headerLength, frameLength);
  if (frames === undefined || frames.regular + 1 >= SEQUENCE_END)
    throw new SealdropError('truncated', `no such message has ${size} bytes: something of it is missing`, {
      hint: 'or there are bytes after it: take an older version or a copy',
    });
  return { ...frames, plaintextSize: frames.regular * frameLength + frames.lastLength };
}

interface Opened {
  readonly header: Header;
  readonly layout: Layout;
  readonly material: NodeDecryptionMaterial;
  readonly getDecipher: GetDecipher;
  readonly onFrame: OpenObjectCall['onFrame'];
}

class OpenedMessage implements OpenedObject {
  readonly info: MessageInfo;
  readonly plaintextSize: number;
  readonly #object: StoredObject;
  readonly #opened: Opened;
  #isClosed = false;
  #isEndProven = false;

  constructor(object: StoredObject, opened: Opened) {
    this.info = opened.header.info;
    this.plaintextSize = opened.layout.plaintextSize;
    this.#object = object;
    this.#opened = opened;
  }

  async range(asked: PlaintextRange): Promise<OpenedRange> {
    let range: { first: number; last: number };
    try {
      range = resolveRange(asked, this.plaintextSize);
    } catch (error) {
      // A store that cut the object off would have any range behind its end.
      await this.#proveEnd();
      throw error;
    }
    const final = 'suffix' in asked ? await this.#proveEnd() : undefined;
    return { ...range, content: this.#read(range, final) };
  }

  holds({ sequence, iv, tag }: FrameMark, content: Uint8Array): boolean {
    const { header, layout, getDecipher } = this.#opened;
    // A shorter tag would be easier to hit.
    if (content.length !== this.info.frameLength || tag.length !== TAG_LENGTH || iv.length !== IV_LENGTH)
      return false;
    if (sequence < 1 || sequence > layout.regular) return false;
    // GCM's tag is over the ciphertext, and its cipher is its own inverse.
    const { buffer, byteOffset, byteLength } = content;
    const sealed = getDecipher(Buffer.from(iv)).update(Buffer.from(buffer, byteOffset, byteLength));
    const decipher = getDecipher(Buffer.from(iv));
    const { messageId } = header.parsed.messageHeader;
    decipher.setAAD(bodyAad(messageId, 'frame', sequence, content.length));
    decipher.setAuthTag(Buffer.from(tag));
    decipher.update(sealed);
    try {
      decipher.final();
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#opened.material.zeroUnencryptedDataKey();
  }

  get #final(): number {
    return this.#opened.layout.regular + 1;
  }

  /** @returns the final frame's content, where it had to be fetched for that */
  async #proveEnd(): Promise<Buffer | undefined> {
    if (this.#isEndProven) return undefined;
    for await (const content of this.#frames(this.#final, this.#final)) return content;
    return undefined;
  }

  /** @param final the content of the final frame, where it was fetched before */
  async *#read({ first, last }: { first: number; last: number }, final?: Buffer): AsyncGenerator<Buffer> {
    const { frameLength } = this.info;
    const from = Math.floor(first / frameLength) + 1;
    const to = last === this.plaintextSize - 1 ? this.#final : Math.floor(last / frameLength) + 1;
    let at = (from - 1) * frameLength;
    for await (const content of this.#frames(from, to, final)) {
      const part = content.subarray(Math.max(0, first - at), last + 1 - at);
      at += content.length;
      if (part.length > 0) yield part;
    }
  }

  /** The contents of these frames, both included, each after its tag was checked. */
  async *#frames(from: number, to: number, final?: Buffer): AsyncGenerator<Buffer> {
    const fetched = final === undefined ? to : to - 1;
    if (from <= fetched) {
      const reader = new ByteReader(this.#bytesOf(from, fetched));
      try {
        for (let sequence = from; sequence <= fetched; sequence++) yield await this.#open(reader, sequence);
      } finally {
        await reader.close();
      }
    }
    if (final !== undefined) yield final;
  }

  #bytesOf(from: number, to: number): ByteSource {
    const { headerLength, frameLength } = this.info;
    const frameBytes = frameLength + FRAME_OVERHEAD;
    const first = headerLength + (from - 1) * frameBytes;
    const end =
      to === this.#final
        ? headerLength + (to - 1) * frameBytes + FINAL_OVERHEAD + this.#opened.layout.lastLength
        : headerLength + to * frameBytes;
    return this.#object.fetch(first, end - 1);
  }

  async #open(reader: ByteReader, sequence: number): Promise<Buffer> {
    const { header, layout, getDecipher, onFrame } = this.#opened;
    if (this.#isClosed) throw new SealdropError('usage', 'the object was closed while a part of it was read');
    const frame = await readFrame(reader, sequence, this.info.frameLength, true);
    const isFinal = sequence === this.#final;
    if (isFinal && frame.kind !== 'final') throw truncated(sequence);
    if (!isFinal && frame.kind === 'final') throw trailing(sequence);
    if (isFinal && frame.length > layout.lastLength) throw truncated(sequence);
    if (isFinal && frame.length < layout.lastLength) throw trailing(sequence);
    const decipher = getDecipher(frame.iv);
    const { messageId } = header.parsed.messageHeader;
    decipher.setAAD(bodyAad(messageId, isFinal ? 'final' : 'frame', sequence, frame.length));
    const pieces: Buffer[] = [];
    for await (const piece of contentOf(frame)) pieces.push(decipher.update(piece));
    const tag = await frame.tag();
    try {
      decipher.setAuthTag(tag);
      decipher.final();
    } catch (cause) {
      throw new SealdropError('frame_auth', `frame ${sequence} of the message was altered`, { cause });
    }
    this.#isEndProven ||= isFinal;
    if (!isFinal) onFrame?.({ sequence, iv: frame.iv, tag });
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }
}

const truncated = (sequence: number): SealdropError =>
  new SealdropError('truncated', `the object ends with frame ${sequence}, and the message does not`);

const trailing = (sequence: number): SealdropError =>
  new SealdropError('trailing_data', `the message ends with frame ${sequence}, and the object does not`);
