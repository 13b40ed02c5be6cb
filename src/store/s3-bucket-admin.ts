/** A bucket itself: made, set and looked at. */
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketEncryptionCommand,
  HeadBucketCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  type ServerSideEncryptionRule,
} from '@aws-sdk/client-s3';
import { SealdropError, throwIfAborted } from '../errors.js';
import type { BucketAdmin, BucketEncryption, DefaultEncryption } from '../ports.js';
import { printable } from '../printable.js';
import { sending } from './s3-bucket.js';
import { connect, type ClientOptions, type Connection } from './s3-client.js';
import { factsOf, isDenied, isNotFound, s3Error } from './s3-errors.js';

/** Nothing is looked up or connected before the first call. */
export function openBucketAdmin(options: ClientOptions & { bucket: string }): BucketAdmin {
  return new S3BucketAdmin(options);
}

type Client = Connection['client'];

class S3BucketAdmin implements BucketAdmin {
  readonly bucket: string;
  readonly address: string;
  readonly #options: ClientOptions;
  #opened: Promise<Connection> | undefined;

  constructor({ bucket, ...options }: ClientOptions & { bucket: string }) {
    this.bucket = bucket;
    this.address = `s3://${bucket}`;
    this.#options = options;
  }

  async exists(signal?: AbortSignal): Promise<boolean> {
    const missing = (error: unknown) => (isNotFound(factsOf(error)) ? false : undefined);
    return this.#ask(
      signal,
      async (client) => {
        await client.send(new HeadBucketCommand({ Bucket: this.bucket }), sending(signal));
        return true;
      },
      missing,
    );
  }

  async create(signal?: AbortSignal): Promise<void> {
    await this.#ask(
      signal,
      async (client) => client.send(new CreateBucketCommand({ Bucket: this.bucket }), sending(signal)),
      (error) => {
        if (!/^BucketAlready/.test(factsOf(error).name)) return undefined;
        throw new SealdropError('target_exists', `there is a bucket ${printable(this.bucket)} already`, {
          cause: error,
          hint: 'bucket names are shared by all who use a store: take another',
        });
      },
    );
  }

  async remove(signal?: AbortSignal): Promise<void> {
    await this.#ask(signal, async (client) =>
      client.send(new DeleteBucketCommand({ Bucket: this.bucket }), sending(signal)),
    );
  }

  async encryption(signal?: AbortSignal): Promise<DefaultEncryption> {
    return this.#ask(
      signal,
      async (client) => {
        const command = new GetBucketEncryptionCommand({ Bucket: this.bucket });
        const { ServerSideEncryptionConfiguration: found } = await client.send(command, sending(signal));
        const rule = found?.Rules?.[0];
        const algorithm = rule?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm;
        if (algorithm === undefined) return { state: 'unknown' };
        const keyId = rule?.ApplyServerSideEncryptionByDefault?.KMSMasterKeyID;
        const allowsSseC = rule?.BlockedEncryptionTypes?.EncryptionType?.includes('SSE-C') !== true;
        const bucketKey = rule?.BucketKeyEnabled;
        return {
          ...{ state: 'set', algorithm, allowsSseC },
          ...(keyId && { keyId }),
          ...(bucketKey !== undefined && { bucketKey }),
        };
      },
      (error): DefaultEncryption | undefined => {
        const facts = factsOf(error);
        if (facts.name === 'ServerSideEncryptionConfigurationNotFoundError') return { state: 'none' };
        // Whoever may not ask, and stores that don't know the question, whatever they answer to it.
        const unknown = facts.answered && facts.name !== 'NoSuchBucket';
        return unknown && (isDenied(facts) || (facts.status ?? 0) < 500 || facts.status === 501)
          ? { state: 'unknown' }
          : undefined;
      },
    );
  }

  async setEncryption(encryption: BucketEncryption, signal?: AbortSignal): Promise<void> {
    const { algorithm, keyId, bucketKey, allowSseC } = encryption;
    const rule: ServerSideEncryptionRule = {
      ApplyServerSideEncryptionByDefault: {
        SSEAlgorithm: algorithm as 'AES256',
        ...(keyId && { KMSMasterKeyID: keyId }),
      },
      ...(bucketKey !== undefined && { BucketKeyEnabled: bucketKey }),
      ...(allowSseC && { BlockedEncryptionTypes: { EncryptionType: ['NONE'] } }),
    };
    const command = new PutBucketEncryptionCommand({
      Bucket: this.bucket,
      ServerSideEncryptionConfiguration: { Rules: [rule] },
    });
    await this.#ask(signal, async (client) => client.send(command, sending(signal)));
  }

  async setVersioned(signal?: AbortSignal): Promise<void> {
    const command = new PutBucketVersioningCommand({
      Bucket: this.bucket,
      VersioningConfiguration: { Status: 'Enabled' },
    });
    await this.#ask(signal, async (client) => client.send(command, sending(signal)));
  }

  async removeObject(key: string, version: string | undefined, signal?: AbortSignal): Promise<void> {
    const command = new DeleteObjectCommand({
      Bucket: this.bucket,
      Key: key,
      ...(version !== undefined && { VersionId: version }),
    });
    await this.#ask(signal, async (client) => client.send(command, sending(signal)));
  }

  close(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.then(({ client }) => client.destroy()).catch(() => undefined);
  }

  /** @param expected what an error of the store means where it means no failure */
  async #ask<T>(
    signal: AbortSignal | undefined,
    request: (client: Client) => Promise<T>,
    expected: (error: unknown) => T | undefined = () => undefined,
  ): Promise<T> {
    throwIfAborted(signal);
    const { client, endpoint } = await (this.#opened ??= connect(this.#options));
    try {
      return await request(client);
    } catch (error) {
      const meant = expected(error);
      if (meant !== undefined) return meant;
      throw s3Error(error, { address: this.address, endpoint: endpoint.shown });
    }
  }
}
