/** Every kind of object that the legacy S3 Encryption Clients for Java write with raw keys: twelve. */
import type { JavaJob } from './s3ec-java.js';

export const V2_SUITE = 0x0072;
export const V3_SUITE = 0x0073;

export interface LegacyKind {
  readonly client: 'v1' | 'v2';
  readonly mode: NonNullable<JavaJob['mode']>;
  readonly wrapping: 'RSA' | 'AES';
  readonly instructionFile: boolean;
  /** What describes the wrapped key, in the metadata or in the file; sorted. */
  readonly names: readonly string[];
  /** Whether the key is wrapped, or the content encrypted, as only a legacy switch allows to read. */
  readonly old: boolean;
}

const V1_NAMES = ['x-amz-iv', 'x-amz-key', 'x-amz-matdesc'];
export const V2_NAMES = [
  'x-amz-cek-alg',
  'x-amz-iv',
  'x-amz-key-v2',
  'x-amz-matdesc',
  'x-amz-tag-len',
  'x-amz-wrap-alg',
];

const MODES = [
  { client: 'v1', mode: 'EncryptionOnly', names: V1_NAMES, old: true },
  { client: 'v1', mode: 'AuthenticatedEncryption', names: V2_NAMES, old: true },
  { client: 'v2', mode: 'StrictAuthenticatedEncryption', names: V2_NAMES, old: false },
] as const;

export const LEGACY_KINDS: readonly LegacyKind[] = MODES.flatMap((kind) =>
  (['RSA', 'AES'] as const).flatMap((wrapping) =>
    [false, true].map((instructionFile) => ({ ...kind, wrapping, instructionFile })),
  ),
);
