/** A bucket where plaintext arrives, read version by version. */
import type { Readable } from 'node:stream';
import { DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { isSealdropError, SealdropError, throwIfAborted } from '../errors.js';
import type { InboxBucket, InboxObject, InboxVersion, ObjectInfo } from '../ports.js';
import { addressOf, explained, infoOf, quoted, sending, type S3Bucket } from './s3-bucket.js';
import { connect, IDLE_TIMEOUT, type ClientOptions } from './s3-client.js';
import { factsOf, isPrecondition, type Facts } from './s3-errors.js';
import { getObject } from './s3-get.js';
import { setTag } from './s3-inbox-tags.js';
import { printable } from '../printable.js';

export interface S3InboxOptions extends ClientOptions {
  bucket: string;
}

/** Nothing is looked up or connected before the first call. */
export function openS3Inbox(options: S3InboxOptions): InboxBucket {
  return new S3Inbox(options);
}

class S3Inbox implements InboxBucket {
  readonly bucket: string;
  readonly #options: S3InboxOptions;
  #opened: Promise<S3Bucket> | undefined;

  constructor(options: S3InboxOptions) {
    this.bucket = options.bucket;
    this.#options = options;
  }

  async head(key: string, which: InboxVersion = {}, signal?: AbortSignal): Promise<InboxObject | undefined> {
    const bucket = await this.#open(signal);
    return orMissing(bucket, key, signal, async () => {
      const { version, etag } = which;
      const command = new HeadObjectCommand({
        Bucket: bucket.name,
        Key: key,
        ...(version !== undefined && { VersionId: version }),
        ...(etag !== undefined && { IfMatch: quoted(etag) }),
      });
      const output = await bucket.client.send(command, sending(signal));
      return asExpected(inboxObject(infoOf(bucket, key, output), output.TagCount), which);
    });
  }

  async read(
    key: string,
    which: InboxVersion,
    signal?: AbortSignal,
  ): Promise<{ info: InboxObject; body: Readable } | undefined> {
    const bucket = await this.#open(signal);
    return orMissing(bucket, key, signal, async () => {
      const { version, etag } = which;
      const { info, body, tags } = await getObject(bucket, key, { version, ifMatch: etag, signal });
      const found = asExpected(inboxObject(info, tags), which);
      if (found !== undefined) return { info: found, body };
      body.destroy();
      return undefined;
    });
  }

  async tag(
    key: string,
    which: InboxVersion,
    tag: { name: string; value?: string },
    signal?: AbortSignal,
  ): Promise<boolean> {
    return setTag(await this.#open(signal), { key, version: which.version }, tag, signal);
  }

  async remove(key: string, version: string, signal?: AbortSignal): Promise<void> {
    const bucket = await this.#open(signal);
    const command = new DeleteObjectCommand({ Bucket: bucket.name, Key: key, VersionId: version });
    await orMissing(bucket, key, signal, async () => bucket.client.send(command, sending(signal)));
  }

  close(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.then(({ client }) => client.destroy()).catch(() => undefined);
  }

  async #open(signal: AbortSignal | undefined): Promise<S3Bucket> {
    throwIfAborted(signal);
    this.#opened ??= this.#connect();
    return this.#opened;
  }

  async #connect(): Promise<S3Bucket> {
    const { idleTimeout = IDLE_TIMEOUT } = this.#options;
    const unused = {
      partSize: undefined,
      concurrency: 1,
      memory: 0,
      underWay: { count: 0 },
      checksum: 'auto',
    } as const;
    return { ...(await connect(this.#options)), name: this.bucket, ...unused, idleTimeout };
  }
}

function inboxObject({ key, size, etag, modified, version }: ObjectInfo, tags?: number): InboxObject {
  return {
    key,
    size,
    etag,
    modified,
    ...(version !== undefined && { version }),
    ...(tags !== undefined && { tags }),
  };
}

/** Stores that ignore a condition or a version would hand over another object. */
function asExpected(found: InboxObject, { version, etag }: InboxVersion): InboxObject | undefined {
  if (version !== undefined && found.version !== version) return undefined;
  return etag !== undefined && found.etag !== etag ? undefined : found;
}

const MISSING = ['object_not_found', 'precondition_failed'];

async function orMissing<T>(
  bucket: S3Bucket,
  key: string,
  signal: AbortSignal | undefined,
  ask: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    const mapped = isSealdropError(error) ? error : await explained(bucket, key, error, signal);
    const facts = factsOf(isSealdropError(error) ? error.cause : error);
    if (MISSING.includes(mapped.code) || isPrecondition(facts) || isNoVersion(facts)) return undefined;
    if (facts.name === 'InvalidObjectState') throw archived(bucket, key, error);
    throw mapped;
  }
}

/** 405 is a delete marker named by its version; InvalidArgument a version id that is none, to versitygw a removed one. */
const isNoVersion = ({ status, name }: Facts): boolean =>
  status === 405 || (status === 400 && name === 'InvalidArgument');

function archived(bucket: S3Bucket, key: string, cause: unknown): SealdropError {
  const address = printable(addressOf(bucket.name, key));
  return new SealdropError('source_unreadable', `${address} is archived`, {
    cause,
    hint: 'restore it, and move its record back to the queue: sealdrop dlq redrive',
  });
}
