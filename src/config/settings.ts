/** What the command, the gateways and the library are configured with, whatever it was read from. */
import type { Address } from '../address.js';
import type { OpenKeySet } from '../key-sets.js';
import type { AwsSettings, Operations } from '../operations.js';
import type {
  BucketAdmin,
  ChecksumMode,
  CommitmentPolicyName,
  Decryptor,
  Encryptor,
  FormatName,
  HeaderRewrapper,
  InboxBucket,
  Inspector,
  OaepHash,
  ObjectInfo,
  ObjectStore,
  PublicKeyInfo,
  Ranges,
  ReadPolicy,
  Recipient,
  S3ecWrappingKey,
  ServerSideEncryption,
} from '../ports.js';
import type { RawStore } from '../raw-store.js';
import type { Secret } from '../secret.js';
import type { ProviderName, StoreTraits } from '../store-traits.js';

/**
 * A file's path, `secretsmanager:NAME`, `ssm:NAME` (public sets only) or `kms:KEY` with the ARN of a key or an alias; or the
 * bytes themselves: PEM, DER or a key set.
 */
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
  /** For a profile whose role asks for one. */
  mfaCode?: AwsSettings['mfaCode'];
  /** Which kind of store it is: sets what isn't given here. */
  provider?: ProviderName;
  /** What the endpoints of some providers begin with. */
  account?: string;
  /** In what it differs from its provider. */
  traits?: StoreTraits;
  /** PEM file of certificate authorities to trust. */
  caBundle?: string;
  /** Bytes, at least 5 MiB; chosen from the object's size where left out. */
  partSize?: number;
  /** How the store proves that it holds what was sent (docs/stores.md). Default `auto`. */
  checksum?: ChecksumMode;
  /** Parts of an object that are under way at the same time. Default: as many as are faster than fewer. */
  concurrency?: number;
  /** Bytes that the buffers of all transfers with one store may take, at least 10 MiB. Default 96 MiB. */
  memory?: number;
  /** Whether a directory that becomes a vault takes messages that name no key. Default `required`. */
  newBinding?: 'required' | 'allow';
  /** Encryption at rest by the store. Default: whatever it does by itself. */
  sse?: ServerSideEncryption;
}

/** How AWS is asked for keys: KMS, Secrets Manager and Parameter Store. An ARN says the region. */
export interface KeyAccess extends AwsSettings {
  /** Of grants of KMS that are new. */
  grantTokens?: readonly string[];
}

export interface EncryptSettings extends KeyNames {
  /**
   * Default: that of the vault, or `esdk`. `s3ec` and `s3ec-v2` take one wrapping key, and bind no object to its key. `plain`
   * encrypts nothing, and takes no keys.
   */
  format?: FormatName | undefined;
  /** With `s3ec`: the wrapped key goes to an object of its own, `KEY.instruction`. */
  instructionFile?: boolean;
  /** Where it goes: a configured vault says its format and policy. */
  vault?: string;
  /**
   * Keys named one by one: every object is wrapped to all of them, and to those of the key set that are always wrapped to.
   * Private halves and raw AES keys are refused.
   */
  publicKeys?: readonly KeyInput[];
  /** The same; raw AES keys (`secretKey`) are taken. */
  recipients?: readonly KeyInput[];
  /** Its active keys, where none is named one by one. Private halves in it are compared with the public ones. */
  keySet?: KeyInput | undefined;
  keyAccess?: KeyAccess;
  suite?: number;
  /** Sign with the suite 0x0578. */
  sign?: boolean;
  frameLength?: number;
  commitmentPolicy?: CommitmentPolicyName;
}

/** Of objects that are there already. */
export interface RecipientSettings extends Omit<
  EncryptSettings,
  'format' | 'publicKeys' | 'recipients' | 'keySet'
> {
  /** Its active keys. */
  to: KeyInput;
  /** Those of `to` are taken away, so that they may be retired. */
  removes?: boolean;
  /** Its keys that are marked so are among those too. */
  always?: KeyInput | undefined;
  /** Whom objects may be for now. */
  known: readonly KeyInput[];
}

export interface Recipients {
  readonly to: readonly Recipient[];
  /** The one that s3ec objects shall be for. @throws SealdropError `usage` where `to` are several */
  readonly s3ecKey: () => Promise<S3ecWrappingKey>;
  /** Retired ones too: objects may be for them, and are not wrapped to them again. */
  readonly known: readonly (Recipient & { readonly retired?: boolean })[];
  /** Wraps to exactly these, which are some of those. */
  readonly encryptorFor: (recipients: readonly Recipient[]) => Encryptor;
}

export interface DecryptSettings extends KeyNames {
  /** Default: whatever the object is, but for `plain`, which takes objects as they are, and no keys. */
  format?: FormatName;
  privateKeys?: readonly KeyInput[];
  /** Opened with besides those: its private halves, raw AES keys and KMS keys. */
  keySet?: KeyInput | undefined;
  /** AWS accounts whose KMS keys may open a message, whatever key it names. Default: only keys that are named. */
  kmsDiscovery?: readonly string[];
  keyAccess?: KeyAccess;
  /** Called with a key's name when that key turns out to be locked. */
  passphrase?: (name: string) => Promise<Secret | undefined>;
  commitmentPolicy?: CommitmentPolicyName;
  /** Read s3ec objects of wrappings and ciphers that authenticate nothing. Default false. */
  allowLegacy?: boolean;
  maxWrappedKeys?: number;
  maxFrameLength?: number;
}

/** `plan`: for a dry run, which makes no vault. */
export type VaultUse = 'read' | 'write' | 'plan';

export interface Vault {
  readonly store: ObjectStore;
  /** The key that the address names: empty or with a slash at its end where it names a place for keys. */
  readonly key: string;
  /** True where the address is that of a configured vault as a whole, whatever prefix it has. */
  readonly whole?: boolean;
  /** Of a configured vault: what its own address puts in front of every key. */
  readonly prefix?: string;
  /** Whether messages that name no key are refused. */
  readonly binding: 'required' | 'allow';
  /** What a configured vault allows to be read. */
  readonly allowed?: ReadPolicy;
  /** True where the directory was made a vault just now. */
  readonly created: boolean;
}

export interface OpenedInbox {
  readonly inbox: InboxBucket;
  list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectInfo>;
}

/** What opens objects that shall be for others: messages whole, s3ec objects by their headers. */
export interface Rewrapping {
  readonly decryptor: Decryptor;
  headerRewrapper(to: S3ecWrappingKey): Promise<HeaderRewrapper>;
}

/** How the parts are made: what the command is given, so that it knows interfaces alone. */
export interface Parts {
  openVault(address: string | Address, use: VaultUse, settings?: StoreSettings): Promise<Vault>;
  openEncryptor(settings: EncryptSettings): Promise<Encryptor>;
  openRecipients(settings: RecipientSettings): Promise<Recipients>;
  openDecryptor(settings: DecryptSettings): Promise<Decryptor>;
  /** Both, of keys that are read once. */
  openReading(settings: DecryptSettings): Promise<{ decryptor: Decryptor; ranges?: Ranges }>;
  openInspector(): Promise<Inspector>;
  /** For whoever opens what is there and finds out from it which it needs: keys are read once. */
  openRewrapping(settings: DecryptSettings): Promise<Rewrapping>;
  openRanges(settings: DecryptSettings): Promise<Ranges>;
  /** The keys that `openEncryptor` would wrap to. */
  readPublicKeys(settings: EncryptSettings): Promise<PublicKeyInfo[]>;
  generateKeyPair(passphrase?: Secret): Promise<KeyPair>;
  /** Whatever is kept there: a file's path, or `secretsmanager:NAME`. */
  readSecret(input: string, access: KeyAccess): Promise<Secret<Buffer>>;
  /** A key set with all that is in it, to be looked after. */
  openKeySet: OpenKeySet;
  openBucketAdmin(address: string | Address, settings: StoreSettings): Promise<BucketAdmin>;
  openInboxBucket(bucket: string, settings: StoreSettings): Promise<OpenedInbox>;
  /** A bucket as it answers, to be looked into. */
  openRawStore(bucket: string, settings: StoreSettings): Promise<RawStore>;
  /** The root of the directory vault that a path lies in. */
  vaultAround(path: string): Promise<string | undefined>;
  /** What looks after deployments on AWS. */
  openOperations(settings: AwsSettings): Promise<Operations>;
}

export interface KeyPair {
  /** PKCS#8 PEM; encrypted with AES-256-CBC (PBES2) where there is a passphrase. */
  readonly privateKey: Secret;
  /** SPKI PEM. */
  readonly publicKey: string;
  readonly fingerprint: string;
}
