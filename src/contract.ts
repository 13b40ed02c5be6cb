/**
 * What infrastructure and functions agree on: the one environment variable that configures a function, and the shapes
 * behind it. `lib` writes them, `lambda` reads them; neither imports the other.
 */
import type { EncryptingFormat } from './ports.js';

export type { EncryptingFormat } from './ports.js';

/** The variable that holds a function's settings, as JSON. Names of secrets are in it, never their values. */
export const SETTINGS_VARIABLE = 'SEALDROP_SETTINGS';

/** The tag on an inbox object that could not or need not be encrypted any more: `stored`, or `failed:CODE`. */
export const STATUS_TAG = 'sealdrop-status';

/** Where the code of a failure stands on a message in the dead-letter queue. */
export const CODE_ATTRIBUTE = 'code';

/** What uploads through the API lie under, below their principal's prefix. */
export const UPLOADS_FOLDER = 'uploads/';

export interface InboxSettings {
  readonly bucket: string;
  /** Only keys that begin so are taken. May be empty. */
  readonly prefix: string;
  /** Only keys that end so are taken. May be empty. */
  readonly suffix: string;
  /** Vault key below the vault's prefix: `{key}`, `{rest}` (the key without the inbox's prefix), `{bucket}`. */
  readonly template: string;
  /** Escape keys that stores would alias, instead of refusing them. */
  readonly encode: boolean;
  readonly versioned: boolean;
}

/** A secret by name, or a bucket of AWS that the function's role may use. */
export type VaultSettings =
  { readonly secret: string } | { readonly bucket: string; readonly prefix: string; readonly region: string };

/** Names that messages carry for bare public keys; key sets bring their own. */
export interface KeyNameSettings {
  readonly namespace?: string;
  readonly name?: string;
}

export type AfterStoring = 'keep' | 'tag' | 'delete';

/** What every function that encrypts is told. */
export interface EncryptingSettings {
  readonly deployment: string;
  /** What it writes. Default `esdk`; the others take a public key set with one active key. */
  readonly format?: EncryptingFormat | undefined;
  /** Name of the secret with the public key set. */
  readonly publicKeySet: string;
  readonly keyNames: KeyNameSettings;
  /** Whether the set names keys of AWS KMS, as far as the deployment knows: the code for them is then loaded at start. */
  readonly wrapsByKms?: boolean | undefined;
  readonly vault: VaultSettings;
  /** Name of the secret with the idempotency key. */
  readonly idempotency: string;
  /** How long a secret that was read is used before it is read again. */
  readonly secretsTtlSeconds: number;
}

export interface EncryptObjectSettings extends EncryptingSettings {
  readonly inboxes: readonly InboxSettings[];
  /** Account that owns the inbox buckets: sent as the expected owner. */
  readonly account: string;
  /** The queue that events arrive in, and where records go that can't ever work. */
  readonly queueUrl: string;
  readonly deadLetterUrl: string;
  readonly after: AfterStoring;
  /** Bytes of plaintext above which an object is refused at once: `too_large_for_lambda`. */
  readonly maxObjectBytes: number;
  /** Seconds before the second try of what failed. Default `BACK_OFF.firstSeconds`. */
  readonly retryAfterSeconds?: number;
}

/** Who calls the API, and which prefix is theirs. Prefixes end in a slash and are checked by the key rules. */
export type PrincipalSettings =
  | {
      readonly kind: 'iam';
      /** From `ACCOUNT:role/NAME` or `ACCOUNT:user/NAME` to a prefix. Whoever is not in it has no access. */
      readonly prefixes: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'jwt'; readonly claim: string };

/** `PUT /v1/objects/{key+}`: encrypts as `encrypt-object` does. */
export interface PutObjectSettings extends EncryptingSettings {
  readonly principals: PrincipalSettings;
}

/** Everything of the API that neither encrypts nor deletes nor decrypts. */
export interface ApiSettings {
  readonly deployment: string;
  readonly principals: PrincipalSettings;
  readonly publicKeySet: string;
  readonly keyNames: KeyNameSettings;
  /** Vault-read. */
  readonly vault: VaultSettings;
  readonly secretsTtlSeconds: number;
  /** Where presigned uploads go. */
  readonly inbox: InboxSettings;
  readonly account: string;
  /** Role that can only put into the inbox; presigned POSTs are signed with it. */
  readonly uploadRole: string;
  readonly uploadExpirySeconds: number;
  /** Which routes exist beside those that always do. */
  readonly routes: { readonly delete: boolean; readonly decrypt: boolean };
}

export interface DeleteObjectSettings {
  readonly deployment: string;
  readonly principals: PrincipalSettings;
  /** Vault-delete. */
  readonly vault: VaultSettings;
  readonly secretsTtlSeconds: number;
}

export interface DecryptObjectSettings {
  readonly deployment: string;
  readonly principals: PrincipalSettings;
  readonly privateKeySet: string;
  /** Vault-read. */
  readonly vault: VaultSettings;
  readonly secretsTtlSeconds: number;
  /** Only keys below these, counted below the vault's prefix, may be opened. */
  readonly prefixes: readonly string[];
}

/** `rewrap-object`: opens what lies in the vault, and encrypts it anew to the deployment's public key set. */
export interface RewrapObjectSettings {
  readonly deployment: string;
  readonly privateKeySet: string;
  /** Whom the objects are for afterwards. */
  readonly publicKeySet: string;
  readonly keyNames: KeyNameSettings;
  /** Vault-rewrite. */
  readonly vault: VaultSettings;
  readonly secretsTtlSeconds: number;
  /** Bytes of an object in the vault above which it is refused at once: `too_large_for_lambda`. */
  readonly maxObjectBytes: number;
  /** Where a run's list of keys goes: a bucket of the deployment. The prefix ends in a slash. */
  readonly lists: { readonly bucket: string; readonly prefix: string; readonly region: string };
}

/** A scope of a JSON Web Token for each kind of route. */
export const SCOPES = {
  read: 'sealdrop/read',
  write: 'sealdrop/write',
  delete: 'sealdrop/delete',
  decrypt: 'sealdrop/decrypt',
} as const;

export type Scope = keyof typeof SCOPES;

export type ApiFunction = 'api' | 'put-object' | 'delete-object' | 'decrypt-object';

/** The API's routes: which function answers, and which scope a token needs. `health` alone needs none. */
export const ROUTES: readonly {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly function: ApiFunction;
  readonly scope?: Scope;
}[] = [
  { method: 'PUT', path: '/v1/objects/{key+}', function: 'put-object', scope: 'write' },
  { method: 'GET', path: '/v1/objects', function: 'api', scope: 'read' },
  { method: 'HEAD', path: '/v1/objects/{key+}', function: 'api', scope: 'read' },
  { method: 'GET', path: '/v1/objects/{key+}', function: 'api', scope: 'read' },
  { method: 'DELETE', path: '/v1/objects/{key+}', function: 'delete-object', scope: 'delete' },
  { method: 'POST', path: '/v1/uploads', function: 'api', scope: 'write' },
  { method: 'GET', path: '/v1/uploads/{id}', function: 'api', scope: 'read' },
  { method: 'GET', path: '/v1/keys', function: 'api', scope: 'read' },
  { method: 'GET', path: '/v1/openapi.json', function: 'api', scope: 'read' },
  { method: 'GET', path: '/v1/health', function: 'api' },
  { method: 'POST', path: '/v1/decrypt/{key+}', function: 'decrypt-object', scope: 'decrypt' },
];

/**
 * What the encrypting function is called with directly, and what a backfill's Distributed Map hands it, one by one or
 * in `Items`. The key is taken as it is, never decoded.
 */
export interface DirectEvent {
  readonly bucket: string;
  readonly key: string;
  /** Do everything but write. */
  readonly dryRun?: boolean;
}

/** Asks `rewrap-object` for a list of the vault's keys, which a run's Distributed Map reads: JSONL of `{key}`. */
export interface ListEvent {
  readonly list: {
    /** Only keys that begin so, counted below the vault's prefix. */
    readonly prefix: string;
    readonly dryRun: boolean;
    /** Name of the execution. */
    readonly run: string;
  };
}

/** The vault's bucket, the key of the list, and how many keys are in it; or why there is none. */
export type VaultList =
  | { readonly bucket: string; readonly list: string; readonly count: number }
  | { readonly code: string; readonly message: string };

/** What the encrypting function puts into the dead-letter queue, and takes when it is moved back. It holds no ETag. */
export interface DeadLetter {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
  readonly code: string;
  /** What to do, where something is known: for an object that is too large the command that does it elsewhere. */
  readonly hint?: string;
}

/**
 * Seconds that a record waits before it is tried again: doubled with each time it was received, up to the last.
 * What a queue's maxReceiveCount is reckoned from.
 */
export const BACK_OFF = { firstSeconds: 15, lastSeconds: 900 } as const;

/** What became of one object. `ignored`: a folder's marker. `present`: it is for the wanted keys already. */
export type Outcome =
  | 'stored'
  | 'duplicate'
  | 'stale'
  | 'superseded'
  | 'gone'
  | 'failed'
  | 'would_store'
  | 'ignored'
  | 'rewrapped'
  | 'present'
  | 'would_rewrap';

export interface OutcomeReport {
  readonly bucket: string;
  readonly key: string;
  readonly outcome: Outcome;
  readonly code?: string;
  readonly retryable?: boolean;
  readonly bytes?: number;
}

/** EMF metrics in the namespace `sealdrop`, with the dimension `deployment`; `Failed` also with `code`. */
export const METRICS = {
  namespace: 'sealdrop',
  stored: 'Stored',
  storedBytes: 'StoredBytes',
  duplicate: 'Duplicate',
  superseded: 'Superseded',
  gone: 'Gone',
  failed: 'Failed',
  duration: 'Duration',
  /** Secrets missing, malformed, or a private half among public keys. */
  notConfigured: 'NotConfigured',
} as const;

/** The stack of a deployment, and its outputs: how commands find what it made. */
export const stackNameOf = (deployment: string): string => `Sealdrop-${deployment}`;

export const OUTPUTS = {
  /** JSON: a list of `{bucket, prefix, suffix}`. */
  inboxes: 'Inboxes',
  queue: 'QueueUrl',
  deadLetters: 'DeadLetterQueueUrl',
  encryptObject: 'EncryptObjectFunction',
  /** Log group of it. */
  log: 'EncryptObjectLog',
  /** ARN of the state machine. */
  backfill: 'BackfillStateMachine',
  /** `s3://bucket/prefix/` of its reports. */
  reports: 'BackfillReports',
  /** ARN of the other state machine, where the deployment has one. */
  rewrap: 'RewrapStateMachine',
  api: 'ApiUrl',
} as const;
