/**
 * The AWS Encryption SDK's algorithm suites as facts. Code asks this table and never branches on an id.
 *
 * Source: AWS Encryption SDK specification, framework/algorithm-suites.md ("Supported Algorithm Suites").
 */
export interface Suite {
  readonly id: number;
  readonly name: string;
  readonly messageVersion: 1 | 2;
  readonly committing: boolean;
  /** Of the data key that is wrapped. */
  readonly dataKeyBytes: 16 | 24 | 32;
  /** Present where messages end in an ECDSA footer. */
  readonly signature?: {
    /** Characters of the base64 compressed public key that the encryption context carries. */
    readonly publicKeyLength: number;
    /** Longest DER signature in bytes. Real ones may be some bytes shorter. */
    readonly maxBytes: number;
  };
}

const P256 = { publicKeyLength: 44, maxBytes: 72 };
const P384 = { publicKeyLength: 68, maxBytes: 104 };

const SUITES: readonly Suite[] = [
  suite(0x0014, 'ALG_AES128_GCM_IV12_TAG16', 16),
  suite(0x0046, 'ALG_AES192_GCM_IV12_TAG16', 24),
  suite(0x0078, 'ALG_AES256_GCM_IV12_TAG16'),
  suite(0x0114, 'ALG_AES128_GCM_IV12_TAG16_HKDF_SHA256', 16),
  suite(0x0146, 'ALG_AES192_GCM_IV12_TAG16_HKDF_SHA256', 24),
  suite(0x0178, 'ALG_AES256_GCM_IV12_TAG16_HKDF_SHA256'),
  { ...suite(0x0214, 'ALG_AES128_GCM_IV12_TAG16_HKDF_SHA256_ECDSA_P256', 16), signature: P256 },
  { ...suite(0x0346, 'ALG_AES192_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384', 24), signature: P384 },
  { ...suite(0x0378, 'ALG_AES256_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384'), signature: P384 },
  committing(0x0478, 'ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY'),
  { ...committing(0x0578, 'ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY_ECDSA_P384'), signature: P384 },
];

function suite(id: number, name: string, dataKeyBytes: Suite['dataKeyBytes'] = 32): Suite {
  return { id, name, messageVersion: 1, committing: false, dataKeyBytes };
}

function committing(id: number, name: string): Suite {
  return { id, name, messageVersion: 2, committing: true, dataKeyBytes: 32 };
}

const BY_ID = new Map(SUITES.map((s) => [s.id, s]));

export const DEFAULT_SUITE = 0x0478;
export const SIGNED_SUITE = 0x0578;

export function allSuites(): readonly Suite[] {
  return SUITES;
}

export function suiteById(id: number): Suite | undefined {
  return BY_ID.get(id);
}

/** `0x0478`, as the documentation of the AWS Encryption SDK writes it. */
export function suiteIdText(id: number): string {
  return `0x${id.toString(16).padStart(4, '0')}`;
}
