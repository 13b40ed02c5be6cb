/** What the encrypting role may do: all of it, and what it must not. */
import { describe, expect, test } from '@jest/globals';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { ACCOUNT, keyArn, REGION, statementsOf, synthesize, text, type Statement } from '../helpers/synth.js';

const ROLE = 'GatewayEncryptObjectRole';
const secret = (name: string) => `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-??????`;

const allowed = (statements: Statement[]) =>
  Object.fromEntries(
    statements.flatMap(({ actions, resources }) => actions.map((action) => [action, resources])),
  );

const idOf = (ids: string[], start: string) => ids.find((id) => id.startsWith(start))!;

describe('with the fewest props', () => {
  const { template } = synthesize();
  const statements = statementsOf(template, ROLE);
  const ids = Object.keys(template.toJSON().Resources);
  const bucket = `<${idOf(ids, 'GatewayInboxBucket')}.Arn>`;
  const queue = `<${idOf(ids, 'GatewayWorkQueue')}.Arn>`;
  const deadLetters = `<${idOf(ids, 'GatewayWorkDeadLetters')}.Arn>`;

  test('the encrypting role can do this and nothing else', () => {
    const objects = [`${bucket}/*`];
    expect(allowed(statements)).toEqual({
      'logs:CreateLogStream': [`<${idOf(ids, 'GatewayEncryptObjectLog')}.Arn>`],
      'logs:PutLogEvents': [`<${idOf(ids, 'GatewayEncryptObjectLog')}.Arn>`],
      'xray:PutTelemetryRecords': ['*'],
      'xray:PutTraceSegments': ['*'],
      'secretsmanager:GetSecretValue': [
        secret('sealdrop/test/idempotency-<part of the stack’s id>'),
        secret('sealdrop/test/public-keys'),
        secret('sealdrop/test/vault-write'),
      ],
      's3:GetObject': objects,
      's3:GetObjectVersion': objects,
      's3:GetObjectTagging': objects,
      's3:GetObjectVersionTagging': objects,
      's3:PutObjectTagging': objects,
      's3:PutObjectVersionTagging': objects,
      's3:ListBucket': [bucket],
      'sqs:ReceiveMessage': [queue],
      'sqs:DeleteMessage': [queue],
      'sqs:ChangeMessageVisibility': [queue],
      'sqs:GetQueueAttributes': [queue],
      'sqs:SendMessage': [deadLetters],
    });
    expect(statements.every(({ effect, conditions }) => effect === 'Allow' && conditions === '{}')).toBe(
      true,
    );
  });

  test('no policy of another resource gives it anything: nobody is named in one but AWS’s services', () => {
    const policies = [
      'AWS::S3::BucketPolicy',
      'AWS::SQS::QueuePolicy',
      'AWS::KMS::Key',
      'AWS::SecretsManager::ResourcePolicy',
    ];
    const allows = policies
      .flatMap((type) => Object.values(template.findResources(type)))
      .flatMap((resource) => resource.Properties.PolicyDocument.Statement)
      .filter((statement) => statement.Effect === 'Allow');
    expect(allows.map((statement) => statement.Principal)).toEqual([{ Service: 's3.amazonaws.com' }]);
  });
});

test('it deletes versions, and never the current object, only where that was chosen', () => {
  const actions = (after: 'keep' | 'tag' | 'delete') =>
    statementsOf(synthesize(() => ({ afterStore: after })).template, ROLE).flatMap(
      (statement) => statement.actions,
    );
  expect(actions('keep').filter((action) => action.includes('Delete'))).toEqual(['sqs:DeleteMessage']);
  expect(actions('tag').filter((action) => action.includes('Delete'))).toEqual(['sqs:DeleteMessage']);
  expect(actions('delete').filter((action) => action.includes('Delete'))).toEqual([
    's3:DeleteObjectVersion',
    'sqs:DeleteMessage',
  ]);
});

test('it reads no further than the filters of its inboxes', () => {
  const { template } = synthesize((stack) => ({
    inboxes: [
      {
        bucket: s3.Bucket.fromBucketName(stack, 'One', 'one'),
        prefix: 'in/',
        suffix: '.csv',
        vaultKeyTemplate: 'one/{key}',
      },
      { bucket: s3.Bucket.fromBucketName(stack, 'Two', 'two'), vaultKeyTemplate: 'two/{key}' },
    ],
  }));
  const may = allowed(statementsOf(template, ROLE));
  expect(may['s3:GetObject']).toEqual(['arn:aws:s3:::one/in/*.csv', 'arn:aws:s3:::two/*']);
  expect(may['s3:ListBucket']).toEqual(['arn:aws:s3:::one', 'arn:aws:s3:::two']);
});

test('it uses customer keys through the service that needs them alone, and never to encrypt', () => {
  const { template } = synthesize((stack) => ({
    secretKeys: [kms.Key.fromKeyArn(stack, 'SecretKey', keyArn(1))],
    inboxBucket: { encryptionKey: kms.Key.fromKeyArn(stack, 'InboxKey', keyArn(2)) },
  }));
  const keys = statementsOf(template, ROLE).filter(({ actions }) =>
    actions.some((action) => action.startsWith('kms:')),
  );
  const via = (service: string) => `{"StringEquals":{"kms:ViaService":"${service}.${REGION}.amazonaws.com"}}`;
  expect(keys).toEqual([
    {
      effect: 'Allow',
      actions: ['kms:Decrypt'],
      resources: [keyArn(1)],
      conditions: via('secretsmanager'),
    },
    { effect: 'Allow', actions: ['kms:Decrypt'], resources: [keyArn(2)], conditions: via('s3') },
  ]);
});

test('it wraps by the keys of KMS that are named, and never unwraps', () => {
  const { template } = synthesize((stack) => ({
    wrappingKeys: [1, 2].map((number) => kms.Key.fromKeyArn(stack, `Key${number}`, keyArn(number))),
  }));
  const keys = statementsOf(template, ROLE).filter(({ actions }) =>
    actions.some((action) => action.startsWith('kms:')),
  );
  expect(keys).toEqual([
    {
      effect: 'Allow',
      actions: ['kms:Encrypt', 'kms:GenerateDataKey'],
      resources: [keyArn(1), keyArn(2)],
      conditions: '{}',
    },
  ]);
});

test('a vault on AWS takes the place of its secret: it writes and reads below the prefix, and deletes nothing', () => {
  const { template } = synthesize((stack) => ({
    vaultWriteSecretName: undefined,
    vaultBucket: {
      bucket: s3.Bucket.fromBucketName(stack, 'Vault', 'the-vault'),
      prefix: 'sealed/',
      encryptionKey: kms.Key.fromKeyArn(stack, 'VaultKey', keyArn(3)),
    },
  }));
  const statements = statementsOf(template, ROLE);
  const may = allowed(
    statements.filter(({ resources }) => resources.some((arn) => /the-vault|-000000000003$/.test(arn))),
  );
  expect(may).toEqual({
    's3:PutObject': ['arn:aws:s3:::the-vault/sealed/*'],
    's3:AbortMultipartUpload': ['arn:aws:s3:::the-vault/sealed/*'],
    's3:GetObject': ['arn:aws:s3:::the-vault/sealed/*'],
    's3:ListBucket': ['arn:aws:s3:::the-vault'],
    'kms:GenerateDataKey': [keyArn(3)],
    'kms:Decrypt': [keyArn(3)],
  });
  expect(allowed(statements)['secretsmanager:GetSecretValue']).toEqual([
    secret('sealdrop/test/idempotency-<part of the stack’s id>'),
    secret('sealdrop/test/public-keys'),
  ]);
});

test('in a VPC, Lambda makes its network interfaces, and the code never may', async () => {
  const ec2 = await import('aws-cdk-lib/aws-ec2');
  const { template } = synthesize((stack) => ({ network: { vpc: new ec2.Vpc(stack, 'Vpc') } }));
  const interfaces = statementsOf(template, ROLE).filter(({ actions }) =>
    actions.includes('ec2:CreateNetworkInterface'),
  );
  expect(interfaces.map(({ effect, conditions }) => [effect, conditions])).toEqual([
    ['Allow', '{}'],
    ['Deny', `{"ArnLike":{"lambda:SourceFunctionArn":"arn:aws:lambda:${REGION}:${ACCOUNT}:function:*"}}`],
  ]);
  const mayNot = interfaces[1]!.actions;
  expect(interfaces[0]!.actions.filter((action) => action.startsWith('ec2:'))).toEqual(mayNot);
  template.hasResourceProperties('AWS::Lambda::Function', { VpcConfig: {} });
});

test('it may no more where it writes the S3 Encryption Client’s objects by a key of KMS', () => {
  const props = (stack: Construct) => ({ wrappingKeys: [kms.Key.fromKeyArn(stack, 'Key', keyArn(1))] });
  const { template } = synthesize((stack) => ({ ...props(stack), format: 's3ec' }));
  expect(statementsOf(template, ROLE)).toEqual(statementsOf(synthesize(props).template, ROLE));
  const [settings] = Object.values(template.findResources('AWS::Lambda::Function'))
    .map((made) => made.Properties.Environment?.Variables?.SEALDROP_SETTINGS)
    .filter((value) => value !== undefined);
  expect(JSON.parse(text(settings)).format).toBe('s3ec');
});
