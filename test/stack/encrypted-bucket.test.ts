/** The vault stack: what its bucket and its keys promise, and who may use the key that clients encrypt with. */
import { describe, expect, test } from '@jest/globals';
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import {
  CseKey,
  EncryptedBucket,
  EncryptionGateway,
  VaultStack,
  type CseKeyProps,
  type EncryptedBucketProps,
} from '../../lib/index.js';
import {
  ACCOUNT,
  emptyApp,
  emptyStack,
  readStatement,
  REGION,
  statementsOf,
  text,
} from '../helpers/synth.js';

const roleArn = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const role = (name: string) => new iam.ArnPrincipal(roleArn(name));
const ROOT = `arn:aws:iam::${ACCOUNT}:root`;

function bucketOf(props?: (stack: Stack) => EncryptedBucketProps): Template {
  const stack = emptyStack();
  new EncryptedBucket(stack, 'Vault', props?.(stack));
  return Template.fromStack(stack);
}

interface KeyStatement {
  readonly who: string;
  readonly actions: string[];
  readonly conditions: string;
}

/** The policy of the one key whose description says so. */
function keyPolicy(template: Template, description = 'clients encrypt'): KeyStatement[] {
  const keys = Object.values(template.findResources('AWS::KMS::Key')).filter(({ Properties }) =>
    Properties.Description.includes(description),
  );
  expect(keys).toHaveLength(1);
  return keys[0]!.Properties.KeyPolicy.Statement.map((statement: Record<string, unknown>) => {
    const { effect, actions, conditions } = readStatement(statement);
    expect(effect).toBe('Allow');
    return { who: text((statement.Principal as { AWS: unknown }).AWS), actions, conditions };
  });
}

function policyOf(props?: CseKeyProps): KeyStatement[] {
  const stack = emptyStack();
  new CseKey(stack, 'Key', props);
  return keyPolicy(Template.fromStack(stack));
}

/** Whoever the policy lets do this, or could be let by IAM: `*` and what a pattern covers included. */
const whoMay = (policy: KeyStatement[], action: string) =>
  policy
    .filter(({ actions }) =>
      actions.some((each) => new RegExp(`^${each.replaceAll('*', '.*')}$`).test(action)),
    )
    .map(({ who, conditions }) => (conditions === '{}' ? who : `${who} ${conditions}`));

describe('the bucket, with no props', () => {
  const template = bucketOf();

  test('is encrypted by a key of its own, asked for by a bucket key', () => {
    const [keyId] = Object.keys(template.findResources('AWS::KMS::Key'));
    const byDefault = {
      SSEAlgorithm: 'aws:kms',
      KMSMasterKeyID: { 'Fn::GetAtt': [keyId, 'Arn'] },
    };
    template.resourceCountIs('AWS::KMS::Key', 1);
    template.hasResourceProperties('AWS::S3::Bucket', {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { BucketKeyEnabled: true, ServerSideEncryptionByDefault: byDefault },
        ],
      },
    });
  });

  test('whose key is rotated and has an alias', () => {
    template.hasResourceProperties('AWS::KMS::Key', { EnableKeyRotation: true });
    template.hasResourceProperties('AWS::KMS::Alias', { AliasName: Match.stringLikeRegexp('^alias/.') });
  });

  test('is closed to the public, and to whoever comes without TLS', () => {
    template.hasResourceProperties('AWS::S3::Bucket', {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    });
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: [
          Match.objectLike({
            Effect: 'Deny',
            Action: 's3:*',
            Principal: { AWS: '*' },
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
        ],
      },
    });
  });

  test('keeps older versions, and no parts of uploads that broke off', () => {
    template.hasResourceProperties('AWS::S3::Bucket', {
      VersioningConfiguration: { Status: 'Enabled' },
      LifecycleConfiguration: {
        Rules: [{ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 }, Status: 'Enabled' }],
      },
    });
  });

  test('outlives its stack, and so does its key', () => {
    const kept = { DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' };
    template.hasResource('AWS::S3::Bucket', kept);
    template.hasResource('AWS::KMS::Key', kept);
  });
});

test('what is said of the bucket reaches it', () => {
  const template = bucketOf((stack) => ({
    alias: 'ours/sse',
    versioned: false,
    accessLogsBucket: s3.Bucket.fromBucketName(stack, 'Logs', 'the-logs'),
    removalPolicy: RemovalPolicy.DESTROY,
  }));
  template.hasResourceProperties('AWS::KMS::Alias', { AliasName: 'alias/ours/sse' });
  template.hasResourceProperties('AWS::S3::Bucket', {
    VersioningConfiguration: Match.absent(),
    LoggingConfiguration: { DestinationBucketName: 'the-logs' },
  });
  for (const type of ['AWS::S3::Bucket', 'AWS::KMS::Key'])
    template.hasResource(type, { DeletionPolicy: 'Delete' });
});

describe('the CSE key', () => {
  test('is symmetric, rotated, has an alias and outlives its stack', () => {
    const stack = emptyStack();
    const { aliasName } = new CseKey(stack, 'Key', { alias: 'ours/cse' });
    const template = Template.fromStack(stack);
    template.hasResource('AWS::KMS::Key', {
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
      Properties: { EnableKeyRotation: true, KeySpec: Match.absent(), KeyUsage: Match.absent() },
    });
    template.hasResourceProperties('AWS::KMS::Alias', { AliasName: 'alias/ours/cse' });
    expect(aliasName).toBe('alias/ours/cse');
  });

  test('where nobody is named, IAM says who may use it', () => {
    expect(policyOf()).toEqual([{ who: ROOT, actions: ['kms:*'], conditions: '{}' }]);
  });

  test('with the policy "account" those who are named may besides', () => {
    const policy = policyOf({ policy: 'account', decrypters: [role('reader')] });
    expect(whoMay(policy, 'kms:Decrypt')).toEqual([ROOT, roleArn('reader')]);
  });

  const named = { decrypters: [role('reader'), role('keeper')], encrypters: [role('writer')] };

  test('where somebody is named, nobody else uses it', () => {
    const policy = policyOf(named);
    expect(whoMay(policy, 'kms:Decrypt')).toEqual([JSON.stringify([roleArn('keeper'), roleArn('reader')])]);
    expect(whoMay(policy, 'kms:GenerateDataKey')).toEqual([roleArn('writer')]);
    expect(whoMay(policy, 'kms:Encrypt')).toEqual([roleArn('writer')]);
    for (const use of ['ReEncryptFrom', 'ReEncryptTo', 'GenerateDataKeyWithoutPlaintext', 'CreateGrant'])
      expect(whoMay(policy, `kms:${use}`)).toEqual([]);
  });

  test('and whoever IAM allows to may manage it', () => {
    const policy = policyOf(named);
    for (const way of ['PutKeyPolicy', 'ScheduleKeyDeletion', 'EnableKeyRotation', 'DescribeKey'])
      expect(whoMay(policy, `kms:${way}`)).toEqual([ROOT]);
  });

  test('unless administrators are named: those alone, and the root user itself', () => {
    const policy = policyOf({ ...named, administrators: [role('boss')] });
    const rootUser = `${ROOT} {"StringEquals":{"aws:PrincipalType":"Account"}}`;
    expect(whoMay(policy, 'kms:PutKeyPolicy')).toEqual([rootUser, roleArn('boss')]);
    expect(whoMay(policy, 'kms:Decrypt')).not.toContain(roleArn('boss'));
    for (const use of ['GenerateDataKey', 'Encrypt', 'CreateGrant'])
      expect(whoMay(policy, `kms:${use}`).join()).not.toMatch(/root|boss/);
  });

  test.each<[string, CseKeyProps]>([
    ['only encrypters are named', { encrypters: [role('writer')] }],
    ['only administrators are named', { administrators: [role('boss')] }],
    ['nobody is named and it is to be restricted', { policy: 'restricted' }],
  ])('is refused where %s', (_, props) => {
    expect(() => policyOf(props)).toThrow('names no decrypter');
  });

  test('is refused where administrators are named that would not be the only ones', () => {
    const props: CseKeyProps = { ...named, policy: 'account', administrators: [role('boss')] };
    expect(() => policyOf(props)).toThrow('the policy of the CSE key is "restricted"');
  });
});

describe('the stack', () => {
  const synth = () =>
    Template.fromStack(new VaultStack(emptyApp(), 'Vault', { stackName: 'Sealdrop-Vault' }));

  test('needs nothing, and is synthesized twice the same', () => {
    expect(synth().toJSON()).toEqual(synth().toJSON());
  });

  test('has one bucket and two keys, each with its alias', () => {
    const template = synth();
    template.resourceCountIs('AWS::S3::Bucket', 1);
    template.resourceCountIs('AWS::KMS::Key', 2);
    const aliases = Object.values(template.findResources('AWS::KMS::Alias'));
    expect(aliases.map(({ Properties }) => Properties.AliasName).sort()).toEqual([
      'alias/Sealdrop-Vault-cse',
      'alias/Sealdrop-Vault-sse',
    ]);
  });

  test('tells bucket, keys and alias', () => {
    const outputs = synth().toJSON().Outputs as Record<string, { Value: unknown }>;
    const told = Object.fromEntries(Object.entries(outputs).map(([name, { Value }]) => [name, text(Value)]));
    expect(told).toEqual({
      BucketName: expect.stringMatching(/^<Bucket/),
      SseKeyArn: expect.stringMatching(/^<BucketKey.*\.Arn>$/),
      CseKeyArn: expect.stringMatching(/^<CseKey.*\.Arn>$/),
      CseKeyAlias: 'alias/Sealdrop-Vault-cse',
    });
  });
});

describe('as the vault of a gateway', () => {
  const stack = emptyStack();
  const vaultBucket = new EncryptedBucket(stack, 'Vault');
  const key = new CseKey(stack, 'CseKey', { decrypters: [role('reader')] });
  const least = { deployment: 'test', publicKeySetSecretName: 'p' };
  const gateway = new EncryptionGateway(stack, 'Gateway', { ...least, vaultBucket, wrappingKeys: [key] });
  const template = Template.fromStack(stack);
  const kms = statementsOf(template, 'GatewayEncryptObjectRole').filter(({ actions }) =>
    actions.some((action) => action.startsWith('kms:')),
  );
  const arnOf = (start: string) =>
    `<${Object.keys(template.findResources('AWS::KMS::Key')).find((id) => id.startsWith(start))}.Arn>`;

  test('the encrypting role encrypts by the CSE key and cannot decrypt by it', () => {
    const onCse = kms.filter(({ resources }) => resources.includes(arnOf('CseKey')));
    expect(onCse).toEqual([
      {
        effect: 'Allow',
        actions: ['kms:Encrypt', 'kms:GenerateDataKey'],
        resources: [arnOf('CseKey')],
        conditions: '{}',
      },
    ]);
  });

  test('uses the key of the bucket through S3 alone: parts of an upload need kms:Decrypt', () => {
    const onSse = kms.filter(({ resources }) => resources.includes(arnOf('VaultKey')));
    expect(onSse).toEqual([
      {
        effect: 'Allow',
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: [arnOf('VaultKey')],
        conditions: expect.stringContaining('"kms:ViaService":"s3.'),
      },
    ]);
  });

  test('and the restricted key names the role in its own policy, to encrypt', () => {
    const arn = text(stack.resolve(gateway.encryptObject.role.roleArn));
    const policy = keyPolicy(template);
    expect(whoMay(policy, 'kms:GenerateDataKey')).toEqual([arn]);
    expect(whoMay(policy, 'kms:Encrypt')).toEqual([arn]);
    expect(whoMay(policy, 'kms:Decrypt')).toEqual([roleArn('reader')]);
  });

  test('a key that IAM says everything of names nobody', () => {
    const other = emptyStack();
    const wrappingKeys = [new CseKey(other, 'CseKey')];
    new EncryptionGateway(other, 'Gateway', { ...least, wrappingKeys, vaultWriteSecretName: 'v' });
    expect(keyPolicy(Template.fromStack(other))).toHaveLength(1);
  });

  test('a restricted key of another stack is not touched, and a warning says what to add there', () => {
    const apart = emptyStack();
    const there = new Stack(apart.node.root, 'There', { env: { account: ACCOUNT, region: REGION } });
    const wrappingKeys = [new CseKey(there, 'CseKey', { decrypters: [role('reader')] })];
    new EncryptionGateway(apart, 'Gateway', { ...least, wrappingKeys, vaultWriteSecretName: 'v' });
    expect(whoMay(keyPolicy(Template.fromStack(there)), 'kms:GenerateDataKey')).toEqual([]);
    Annotations.fromStack(apart).hasWarning(
      '*',
      Match.stringLikeRegexp('key policy of There/CseKey must name this role'),
    );
  });
});
