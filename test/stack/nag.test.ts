/**
 * cdk-nag's AWS Solutions pack finds nothing that is not acknowledged, resource by resource, with its reason. And the CDK's
 * validation passes the templates.
 */
import { describe, expect, test } from '@jest/globals';
import { type App, CfnResource, type Stack, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks } from 'cdk-nag';
import {
  CseKey,
  EncryptedBucket,
  GatewayStack,
  VaultStack,
  type StackParts,
  type VaultStackProps,
} from '../../lib/index.js';
import { ACCOUNT, emptyApp, IAM_CALLERS, keyArn, REGION, validatedApp } from '../helpers/synth.js';

const GATEWAY = { deployment: 'test', publicKeySetSecretName: 'p', vaultWriteSecretName: 'v' };

const networkOf = (stack: Stack) => ({
  vpc: ec2.Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-0123456a',
    availabilityZones: ['a'],
    privateSubnetIds: ['subnet-0123456b'],
  }),
});

const DEPLOYMENTS: Record<string, (stack: Stack) => StackParts> = {
  'the least': () => ({ gateway: GATEWAY }),
  'everything but an API': (stack) => {
    const bucket = s3.Bucket.fromBucketName(stack, 'There', 'there-already');
    return {
      gateway: {
        ...GATEWAY,
        afterStore: 'delete',
        secretKeys: [kms.Key.fromKeyArn(stack, 'SecretKey', keyArn(1))],
        wrappingKeys: [kms.Key.fromKeyArn(stack, 'WrappingKey', keyArn(3))],
        inboxBucket: { encryptionKey: kms.Key.fromKeyArn(stack, 'InboxKey', keyArn(2)) },
        inboxes: [
          { prefix: 'in/', suffix: '.csv' },
          { prefix: 'events/', events: 'eventbridge' },
          { bucket, versioned: true, vaultKeyTemplate: '{bucket}/{key}' },
        ],
        network: networkOf(stack),
      },

      inventory: { bucket, prefix: 'inventory/' },
      alarmTopic: sns.Topic.fromTopicArn(stack, 'Topic', `arn:aws:sns:${REGION}:${ACCOUNT}:alarms`),
    };
  },
  'an API with every route': (stack) => ({
    gateway: { ...GATEWAY, inboxes: [{ prefix: 'in/', vaultKeyTemplate: '{rest}' }] },
    api: {
      callers: IAM_CALLERS,
      vaultReadSecretName: 'r',
      vaultDeleteSecretName: 'd',
      decrypt: { privateKeySetSecretName: 'k', prefixes: ['open/'] },
      network: networkOf(stack),
    },
  }),
  'a rewrap': (stack) => ({
    gateway: GATEWAY,
    rewrap: { privateKeySetSecretName: 'k', vaultRewriteSecretName: 'w', network: networkOf(stack) },
  }),
  'a vault on AWS': (stack) => ({
    gateway: {
      ...GATEWAY,
      vaultWriteSecretName: undefined,
      vaultBucket: { bucket: s3.Bucket.fromBucketName(stack, 'Vault', 'the-vault'), prefix: 'sealed/' },
    },
    api: { callers: IAM_CALLERS, allowDelete: true },
    rewrap: { privateKeySetSecretName: 'k' },
  }),
  'a vault and a key of its own': (stack) => ({
    gateway: {
      ...GATEWAY,
      vaultWriteSecretName: undefined,
      vaultBucket: new EncryptedBucket(stack, 'Vault'),
      wrappingKeys: [new CseKey(stack, 'CseKey')],
    },
  }),
};

const reader = new iam.ArnPrincipal(`arn:aws:iam::${ACCOUNT}:role/reader`);
const VAULTS: Record<string, VaultStackProps> = {
  'the least': {},
  'with those who may decrypt': { cseKey: { decrypters: [reader] } },
};

const gatewayStack = (app: App, parts: (stack: Stack) => StackParts, id = 'Test') =>
  new GatewayStack(app, id, { env: { account: ACCOUNT, region: REGION }, parts });

/** What the pack reports, errors and warnings. */
function findingsIn(app: App, stack: Stack): string[] {
  const report = new AwsSolutionsChecks(app).validateScope(stack);
  return report.violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
  );
}

test.each(Object.entries(DEPLOYMENTS))('a deployment: %s', (_, parts) => {
  const app = emptyApp();
  expect(findingsIn(app, gatewayStack(app, parts))).toEqual([]);
});

test.each(Object.entries(VAULTS))('the stack of a vault alone: %s', (_, props) => {
  const app = emptyApp();
  expect(findingsIn(app, new VaultStack(app, 'Vault', props))).toEqual([]);
});

describe('the validation', () => {
  test('passes them all', () => {
    const app = validatedApp();
    for (const [i, parts] of Object.values(DEPLOYMENTS).entries()) gatewayStack(app, parts, `Gateway${i}`);
    for (const [i, props] of Object.values(VAULTS).entries()) new VaultStack(app, `Vault${i}`, props);
    expect(() => app.synth()).not.toThrow();
  });

  test('finds what CloudFormation would refuse', () => {
    const app = validatedApp();
    gatewayStack(app, (stack) => {
      const properties = { VisibilityTimeout: 'long' };
      new CfnResource(stack, 'Wrong', { type: 'AWS::SQS::Queue', properties });
      return { gateway: GATEWAY };
    });
    expect(() => app.synth()).toThrow(/VisibilityTimeout/);
  });
});

test('what is not acknowledged is found', () => {
  const careless = (stack: Stack): StackParts => {
    new s3.Bucket(stack, 'Careless');
    return { gateway: GATEWAY };
  };
  const app = emptyApp();
  expect(findingsIn(app, gatewayStack(app, careless))).toContain('AwsSolutions-S1 at Test/Careless/Resource');
});

test('each acknowledgement has a reason', () => {
  const app = emptyApp();
  const stack = new GatewayStack(app, 'Test', { parts: () => ({ gateway: GATEWAY }) });
  const reasons = stack.node
    .findAll()
    .flatMap(({ node }) => node.metadata)
    .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    .flatMap(({ data }) => Object.values(data as Record<string, string>));
  expect(reasons.length).toBeGreaterThan(0);
  for (const reason of reasons) expect(reason).toMatch(/^[A-Z].{20,}\.$/);
});
