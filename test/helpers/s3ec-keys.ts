/**
 * Raw AES keys that wrap as the S3 Encryption Clients' raw AES keyring does (AES/GCM: IV, ciphertext and tag, bound to the
 * content algorithm's name), and objects written with them. Keeps every data key that it handed out.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { S3ecDecryptorOptions } from '../../src/envelope/s3ec/decrypt.js';
import { createS3ecEncryptor } from '../../src/envelope/s3ec/encrypt.js';
import { SealdropError } from '../../src/errors.js';
import type {
  BegunMessage,
  ByteSource,
  ObjectParts,
  S3ecUnwrappingKeys,
  S3ecWrappingKey,
} from '../../src/ports.js';
import { chunked, collect } from './bytes.js';

export interface SoftwareKeys {
  readonly wrapping: S3ecWrappingKey;
  readonly unwrapping: S3ecUnwrappingKeys;
  /** As they were handed out: overwritten since, or not. */
  readonly dataKeys: Buffer[];
  readonly asked: { generate: number; unwrap: number };
}

/** @param dataKeyBytes 32, unless a key is meant to misbehave */
export function softwareKeys(dataKeyBytes = 32): SoftwareKeys {
  const secret = randomBytes(32);
  const dataKeys: Buffer[] = [];
  const asked = { generate: 0, unwrap: 0 };
  const handOut = (dataKey: Buffer) => {
    dataKeys.push(dataKey);
    return dataKey;
  };
  const wrap = (dataKey: Uint8Array, contentAlgorithm: string) => {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', secret, iv).setAAD(Buffer.from(contentAlgorithm));
    return Buffer.concat([iv, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
  };
  return {
    dataKeys,
    asked,
    wrapping: {
      algorithm: 'AES/GCM',
      recipient: { namespace: 'test', name: 'aes', fingerprint: 'test', wrappedBytes: 60 },
      async generate({ contentAlgorithm, description }) {
        asked.generate++;
        const dataKey = handOut(randomBytes(dataKeyBytes));
        return { dataKey, wrappedKey: wrap(dataKey, contentAlgorithm), description };
      },
      wrap: async (dataKey, { contentAlgorithm, description }) => ({
        wrappedKey: wrap(dataKey, contentAlgorithm),
        description,
      }),
    },
    unwrapping: {
      async unwrap({ wrappedKey, contentAlgorithm }) {
        asked.unwrap++;
        const bytes = Buffer.from(wrappedKey);
        const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(0, 12))
          .setAAD(Buffer.from(contentAlgorithm))
          .setAuthTag(bytes.subarray(-16));
        try {
          return handOut(Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]));
        } catch (cause) {
          throw new SealdropError('wrong_key_or_header', 'not wrapped by this key', { cause });
        }
      },
    },
  };
}

/** Opens every object to the same data key, for vectors that publish no wrapped one. */
export function fixedKey(dataKey: Buffer): Pick<SoftwareKeys, 'unwrapping' | 'dataKeys' | 'asked'> {
  const dataKeys: Buffer[] = [];
  const asked = { generate: 0, unwrap: 0 };
  const unwrapping: S3ecUnwrappingKeys = {
    async unwrap() {
      asked.unwrap++;
      dataKeys.push(Buffer.from(dataKey));
      return dataKeys.at(-1)!;
    },
  };
  return { unwrapping, dataKeys, asked };
}

export interface Written {
  readonly metadata: Readonly<Record<string, string>>;
  readonly instruction?: Uint8Array;
  readonly body: Buffer;
}

/** What a store would say of it. */
export const partsOf = (
  { metadata, instruction }: Pick<BegunMessage, 'metadata' | 'instruction'>,
  size: number,
): ObjectParts => ({ metadata, size, instruction: async () => instruction });

export interface WriteOptions {
  readonly version?: 2 | 3;
  readonly instructionFile?: boolean;
  readonly chunk?: number;
  readonly context?: Readonly<Record<string, string>>;
}

export async function writeObject(
  { wrapping }: Pick<SoftwareKeys, 'wrapping'>,
  plaintext: Uint8Array,
  { version = 3, instructionFile = false, chunk = 64 * 1024, context = {} }: WriteOptions = {},
): Promise<Written> {
  const begun = await encryptorOf(wrapping, version, instructionFile).begin!(context, plaintext.length);
  const source: ByteSource = chunked(plaintext, chunk);
  return { ...begun, body: await collect(begun.encrypt(source)) };
}

export const encryptorOf = (key: S3ecWrappingKey, version: 2 | 3, instructionFile = false) =>
  createS3ecEncryptor(key, { version, instructionFile });

/** Reads everything that the S3 Encryption Clients ever wrote. */
export const readingAll = ({ unwrapping }: Pick<SoftwareKeys, 'unwrapping'>): S3ecDecryptorOptions => ({
  keys: unwrapping,
  commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT',
  allowLegacy: true,
});
