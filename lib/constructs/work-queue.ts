import { Duration, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { BACK_OFF } from '../../src/contract.js';
import { otherAccounts } from './access.js';

export interface WorkQueueProps {
  /** The time limit of the function that works it off. */
  readonly functionTimeout: Duration;
  /** How long what failed waits for its second try. Default: 15 seconds. */
  readonly retryAfter?: Duration;
}

/** SQS keeps nothing longer. */
const RETENTION = Duration.days(14);

/** How long a vault may be away before what waits for it is given up. */
const OUTAGE_SECONDS = 24 * 60 * 60;

/** Receives that an outage does not cause: of batches that were out of time, and of functions that were killed. */
const SPARE_RECEIVES = 20;

/** How often a message is received in an outage, when each time it waits as the function makes it wait. */
function receivesInOutage(firstSeconds: number): number {
  let receives = 0;
  let wait = firstSeconds;
  for (let waited = 0; waited < OUTAGE_SECONDS; waited += wait, receives++)
    if (receives > 0) wait = Math.min(2 * wait, BACK_OFF.lastSeconds);
  return receives;
}

/** The queue of arrivals, and the one where what cannot work ends, with its code. */
export class WorkQueue extends Construct {
  readonly queue: sqs.Queue;
  readonly deadLetterQueue: sqs.Queue;

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    super(scope, id);
    // The names of objects, and digests of plaintext in S3's events, are in both: encrypted, and TLS alone.
    const shared = {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: RETENTION,
    };
    const firstSeconds = props.retryAfter?.toSeconds() ?? BACK_OFF.firstSeconds;
    this.deadLetterQueue = new sqs.Queue(this, 'DeadLetters', shared);
    this.queue = new sqs.Queue(this, 'Queue', {
      ...shared,
      // Longer than a run may take, or a second one would begin beside it.
      visibilityTimeout: props.functionTimeout.plus(Duration.minutes(1)),
      deadLetterQueue: {
        queue: this.deadLetterQueue,
        maxReceiveCount: receivesInOutage(firstSeconds) + SPARE_RECEIVES,
      },
    });
    for (const queue of [this.queue, this.deadLetterQueue]) this.refuseOtherAccounts(queue);
  }

  /** Lets a service of AWS send, for one source of this account alone. */
  allowSending(queue: sqs.Queue, service: string, sourceArn: string): void {
    queue.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal(service)],
        actions: ['sqs:SendMessage'],
        resources: [queue.queueArn],
        conditions: {
          ArnLike: { 'aws:SourceArn': sourceArn },
          StringEquals: { 'aws:SourceAccount': Stack.of(this).account },
        },
      }),
    );
  }

  private refuseOtherAccounts(queue: sqs.Queue): void {
    queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'RefuseOtherAccounts',
        effect: iam.Effect.DENY,
        principals: [new iam.AnyPrincipal()],
        actions: ['sqs:*'],
        resources: [queue.queueArn],
        conditions: otherAccounts(this),
      }),
    );
  }
}
