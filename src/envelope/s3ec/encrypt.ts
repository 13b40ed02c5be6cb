/**
 * Encryption: one data key, one cipher over the whole content, the tag last. What names the key lies beside the body.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/encryption.md.
 */
import type { CipherGCM } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import { giveBack } from '../../give-back.js';
import type {
  BegunMessage,
  ByteSource,
  CommitmentPolicyName,
  Encryptor,
  S3ecWrappingKey,
} from '../../ports.js';
import {
  ALGORITHM_PAIR,
  COMMITTING_GCM,
  GCM,
  MAX_PLAINTEXT_BYTES,
  TAG_BYTES,
  V1_KEY_PAIR,
} from './algorithms.js';
import { PIECE } from '../pieces.js';
import { makeContentCipher } from './content-cipher.js';
import { assertMayWrite } from './policy.js';
import { writeHeader } from './write-header.js';

const DATA_KEY_BYTES = 32;

export interface S3ecEncryptorOptions {
  readonly version: 2 | 3;
  /** The wrapped key goes to `KEY.instruction` in place of the object's metadata. Default false. */
  readonly instructionFile?: boolean | undefined;
  /** Must allow the version. Where none is named, the version alone decides. */
  readonly commitmentPolicy?: CommitmentPolicyName | undefined;
}

/** @throws SealdropError `usage` where the policy doesn't allow the version */
export function createS3ecEncryptor(key: S3ecWrappingKey, options: S3ecEncryptorOptions): Encryptor {
  assertMayWrite(options.version, options.commitmentPolicy);
  return {
    format: options.version === 3 ? 's3ec' : 's3ec-v2',
    recipients: [key.recipient],
    encrypt: () => bodyAlone(),
    begin: (context, plaintextSize) => begin(key, options, context, plaintextSize),
    ciphertextSize: (plaintextSize) => ({ bytes: plaintextSize + TAG_BYTES, exact: true }),
  };
}

async function* bodyAlone(): AsyncGenerator<Buffer> {
  throw new SealdropError('usage', 'an s3ec object is more than its body: its key lies beside it', {
    hint: 'for a message that comes alone: --format esdk',
  });
}

async function begin(
  key: S3ecWrappingKey,
  { version, instructionFile = false }: S3ecEncryptorOptions,
  context: Readonly<Record<string, string>>,
  plaintextSize?: number,
): Promise<BegunMessage> {
  assertContext(context);
  if (plaintextSize !== undefined && plaintextSize > MAX_PLAINTEXT_BYTES) throw tooLarge();
  const contentAlgorithm = (version === 3 ? COMMITTING_GCM : GCM).name;
  const { dataKey, ...wrapped } = await key.generate({ contentAlgorithm, description: context });
  try {
    if (dataKey.length !== DATA_KEY_BYTES)
      throw new SealdropError('internal', `a data key of ${dataKey.length} bytes`);
    const { cipher, ...named } = makeContentCipher(version, dataKey);
    const place = instructionFile ? ('instruction-file' as const) : ('metadata' as const);
    const common = { wrap: key.algorithm, wrapped, plaintextSize, place };
    const header = writeHeader({ ...common, ...named });
    let unused: CipherGCM | undefined = cipher;
    return {
      ...header,
      encrypt(source, { transient = false } = {}) {
        const taken = unused;
        unused = undefined;
        return seal(source, taken, { plaintextSize, transient });
      },
    };
  } finally {
    // The cipher has its own copy.
    dataKey.fill(0);
  }
}

async function* seal(
  source: ByteSource,
  cipher: CipherGCM | undefined,
  { plaintextSize, transient }: { plaintextSize: number | undefined; transient: boolean },
): AsyncGenerator<Buffer> {
  if (cipher === undefined)
    throw new SealdropError('internal', 'a data key encrypts once: another content under it gives both away');
  let count = 0;
  for await (const piece of source) {
    count += piece.length;
    if (plaintextSize !== undefined && count > plaintextSize)
      throw sourceChanged(`more than ${plaintextSize} bytes`);
    if (count > MAX_PLAINTEXT_BYTES) throw tooLarge();
    for (let at = 0; at < piece.length; at += PIECE) {
      const sealed = cipher.update(piece.subarray(at, at + PIECE));
      yield sealed;
      if (transient) giveBack(sealed);
    }
  }
  if (plaintextSize !== undefined && count < plaintextSize)
    throw sourceChanged(`${count} bytes instead of ${plaintextSize}`);
  cipher.final();
  yield cipher.getAuthTag();
}

/** The format's own names, and half a character (a lone surrogate), which has no UTF-8. */
function assertContext(context: Readonly<Record<string, string>>): void {
  for (const name of [ALGORITHM_PAIR, V1_KEY_PAIR])
    if (Object.hasOwn(context, name))
      throw new SealdropError('reserved_context', `the context name ${name} is reserved`, {
        hint: 'it belongs to the format: choose another',
      });
  const isText = (value: unknown) => typeof value === 'string' && value.isWellFormed();
  if (!Object.entries(context).flat().every(isText))
    throw new SealdropError('usage', 'names and values of the context must be valid Unicode text');
}

function tooLarge(): SealdropError {
  return new SealdropError('too_large', `an s3ec object holds ${MAX_PLAINTEXT_BYTES} bytes at most`, {
    hint: 'for larger ones: --format esdk',
  });
}

function sourceChanged(what: string): SealdropError {
  return new SealdropError('source_changed', `the source gave ${what}`, {
    hint: 'the source changed while it was read, or the expected size given for it is wrong',
  });
}
