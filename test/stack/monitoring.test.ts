/** What somebody is told of, and when. */
import { describe, expect, test } from '@jest/globals';
import { Duration, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { GatewayMonitoring, type GatewayMonitoringProps } from '../../lib/constructs/monitoring.js';
import { METRICS } from '../../src/contract.js';
import { ACCOUNT, emptyStack, REGION, text } from '../helpers/synth.js';

function synthesize(props: (stack: Stack) => Partial<GatewayMonitoringProps> = () => ({})) {
  const stack = emptyStack();
  const queue = new sqs.Queue(stack, 'Queue');
  const deadLetterQueue = new sqs.Queue(stack, 'DeadLetters');
  const named = (name: string) => lambda.Function.fromFunctionName(stack, name, name.toLowerCase());
  new GatewayMonitoring(stack, 'Monitoring', {
    functions: [named('EncryptObject'), named('PutObject')],
    queue,
    deadLetterQueue,
    deployment: 'prod',
    ...props(stack),
  });
  return Template.fromStack(stack);
}

interface Alarm {
  AlarmDescription: string;
  MetricName: string;
  Namespace: string;
  Dimensions: { Name: string; Value: unknown }[];
  Threshold: number;
  EvaluationPeriods: number;
  Period: number;
  ComparisonOperator: string;
  TreatMissingData: string;
  AlarmActions?: unknown[];
  OKActions?: unknown[];
}

const alarmsOf = (template: Template): Alarm[] =>
  Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(
    ({ Properties }) => Properties as Alarm,
  );

const template = synthesize();
const alarms = alarmsOf(template);
const about = ({ Namespace, MetricName, Dimensions }: Alarm) =>
  [Namespace, MetricName, ...Dimensions.map(({ Value }) => text(Value))]
    .join(' ')
    .replace(/[0-9A-F]{8}/g, '');

test('there is an alarm for each thing that somebody should look at, and no other', () => {
  expect(alarms.map(about).sort()).toEqual([
    'AWS/Lambda Errors encryptobject',
    'AWS/Lambda Errors putobject',
    'AWS/Lambda Throttles encryptobject',
    'AWS/Lambda Throttles putobject',
    'AWS/SQS ApproximateAgeOfOldestMessage <Queue.QueueName>',
    'AWS/SQS ApproximateNumberOfMessagesVisible <DeadLetters.QueueName>',
    'sealdrop Failed prod',
    'sealdrop Gone prod',
    'sealdrop NotConfigured prod',
  ]);
});

describe.each(alarms.map((alarm) => [about(alarm), alarm] as const))('the alarm on %s', (name, alarm) => {
  test('goes off when there is one at all, or when something waited for an hour; not when nothing happens', () => {
    expect(alarm).toMatchObject({
      Threshold: name.includes('Age') ? 3_600 : 0,
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: name.includes('Throttles') ? 3 : name.includes('Failed') ? 2 : 1,
      Period: name.includes('Failed') ? 1_800 : 300,
      TreatMissingData: 'notBreaching',
    });
  });

  test('says which deployment it is about, and where its runbook is', () => {
    expect(alarm.AlarmDescription).toMatch(/^sealdrop prod: .* \(docs\/operations\.md\)$/);
  });
});

test('the metrics are the functions’ own: one dimension, the deployment', () => {
  const own = alarms.filter(({ Namespace }) => Namespace === METRICS.namespace);
  expect(own).toHaveLength(3);
  for (const { Dimensions } of own) expect(Dimensions).toEqual([{ Name: 'deployment', Value: 'prod' }]);
});

test('with a topic, each alarm tells it when it begins and when it is over; without one, nobody', () => {
  expect(
    alarms.every(({ AlarmActions, OKActions }) => AlarmActions === undefined && OKActions === undefined),
  ).toBe(true);
  const topicArn = `arn:aws:sns:${REGION}:${ACCOUNT}:alarms`;
  const stack = emptyStack();
  const topic = sns.Topic.fromTopicArn(stack, 'Topic', topicArn);
  const told = alarmsOf(synthesize(() => ({ topic })));
  expect(told).toHaveLength(alarms.length);
  for (const { AlarmActions, OKActions } of told)
    expect([AlarmActions, OKActions]).toEqual([[topicArn], [topicArn]]);
});

test('how long an object may wait is a prop', () => {
  const waits = alarmsOf(synthesize(() => ({ maxAge: Duration.minutes(10) }))).find(({ MetricName }) =>
    MetricName.includes('Age'),
  );
  expect(waits?.Threshold).toBe(600);
});

test('the dashboard shows what is stored, its bytes, failures by code, the queues, the oldest message, durations', () => {
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const body = text(dashboard!.Properties.DashboardBody);
  for (const title of [
    'objects',
    'bytes stored',
    'failures by code',
    'messages',
    'age of the oldest message',
    'duration of an object',
    'functions',
  ])
    expect(body).toContain(`"title":"${title}"`);
  expect(body).toContain(
    `SEARCH('{sealdrop,code,deployment} MetricName=\\"Failed\\" deployment=\\"prod\\"', 'Sum')`,
  );
  for (const percentile of ['p50', 'p90', 'p99']) expect(body).toContain(`"stat":"${percentile}"`);
  for (const metric of [METRICS.stored, METRICS.storedBytes, METRICS.gone, METRICS.duration])
    expect(body).toContain(`["sealdrop","${metric}","deployment","prod"`);
});

test('an API has an alarm for requests that fail by no fault of their callers', () => {
  const watched = alarmsOf(synthesize((stack) => ({ api: new HttpApi(stack, 'Api') })));
  const [failing, ...others] = watched.filter(({ Namespace }) => Namespace === 'AWS/ApiGateway');
  expect(others).toEqual([]);
  expect(failing).toMatchObject({ MetricName: '5xx', Threshold: 0, EvaluationPeriods: 3 });
});
