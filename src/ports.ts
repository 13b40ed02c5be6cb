/**
 * The interfaces between the parts. Envelopes, keys and stores implement them and do not know each other;
 * transfers and gateways are written against them alone.
 */
import type { Readable } from 'node:stream';
import type { KeyringNode } from '@aws-crypto/material-management-node';

/**
 * Bytes in pieces of any size, pulled by the reader: whoever stops pulling holds the writer back. A piece is the reader's
 * until it asks for the next one; the source may use its memory again then.
 */
export type ByteSource = AsyncIterable<Uint8Array>;

// ---------------------------------------------------------------------------------------------------------
// Stores

/** What a store says of an object. Everything here comes from the store and is not authenticated. */
export interface ObjectInfo {
  readonly key: string;
  /** Bytes as stored (ciphertext). */
  readonly size: number;
  /** Opaque; changes whenever the object changes. With the quotes that HTTP puts around it removed. */
  readonly etag: string;
  readonly modified: Date;
  /** Present where the bucket is versioned. */
  readonly version?: string;
  /** Present from `head` and `get`, absent from `list`. Lower-case names. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface GetOptions {
  /** First byte and last byte, both included, as in HTTP. */
  range?: { first: number; last?: number };
  /** Refuse with `precondition_failed` if the object is not this one any more. */
  ifMatch?: string;
  signal?: AbortSignal;
}

/** What must hold at the moment the object becomes visible. */
export type WriteCondition = { readonly absent: true } | { readonly ifMatch: string };

export const UPLOAD_ENTRY = 'sealdrop-upload';

export interface PutOptions {
  /** Bytes that will come, where known exactly. More or fewer are `source_changed`, and nothing is stored. */
  size?: number;
  /** About how many will come, where `size` is not known: lets a store choose its part size. */
  expectedSize?: number;
  /**
   * Names lower case, values printable ASCII. An entry `UPLOAD_ENTRY` that no other put has lets a store tell its own
   * object from an older one when the answer to a write was lost.
   */
  metadata?: Readonly<Record<string, string>>;
  condition?: WriteCondition;
  signal?: AbortSignal;
}

/**
 * How an S3 store is made to check parts. `auto`: over http `signature`; over https `crc32` at AWS and `md5` elsewhere.
 * Whatever is chosen, the payload is signed over http.
 */
export const CHECKSUM_MODES = ['auto', 'crc32', 'md5', 'signature'] as const;
export type ChecksumMode = (typeof CHECKSUM_MODES)[number];

export interface PutResult {
  readonly etag: string;
  readonly size: number;
  readonly version?: string;
  /**
   * How the store was made to prove that it holds the bytes sent, before they became visible: `signature`
   * (SHA-256 of each part in the request's signature), `crc32`, `etag-md5`, `fsync` (a directory); or `size` alone.
   */
  readonly checked: 'signature' | 'crc32' | 'etag-md5' | 'fsync' | 'size';
  /** The id of the multipart upload that it was, where it was one: no unfinished one of somebody else's. */
  readonly upload?: string;
}

/** A digest that the store keeps of the bytes it holds. */
export type StoredChecksum =
  | { readonly kind: 'crc32'; /** eight hex digits */ readonly value: string }
  | { readonly kind: 'md5'; /** 32 hex digits */ readonly value: string }
  /** MD5 over the MD5s of parts of `partSize` bytes, as S3's multipart ETags. */
  | {
      readonly kind: 'md5-of-parts';
      readonly value: string;
      readonly parts: number;
      readonly partSize: number;
    };

export interface UnfinishedUpload {
  readonly key: string;
  readonly id: string;
  readonly started?: Date;
}

/**
 * Where ciphertext is kept. Keys are checked by `assertStorableKey` before they get here.
 *
 * Every method throws `SealdropError`: `object_not_found`, `bucket_not_found`, `access_denied`,
 * `precondition_failed`, `endpoint_unreachable` and `store_unavailable` (both retryable), `not_s3`,
 * `disk_full`, `upload_corrupted`, `source_changed` (a wrong `size`), `not_a_vault` (writing into an unmarked directory),
 * `store_refused` (a range behind the end, and what is none of the others), `interrupted` (the signal). What the source
 * throws passes through. Requests that may be repeated safely are repeated inside.
 */
export interface ObjectStore {
  readonly kind: 's3' | 'directory' | 'memory';
  /** The address of a key, as a user would type it. */
  address(key: string): string;
  /** What is not S3's own limit but this store's: throws `key_not_storable`. */
  assertStorable(key: string): void;
  head(key: string, options?: { signal?: AbortSignal }): Promise<ObjectInfo>;
  /** A cut connection is taken up again where it broke, if the object is still the same. */
  get(key: string, options?: GetOptions): Promise<{ info: ObjectInfo; body: Readable }>;
  /**
   * Stores all of `source`, or nothing: if `source` throws, the signal fires or a request fails for good, whatever
   * was sent is removed, and what stood under the key before still stands. The same bytes are sent on every retry.
   */
  put(key: string, source: ByteSource, options?: PutOptions): Promise<PutResult>;
  /** Removes one object. Removing what is not there is no error (as in S3). */
  remove(key: string, options?: { signal?: AbortSignal }): Promise<void>;
  /** In the order of the keys' UTF-8 bytes. */
  list(prefix: string, options?: { signal?: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** Uploads of exactly this key that were begun and neither completed nor aborted. */
  unfinished(key: string, options?: { signal?: AbortSignal }): Promise<UnfinishedUpload[]>;
  /** Digests that the store keeps, for a check without any key. Empty where it keeps none. */
  checksums(key: string, options?: { signal?: AbortSignal }): Promise<StoredChecksum[]>;
  close(): void;
}

// ---------------------------------------------------------------------------------------------------------
// Envelopes

/** The AWS Encryption SDK's commitment policies, by its names. */
export const COMMITMENT_POLICIES = [
  'REQUIRE_ENCRYPT_REQUIRE_DECRYPT',
  'REQUIRE_ENCRYPT_ALLOW_DECRYPT',
  'FORBID_ENCRYPT_ALLOW_DECRYPT',
] as const;
export type CommitmentPolicyName = (typeof COMMITMENT_POLICIES)[number];

/** Hashes for RSA-OAEP; MGF1 uses the same one. The AWS Encryption SDK's, which messages do not record. */
export const OAEP_HASHES = ['sha256', 'sha1', 'sha384', 'sha512'] as const;
export type OaepHash = (typeof OAEP_HASHES)[number];

/** A wrapped data key as the message names it. */
export interface WrappedKeyInfo {
  readonly namespace: string;
  readonly name: string;
  readonly bytes: number;
}

/** What a message says of itself. Nothing of it is authenticated until the message has been opened. */
export interface MessageInfo {
  readonly format: 'esdk';
  readonly version: number;
  readonly suite: string;
  readonly suiteId: string;
  readonly committing: boolean;
  readonly signed: boolean;
  /** Bytes of plaintext in a frame; 0 for an unframed message. */
  readonly frameLength: number;
  readonly headerLength: number;
  readonly messageId: string;
  readonly context: Readonly<Record<string, string>>;
  readonly wrappedKeys: readonly WrappedKeyInfo[];
}

/** A wrapping key that messages are wrapped to, as far as an envelope needs to know it. */
export interface Recipient {
  readonly namespace: string;
  readonly name: string;
  /** SHA-256 of the SPKI DER, base64url. */
  readonly fingerprint: string;
  /** Bytes of a data key wrapped by it. */
  readonly wrappedBytes: number;
}

/** Wrapping keys ready for encrypting. The keyring can't unwrap. */
export interface WrappingKeys {
  readonly keyring: KeyringNode;
  readonly recipients: readonly Recipient[];
}

export interface Encryptor {
  readonly format: 'esdk';
  /** The keys that every object is wrapped to. */
  readonly recipients: readonly Recipient[];
  /**
   * One message. Every call makes a new data key and message id and seals one header with them.
   * @throws SealdropError through the iterator only.
   */
  encrypt(source: ByteSource, context: Readonly<Record<string, string>>): ByteSource;
  /** Ciphertext bytes for plaintext bytes: exact, or for signed messages an upper bound. */
  ciphertextSize(plaintextSize: number, context: Readonly<Record<string, string>>): SizeEstimate;
}

export interface SizeEstimate {
  readonly bytes: number;
  readonly exact: boolean;
}

export interface DecryptOptions {
  /**
   * The caller keeps everything back until the end is reached (writes aside and renames): then the content of an
   * unframed message or an over-long frame may be handed over before its tag was checked. Default false.
   */
  held?: boolean;
  /** Judges the header, authenticated by then, before any content is opened. Throws to refuse. */
  accept?: (info: MessageInfo) => void;
}

export interface Decryptor {
  /**
   * The plaintext of exactly one message.
   * @throws SealdropError with an integrity code; what was yielded before that was authenticated (unless `held`).
   */
  decrypt(source: ByteSource, options?: DecryptOptions): ByteSource;
}

/** What can be known of a message without a key. */
export interface ScanResult {
  readonly info: MessageInfo;
  readonly frames: number;
  readonly plaintextSize: number;
  readonly ciphertextSize: number;
}

export interface Inspector {
  /** Reads the header and no more than is needed for it. */
  inspect(source: ByteSource): Promise<MessageInfo>;
  /** Reads the whole message and checks its framing. Proves no integrity. */
  scan(source: ByteSource): Promise<ScanResult>;
  /** Plaintext bytes of a message of so many bytes; for signed messages an upper bound. */
  plaintextSize(info: MessageInfo, ciphertextSize: number): SizeEstimate;
}
