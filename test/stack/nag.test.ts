/** cdk-nag's AWS Solutions pack finds nothing that is not acknowledged, resource by resource, with its reason. */
import { expect, test } from '@jest/globals';
import { App, type Stack, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks } from 'cdk-nag';
import { CseKey, EncryptedBucket, GatewayStack, VaultStack, type StackParts } from '../../lib/index.js';
import { ACCOUNT, IAM_CALLERS, keyArn, REGION } from '../helpers/synth.js';

const GATEWAY = { deployment: 'test', publicKeySetSecretName: 'p', vaultWriteSecretName: 'v' };

/** What the pack reports, errors and warnings. */
function findings(parts: (stack: Stack) => StackParts): string[] {
  const app = new App();
  return findingsIn(app, new GatewayStack(app, 'Test', { env: { account: ACCOUNT, region: REGION }, parts }));
}

function findingsIn(app: App, stack: Stack): string[] {
  const report = new AwsSolutionsChecks(app).validateScope(stack);
  return report.violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
  );
}

test('the least deployment', () => {
  expect(findings(() => ({ gateway: GATEWAY }))).toEqual([]);
});

const networkOf = (stack: Stack) => ({
  vpc: ec2.Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-1',
    availabilityZones: ['a'],
    privateSubnetIds: ['subnet-1'],
  }),
});

test('a deployment of everything but an API', () => {
  const everything = (stack: Stack): StackParts => {
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
  };
  expect(findings(everything)).toEqual([]);
});

test('an API with every route', () => {
  const api = {
    callers: IAM_CALLERS,
    vaultReadSecretName: 'r',
    vaultDeleteSecretName: 'd',
    decrypt: { privateKeySetSecretName: 'k', prefixes: ['open/'] },
  };
  const gateway = { ...GATEWAY, inboxes: [{ prefix: 'in/', vaultKeyTemplate: '{rest}' }] };
  expect(findings((stack) => ({ gateway, api: { ...api, network: networkOf(stack) } }))).toEqual([]);
});

test('a rewrap', () => {
  const rewrap = { privateKeySetSecretName: 'k', vaultRewriteSecretName: 'w' };
  expect(
    findings((stack) => ({ gateway: GATEWAY, rewrap: { ...rewrap, network: networkOf(stack) } })),
  ).toEqual([]);
});

test('a vault on AWS', () => {
  const onAws = (stack: Stack): StackParts => ({
    gateway: {
      ...GATEWAY,
      vaultWriteSecretName: undefined,
      vaultBucket: { bucket: s3.Bucket.fromBucketName(stack, 'Vault', 'the-vault'), prefix: 'sealed/' },
    },
    api: { callers: IAM_CALLERS, allowDelete: true },
    rewrap: { privateKeySetSecretName: 'k' },
  });
  expect(findings(onAws)).toEqual([]);
});

test('the stack of a vault alone', () => {
  const app = new App();
  const reader = new iam.ArnPrincipal(`arn:aws:iam::${ACCOUNT}:role/reader`);
  expect(findingsIn(app, new VaultStack(app, 'Least'))).toEqual([]);
  expect(findingsIn(app, new VaultStack(app, 'Most', { cseKey: { decrypters: [reader] } }))).toEqual([]);
});

test('a gateway with a vault and a key of its own', () => {
  const own = (stack: Stack): StackParts => ({
    gateway: {
      ...GATEWAY,
      vaultWriteSecretName: undefined,
      vaultBucket: new EncryptedBucket(stack, 'Vault'),
      wrappingKeys: [new CseKey(stack, 'CseKey')],
    },
  });
  expect(findings(own)).toEqual([]);
});

test('what is not acknowledged is found', () => {
  const careless = (stack: Stack): StackParts => {
    new s3.Bucket(stack, 'Careless');
    return { gateway: GATEWAY };
  };
  expect(findings(careless)).toContain('AwsSolutions-S1 at Test/Careless/Resource');
});

test('each acknowledgement has a reason', () => {
  const app = new App();
  const stack = new GatewayStack(app, 'Test', { parts: () => ({ gateway: GATEWAY }) });
  const reasons = stack.node
    .findAll()
    .flatMap(({ node }) => node.metadata)
    .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    .flatMap(({ data }) => Object.values(data as Record<string, string>));
  expect(reasons.length).toBeGreaterThan(0);
  for (const reason of reasons) expect(reason).toMatch(/^[A-Z].{20,}\.$/);
});
