import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IHttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { METRICS } from '../../src/contract.js';
import { gatewayDashboard } from './dashboard.js';

export interface GatewayMonitoringProps {
  /** Each gets an alarm for errors and one for throttles. */
  readonly functions: readonly lambda.IFunction[];
  /** Gets an alarm for requests that failed by no fault of the caller. */
  readonly api?: IHttpApi | undefined;
  readonly queue: sqs.IQueue;
  readonly deadLetterQueue: sqs.IQueue;
  /** As the functions' settings name it: the dimension of their metrics. */
  readonly deployment: string;
  /** Told when an alarm begins, and when it is over. Default: nobody; the alarms are in the console. */
  readonly topic?: sns.ITopic;
  /** How long an object may wait. Default: an hour. */
  readonly maxAge?: Duration;
}

const PERIOD = Duration.minutes(5);

interface AlarmSettings {
  readonly metric: cloudwatch.IMetric;
  readonly description: string;
  /** Of the metric, in a row. Default: 1. */
  readonly periods?: number;
  readonly threshold?: number;
}

/** A dashboard, and an alarm for each thing that somebody should look at. */
export class GatewayMonitoring extends Construct {
  readonly dashboard: cloudwatch.Dashboard;
  readonly alarms: readonly cloudwatch.Alarm[];

  constructor(scope: Construct, id: string, props: GatewayMonitoringProps) {
    super(scope, id);
    const { queue, deadLetterQueue, maxAge = Duration.hours(1) } = props;
    const own = (metricName: string) =>
      new cloudwatch.Metric({
        namespace: METRICS.namespace,
        metricName,
        dimensionsMap: { deployment: props.deployment },
        statistic: 'Sum',
        period: PERIOD,
      });
    const settings: Record<string, AlarmSettings> = {
      DeadLetters: {
        metric: deadLetterQueue.metricApproximateNumberOfMessagesVisible({
          statistic: 'Maximum',
          period: PERIOD,
        }),
        description: 'objects could not be encrypted: sealdrop dlq list',
      },
      OldestMessage: {
        metric: queue.metricApproximateAgeOfOldestMessage({ statistic: 'Maximum', period: PERIOD }),
        description: 'an object has been waiting for long: the vault may be down, or the queue too long',
        threshold: maxAge.toSeconds(),
      },
      // SQS leaves what was received more than three times out of the age of the oldest message. Tries come each 15
      // minutes at least.
      // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
      Failing: {
        metric: own(METRICS.failed).with({ period: Duration.minutes(30) }),
        description: 'objects have been failing for an hour: the vault may be down',
        periods: 2,
      },
      NotConfigured: {
        metric: own(METRICS.notConfigured),
        description:
          'a secret is missing, malformed, or holds a private key: nothing is encrypted until it is mended',
      },
      Gone: {
        metric: own(METRICS.gone),
        description: 'an object was removed from the inbox before it was encrypted',
      },
    };
    if (props.api !== undefined)
      settings.ApiFailing = {
        metric: props.api.metricServerError({ statistic: 'Sum', period: PERIOD }),
        description: 'requests to the API fail: the vault may be down, or a secret may not be usable',
        // One alone is answered, and tried again by its caller.
        periods: 3,
      };
    for (const each of props.functions) {
      const name = nameOf(each);
      settings[`Errors${name}`] = {
        metric: each.metricErrors({ statistic: 'Sum', period: PERIOD }),
        description: `the function ${name} was killed or ran out of time or memory`,
      };
      settings[`Throttles${name}`] = {
        metric: each.metricThrottles({ statistic: 'Sum', period: PERIOD }),
        description: `the account has no concurrency left for the function ${name}`,
        // A short one is mended by SQS's own next try.
        periods: 3,
      };
    }
    this.alarms = Object.entries(settings).map(([name, each]) => this.alarm(name, each, props));
    this.dashboard = gatewayDashboard(this, 'Dashboard', {
      ...props,
      own,
      alarms: this.alarms,
      period: PERIOD,
    });
  }

  private alarm(
    id: string,
    { metric, description, periods = 1, threshold = 0 }: AlarmSettings,
    { deployment, topic }: GatewayMonitoringProps,
  ): cloudwatch.Alarm {
    const alarm = new cloudwatch.Alarm(this, id, {
      alarmDescription: `sealdrop ${deployment}: ${description} (docs/operations.md)`,
      metric,
      threshold,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      // Nothing happened: nothing is wrong.
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    if (topic !== undefined) {
      alarm.addAlarmAction(new SnsAction(topic));
      alarm.addOkAction(new SnsAction(topic));
    }
    return alarm;
  }
}

/** Its place in the app without what all have in common: `GatewayEncryptObject`. */
const nameOf = (each: lambda.IFunction): string =>
  each.node.path
    .replace(/\/Function$/, '')
    .split('/')
    .slice(1)
    .join('');
