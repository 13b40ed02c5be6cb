import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { METRICS } from '../../src/contract.js';

export interface DashboardProps {
  readonly deployment: string;
  readonly functions: readonly lambda.IFunction[];
  readonly queue: sqs.IQueue;
  readonly deadLetterQueue: sqs.IQueue;
  readonly alarms: readonly cloudwatch.IAlarm[];
  /** A metric of the functions' own, by its name. */
  readonly own: (metricName: string) => cloudwatch.Metric;
  readonly period: Duration;
}

const WIDTH = 24;

/** What a gateway does, on one page. */
export function gatewayDashboard(scope: Construct, id: string, props: DashboardProps): cloudwatch.Dashboard {
  const { own, queue, deadLetterQueue, functions, period } = props;
  const graph = (title: string, left: cloudwatch.IMetric[], unit?: string) =>
    new cloudwatch.GraphWidget({
      title,
      left,
      width: WIDTH / 3,
      leftYAxis: { min: 0, showUnits: unit === undefined, ...(unit !== undefined && { label: unit }) },
    });
  const failures = new cloudwatch.MathExpression({
    // Which codes there are shows only when they happen.
    expression: `SEARCH('{${METRICS.namespace},code,deployment} MetricName="${METRICS.failed}" deployment="${props.deployment}"', 'Sum')`,
    label: '',
    period,
    usingMetrics: {},
  });
  const durations = ['p50', 'p90', 'p99'].map((statistic) =>
    own(METRICS.duration).with({ statistic, label: statistic }),
  );
  const waiting = [
    queue.metricApproximateNumberOfMessagesVisible({ label: 'waiting', period, statistic: 'Maximum' }),
    queue.metricApproximateNumberOfMessagesNotVisible({ label: 'in work', period, statistic: 'Maximum' }),
    deadLetterQueue.metricApproximateNumberOfMessagesVisible({
      label: 'dead letters',
      period,
      statistic: 'Maximum',
    }),
  ];
  const age = queue.metricApproximateAgeOfOldestMessage({ label: 'oldest', period, statistic: 'Maximum' });
  const functionErrors = functions.flatMap((each) => [
    each.metricErrors({ label: `errors ${each.node.path}`, period }),
    each.metricThrottles({ label: `throttles ${each.node.path}`, period }),
  ]);
  const outcomes = [METRICS.stored, METRICS.duplicate, METRICS.superseded, METRICS.gone, METRICS.failed];
  return new cloudwatch.Dashboard(scope, id, {
    defaultInterval: Duration.days(1),
    widgets: [
      [
        new cloudwatch.AlarmStatusWidget({
          title: `sealdrop ${props.deployment}`,
          alarms: [...props.alarms],
          width: WIDTH,
        }),
      ],
      [
        graph(
          'objects',
          outcomes.map((name) => own(name).with({ label: name })),
        ),
        graph('bytes stored', [own(METRICS.storedBytes).with({ label: 'bytes' })], 'bytes'),
        graph('failures by code', [failures], 'objects'),
      ],
      [
        graph('messages', waiting, 'messages'),
        graph('age of the oldest message', [age], 'seconds'),
        graph('duration of an object', durations, 'milliseconds'),
      ],
      [graph('functions', functionErrors, 'calls')],
    ],
  });
}
