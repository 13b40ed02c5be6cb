/**
 * The frame loop of decryption. Nothing is released before its tag was checked; every failure has its code.
 *
 * Source: AWS Encryption SDK specification, client-apis/decrypt.md.
 */
import {
  getDecryptionHelper,
  NodeAlgorithmSuite,
  NodeDefaultCryptographicMaterialsManager,
  type GetDecipher,
  type GetVerify,
  type KeyringNode,
  type NodeDecryptionMaterial,
} from '@aws-crypto/material-management-node';
import { isSealdropError, SealdropError } from '../../errors.js';
import type { ByteSource, DecryptOptions, Decryptor } from '../../ports.js';
import { giveBack } from '../../give-back.js';
import { printable } from '../../printable.js';
import { ByteReader } from '../byte-reader.js';
import { contentOf, readUnits, type Unit } from './body.js';
import { bodyAad } from './format.js';
import { readHeader, type Header } from './header.js';
import { assertAllowed, type ReadPolicy } from './policy.js';

const MAX_NAMES_SHOWN = 5;

export interface DecryptorOptions extends ReadPolicy {
  /** Unwraps data keys. Consulted only after the policy allowed the message. */
  keyring: KeyringNode;
}

export function createDecryptor(options: DecryptorOptions): Decryptor {
  return { decrypt: (source, call = {}) => decryptMessage(source, options, call) };
}

async function* decryptMessage(
  source: ByteSource,
  options: DecryptorOptions,
  { held = false, accept, allowed = {}, onFrame, transient = false }: DecryptOptions,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  let material: NodeDecryptionMaterial | undefined;
  try {
    const header = await readHeader(reader);
    const { commitmentPolicy = allowed.commitmentPolicy } = options;
    assertAllowed(header, { ...options, commitmentPolicy }, held);
    material = await unwrap(header, options.keyring);
    const getDecipher = openHeader(header, material);
    accept?.(header.info);
    const verify = getDecryptionHelper(material).getVerify?.();
    verify?.update(Buffer.from(header.parsed.rawHeader));
    verify?.update(headerAuth(header));
    const opening: Opening = {
      messageId: header.parsed.messageHeader.messageId,
      getDecipher,
      verify,
      onFrame,
    };
    for await (const unit of readUnits(reader, header, held, options.maxFrameLength)) {
      verify?.update(unit.header);
      if (unit.whole) {
        const pieces = await openWhole(unit, opening);
        for (const piece of pieces) yield piece;
        if (transient) giveBack(...pieces);
      } else
        for await (const piece of openHeld(unit, opening)) {
          yield piece;
          if (transient) giveBack(piece);
        }
    }
    if (verify) await checkFooter(reader, verify);
    if (!(await reader.atEnd()))
      throw new SealdropError('trailing_data', 'there are bytes after the message');
  } finally {
    material?.zeroUnencryptedDataKey();
    await reader.close();
  }
}

export async function unwrap(header: Header, keyring: KeyringNode): Promise<NodeDecryptionMaterial> {
  const { encryptionContext, encryptedDataKeys } = header.parsed.messageHeader;
  try {
    return await new NodeDefaultCryptographicMaterialsManager(keyring).decryptMaterials({
      suite: new NodeAlgorithmSuite(header.parsed.algorithmSuite.id),
      encryptionContext,
      encryptedDataKeys: [...encryptedDataKeys],
    });
  } catch (cause) {
    if (isSealdropError(cause)) throw cause;
    throw wrongKey(header, cause);
  }
}

/** Checks the commitment and the header's tag: from here on the header is authenticated. */
export function openHeader(header: Header, material: NodeDecryptionMaterial): GetDecipher {
  const { messageHeader, rawHeader, headerAuth: auth } = header.parsed;
  let getDecipher: GetDecipher;
  try {
    const commitment = 'suiteData' in messageHeader ? messageHeader.suiteData : undefined;
    getDecipher = getDecryptionHelper(material).getDecipherInfo(messageHeader.messageId, commitment);
  } catch (cause) {
    throw new SealdropError('commitment', 'the message does not commit to the data key it names', { cause });
  }
  try {
    const decipher = getDecipher(auth.headerIv);
    decipher.setAAD(Buffer.from(rawHeader));
    decipher.setAuthTag(Buffer.from(auth.headerAuthTag));
    decipher.final();
  } catch (cause) {
    throw wrongKey(header, cause);
  }
  return getDecipher;
}

function headerAuth({ parsed }: Header): Buffer {
  const { headerIv, headerAuthTag } = parsed.headerAuth;
  return parsed.messageHeader.version === 1
    ? Buffer.concat([headerIv, headerAuthTag])
    : Buffer.from(headerAuthTag);
}

interface Opening {
  readonly messageId: Uint8Array;
  readonly getDecipher: GetDecipher;
  readonly verify: ReturnType<GetVerify> | undefined;
  readonly onFrame: DecryptOptions['onFrame'];
}

type Decipher = ReturnType<GetDecipher>;

function begin(unit: Unit, { messageId, getDecipher }: Opening): Decipher {
  const decipher = getDecipher(unit.iv);
  decipher.setAAD(bodyAad(messageId, unit.kind, unit.sequence, unit.length));
  return decipher;
}

/** The content of one frame or unframed body, when its tag was checked. */
async function openWhole(unit: Unit, opening: Opening): Promise<Buffer[]> {
  const decipher = begin(unit, opening);
  const pieces: Buffer[] = [];
  for (let next; (next = unit.next()) !== undefined;) {
    const piece = next instanceof Promise ? await next : next;
    opening.verify?.update(piece);
    pieces.push(decipher.update(piece));
  }
  await finish(unit, decipher, opening);
  return pieces;
}

/** The same as it comes, for whoever keeps it back: only where `readUnits` says that it may be. */
async function* openHeld(unit: Unit, opening: Opening): AsyncGenerator<Buffer> {
  const decipher = begin(unit, opening);
  for await (const piece of contentOf(unit)) {
    opening.verify?.update(piece);
    yield decipher.update(piece);
  }
  await finish(unit, decipher, opening);
}

async function finish(unit: Unit, decipher: Decipher, { verify, onFrame }: Opening): Promise<void> {
  const tag = await unit.tag();
  verify?.update(tag);
  try {
    decipher.setAuthTag(tag);
    decipher.final();
  } catch (cause) {
    throw new SealdropError('frame_auth', `frame ${unit.sequence} of the message was altered`, { cause });
  }
  const { kind, sequence, iv, whole } = unit;
  if (kind === 'frame' && whole && verify === undefined) onFrame?.({ sequence, iv, tag });
}

async function checkFooter(reader: ByteReader, verify: ReturnType<GetVerify>): Promise<void> {
  const length = await reader.read(2);
  const signature = length.length === 2 ? await reader.read(length.readUInt16BE(0)) : length;
  if (length.length < 2 || signature.length < length.readUInt16BE(0))
    throw new SealdropError('truncated', 'the message ends within its signature');
  if (!isValid(verify, signature))
    throw new SealdropError('signature', "the message's signature does not fit its content");
}

function isValid(verify: ReturnType<GetVerify>, signature: Buffer): boolean {
  try {
    return verify.awsCryptoVerify(signature);
  } catch {
    return false; // not a signature at all
  }
}

function wrongKey(header: Header, cause: unknown): SealdropError {
  // Not authenticated: whoever wrote the message chose the names.
  const named = header.info.wrappedKeys
    .slice(0, MAX_NAMES_SHOWN)
    .map((key) => printable(`${key.namespace}/${key.name}`.slice(0, 200)))
    .join(', ');
  return new SealdropError(
    'wrong_key_or_header',
    'the message was encrypted to somebody else, or its header was altered',
    { cause, hint: `it names the wrapping keys ${named}: is this the private key of one of them?` },
  );
}
