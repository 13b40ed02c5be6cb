/**
 * The encrypting function without AWS around it: its inbox and its vault are buckets of one real server behind proxies,
 * its secrets and its queue stand in memory.
 */
import { randomBytes } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { SQSBatchResponse } from 'aws-lambda';
import { encryptObjectHandler } from '../../lambda/encrypt-object/handler.js';
import { createHandler as createPut } from '../../lambda/put-object/handler.js';
import { openGatewayParts } from '../../src/compose-gateway.js';
import type { DirectEvent, EncryptObjectSettings, InboxSettings, OutcomeReport } from '../../src/contract.js';
import { SealdropError } from '../../src/errors.js';
import type { EventQueue } from '../../src/gateway/batch.js';
import type { Report } from '../../src/gateway/inbox-gateway.js';
import { codeOf } from '../../src/gateway/permanent.js';
import { Secret } from '../../src/secret.js';
import { renewing } from '../../src/secrets/renewing.js';
import { openS3Inbox } from '../../src/store/s3-inbox.js';
import { eventOf, PRINCIPALS } from './api-call.js';
import { chunked, collect } from './bytes.js';
import { startFaultProxy, type FaultProxy } from './fault-proxy.js';
import { decryptorFor, publicPem, rsaPair, type Pair } from './keys.js';
import type { S3Server } from './servers.js';

/** What a queue would hand out; only what it knows is confirmed. */
class MemoryQueue implements EventQueue {
  readonly known = new Set<string>();
  readonly postponed: { id: string; seconds: number }[] = [];

  async hold({ receipt }: Parameters<EventQueue['hold']>[0]): Promise<void> {
    if (!this.known.has(receipt)) throw new Error('not of this queue');
  }
  async postpone({ id }: Parameters<EventQueue['postpone']>[0], seconds: number): Promise<void> {
    this.postponed.push({ id, seconds });
  }
}

export interface FunctionOptions {
  inbox?: Partial<InboxSettings>;
  settings?: Partial<EncryptObjectSettings>;
  versioned?: boolean;
  /** More fields of the vault-write secret. */
  vault?: Record<string, unknown>;
}

export interface SourceVersion {
  key: string;
  version: string | undefined;
  etag: string;
  sequencer: string;
  /** When it was dropped. */
  time?: string;
}

let buckets = 0;
let sequence = 0x1000;

export class EncryptingFunction {
  readonly pair: Pair = rsaPair();
  readonly secrets = new Map<string, Buffer | Error>();
  readonly queue = new MemoryQueue();
  readonly letters: { body: Record<string, unknown>; code: string }[] = [];
  readonly reports: Report[] = [];
  readonly problems: string[] = [];
  /** Milliseconds that the function has. */
  time = 120_000;
  secretsRead = 0;

  private constructor(
    readonly server: S3Server,
    readonly inbox: string,
    readonly vault: string,
    readonly toInbox: FaultProxy,
    readonly toVault: FaultProxy,
    readonly settings: EncryptObjectSettings,
  ) {}

  static async open(server: S3Server, options: FunctionOptions = {}): Promise<EncryptingFunction> {
    const number = ++buckets;
    const inbox = await server.createBucket(`inbox-${number}`);
    const vault = await server.createBucket(`vault-${number}`);
    if (options.versioned !== false)
      await server.client.send(
        new PutBucketVersioningCommand({ Bucket: inbox, VersioningConfiguration: { Status: 'Enabled' } }),
      );
    const ofInbox = { prefix: '', suffix: '', template: '{key}', encode: false, versioned: true };
    const settings: EncryptObjectSettings = {
      ...{ deployment: 'test', publicKeySet: 'keys', keyNames: {}, idempotency: 'idempotency' },
      ...{ vault: { secret: 'vault-write' }, secretsTtlSeconds: 300 },
      inboxes: [{ bucket: inbox, ...ofInbox, ...options.inbox }],
      ...{ account: '000000000000', queueUrl: 'queue', deadLetterUrl: 'dead', after: 'keep' },
      maxObjectBytes: 2 ** 40,
      ...options.settings,
    };
    const proxies = [await startFaultProxy(server.endpoint), await startFaultProxy(server.endpoint)] as const;
    const made = new EncryptingFunction(server, inbox, vault, ...proxies, settings);
    made.secrets.set('keys', Buffer.from(publicPem(made.pair)));
    made.secrets.set('idempotency', randomBytes(32));
    made.setVaultSecret(options.vault);
    return made;
  }

  setVaultSecret(more: Record<string, unknown> = {}): void {
    const { credentials, region } = this.server;
    const { accessKeyId, secretAccessKey } = credentials;
    const secret = {
      endpoint: this.toVault.endpoint,
      region,
      bucket: this.vault,
      prefix: 'enc/',
      allowHttp: true,
    };
    this.secrets.set(
      'vault-write',
      Buffer.from(JSON.stringify({ ...secret, accessKeyId, secretAccessKey, ...more })),
    );
  }

  async close(): Promise<void> {
    await this.toInbox.close();
    await this.toVault.close();
  }

  /** A fresh function, as after a cold start. */
  start(): (event: unknown) => Promise<unknown> {
    const { settings, server, toInbox, queue } = this;
    const handler = encryptObjectHandler({
      settings,
      queue,
      parts: this.#parts(),
      openInbox: (bucket) =>
        openS3Inbox({
          ...{ bucket, endpoint: toInbox.endpoint, region: server.region, bucketOwner: settings.account },
          credentials: new Secret(server.credentials),
        }),
      sendDeadLetter: async (letter) => void this.letters.push({ body: { ...letter }, code: letter.code }),
      telemetry: {
        object: (report) => void this.reports.push(report),
        notConfigured: (error) => void this.problems.push(codeOf(error)),
        problem: (_, error) => void this.problems.push(codeOf(error)),
        flush: () => undefined,
      },
    });
    return async (event) => {
      const end = Date.now() + this.time;
      return handler(event, { getRemainingTimeInMillis: () => end - Date.now() });
    };
  }

  #parts() {
    const read = async (name: string) => {
      this.secretsRead++;
      const value = this.secrets.get(name);
      if (value === undefined) throw new SealdropError('secret_missing', `no secret ${name}`);
      if (value instanceof Error) throw value;
      return new Secret(value);
    };
    const { settings } = this;
    return openGatewayParts(settings, { secrets: { read }, inboxes: settings.inboxes });
  }

  /** `PUT /v1/objects/KEY` by the function that answers it, as alice: it stands below `alice/`. */
  async put(key: string, body: string): Promise<void> {
    const handler = createPut(
      { ...this.settings, principals: PRINCIPALS },
      { withParts: renewing(this.#parts()), report: () => undefined },
    );
    const request = { method: 'PUT', path: `/v1/objects/${key}`, body };
    const { statusCode } = await handler(eventOf(request, 'PUT /v1/objects/{key+}'));
    if (statusCode !== 201) throw new Error(`PUT: ${statusCode}`);
  }

  // ------------------------------------------------------------------------------------ the inbox

  async drop(key: string, body: string | Buffer): Promise<SourceVersion> {
    const { VersionId, ETag } = await this.server.client.send(
      new PutObjectCommand({ Bucket: this.inbox, Key: key, Body: Buffer.from(body) }),
    );
    sequence++;
    const sequencer = `00${sequence.toString(16).toUpperCase()}`;
    const time = new Date().toISOString();
    return { key, version: VersionId, etag: ETag!.replaceAll('"', ''), sequencer, time };
  }

  async removeSource(key: string, version?: string): Promise<void> {
    await this.server.client.send(
      new DeleteObjectCommand({ Bucket: this.inbox, Key: key, VersionId: version }),
    );
  }

  /** Version ids that are there. */
  async versions(key: string): Promise<string[]> {
    const { Versions = [] } = await this.server.client.send(
      new ListObjectVersionsCommand({ Bucket: this.inbox, Prefix: key }),
    );
    return Versions.filter((each) => each.Key === key).map(({ VersionId }) => VersionId!);
  }

  async tags(key: string, version?: string): Promise<Record<string, string>> {
    const { TagSet = [] } = await this.server.client.send(
      new GetObjectTaggingCommand({ Bucket: this.inbox, Key: key, VersionId: version }),
    );
    return Object.fromEntries(TagSet.map(({ Key, Value }) => [Key, Value]));
  }

  // ------------------------------------------------------------------------------------ deliveries

  s3Record({ key, version, etag, sequencer, time }: SourceVersion, bucket = this.inbox) {
    const encoded = encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/');
    return {
      ...{ eventVersion: '2.1', eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', eventTime: time },
      s3: {
        bucket: { name: bucket },
        object: { key: encoded, size: 1, eTag: etag, versionId: version, sequencer },
      },
    };
  }

  eventBridge({ key, version, etag, sequencer }: SourceVersion, bucket = this.inbox) {
    return {
      ...{ version: '0', source: 'aws.s3', 'detail-type': 'Object Created' },
      detail: { bucket: { name: bucket }, object: { key, etag, 'version-id': version, sequencer } },
    };
  }

  /** A message that the queue has handed out. */
  message(body: unknown, { received = 1, forged = false } = {}) {
    const id = randomBytes(8).toString('hex');
    if (!forged) this.queue.known.add(`receipt-${id}`);
    return {
      ...{ messageId: id, receiptHandle: `receipt-${id}`, eventSource: 'aws:sqs' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      attributes: { ApproximateReceiveCount: String(received) },
    };
  }

  /** Sends bodies through the queue; the outcomes in the order of their completion, and what is handed out again. */
  async deliver(...bodies: unknown[]): Promise<{ outcomes: string[]; again: number }> {
    return this.deliverMessages(bodies.map((body) => this.message(body)));
  }

  async deliverMessages(
    Records: ReturnType<EncryptingFunction['message']>[],
    run = this.start(),
  ): Promise<{ outcomes: string[]; again: number }> {
    const from = this.reports.length;
    const { batchItemFailures } = (await run({ Records })) as SQSBatchResponse;
    const outcomes = this.reports.slice(from).map(({ outcome, code }) => code ?? outcome);
    return { outcomes, again: batchItemFailures.length };
  }

  /** The S3 events of these versions, one message each. */
  async notify(...versions: SourceVersion[]): Promise<{ outcomes: string[]; again: number }> {
    return this.deliver(...versions.map((each) => ({ Records: [this.s3Record(each)] })));
  }

  async call(event: DirectEvent): Promise<OutcomeReport> {
    return (await this.start()(event)) as OutcomeReport;
  }

  // ------------------------------------------------------------------------------------ the vault

  /** What the private key makes of the object. */
  async opened(key: string): Promise<string> {
    return (await this.openedBytes(key)).toString();
  }

  async openedBytes(key: string): Promise<Buffer> {
    const body = await this.stored(`enc/${key}`);
    return collect(decryptorFor(this.pair).decrypt(chunked(body, 64 * 1024)));
  }

  async stored(vaultKey: string): Promise<Buffer> {
    const { Body } = await this.server.client.send(
      new GetObjectCommand({ Bucket: this.vault, Key: vaultKey }),
    );
    return Buffer.from(await Body!.transformToByteArray());
  }

  async headVault(vaultKey: string) {
    return this.server.client
      .send(new HeadObjectCommand({ Bucket: this.vault, Key: vaultKey }))
      .catch(() => undefined);
  }

  async putVault(vaultKey: string, body: Buffer, Metadata?: Record<string, string>): Promise<void> {
    await this.server.client.send(
      new PutObjectCommand({ Bucket: this.vault, Key: vaultKey, Body: body, Metadata }),
    );
  }

  async removeVault(vaultKey: string): Promise<void> {
    await this.server.client.send(new DeleteObjectCommand({ Bucket: this.vault, Key: vaultKey }));
  }

  async unfinished(): Promise<number> {
    const { Uploads = [] } = await this.server.client.send(
      new ListMultipartUploadsCommand({ Bucket: this.vault }),
    );
    return Uploads.length;
  }
}
