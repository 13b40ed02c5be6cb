/** What the command `keys` does with a key set, wherever it is kept. `src/compose-key-sets.ts` implements it. */
import type { AwsSettings } from './operations.js';
import type { Secret } from './secret.js';

/** A key of a set, as it may be shown. */
export interface KeyDescription {
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'rsa' | 'aes' | 'kms';
  /** Of an RSA key its modulus. */
  readonly bits?: number;
  readonly state: 'active' | 'retired';
  readonly always: boolean;
  /** What of it the set has: nothing of a key of KMS. */
  readonly holds: 'public' | 'private' | 'secret' | 'nothing';
  /** Whether the private half wants a passphrase. */
  readonly locked: boolean;
  readonly created?: string;
  /** RSA: SHA-256 of the SPKI DER; KMS: of the ARN; AES: an HMAC that tells nothing of the key. base64url. */
  readonly fingerprint: string;
  /** SPKI, PEM. */
  readonly publicKey?: string;
}

/** Answers with a passphrase; undefined where there is nobody to ask. */
export type AskPassphrase = (what: string) => Promise<Secret | undefined>;

export interface KeySetSettings extends AwsSettings {
  readonly passphrase?: AskPassphrase;
}

export interface NewKeyNames {
  readonly namespace?: string;
  readonly name?: string;
}

export interface NewKey extends NewKeyNames {
  /** Bits of an AES key; default: RSA of 4,096 bits. */
  readonly aes?: 128 | 192 | 256;
  readonly always?: boolean;
  /** Asked for a passphrase to lock the private half with. Default: as the others of the set. */
  readonly lock?: AskPassphrase | false;
}

export interface ImportOptions extends NewKeyNames {
  readonly always?: boolean;
  readonly retired?: boolean;
  /** Leave private halves without the passphrase that they come with. */
  readonly unlock?: boolean;
  /** The file is an AES key, byte for byte. */
  readonly aes?: boolean;
}

export interface Imported {
  readonly key: KeyDescription;
  /** `completed`: the set had its public half. `changed`: it had the key, in another state. */
  readonly outcome: 'imported' | 'completed' | 'changed' | 'present';
}

export interface PublicHalves {
  /** A public key set. */
  readonly document: string;
  readonly keys: readonly KeyDescription[];
  /** Raw AES keys: they have no public half. */
  readonly left: readonly KeyDescription[];
}

export interface PublishOptions {
  /** Where the public halves go: the name of a secret, or `ssm:NAME`. */
  readonly name: string;
  /** The secret that the whole set goes to. */
  readonly withPrivate?: string;
  readonly kmsKey?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface Published {
  readonly address: string;
  readonly arn: string;
  readonly content: 'public' | 'private';
  readonly created: boolean;
  readonly keys: readonly KeyDescription[];
  /** What whoever reads it must be allowed. */
  readonly policy: readonly object[];
}

export interface Publication {
  /** Keys that are at the target now and would not be there any more. */
  readonly dropped: readonly { readonly address: string; readonly keys: readonly KeyDescription[] }[];
  readonly left: readonly KeyDescription[];
  /** The private set comes first: nothing may be encrypted to a key that cannot be opened yet. */
  writePrivate(): Promise<Published | undefined>;
  writePublic(): Promise<Published>;
}

/** A set that is published when it was rotated: what would fail then fails before anything is changed. */
export interface RotationTargets {
  readonly options: PublishOptions;
  readonly confirm: (publication: Publication) => Promise<void>;
}

export interface Rotation {
  readonly added: KeyDescription;
  readonly retired: readonly KeyDescription[];
}

/** Changes are written at once, all of one or nothing of it. */
export interface KeySet {
  /** As the user named it. */
  readonly shown: string;
  readonly kind: 'file' | 'secret' | 'parameter';
  /** False where it would be made by the first key. */
  readonly exists: boolean;
  /** Whether everybody on this machine may read private halves in it. */
  readonly exposed: boolean;
  readonly keys: readonly KeyDescription[];
  /** @throws SealdropError `usage`, `key_not_in_set` */
  find(selector: string): KeyDescription;
  add(key: NewKey): Promise<KeyDescription>;
  /** @param source a file, `secretsmanager:NAME`, `ssm:NAME` or `kms:ARN` */
  import(source: string, options: ImportOptions): Promise<Imported[]>;
  exportPublic(selectors: readonly string[]): PublicHalves;
  retire(selectors: readonly string[]): Promise<KeyDescription[]>;
  /** Takes retired keys into use again. */
  activate(selectors: readonly string[]): Promise<KeyDescription[]>;
  remove(selectors: readonly string[]): Promise<KeyDescription[]>;
  publication(options: PublishOptions): Promise<Publication>;
  /** @param selector of the key to replace; default: all that the set can open, but for those of `always` */
  rotate(selector: string | undefined, names: NewKeyNames, targets?: RotationTargets): Promise<Rotation>;
  close(): void;
}

export type OpenKeySet = (source: string, settings: KeySetSettings) => Promise<KeySet>;
