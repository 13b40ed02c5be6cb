import { Duration, Names, Stack } from 'aws-cdk-lib';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { EncryptingSettings, EncryptObjectSettings } from '../../src/contract.js';
import { Arrivals } from './arrivals.js';
import { allowVaultWriting, inboxAccess, queueAccess, type EncryptingAccess } from './encrypting-access.js';
import { assertSafe, bytesWithin, encryptingSettings } from './gateway-settings.js';
import { SealdropFunction } from './function.js';
import type { EncryptionGatewayProps } from './gateway-props.js';
import { InboxBucket } from './inbox-bucket.js';
import { settleInboxes, type Inbox } from './inboxes.js';
import { GatewayMonitoring } from './monitoring.js';
import { settleVault } from './vault.js';
import { WorkQueue } from './work-queue.js';

/** Records in a batch: the most that SQS hands out without gathering them first. */
const BATCH_SIZE = 10;

/**
 * Whatever lands in an inbox stands encrypted in the vault, or on the dead-letter queue with the reason. The function
 * cannot decrypt: it has no private key, and no right to read one.
 */
export class EncryptionGateway extends Construct {
  readonly deployment: string;
  readonly inboxes: readonly Inbox[];
  /** The bucket of its own, where it has one. */
  readonly inboxBucket: s3.Bucket | undefined;
  readonly queue: sqs.Queue;
  readonly deadLetterQueue: sqs.Queue;
  readonly encryptObject: SealdropFunction;
  /** What a second way to encrypt into the same vault is told, and may do. */
  readonly encrypting: EncryptingAccess & { readonly settings: EncryptingSettings };

  constructor(scope: Construct, id: string, props: EncryptionGatewayProps) {
    super(scope, id);
    this.deployment = props.deployment ?? Names.uniqueResourceName(this, { maxLength: 64, separator: '-' });
    const vault = settleVault(
      { secret: props.vaultWriteSecretName, bucket: props.vaultBucket },
      'vaultWriteSecretName',
    );
    let own: InboxBucket | undefined;
    const ownBucket = () => (own ??= new InboxBucket(this, 'Inbox', props.inboxBucket)).bucket;
    this.inboxes = settleInboxes(props.inboxes ?? [{}], ownBucket);
    this.inboxBucket = own?.bucket;
    assertSafe(props, this.inboxes, vault);

    const timeout = props.timeout ?? Duration.minutes(15);
    const work = new WorkQueue(this, 'Work', { functionTimeout: timeout, retryAfter: props.retryAfter });
    ({ queue: this.queue, deadLetterQueue: this.deadLetterQueue } = work);
    const settings = encryptingSettings(this, props, { deployment: this.deployment, vault });
    const { secretKeys = [], wrappingKeys = [] } = props;
    this.encrypting = { settings, vault, secretKeys, wrappingKeys };
    const after = props.afterStore ?? 'keep';
    this.encryptObject = new SealdropFunction(this, 'EncryptObject', {
      bundle: 'encrypt-object',
      description: 'encrypts what arrives in the inbox into the vault',
      settings: {
        ...settings,
        inboxes: this.inboxes.map((inbox) => inbox.settings),
        account: Stack.of(this).account,
        queueUrl: this.queue.queueUrl,
        deadLetterUrl: this.deadLetterQueue.queueUrl,
        after,
        maxObjectBytes: props.maxObjectBytes ?? bytesWithin(timeout),
        retryAfterSeconds: props.retryAfter?.toSeconds(),
      } satisfies EncryptObjectSettings,
      timeout,
      memory: props.memory ?? 1769,
      logRetention: props.logRetention ?? logs.RetentionDays.THREE_MONTHS,
      network: props.network,
    });
    allowVaultWriting(this.encryptObject, this.encrypting);
    this.encryptObject.grant(...inboxAccess(this, this.inboxes, after), ...queueAccess(work));
    this.encryptObject.function.addEventSourceMapping('Batches', {
      eventSourceArn: this.queue.queueArn,
      batchSize: BATCH_SIZE,
      reportBatchItemFailures: true,
      maxConcurrency: props.maxConcurrency ?? 10,
    });
    for (const [i, inbox] of this.inboxes.entries()) new Arrivals(this, `Arrivals${i}`, { inbox, work });
    const { queue, deadLetterQueue, deployment, functions } = this;
    if (props.alarmTopic !== undefined)
      new GatewayMonitoring(this, 'Monitoring', {
        ...{ functions, queue, deadLetterQueue, deployment },
        topic: props.alarmTopic,
      });
  }

  /** All of its functions, for alarms. */
  get functions(): lambda.IFunction[] {
    return [this.encryptObject.function];
  }
}
