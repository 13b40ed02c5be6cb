import { Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct, type IConstruct } from 'constructs';
import { acknowledgeNotifications } from './acknowledge.js';
import type { Inbox } from './inboxes.js';
import type { WorkQueue } from './work-queue.js';

export interface ArrivalsProps {
  readonly inbox: Inbox;
  readonly work: WorkQueue;
}

/** Tells the queue of every object that is created in an inbox and passes its filters. */
export class Arrivals extends Construct {
  constructor(scope: Construct, id: string, props: ArrivalsProps) {
    super(scope, id);
    if (props.inbox.events === 's3') this.byNotification(props);
    else this.byEventBridge(props);
  }

  private byNotification({ inbox: { bucket, settings }, work }: ArrivalsProps): void {
    const { prefix, suffix } = settings;
    const filter = { ...(prefix !== '' && { prefix }), ...(suffix !== '' && { suffix }) };
    const filters = Object.keys(filter).length === 0 ? [] : [filter];
    bucket.addEventNotification(s3.EventType.OBJECT_CREATED, destination(work), ...filters);
    acknowledgeNotifications(this);
  }

  private byEventBridge({ inbox: { bucket, settings }, work }: ArrivalsProps): void {
    bucket.enableEventBridgeNotification();
    acknowledgeNotifications(this);
    const { prefix, suffix } = settings;
    const everything = prefix === '' && suffix === '';
    const rule = new events.Rule(this, 'Rule', {
      description: 'sealdrop: objects that arrive in the inbox',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        account: [Stack.of(this).account],
        detail: {
          bucket: { name: [bucket.bucketName] },
          ...(!everything && { object: { key: [{ wildcard: `${literal(prefix)}*${literal(suffix)}` }] } }),
        },
      },
    });
    rule.addTarget({
      bind: () => ({
        id: '',
        arn: work.queue.queueArn,
        // What EventBridge cannot deliver in a day is not lost either.
        deadLetterConfig: { arn: work.deadLetterQueue.queueArn },
      }),
    });
    for (const queue of [work.queue, work.deadLetterQueue])
      work.allowSending(queue, 'events.amazonaws.com', rule.ruleArn);
  }
}

/** In a wildcard a backslash escapes what follows. */
const literal = (filter: string) => filter.replaceAll('\\', '\\\\');

/** CDK's own destination would let the bucket's ARN alone decide, whichever account has it by then. */
function destination(work: WorkQueue): s3.IBucketNotificationDestination {
  return {
    bind(_scope, bucket) {
      work.allowSending(work.queue, 's3.amazonaws.com', bucket.bucketRef.bucketArn);
      return {
        arn: work.queue.queueArn,
        type: s3.BucketNotificationDestinationType.QUEUE,
        dependencies: [policyOf(work.queue)],
      };
    },
  };
}

/** S3 tries the queue when it is told of it: the policy must stand by then. */
function policyOf(queue: sqs.Queue): IConstruct {
  return queue.node.findChild('Policy');
}
