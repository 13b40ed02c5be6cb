/**
 * The S3 Encryption Client's algorithms as facts. Code asks these tables and never branches on a name.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/data-format/content-metadata.md and
 * framework/algorithm-suites.md (suites 0x0070 to 0x0074).
 */
import type { S3ecWrapName } from '../../ports.js';

export type S3ecVersion = 1 | 2 | 3;

export interface ContentAlgorithm {
  readonly suiteId: number;
  readonly suite: string;
  /** As objects name it: `x-amz-cek-alg` of V2, `x-amz-c` of V3; V1 names none. What wrapped keys are bound to. */
  readonly name: string;
  readonly mode: 'gcm' | 'cbc';
  /** Bytes of the IV that is stored; V3 stores none. */
  readonly ivBytes: 0 | 12 | 16;
  readonly dataKeyBytes: readonly number[];
  readonly committing: boolean;
  /** Nothing authenticates what is encrypted by it: read only where the caller allows it by name. */
  readonly legacy: boolean;
}

/** V2's, without key commitment. */
export const GCM: ContentAlgorithm = {
  suiteId: 0x0072,
  suite: 'ALG_AES_256_GCM_IV12_TAG16_NO_KDF',
  name: 'AES/GCM/NoPadding',
  mode: 'gcm',
  ivBytes: 12,
  dataKeyBytes: [16, 24, 32],
  committing: false,
  legacy: false,
};

/** V3's. */
export const COMMITTING_GCM: ContentAlgorithm = {
  suiteId: 0x0073,
  suite: 'ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY',
  name: '115',
  mode: 'gcm',
  ivBytes: 0,
  dataKeyBytes: [32],
  committing: true,
  legacy: false,
};

export const CBC: ContentAlgorithm = {
  suiteId: 0x0070,
  suite: 'ALG_AES_256_CBC_IV16_NO_KDF',
  name: 'AES/CBC/PKCS5Padding',
  mode: 'cbc',
  ivBytes: 16,
  dataKeyBytes: [16, 24, 32],
  committing: false,
  legacy: true,
};

/** By the names that V2 has for them. */
export const CONTENT_OF_V2: ReadonlyMap<string, ContentAlgorithm> = new Map([
  [GCM.name, GCM],
  [CBC.name, CBC],
  // Ruby's name for the same.
  ['AES/CBC/PKCS7Padding', CBC],
]);

export interface WrapAlgorithm {
  /** As V2 names it; V1 names none. */
  readonly name: string;
  /** As V3 names it, where it has it at all. */
  readonly code?: string;
  /** Binds no content algorithm: read only where the caller allows it by name. */
  readonly legacy: boolean;
  /** KMS authenticates the description. */
  readonly kms: boolean;
  /** Everybody who has the public key can wrap. */
  readonly public: boolean;
  /** Whether a data key wrapped by it can have so many bytes. */
  readonly fits: (bytes: number) => boolean;
}

/** RSA-2048 to RSA-16384. */
const isRsa = (bytes: number) => bytes >= 256 && bytes <= 2048;
/** The most that KMS returns and takes (API reference, Decrypt). */
const isKms = (bytes: number) => bytes >= 1 && bytes <= 6144;

export const WRAPS: readonly WrapAlgorithm[] = [
  // IV, data key and tag.
  {
    name: 'AES/GCM',
    code: '02',
    legacy: false,
    kms: false,
    public: false,
    fits: (bytes) => [44, 52, 60].includes(bytes),
  },
  { name: 'kms+context', code: '12', legacy: false, kms: true, public: false, fits: isKms },
  { name: 'RSA-OAEP-SHA1', code: '22', legacy: false, kms: false, public: true, fits: isRsa },
  { name: 'kms', legacy: true, kms: true, public: false, fits: isKms },
  { name: 'AESWrap', legacy: true, kms: false, public: false, fits: (bytes) => [24, 32, 40].includes(bytes) },
  { name: 'RSA/ECB/OAEPWithSHA-256AndMGF1Padding', legacy: true, kms: false, public: true, fits: isRsa },
];

/** V1 says no algorithm: the kind of the key decides. */
export const WRAP_OF_V1: WrapAlgorithm = {
  name: 'AES|RSA',
  legacy: true,
  kms: false,
  public: true,
  fits: (bytes) => bytes === 32 || bytes === 48 || isRsa(bytes),
};

export const wrapNamed = (name: string): WrapAlgorithm | undefined =>
  WRAPS.find((wrap) => wrap.name === name);

export const wrapCoded = (code: string): WrapAlgorithm | undefined =>
  WRAPS.find((wrap) => wrap.code === code);

/** @throws TypeError where V3 has no code for it */
export function codeOf(name: S3ecWrapName): string {
  const code = wrapNamed(name)?.code;
  if (code === undefined) throw new TypeError(`${name} has no code`);
  return code;
}

export { S3EC_ALGORITHM_PAIR as ALGORITHM_PAIR } from '../../ports.js';
/** The key's id in what the V1 client wrote; readers leave it out of comparisons. */
export const V1_KEY_PAIR = 'kms_cmk_id';

export const GCM_IV_BYTES = 12;
export const TAG_BYTES = 16;
/** Of V3's message id and commitment. */
export const V3_ID_BYTES = 28;
/** 2^39 - 256 bits: what one key and IV may encrypt (NIST SP 800-38D, 5.2.1.1). */
export const MAX_PLAINTEXT_BYTES = 68_719_476_704;
