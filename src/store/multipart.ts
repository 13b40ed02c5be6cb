/** One multipart upload, from its beginning to its completion or removal. */
import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type CompletedPart,
  type CreateMultipartUploadCommandInput,
} from '@aws-sdk/client-s3';
import { SealdropError, throwIfAborted } from '../errors.js';
import type { PutOptions, SentPart } from '../ports.js';
import { printable } from '../printable.js';
import { isUnguarded, isWhatWasSent, writeVisibly, type ConditionHeaders } from './conditional.js';
import { crc32OfAll } from './crc32.js';
import type { Part } from './cut-parts.js';
import {
  BY_CRC32,
  checkFor,
  prove,
  resentIfCorrupted,
  verdict,
  withPayloadHash,
  type Check,
  type Checked,
} from './integrity.js';
import type { CopyRange } from './part-plan.js';
import { askedOf, quoted, sending, unquoted, uploading, type S3Bucket } from './s3-bucket.js';
import { factsOf, isDenied, isNoSuchUpload, isRefusal, notS3, s3Error } from './s3-errors.js';
import { delayed } from './signals.js';
import { encryptionOf, sseOfAny, sseOfNew, sseOfSource } from './sse.js';

export interface Completed {
  readonly etag: string | undefined;
  readonly version: string | undefined;
}

/** What an object has besides bytes and metadata, for one that takes its place. */
export type KeptFields = Omit<CreateMultipartUploadCommandInput, 'Bucket' | 'Key' | 'Metadata'>;

/** `gone`: the store knows no such upload any more; `left`: its parts may still be there. */
export type Discarded = 'removed' | 'gone' | 'left';

const CLEANUP_TIME = 30_000;
/** For the answer to the beginning of an upload that is not wanted any more. */
const ANSWER_TIME = 5_000;

/** Stores that take no upload with CRC32s, by their clients. */
const refusesCrc32 = new WeakSet<S3Bucket['client']>();

export class MultipartUpload {
  readonly #bucket: S3Bucket;
  readonly #key: string;
  readonly #options: PutOptions;
  readonly #replaces: boolean;
  readonly id: string;
  readonly #check: Check;
  readonly #parts: (CompletedPart & { size: number })[] = [];
  size = 0;
  /** The weakest that any part was checked by. */
  checked: Checked | undefined;
  /** True from when the completing request may have gone out. */
  completing = false;
  /** True where the store knew no conditional write. */
  unguarded = false;
  /** What the store says that it encrypts the parts with; not every store says it at the beginning already. */
  encryption: string | undefined;

  private constructor(
    bucket: S3Bucket,
    key: string,
    options: PutOptions,
    { id, check, replaces }: { id: string; check: Check; replaces: boolean },
  ) {
    this.#bucket = bucket;
    this.#key = key;
    this.#options = options;
    this.#replaces = replaces;
    this.id = id;
    this.#check = check;
  }

  /** @param kept of the object under the key, where this is to be the same one with other metadata */
  static async begin(
    bucket: S3Bucket,
    key: string,
    options: PutOptions,
    signal: AbortSignal,
    kept?: KeptFields,
  ): Promise<MultipartUpload> {
    const check = checkFor(bucket.endpoint, bucket.checksum, bucket.sse);
    const begin = async (by: Check) => {
      const command = new CreateMultipartUploadCommand({
        Bucket: bucket.name,
        Key: key,
        ContentType: 'application/octet-stream',
        ...(options.metadata && { Metadata: { ...options.metadata } }),
        ...(by.by === 'crc32' && { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }),
        ...sseOfNew(bucket.sse),
        ...kept,
      });
      // Not given up at once: an upload that the store has begun can be removed only by the id in the answer.
      throwIfAborted(signal);
      const answer = await bucket.client.send(command, sending(delayed(signal, ANSWER_TIME)));
      if (answer.UploadId === undefined) throw notS3(askedOf(bucket, key), 'began an upload without an id');
      return { ...answer, id: answer.UploadId };
    };
    const made = (id: string, by: Check) =>
      new MultipartUpload(bucket, key, options, { id, check: by, replaces: kept !== undefined });
    if (!check.negotiable || refusesCrc32.has(bucket.client)) return made((await begin(check)).id, check);
    const asked = await begin(BY_CRC32).catch((error: unknown) => {
      if (!isRefusal(factsOf(error))) throw error;
      refusesCrc32.add(bucket.client);
      return undefined;
    });
    if (asked === undefined) return made((await begin(check)).id, check);
    const agreed = asked.ChecksumAlgorithm === 'CRC32' && asked.ChecksumType === 'FULL_OBJECT';
    return made(asked.id, agreed ? BY_CRC32 : check);
  }

  /** @param agreed what it says of itself, of one that was begun before with the same options */
  static reopen(
    bucket: S3Bucket,
    key: string,
    options: PutOptions,
    { id, agreed }: { id: string; agreed: string },
  ): MultipartUpload {
    const usual = checkFor(bucket.endpoint, bucket.checksum, bucket.sse);
    const check = usual.negotiable && agreed === BY_CRC32.by ? BY_CRC32 : usual;
    return new MultipartUpload(bucket, key, options, { id, check, replaces: false });
  }

  /** What the store checks parts by. */
  get agreed(): string {
    return this.#check.by;
  }

  /** Resolves when the store has the part. */
  async send({ number, body }: Pick<Part, 'number' | 'body'>, signal: AbortSignal): Promise<SentPart> {
    const proof = await prove(body, this.#check);
    const { address } = askedOf(this.#bucket, this.#key);
    return resentIfCorrupted(async () => {
      const part = { ...this.#sealed, PartNumber: number, Body: body, ...proof.headers };
      const command = withPayloadHash(new UploadPartCommand(part), proof.payloadHash);
      const answer = await this.#mapped(() => this.#bucket.client.send(command, uploading(signal)));
      if (answer.ETag === undefined)
        throw notS3(askedOf(this.#bucket, this.#key), 'took a part without an ETag');
      const checked = verdict(address, this.#check, proof, answer);
      const { ChecksumCRC32 } = proof.headers;
      const encryption = encryptionOf(answer);
      const sent = {
        ...{ number, size: body.length, etag: unquoted(answer.ETag), checked },
        ...(ChecksumCRC32 !== undefined && { crc32: ChecksumCRC32 }),
        ...(encryption !== undefined && { encryption }),
      };
      this.take(sent);
      return sent;
    });
  }

  /** A part that the store has: it will be one of the object's. */
  take({ number, size, etag, crc32, checked, encryption }: SentPart): void {
    this.size += size;
    if (this.checked === undefined || checked === 'size') this.checked = checked;
    this.encryption = encryption;
    this.#parts[number - 1] = {
      PartNumber: number,
      ETag: quoted(etag),
      ...(crc32 !== undefined && { ChecksumCRC32: crc32 }),
      size,
    };
  }

  /** Bytes of the object under the key, if it is still the one with this ETag. They stay inside the store. */
  async copy(
    { number, first, last }: CopyRange,
    { etag, size }: { etag: string; size: number },
    signal: AbortSignal,
  ): Promise<void> {
    const length = last - first + 1;
    this.size += length;
    const command = new UploadPartCopyCommand({
      ...this.#sealed,
      PartNumber: number,
      CopySource: [this.#bucket.name, ...this.#key.split('/')].map(encodeURIComponent).join('/'),
      CopySourceIfMatch: quoted(etag),
      // Of objects up to 5 MB S3 copies no ranges.
      ...(length < size && { CopySourceRange: `bytes=${first}-${last}` }),
      ...sseOfSource(this.#bucket.sse),
    });
    const answer = await this.#mapped(() => this.#bucket.client.send(command, uploading(signal)));
    if (answer.CopyPartResult?.ETag === undefined)
      throw notS3(askedOf(this.#bucket, this.#key), 'copied a part without an ETag');
    this.#parts[number - 1] = { PartNumber: number, ETag: answer.CopyPartResult.ETag, size: length };
  }

  async complete(signal: AbortSignal): Promise<Completed> {
    if (this.#options.proven === true) this.#assertProven();
    this.completing = true;
    return writeVisibly(this.#bucket, {
      key: this.#key,
      options: { ...this.#options, signal },
      send: (headers) => this.#complete(headers, signal),
      settle: () => this.settle(signal),
    });
  }

  #assertProven(): void {
    if (this.checked !== undefined && this.checked !== 'size') return;
    const { address } = askedOf(this.#bucket, this.#key);
    throw new SealdropError(
      'store_refused',
      `${printable(address)}: the store proves nothing of the bytes that it got but their number`,
      { hint: 'let it check the signature of their digest: --checksum signature' },
    );
  }

  async #complete(headers: ConditionHeaders, signal: AbortSignal): Promise<Completed> {
    this.unguarded = isUnguarded(this.#options.condition, headers);
    const command = new CompleteMultipartUploadCommand({
      ...this.#sealed,
      MultipartUpload: { Parts: this.#parts.map(({ size: _size, ...part }) => part) },
      // Of nothing there is none to compare (MinIO computes another).
      ...(this.#check.by === 'crc32' &&
        this.size > 0 && {
          ChecksumCRC32: crc32OfAll(this.#parts.map(({ ChecksumCRC32: crc32, size }) => ({ crc32, size }))),
          ChecksumType: 'FULL_OBJECT',
        }),
      ...headers,
    });
    const { ETag, VersionId } = await this.#bucket.client.send(command, sending(signal));
    return { etag: ETag && unquoted(ETag), version: VersionId };
  }

  /** The object that the upload became, if it did. */
  async settle(signal?: AbortSignal): Promise<Completed | undefined> {
    const { metadata } = this.#options;
    const sent = { size: this.size, metadata, etag: this.#expectedEtag() };
    const info = await isWhatWasSent(this.#bucket, this.#key, sent, signal);
    return info && { etag: info.etag, version: info.version };
  }

  /** MD5 over the MD5s of the parts, and their number: known without looking at the data again. */
  #expectedEtag(): string | undefined {
    // Of the same bytes, it may be that of the object that was there before.
    if (this.#replaces) return undefined;
    const etags = this.#parts.map(({ ETag }) => unquoted(ETag!));
    if (!etags.every((etag) => /^[0-9a-f]{32}$/i.test(etag))) return undefined;
    return `${createHash('md5').update(etags.join(''), 'hex').digest('hex')}-${etags.length}`;
  }

  /** Removes what was sent. Has a time of its own, because the caller's signal may be why it is called. */
  async discard(): Promise<Discarded> {
    const signal = AbortSignal.timeout(CLEANUP_TIME);
    for (let attempt = 1; attempt <= 2; attempt++) {
      try {
        await this.#bucket.client.send(new AbortMultipartUploadCommand(this.#target), sending(signal));
      } catch (error) {
        const facts = factsOf(error);
        if (isNoSuchUpload(facts)) return attempt === 1 ? 'gone' : 'removed';
        if (isDenied(facts) || attempt === 2) return 'left';
        continue;
      }
      // A part that arrives while the upload is being aborted may stay.
      if (!(await this.#hasParts(signal))) return 'removed';
    }
    return 'left';
  }

  async #hasParts(signal: AbortSignal): Promise<boolean> {
    try {
      const { Parts } = await this.#bucket.client.send(
        new ListPartsCommand({ ...this.#sealed, MaxParts: 1 }),
        sending(signal),
      );
      return (Parts?.length ?? 0) > 0;
    } catch {
      // The usual answer is NoSuchUpload. Who may not ask has to believe the abort.
      return false;
    }
  }

  get #target() {
    return { Bucket: this.#bucket.name, Key: this.#key, UploadId: this.id };
  }

  /** For what looks at the parts' bytes, as the checks of the whole do. */
  get #sealed() {
    return { ...this.#target, ...sseOfAny(this.#bucket.sse) };
  }

  async #mapped<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw s3Error(error, askedOf(this.#bucket, this.#key));
    }
  }
}
