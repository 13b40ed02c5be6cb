/** Multipart uploads that one run begins and another one ends: nothing is aborted unless the caller says so. */
import { ListPartsCommand, type ListPartsCommandOutput } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import type {
  ListedPart,
  OutgoingPart,
  PutResult,
  ResumableUpload,
  ResumableUploads,
  SentPart,
  UploadPlan,
} from '../ports.js';
import { assertGuarded, isWhatWasSent } from './conditional.js';
import { checkFor } from './integrity.js';
import { MultipartUpload } from './multipart.js';
import { MOST } from './parallelism.js';
import { planParts } from './part-plan.js';
import {
  askedOf,
  parallelismOf,
  sending,
  unquoted,
  versionOf,
  type S3Bucket,
  type SignalOption,
} from './s3-bucket.js';
import { factsOf, isNoSuchUpload, notS3 } from './s3-errors.js';
import { assertPartsEncrypted, confirmed } from './s3-put.js';
import { sseOfAny } from './sse.js';
import { assertMetadataFit, inParallel, Job, withLeftover } from './upload-job.js';

export function resumableUploads(open: (options: SignalOption) => Promise<S3Bucket>): ResumableUploads {
  return {
    plan: async (size, options = {}) => planOf(await open(options), size),
    async begin(key, options) {
      const bucket = await open(options);
      assertGuarded(bucket, options);
      assertMetadataFit(bucket, key, options.metadata);
      const job = new Job(bucket, key, options);
      return new S3Upload(job, await job.explain(MultipartUpload.begin(bucket, key, options, job.signal)));
    },
    async reopen(key, upload, options) {
      const bucket = await open(options);
      return new S3Upload(
        new Job(bucket, key, options),
        MultipartUpload.reopen(bucket, key, options, upload),
      );
    },
  };
}

function planOf(bucket: S3Bucket, size: number): UploadPlan {
  const { endpoint, name, checksum, sse } = bucket;
  const { partSize } = planParts(size, bucket.partSize, bucket.traits);
  const key = sse?.kind === 'c' && createHash('sha256').update(sse.key.reveal()).digest('base64');
  const keyId = sse?.kind === 'aws:kms' && sse.keyId;
  return {
    partSize,
    parallel: MOST,
    place: JSON.stringify([endpoint.url ?? endpoint.shown, name]),
    terms: JSON.stringify([checkFor(endpoint, checksum, sse).by, sse?.kind ?? '', keyId || key || '']),
  };
}

class S3Upload implements ResumableUpload {
  readonly #job: Job;
  readonly #upload: MultipartUpload;

  constructor(job: Job, upload: MultipartUpload) {
    this.#job = job;
    this.#upload = upload;
  }

  get id(): string {
    return this.#upload.id;
  }

  get agreed(): string {
    return this.#upload.agreed;
  }

  async parts(): Promise<ListedPart[] | undefined> {
    const found: ListedPart[] = [];
    let page: ListPartsCommandOutput | undefined;
    do {
      const next = await this.#page(page?.NextPartNumberMarker);
      if (next === undefined) return undefined;
      const isStuck = page !== undefined && next.NextPartNumberMarker === page.NextPartNumberMarker;
      if (isStuck) throw notS3(this.#asked, 'answered a listing of parts that does not come to an end');
      page = next;
      for (const { PartNumber: number, Size: size, ETag } of page.Parts ?? [])
        if (number !== undefined && size !== undefined && ETag !== undefined)
          found.push({ number, size, etag: unquoted(ETag) });
    } while (page.IsTruncated === true && page.NextPartNumberMarker !== undefined);
    return found;
  }

  async #page(after: string | undefined): Promise<ListPartsCommandOutput | undefined> {
    const { bucket, key, signal } = this.#job;
    const command = new ListPartsCommand({
      ...{ Bucket: bucket.name, Key: key, UploadId: this.id },
      ...(after !== undefined && { PartNumberMarker: after }),
      ...sseOfAny(bucket.sse),
    });
    try {
      return await bucket.client.send(command, sending(signal));
    } catch (error) {
      if (isNoSuchUpload(factsOf(error))) return undefined;
      return this.#job.explain(Promise.reject(error as Error));
    }
  }

  take(sent: readonly SentPart[]): void {
    for (const part of sent) this.#upload.take(part);
  }

  async send(
    parts: AsyncIterable<OutgoingPart>,
    { partSize }: Pick<UploadPlan, 'partSize'>,
    onSent: (part: SentPart) => Promise<void>,
  ): Promise<void> {
    const { bucket, signal } = this.#job;
    const parallelism = parallelismOf(bucket, 'upload', partSize);
    bucket.underWay.count++;
    await inParallel(this.#job, parts, parallelism, async (part) => {
      const { length } = part.body;
      await this.#upload
        .send(part, signal)
        .finally(() => part.release())
        .then(onSent);
      parallelism.sent(length);
    }).finally(() => bucket.underWay.count--);
    assertPartsEncrypted(this.#job, this.#upload);
  }

  async complete(): Promise<PutResult> {
    const { signal } = this.#job;
    const completed = await this.#job.explain(this.#upload.complete(signal)).catch(async (error: unknown) => {
      // A completion whose answer was lost, and that the store had not carried out yet when it was asked first.
      const done = signal.aborted ? undefined : await this.#upload.settle(signal);
      if (done === undefined) throw this.#job.fail(error);
      return done;
    });
    return confirmed(this.#job, this.#upload, completed);
  }

  async became(size: number): Promise<PutResult | undefined> {
    const { bucket, key, options, signal } = this.#job;
    // Known by the entry in its metadata that it alone has.
    const info = await isWhatWasSent(
      bucket,
      key,
      { size, metadata: options.metadata, etag: undefined },
      signal,
    );
    const { id: upload, checked = 'size' } = this.#upload;
    return info && { etag: info.etag, size, ...versionOf({ VersionId: info.version }), checked, upload };
  }

  async discard(error: unknown): Promise<unknown> {
    const discarded = await this.#upload.discard();
    return discarded === 'left' ? withLeftover(error, this.#job, this.id) : error;
  }

  get #asked() {
    return askedOf(this.#job.bucket, this.#job.key);
  }
}
