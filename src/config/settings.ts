/** What the command, the gateways and the library are configured with, whatever it was read from. */
import type { Address } from '../address.js';
import type {
  ChecksumMode,
  CommitmentPolicyName,
  Decryptor,
  Encryptor,
  Inspector,
  OaepHash,
  ObjectStore,
} from '../ports.js';
import type { Secret } from '../secret.js';

/** A file's path, or its bytes: PEM, DER or a key set. */
export type KeyInput = string | Uint8Array;

export interface KeyNames {
  /** Key namespace and name that messages carry. Default `MyAppKeys` and `S3RSAKey`, the ABCI guide's. */
  namespace?: string;
  name?: string;
  /** Hash of RSA-OAEP and its MGF1. Default when wrapping: sha256; when unwrapping: each is tried. */
  oaepHash?: OaepHash;
}

export interface StoreSettings {
  endpointUrl?: string;
  region?: string;
  /** A profile of the AWS configuration files. */
  profile?: string;
  /** PEM file of certificate authorities to trust. */
  caBundle?: string;
  /** Bytes, at least 5 MiB; chosen from the object's size where left out. */
  partSize?: number;
  /** How the store proves that it holds what was sent (docs/stores.md). Default `auto`. */
  checksum?: ChecksumMode;
  /** Parts sent at the same time. Default 4. */
  concurrency?: number;
}

export interface EncryptSettings extends KeyNames {
  /** Every object is wrapped to all of them. */
  publicKeys: readonly KeyInput[];
  suite?: number;
  /** Sign with the suite 0x0578. */
  sign?: boolean;
  frameLength?: number;
  commitmentPolicy?: CommitmentPolicyName;
}

export interface DecryptSettings extends KeyNames {
  privateKeys: readonly KeyInput[];
  /** Called with a key's name when that key turns out to be locked. */
  passphrase?: (name: string) => Promise<Secret | undefined>;
  commitmentPolicy?: CommitmentPolicyName;
  maxWrappedKeys?: number;
  maxFrameLength?: number;
}

export interface Vault {
  readonly store: ObjectStore;
  /** The key that the address names: empty or with a slash at its end where it names a place for keys. */
  readonly key: string;
  /** Whether messages that name no key are refused. */
  readonly binding: 'required' | 'allow';
  /** True where the directory was made a vault just now. */
  readonly created: boolean;
}

/** How the parts are made: what the command is given, so that it knows interfaces alone. */
export interface Parts {
  openVault(address: string | Address, use: 'read' | 'write', settings?: StoreSettings): Promise<Vault>;
  openEncryptor(settings: EncryptSettings): Promise<Encryptor>;
  openDecryptor(settings: DecryptSettings): Promise<Decryptor>;
  openInspector(): Promise<Inspector>;
  generateKeyPair(passphrase?: Secret): Promise<KeyPair>;
  /** The root of the directory vault that a path lies in. */
  vaultAround(path: string): Promise<string | undefined>;
}

export interface KeyPair {
  /** PKCS#8 PEM; encrypted with AES-256-CBC (PBES2) where there is a passphrase. */
  readonly privateKey: Secret;
  /** SPKI PEM. */
  readonly publicKey: string;
  readonly fingerprint: string;
}
