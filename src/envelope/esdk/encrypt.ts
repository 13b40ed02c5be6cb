/**
 * The frame loop of encryption: one pass, one data key, one header, every frame under its own nonce.
 *
 * Source: AWS Encryption SDK specification, client-apis/encrypt.md.
 */
import {
  CommitmentPolicy,
  getEncryptHelper,
  NodeAlgorithmSuite,
  NodeDefaultCryptographicMaterialsManager,
  type NodeEncryptionMaterial,
} from '@aws-crypto/material-management-node';
import { serializeSignatureInfo } from '@aws-crypto/serialize';
import { SealdropError } from '../../errors.js';
import type { ByteSource, CommitmentPolicyName, Encryptor, WrappingKeys } from '../../ports.js';
import { ByteReader } from '../byte-reader.js';
import { SEQUENCE_END } from './format.js';
import { sealHeader } from './header.js';
import { sealFrame } from './seal-frame.js';
import { bodyLength, contextLength, footerLength, headerLength, PUBLIC_KEY_FIELD, slackOf } from './sizes.js';
import { allSuites, DEFAULT_SUITE, suiteById, suiteIdText, type Suite } from './suites.js';

export const DEFAULT_FRAME_LENGTH = 1024 * 1024;
const MAX_FRAME_LENGTH = 64 * 1024 * 1024;
const MAX_CONTEXT_BYTES = 65_535;

export interface EncryptorOptions {
  /** Algorithm suite id. Default 0x0478: AES-256-GCM with key commitment, unsigned. */
  suite?: number;
  /** Bytes of plaintext in a frame, 1 to 64 MiB. Default 1 MiB. */
  frameLength?: number;
  /** Uncommitted suites are written only under FORBID_ENCRYPT_ALLOW_DECRYPT. */
  commitmentPolicy?: CommitmentPolicyName;
}

export function createEncryptor(keys: WrappingKeys, options: EncryptorOptions = {}): Encryptor {
  const { suite, frameLength } = framing(options);
  return {
    format: 'esdk',
    recipients: keys.recipients,
    encrypt: (source, context, { transient = false } = {}) =>
      encryptMessage(source, { keys, suite, frameLength, context }, transient),
    ciphertextSize(plaintextSize, context) {
      const header = headerLength(suite, context, keys.recipients);
      const bytes = header + bodyLength(plaintextSize, frameLength) + footerLength(suite);
      const slack = slackOf(suite, keys.recipients);
      return slack === 0 ? { bytes, exact: true } : { bytes, exact: false, least: bytes - slack };
    },
  };
}

/** @throws SealdropError `usage` */
export function framing(options: EncryptorOptions): Pick<MessageJob, 'suite' | 'frameLength'> {
  const wanted = options.suite ?? DEFAULT_SUITE;
  const suite = suiteById(wanted);
  if (suite === undefined)
    throw new SealdropError('usage', `there is no algorithm suite ${suiteIdText(wanted)}`, {
      hint: `there are ${allSuites()
        .map(({ id }) => suiteIdText(id))
        .join(' ')}`,
    });
  assertMayWrite(suite, options.commitmentPolicy);
  const frameLength = options.frameLength ?? DEFAULT_FRAME_LENGTH;
  if (!Number.isInteger(frameLength) || frameLength < 1 || frameLength > MAX_FRAME_LENGTH)
    throw new SealdropError('usage', `the frame length must be 1 to ${MAX_FRAME_LENGTH} bytes`);
  return { suite, frameLength };
}

/** Source: AWS Encryption SDK specification, client-apis/client.md ("Commitment Policy"). */
function assertMayWrite(
  suite: Suite,
  policy: CommitmentPolicyName = 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT',
): void {
  if (suite.committing !== (policy === 'FORBID_ENCRYPT_ALLOW_DECRYPT')) return;
  throw new SealdropError(
    'usage',
    `the suite ${suiteIdText(suite.id)} is not written under the policy ${policy}`,
    {
      hint: suite.committing
        ? 'leave the policy out, or name REQUIRE_ENCRYPT_ALLOW_DECRYPT, which reads all; s3ec-v2 is what it fits'
        : 'uncommitted suites are for old readers only: --commitment-policy FORBID_ENCRYPT_ALLOW_DECRYPT',
    },
  );
}

export interface MessageJob {
  keys: WrappingKeys;
  suite: Suite;
  frameLength: number;
  context: Readonly<Record<string, string>>;
}

async function* encryptMessage(
  source: ByteSource,
  job: MessageJob,
  transient: boolean,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  let material: NodeEncryptionMaterial | undefined;
  try {
    const begun = await beginMessage(job);
    material = begun.material;
    const { messageId, bytes, getCipher } = begun;
    const signer = getEncryptHelper(material).getSigner?.();
    signer?.update(bytes);
    yield bytes;
    for (let sequence = 1, final = false; !final; sequence++) {
      // 2^32 - 1 marks the final frame, so it numbers none.
      if (sequence >= SEQUENCE_END) throw tooManyFrames(job.frameLength);
      const content = await reader.read(job.frameLength);
      // A plaintext of whole frames ends in an empty final frame, as the SDKs for JavaScript and Python write it: the
      // Python SDK before 4.0 refuses a final frame that is full.
      final = content.length < job.frameLength;
      for (const piece of sealFrame({ messageId, getCipher, sequence, final }, content, transient)) {
        signer?.update(piece);
        yield piece;
      }
    }
    if (signer) yield Buffer.from(serializeSignatureInfo(signer.awsCryptoSign()));
  } finally {
    material?.zeroUnencryptedDataKey();
    await reader.close();
  }
}

/** A new data key, with the one header that is ever sealed under it. */
export async function beginMessage(job: MessageJob) {
  assertContext(job);
  const material = await makeMaterial(job);
  const header = sealHeader(material, job.frameLength);
  return { material, ...header };
}

/** Half a character (a lone surrogate) has no UTF-8: two such names would become one, in a message that nothing opens. */
function assertContext({ suite, context }: MessageJob): void {
  if (Object.hasOwn(context, PUBLIC_KEY_FIELD))
    throw new SealdropError('reserved_context', `the context name ${PUBLIC_KEY_FIELD} is reserved`);
  const isText = (value: unknown) => typeof value === 'string' && value.isWellFormed();
  if (!Object.entries(context).flat().every(isText))
    throw new SealdropError('usage', 'names and values of the context must be valid Unicode text');
  if (contextLength(suite, context) > MAX_CONTEXT_BYTES)
    throw new SealdropError('usage', `the context is larger than ${MAX_CONTEXT_BYTES} bytes`, {
      hint: 'it stands in front of every message: keep large things in files of their own',
    });
}

async function makeMaterial({ keys, suite, context }: MessageJob): Promise<NodeEncryptionMaterial> {
  const manager = new NodeDefaultCryptographicMaterialsManager(keys.keyring);
  return manager.getEncryptionMaterials({
    suite: new NodeAlgorithmSuite(suite.id),
    encryptionContext: { ...context },
    commitmentPolicy: suite.committing
      ? CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
      : CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT,
  });
}

export function tooManyFrames(frameLength: number): SealdropError {
  return new SealdropError('too_large', `a message with frames of ${frameLength} bytes cannot hold so much`, {
    hint: 'take a larger frame length',
  });
}
