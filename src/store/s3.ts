/** An S3 bucket as a store. The key of an object is everything after the bucket. */
import type { Readable } from 'node:stream';
import { SealdropError, throwIfAborted } from '../errors.js';
import { printable } from '../printable.js';
import type {
  ByteSource,
  ChecksumMode,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
  RemoveOptions,
  Replaced,
  ReplaceOptions,
  ServerSideEncryption,
  StoredChecksum,
  UnfinishedUpload,
} from '../ports.js';
import { DEFAULT_MEMORY } from './parallelism.js';
import { MIN_PART_SIZE } from './part-plan.js';
import type { Endpoint } from './s3-config.js';
import { addressOf, headObject, type S3Bucket } from './s3-bucket.js';
import { storedChecksums } from './s3-checksums.js';
import { connect, IDLE_TIMEOUT, type ClientOptions } from './s3-client.js';
import { getObject } from './s3-get.js';
import { listObjects, listUnfinished } from './s3-list.js';
import { resumableUploads } from './s3-resume.js';
import { uploadKeeping } from './s3-uploads.js';
import { putObject } from './s3-put.js';
import { removeObject } from './s3-remove.js';
import { replaceMetadata } from './s3-replace.js';
import { versionKeeping } from './s3-versions.js';
import { assertSseUsable } from './sse.js';

export type { S3Credentials } from './s3-client.js';

export interface S3StoreOptions extends ClientOptions {
  bucket: string;
  /** Bytes of a part, at least 5 MiB. Default 8 MiB; 16 MiB where the size isn't known; more for large objects. */
  partSize?: number | undefined;
  /** Parts of one object that are under way at the same time. Default: as many as are faster than fewer. */
  concurrency?: number | undefined;
  /** Bytes that the buffers of all transfers under way may take. Default 96 MiB. */
  memory?: number | undefined;
  /** How uploads are checked. Default `auto`. */
  checksum?: ChecksumMode | undefined;
  /** Default: whatever the bucket does. SSE-C goes over https alone. */
  sse?: ServerSideEncryption | undefined;
}

/** Two of the smallest parts. */
const LEAST_MEMORY = 2 * MIN_PART_SIZE;

/**
 * Nothing is looked up or connected before the first call.
 * @throws SealdropError `usage`
 */
export function openS3Store(options: S3StoreOptions): ObjectStore {
  const { bucket, partSize, concurrency, memory } = options;
  if (bucket === '' || bucket.includes('/'))
    throw new SealdropError('usage', 'a bucket has a name without slashes');
  if (partSize !== undefined && !(Number.isInteger(partSize) && partSize >= MIN_PART_SIZE))
    throw new SealdropError('usage', `S3 wants parts of at least ${MIN_PART_SIZE} bytes`);
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 32))
    throw new SealdropError('usage', 'from 1 to 32 parts can be sent at the same time');
  if (memory !== undefined && !(Number.isInteger(memory) && memory >= LEAST_MEMORY))
    throw new SealdropError('usage', `a transfer takes at least ${LEAST_MEMORY} bytes of memory`);
  return new S3Store(options);
}

interface SignalOption {
  signal?: AbortSignal;
}

class S3Store implements ObjectStore {
  readonly kind = 's3';
  readonly uploads = uploadKeeping((options) => this.#open(options));
  readonly resumable = resumableUploads((options) => this.#open(options));
  readonly versions = versionKeeping((options) => this.#open(options));
  readonly #options: S3StoreOptions;
  #opened: Promise<S3Bucket> | undefined;

  constructor(options: S3StoreOptions) {
    this.#options = options;
  }

  address(key: string): string {
    return addressOf(this.#options.bucket, key);
  }

  assertStorable(): void {}

  async head(key: string, options: SignalOption = {}): Promise<ObjectInfo> {
    return headObject(await this.#open(options), key, options);
  }

  async get(key: string, options: GetOptions = {}): Promise<{ info: ObjectInfo; body: Readable }> {
    return getObject(await this.#open(options), key, options);
  }

  async put(key: string, source: ByteSource, options: PutOptions = {}): Promise<PutResult> {
    return putObject(await this.#open(options), key, source, options);
  }

  async replaceMetadata(key: string, options: ReplaceOptions): Promise<Replaced> {
    return replaceMetadata(await this.#open(options), key, options);
  }

  async remove(key: string, options: RemoveOptions = {}): Promise<void> {
    await removeObject(await this.#open(options), key, options);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    yield* listObjects(await this.#open(options), prefix, options);
  }

  async unfinished(key: string, options: SignalOption = {}): Promise<UnfinishedUpload[]> {
    return listUnfinished(await this.#open(options), key, options);
  }

  async checksums(key: string, options: SignalOption = {}): Promise<StoredChecksum[]> {
    return storedChecksums(await this.#open(options), key, options);
  }

  async place(): Promise<string> {
    const { endpoint, name } = await this.#open({});
    return JSON.stringify([endpoint.url ?? endpoint.shown, name]);
  }

  close(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.then(({ client }) => client.destroy()).catch(() => undefined);
  }

  async #open({ signal }: SignalOption): Promise<S3Bucket> {
    throwIfAborted(signal);
    this.#opened ??= this.#connect();
    return this.#opened;
  }

  async #connect(): Promise<S3Bucket> {
    const { bucket: name, partSize, concurrency, idleTimeout = IDLE_TIMEOUT } = this.#options;
    const { sse, memory = DEFAULT_MEMORY } = this.#options;
    const connection = await connect(this.#options);
    assertSseUsable(sse, connection.endpoint);
    assertNoBucket(connection.endpoint, name);
    const checksum = this.#options.checksum ?? connection.traits.checksum ?? 'auto';
    return {
      ...connection,
      name,
      partSize,
      concurrency,
      memory,
      underWay: { count: 0 },
      checksum,
      sse,
      idleTimeout,
    };
  }
}

/** The URL of a bucket in place of the store's: its name would come twice. @throws SealdropError `usage` */
function assertNoBucket({ url, shown }: Endpoint, bucket: string): void {
  if (url === undefined || new URL(url).pathname.split('/')[1] !== bucket) return;
  throw new SealdropError('usage', `the endpoint ${shown} ends in the bucket's own name`, {
    hint: `leave /${printable(bucket)} out of it: the address names the bucket`,
  });
}
