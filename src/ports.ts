/**
 * The interfaces between the parts. Envelopes, keys and stores implement them and do not know each other;
 * transfers and gateways are written against them alone.
 */
import type { Readable } from 'node:stream';
import type { KeyringNode } from '@aws-crypto/material-management-node';
import type { Secret } from './secret.js';

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
  /**
   * What the store says that it encrypts the object with at rest: `AES256`, `aws:kms`, `SSE-C`. Present from `head` and
   * `get` where it says so.
   */
  readonly encryption?: string;
}

export interface GetOptions {
  /** First byte and last byte, both included, as in HTTP. */
  range?: { first: number; last?: number };
  /** Refuse with `precondition_failed` if the object is not this one any more. */
  ifMatch?: string;
  /** All of it will be read, at once: a store may fetch it by several requests at the same time. Not with `range`. */
  whole?: boolean;
  /** The body will be iterated, and each of its pieces used before the next is asked for. Default false. */
  transient?: boolean;
  signal?: AbortSignal;
}

export interface ListOptions {
  /** A key, which need not be there. */
  after?: string;
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
  /**
   * `condition_not_kept` where the store is known not to keep the condition itself, in place of looking at the object
   * before. A store that passes over it in silence is not found by this.
   */
  guarded?: boolean;
  /** In parts, however few bytes there are: stores that pass over the condition of a put keep that of a completion. */
  inParts?: boolean;
  /**
   * With `inParts`: `store_refused`, and nothing is stored, where the store proves nothing of the bytes that it got but their
   * number. For what takes the place of the only copy: once it is there it is not removed, whatever the store says of it.
   */
  proven?: boolean;
  signal?: AbortSignal;
}

export interface ReplaceOptions {
  /** Refuse with `precondition_failed` if the object is not this one any more. */
  ifMatch: string;
  /**
   * And if its metadata are not these any more: S3's ETag is of the bytes, so two objects of the same bytes may have the
   * same. Default: those that it has when it is looked at first.
   */
  ifMetadata?: Readonly<Record<string, string>>;
  /** In place of all that the object has, as in `PutOptions`. The entry is one that no other write has. */
  metadata: Readonly<Record<string, string>> & { readonly [UPLOAD_ENTRY]: string };
  /** As in `PutOptions`. */
  guarded?: boolean;
  signal?: AbortSignal;
}

/** The object as it stands there now. */
export interface Replaced extends ObjectInfo {
  /** As in `PutResult`. */
  readonly unguarded?: true;
}

export interface RemoveOptions {
  /**
   * Refuse with `precondition_failed` if the object is not this one any more. It is looked at before; not every store
   * keeps it at the very moment.
   */
  ifMatch?: string;
  signal?: AbortSignal;
}

/**
 * How an S3 store is made to check parts. `auto`: over http `signature`; over https `crc32` at AWS and `md5` elsewhere.
 * Whatever is chosen, the payload is signed over http.
 */
export const CHECKSUM_MODES = ['auto', 'crc32', 'md5', 'signature'] as const;
export type ChecksumMode = (typeof CHECKSUM_MODES)[number];

/**
 * Encryption at rest by the store itself, besides ours or instead of it.
 *
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
 */
export type ServerSideEncryption =
  /** SSE-S3: under a key of the store's. */
  | { readonly kind: 'AES256' }
  /** SSE-KMS: under a key of the store's key management; the account's default key where none is named. */
  | { readonly kind: 'aws:kms'; readonly keyId?: string | undefined }
  /** SSE-C: under 32 bytes that go with every request for the object, and that the store doesn't keep. */
  | { readonly kind: 'c'; readonly key: Secret<Buffer> }
  /** As the bucket has it by default, which must be some encryption. */
  | { readonly kind: 'bucket' }
  /** Nothing is asked for, whatever is configured. */
  | { readonly kind: 'none' };

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
  /** True where the store doesn't know conditional writes: the condition was looked at before, not kept by the store. */
  readonly unguarded?: true;
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

/** A part as the store has taken it. */
export interface SentPart {
  /** From 1. */
  readonly number: number;
  readonly size: number;
  /** As the store gave it, without quotes. */
  readonly etag: string;
  /** Of its bytes, base64, where the store checks that of the whole in the end. */
  readonly crc32?: string;
  readonly checked: PutResult['checked'];
  /** What the store says that it encrypts it with. */
  readonly encryption?: string;
}

export type ListedPart = Pick<SentPart, 'number' | 'size' | 'etag'>;

export interface OutgoingPart {
  /** From 1. */
  readonly number: number;
  /** Sent as it is, on every retry. */
  readonly body: Buffer;
  /** Called when it isn't needed any more. */
  release(): void;
}

/**
 * Uploads that one run may begin and another one end. Throws as the store's methods do. Nothing is removed by itself, whatever
 * fails: see `discard`.
 */
export interface ResumableUploads {
  /** How an object of so many bytes is sent from here. */
  plan(size: number, options?: { signal?: AbortSignal }): Promise<UploadPlan>;
  begin(key: string, options: PutOptions): Promise<ResumableUpload>;
  /** One that was begun with the same metadata, and in the same place. */
  reopen(
    key: string,
    upload: Pick<ResumableUpload, 'id' | 'agreed'>,
    options: PutOptions,
  ): Promise<ResumableUpload>;
}

export interface UploadPlan {
  /** Bytes of every part but the last. */
  readonly partSize: number;
  /** Parts that are sent at the same time, at most. */
  readonly parallel: number;
  /** The store and the bucket, for a machine. */
  readonly place: string;
  /** What an upload must have been begun with to be taken up, for a machine: how it is checked and encrypted at rest. */
  readonly terms: string;
}

export interface ResumableUpload {
  readonly id: string;
  /** By what the store checks parts: what it agreed to when it was begun. */
  readonly agreed: string;
  /** What the store has of it, in order; undefined where it knows no such upload any more. */
  parts(): Promise<ListedPart[] | undefined>;
  /** Parts that an earlier run sent, for `complete`. */
  take(sent: readonly SentPart[]): void;
  /** Sends several at the same time. `onSent` is waited for. */
  send(
    parts: AsyncIterable<OutgoingPart>,
    plan: Pick<UploadPlan, 'partSize'>,
    onSent: (part: SentPart) => Promise<void>,
  ): Promise<void>;
  /** Makes an object of what was taken and sent, as `put` does. */
  complete(): Promise<PutResult>;
  /** The object of so many bytes that it has become already, if it has: then it is there under its key. */
  became(size: number): Promise<PutResult | undefined>;
  /**
   * Removes what was sent.
   * @returns the error that it is for, with what could not be removed in its hint
   */
  discard(error: unknown): Promise<unknown>;
}

/** Throws as the store's methods do; `store_refused` where the store doesn't say or do it. */
export interface UploadKeeping {
  /** Uploads of keys that begin with `prefix`. Some stores (MinIO) know them by their whole key alone. */
  list(prefix: string, options?: { signal?: AbortSignal }): AsyncIterable<UnfinishedUpload>;
  /** Removes one with what was sent of it. @returns false where it was gone */
  abort(upload: UnfinishedUpload, options?: { signal?: AbortSignal }): Promise<boolean>;
}

/** What was under a key at some time: an object, or that there was none. */
export interface ObjectVersion {
  readonly key: string;
  /** `null` for what was written while the bucket kept no versions. */
  readonly version: string;
  /** Empty for a delete marker. */
  readonly etag: string;
  readonly latest: boolean;
  readonly marker: boolean;
}

/** Throws as the store's methods do; `store_refused` where the store doesn't say or do it. */
export interface VersionKeeping {
  /** Of exactly this key, the newest first. Where the bucket keeps no versions, the object alone, or nothing. */
  list(key: string, options?: { signal?: AbortSignal }): AsyncIterable<ObjectVersion>;
  /** Removes one for good. */
  remove(version: ObjectVersion, options?: { signal?: AbortSignal }): Promise<void>;
}

/**
 * Where ciphertext is kept. Keys are checked by `assertStorableKey` before they get here.
 *
 * Every method throws `SealdropError`: `object_not_found`, `bucket_not_found`, `access_denied`, `sse_key_required` and
 * `sse_key_wrong` (an object that the store encrypted under somebody's own key), `precondition_failed`,
 * `endpoint_unreachable` and `store_unavailable` (both retryable), `not_s3`, `disk_full`, `upload_corrupted`,
 * `source_changed` (a wrong `size`), `condition_not_kept`, `not_a_vault` (writing into an unmarked directory), `store_refused` (a range behind
 * the end, and what is none of the others), `interrupted` (the signal). What the source throws passes through. Requests
 * that may be repeated safely are repeated inside.
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
  /**
   * Other metadata for the object under a key: its bytes, content type, tags, storage class and encryption at rest stay, and
   * the bytes don't leave the store. Where it fails, the object is as it was; whatever is written there meanwhile, or right
   * after, stays, and is `precondition_failed`. `store_refused`, before anything is written, for an object under Object
   * Lock, and `access_denied` where its tags can't be read. See docs/decisions/0015-metadata-in-place.md.
   */
  replaceMetadata(key: string, options: ReplaceOptions): Promise<Replaced>;
  /** Removes one object. Removing what is not there is no error (as in S3). */
  remove(key: string, options?: RemoveOptions): Promise<void>;
  /** In the order of the keys' UTF-8 bytes; with `after`, only keys behind that one. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;
  /** Uploads of exactly this key that were begun and neither completed nor aborted. */
  unfinished(key: string, options?: { signal?: AbortSignal }): Promise<UnfinishedUpload[]>;
  /** Looking after unfinished uploads; absent where the store has no such thing. */
  readonly uploads?: UploadKeeping;
  /** Uploads that a later run can go on with; absent where the store has no such thing. */
  readonly resumable?: ResumableUploads;
  /** Looking after older versions; absent where the store has no such thing. */
  readonly versions?: VersionKeeping;
  /** Digests that the store keeps, for a check without any key. Empty where it keeps none. */
  checksums(key: string, options?: { signal?: AbortSignal }): Promise<StoredChecksum[]>;
  /** Which store and bucket, for a machine. Default: what `address` says. */
  place?(): Promise<string>;
  close(): void;
}

export interface BucketEncryption {
  /** `AES256` or `aws:kms`. */
  readonly algorithm: string;
  readonly keyId?: string | undefined;
  /** One key of the bucket's from KMS for many objects, in place of a request for each. */
  readonly bucketKey?: boolean | undefined;
  readonly allowSseC?: boolean | undefined;
}

/** What a bucket does with new objects by itself; `unknown` where the store doesn't say. */
export type DefaultEncryption =
  | {
      readonly state: 'set';
      readonly algorithm: string;
      readonly keyId?: string;
      readonly bucketKey?: boolean;
      readonly allowsSseC: boolean;
    }
  | { readonly state: 'none' | 'unknown' };

/**
 * A bucket itself. Every method throws `SealdropError`: `bucket_not_found`, `access_denied`, `store_refused`,
 * `endpoint_unreachable` and `store_unavailable` (both retryable), `interrupted`.
 */
export interface BucketAdmin {
  readonly bucket: string;
  readonly address: string;
  exists(signal?: AbortSignal): Promise<boolean>;
  /** Also throws `target_exists`. */
  create(signal?: AbortSignal): Promise<void>;
  /** Removes an empty bucket. */
  remove(signal?: AbortSignal): Promise<void>;
  encryption(signal?: AbortSignal): Promise<DefaultEncryption>;
  setEncryption(encryption: BucketEncryption, signal?: AbortSignal): Promise<void>;
  setVersioned(signal?: AbortSignal): Promise<void>;
  /** Of a version, nothing stays behind. */
  removeObject(key: string, version: string | undefined, signal?: AbortSignal): Promise<void>;
  close(): void;
}

/** One version of an object in an inbox, as its store says. */
export interface InboxObject {
  readonly key: string;
  /** Bytes of plaintext. */
  readonly size: number;
  /** Never written anywhere: it may be the plaintext's MD5. */
  readonly etag: string;
  readonly modified: Date;
  /** Absent where the bucket had no versions when the object was written. */
  readonly version?: string;
  /** How many tags it has, where the store says so to who reads it. */
  readonly tags?: number;
}

/** Which object under a key: by its version, or where there are none by its ETag. Neither: the current one. */
export interface InboxVersion {
  readonly version?: string | undefined;
  readonly etag?: string | undefined;
}

/**
 * A bucket where plaintext arrives. Missing (404, a delete marker, another ETag than named) is undefined and no error.
 *
 * Every method throws `SealdropError`: `bucket_not_found`, `access_denied`, `endpoint_unreachable` and
 * `store_unavailable` (both retryable), `store_refused`, `interrupted`. Nothing is written to it but tags.
 */
export interface InboxBucket {
  readonly bucket: string;
  head(key: string, which?: InboxVersion, signal?: AbortSignal): Promise<InboxObject | undefined>;
  /** Exactly the version named; a cut connection is taken up again where it broke, in the same version. */
  read(
    key: string,
    which: InboxVersion,
    signal?: AbortSignal,
  ): Promise<{ info: InboxObject; body: Readable } | undefined>;
  /**
   * Sets one tag, or removes it where `value` is undefined; the others are kept.
   * @returns false where ten others leave no room
   */
  tag(
    key: string,
    which: InboxVersion,
    tag: { name: string; value?: string },
    signal?: AbortSignal,
  ): Promise<boolean>;
  /** Removes one version for good. What stands under the key besides it stays. */
  remove(key: string, version: string, signal?: AbortSignal): Promise<void>;
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

/**
 * What objects are written as: messages of the AWS Encryption SDK, objects of the S3 Encryption Client (V3, or V2 without key
 * commitment), or `plain`: as they are, for stores that encrypt by themselves.
 */
export const FORMATS = ['esdk', 's3ec', 's3ec-v2', 'plain'] as const;
export type FormatName = (typeof FORMATS)[number];

/** Those of what always encrypts. */
export const ENCRYPTING_FORMATS = ['esdk', 's3ec', 's3ec-v2'] as const satisfies readonly FormatName[];
export type EncryptingFormat = (typeof ENCRYPTING_FORMATS)[number];

/** An object's encrypted form, whichever version of it. */
export type EnvelopeName = 'esdk' | 's3ec' | 'plain';

type Pairs = Readonly<Record<string, string>>;

/** What a message says of itself. Nothing of it is authenticated until the message has been opened. */
export interface MessageInfo {
  readonly format: EnvelopeName;
  readonly version: number;
  readonly suite: string;
  readonly suiteId: string;
  readonly committing: boolean;
  readonly signed: boolean;
  /** Nothing authenticates the content: a plain object, or one under AES/CBC. */
  readonly unauthenticated?: true;
  /** Bytes of plaintext in a frame; 0 for a message of one piece. */
  readonly frameLength: number;
  /** In front of the content; 0 where the header lies beside the body. */
  readonly headerLength: number;
  readonly messageId: string;
  /** Authenticated with the message. */
  readonly context: Pairs;
  /** Pairs that nothing authenticates: the material description of an s3ec object, unless KMS wraps its key. */
  readonly description?: Pairs;
  /** Empty for s3ec, which names no key. */
  readonly wrappedKeys: readonly WrappedKeyInfo[];
  /** How an s3ec object's one data key is wrapped, by the name that the format has for it, and where it lies. */
  readonly wrapping?: {
    readonly algorithm: string;
    readonly bytes: number;
    readonly at: 'metadata' | 'instruction-file';
  };
}

/** What lies beside an object's body, where an envelope keeps its header there. Nothing of it is authenticated by itself. */
export interface ObjectParts {
  /** Lower-case names. */
  readonly metadata: Pairs;
  /** Bytes of the body as stored. */
  readonly size: number;
  /**
   * The content of `KEY.instruction`; undefined where there is none. It is asked for at most once.
   * @throws SealdropError what the store throws, `instruction_file` where it is too large
   */
  instruction(): Promise<Uint8Array | undefined>;
}

/** Behind a key: where an s3ec object's wrapped key may lie. */
export const INSTRUCTION_SUFFIX = '.instruction';
/** What is larger is no instruction file. */
export const MAX_INSTRUCTION_BYTES = 16 * 1024;

/** The S3 Encryption Client's ways to wrap a data key that may be written. */
export type S3ecWrapName = 'AES/GCM' | 'RSA-OAEP-SHA1' | 'kms+context';

/** In the context that KMS authenticates: the content algorithm. Callers may not supply it. */
export const S3EC_ALGORITHM_PAIR = 'aws:x-amz-cek-alg';

/** What a wrapped data key is bound to. */
export interface S3ecBinding {
  /** `AES/GCM/NoPadding` (V2) or `115` (V3). */
  readonly contentAlgorithm: string;
  /** The user's own pairs: with KMS they are authenticated, else they are carried. */
  readonly description: Pairs;
}

export interface S3ecWrapped {
  readonly wrappedKey: Uint8Array;
  /** As it is stored: with KMS also the pair that the format adds. */
  readonly description: Pairs;
}

/** A key that data keys of s3ec objects are wrapped with. It can't unwrap. */
export interface S3ecWrappingKey {
  readonly algorithm: S3ecWrapName;
  readonly recipient: Recipient;
  /** A new data key of 32 bytes, which the caller overwrites when it is done. */
  generate(binding: S3ecBinding): Promise<S3ecWrapped & { readonly dataKey: Buffer }>;
  /** A data key that there is already: for an object that gets another wrapping key. */
  wrap(dataKey: Uint8Array, binding: S3ecBinding): Promise<S3ecWrapped>;
}

/** A wrapped data key as it was read. */
export interface S3ecSealedKey extends S3ecWrapped {
  /** The format's name, legacy ones included; for V1 `AES` or `RSA`, or both where the object doesn't say: `AES|RSA`. */
  readonly algorithm: string;
  readonly contentAlgorithm: string;
}

/** Every key that may open s3ec objects, as one. */
export interface S3ecUnwrappingKeys {
  /**
   * The data key: 16, 24 or 32 bytes, which the caller overwrites when it is done.
   * @throws SealdropError `wrong_key_or_header` where none of the keys opens it, `wrong_context`; what KMS fails with, where
   * nothing else opens it
   */
  unwrap(sealed: S3ecSealedKey): Promise<Buffer>;
}

/** A wrapping key that messages are wrapped to, as far as an envelope needs to know it. */
export interface Recipient {
  readonly namespace: string;
  readonly name: string;
  /** SHA-256, base64url: of the SPKI DER; of a KMS key of what it was named as; of a raw AES key an HMAC under it. */
  readonly fingerprint: string;
  /** Bytes of a data key wrapped by it: always the same, or by the data key's; the most, where that is not known before. */
  readonly wrappedBytes: number | ((dataKeyBytes: number) => number);
  /** Bytes that a message names it with, where they are not its name's; the most, where that is not known before. */
  readonly infoBytes?: number;
  /** By how many bytes its part of a message may be shorter than those two say. Default 0. */
  readonly slack?: number;
}

/** A public key as others may have it, to encrypt themselves. */
export interface PublicKeyInfo {
  readonly namespace: string;
  readonly name: string;
  /** Of a key of AWS KMS SHA-256 of its ARN, of others of the SPKI DER; base64url. */
  readonly fingerprint: string;
  /** SPKI, PEM. Absent where AWS KMS keeps the key. */
  readonly publicKey?: string;
}

/** Wrapping keys ready for encrypting. The keyring can't unwrap. */
export interface WrappingKeys {
  readonly keyring: KeyringNode;
  readonly recipients: readonly Recipient[];
}

export interface Encryptor {
  readonly format: FormatName;
  /** The keys that every object is wrapped to. */
  readonly recipients: readonly Recipient[];
  /**
   * One message. Every call makes a new data key and message id and seals one header with them.
   * @throws SealdropError through the iterator only.
   */
  encrypt(
    source: ByteSource,
    context: Readonly<Record<string, string>>,
    options?: EncryptOptions,
  ): ByteSource;
  /**
   * For an envelope with its header beside the body: `encrypt` throws `usage` there. Every call makes a new data key, and
   * what it resolves to encrypts once.
   * @param plaintextSize bytes, where they are known: the header says so, and another number of them is `source_changed`
   * @throws SealdropError what the wrapping key throws, `usage`, `reserved_context`, `too_large`
   */
  readonly begin?: (context: Pairs, plaintextSize?: number) => Promise<BegunMessage>;
  /** Ciphertext bytes for plaintext bytes: exact, or bounds for signed messages and where KMS wraps the data key. */
  ciphertextSize(plaintextSize: number, context: Readonly<Record<string, string>>): SizeEstimate;
  /** Messages that one run may begin and another one end; absent where they are none. Gateways have no use for them. */
  readonly resumable?: ResumableMessages;
  /** Where keys are read again from time to time: the encryptor with those of now, which keeps them. */
  readonly pinned?: () => Encryptor;
}

export interface EncryptOptions {
  /**
   * Free the memory of each piece when the next one is asked for, whoever has it still. Default false: pieces may be kept.
   */
  transient?: boolean;
}

/** A message with its header beside the body. */
export interface BegunMessage {
  /** Of the object's metadata: lower-case names, printable ASCII. */
  readonly metadata: Pairs;
  /** What goes to `KEY.instruction`, where the wrapped key lies there. */
  readonly instruction?: Uint8Array;
  /**
   * The body. May be called once.
   * @throws SealdropError through the iterator only: `source_changed`, `too_large`
   */
  encrypt(source: ByteSource, options?: EncryptOptions): ByteSource;
}

/** What a later run needs to go on with a message. It opens that one message. */
export interface KeptMessage {
  /** As it was sealed, byte for byte. */
  readonly header: Uint8Array;
  readonly dataKey: Secret<Uint8Array>;
}

/** Messages of a plaintext of known size, whose frames are sealed one by one. */
export interface ResumableMessages {
  /** Bytes of the longest frame that there can be. */
  readonly frameSize: number;
  /**
   * Every call makes a new data key and message id and seals one header with them.
   * @throws SealdropError what the wrapping key throws, `usage`, `reserved_context`, `too_large`
   */
  begin(context: Pairs, plaintextSize: number): Promise<ResumableMessage>;
  /**
   * The message that an earlier run began. Undefined where `begin` would not have made it of the same: another suite, frame
   * length or context; and where header and data key do not belong together. Whom it is wrapped for, the caller compares.
   */
  reopen(kept: KeptMessage, context: Pairs, plaintextSize: number): Promise<ResumableMessage | undefined>;
}

export interface ResumableMessage {
  readonly kept: KeptMessage;
  /** Bytes of the whole message. */
  readonly size: number;
  /** At least one. */
  readonly frames: number;
  /** @param index from 0 */
  frame(index: number): FramePlace;
  /**
   * The bytes of a frame, in pieces, each to be used before the next is asked for. Frames have nonces of their own: **whatever is sealed as one frame, in this run or in
   * another, must always be the same plaintext**. The caller sees to it.
   */
  seal(index: number, plaintext: Uint8Array): Iterable<Uint8Array>;
  /** Forgets the key. */
  close(): void;
}

/** Bytes, from the first to behind the last: in the message, and of the plaintext. */
export interface FramePlace {
  readonly begin: number;
  readonly end: number;
  readonly plaintext: { readonly begin: number; readonly end: number };
}

/** For something that has to be of one piece, though the keys may be read again meanwhile. */
export const pinned = (encryptor: Encryptor): Encryptor => encryptor.pinned?.() ?? encryptor;

export interface SizeEstimate {
  /** Where it is not exact, the most. */
  readonly bytes: number;
  readonly exact: boolean;
  /** Where it is not exact, the least that it can be. Absent: nothing is known of that. */
  readonly least?: number;
}

/** Whether something has a size that was estimated. */
export const isOfSize = (size: number, { bytes, exact, least = 0 }: SizeEstimate): boolean =>
  exact ? size === bytes : size <= bytes && size >= least;

export interface DecryptOptions extends EncryptOptions {
  /**
   * The caller keeps everything back until the end is reached (writes aside and renames): then the content of an
   * unframed message, an over-long frame or an s3ec object may be handed over before its tag was checked. Default false.
   */
  held?: boolean;
  /** The caller takes content whose tag comes at the end before it was checked, and knows what that means. Default false. */
  unverified?: boolean;
  /**
   * Judges the header, authenticated by then, before any content is opened. Throws to refuse. `held`: from here on the caller
   * keeps everything back.
   */
  accept?: (info: MessageInfo) => 'held' | void;
  /**
   * Called with each regular frame that was authenticated, right before its content is handed over. Not called for what is
   * handed over before it was checked, nor where a signature at the end is over the whole.
   */
  onFrame?: ((frame: FrameMark) => void) | undefined;
  /** Of an object: absent for a message that comes alone. */
  parts?: ObjectParts | undefined;
  /** What the object's vault is configured to allow, where the decryptor was not told. */
  allowed?: ReadPolicy | undefined;
}

/** What may be read at all, by the names that AWS's clients have for it. */
export interface ReadPolicy {
  /** Default REQUIRE_ENCRYPT_REQUIRE_DECRYPT: only what commits to its data key. */
  readonly commitmentPolicy?: CommitmentPolicyName | undefined;
  /** Read s3ec objects of wrappings and ciphers that authenticate nothing, where the commitment policy allows them too. */
  readonly allowLegacy?: boolean | undefined;
}

/** What tells by a frame's key whether a content is that frame's. It is no secret. */
export interface FrameMark {
  /** From 1. */
  readonly sequence: number;
  readonly iv: Uint8Array;
  readonly tag: Uint8Array;
}

export interface Decryptor {
  /**
   * The plaintext of exactly one message.
   * @throws SealdropError with an integrity code; what was yielded before that was authenticated (unless `held`).
   */
  decrypt(source: ByteSource, options?: DecryptOptions): ByteSource;
}

/** Of the plaintext, in bytes, as in HTTP: both included; without `last` to the end; or the last so many. */
export type PlaintextRange = { readonly first: number; readonly last?: number } | { readonly suffix: number };

/** An object as it lies at its store: every byte of it is of the same object, or there is an error. */
export interface StoredObject extends ObjectParts {
  /** Its first bytes, which have come already: all of it, where it is small. */
  readonly beginning: Uint8Array;
  /**
   * Exactly these bytes, both included.
   * @throws SealdropError through the iterator: `source_changed` (retryable) where it was replaced, what the store throws
   */
  fetch(first: number, last: number): ByteSource;
}

/** What a range turned out to be: first and last byte of the plaintext, both included. */
export interface OpenedRange {
  readonly first: number;
  readonly last: number;
  /**
   * Only what was authenticated. May be read once.
   * @throws SealdropError through the iterator: an integrity code, what `StoredObject.fetch` throws
   */
  readonly content: ByteSource;
}

/** A message whose header was opened: as many of its parts as are wanted, several at a time if need be. */
export interface OpenedObject {
  readonly info: MessageInfo;
  /** By the size that the store says that the object has. A range that reaches the end proves it. */
  readonly plaintextSize: number;
  /**
   * Fetches no more than the frames that the range lies in, and the final one where it is said from the end or reaches it.
   * What is said from the end (`suffix`) is handed over only when the end was authenticated.
   * @throws SealdropError `usage` for one that is none, or that begins behind the end; an integrity code; what
   * `StoredObject.fetch` throws
   */
  range(range: PlaintextRange): Promise<OpenedRange>;
  /** Whether that is the content of that regular frame: nobody without the key can make another one. */
  holds(frame: FrameMark, content: Uint8Array): boolean;
  /** Overwrites the data key: nothing is opened after that. */
  close(): void;
}

export interface OpenObjectCall {
  /** As in `DecryptOptions`. */
  accept?: (info: MessageInfo) => void;
  onFrame?: DecryptOptions['onFrame'];
  allowed?: ReadPolicy | undefined;
}

/** Reads parts of objects. */
export interface Ranges {
  /** Whether the parts of it can be authenticated by themselves: an s3ec object has one tag, over the whole. */
  authenticates(object: StoredObject): Promise<boolean>;
  /**
   * Unwraps the data key, once for all ranges.
   * @throws SealdropError an integrity code; `usage` for a message whose parts cannot be authenticated by themselves; what
   * the keys fail with
   */
  open(object: StoredObject, call?: OpenObjectCall): Promise<OpenedObject>;
  /** For the others, by the same keys. */
  unverified(): Promise<UnverifiedRanges>;
}

export interface UnverifiedRange {
  readonly info: MessageInfo;
  /** Of the plaintext: what will come. Both included. */
  readonly first: number;
  readonly last: number;
  /** Of the body: what has to be fetched for it, from the beginning of a block. Both included; never the tag. */
  readonly fetch: { readonly first: number; readonly last: number };
  /**
   * Exactly the range, from exactly the bytes of `fetch`. May be called once.
   * @throws SealdropError through the iterator: `truncated`, `trailing_data`
   */
  decryptUnverified(fetched: ByteSource): ByteSource;
}

/** Reads parts of objects whose one tag is at their end: nothing authenticates what comes. */
export interface UnverifiedRanges {
  /**
   * @param allowed what the object's vault is configured to allow, where the reader was not told
   * @throws SealdropError an integrity code; `usage` for a content that has no ranges, a range that is none, or one behind the
   * end; what the keys fail with
   */
  open(parts: ObjectParts, range: PlaintextRange, allowed?: ReadPolicy): Promise<UnverifiedRange>;
}

/** An s3ec object's header with its data key wrapped anew. The body under it stays as it is. */
export interface RewrappedHeader extends Pick<BegunMessage, 'metadata' | 'instruction'> {
  /** Of the header that was read. */
  readonly info: MessageInfo;
  /** Names of the old header's entries, whose place those of `metadata` take. */
  readonly replaces: readonly string[];
  /** Whether a key at hand opens it, which was tried: where none does, its form alone was checked. */
  readonly opened: boolean;
}

/** Gives s3ec objects another wrapping key, without their bodies. */
export interface HeaderRewrapper {
  /** Whom for. */
  readonly recipient: Recipient;
  readonly algorithm: S3ecWrapName;
  /**
   * The new wrapped key goes where the old one lies.
   * @param call `accept` judges the header, authenticated by then, before anything is wrapped; it throws to refuse
   * @throws SealdropError an integrity code; `usage` for V1 and AES/CBC, for a data key or a description that only the new
   * key would vouch for; what the keys fail with
   */
  rewrap(
    parts: ObjectParts,
    call: { accept: (info: MessageInfo) => void; allowed?: ReadPolicy | undefined },
  ): Promise<RewrappedHeader>;
}

/** What can be known of a message without a key. */
export interface ScanResult {
  readonly info: MessageInfo;
  readonly frames: number;
  readonly plaintextSize: number;
  readonly ciphertextSize: number;
}

export interface Inspector {
  /** Whether metadata say that an object's header lies beside its body: if it does, `inspect` reads nothing of that. */
  readonly isBeside?: (metadata: Pairs) => boolean;
  /** Reads the header and no more than is needed for it. */
  inspect(source: ByteSource, parts?: ObjectParts): Promise<MessageInfo>;
  /** Reads the whole message and checks its framing. Proves no integrity. */
  scan(source: ByteSource, parts?: ObjectParts): Promise<ScanResult>;
  /** Plaintext bytes of a message of so many bytes; for signed messages an upper bound. */
  plaintextSize(info: MessageInfo, ciphertextSize: number): SizeEstimate;
}
