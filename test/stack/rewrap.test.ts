/** What a rewrap may do where a deployment has one, and that there is nothing of it where it has none. */
import { describe, expect, test } from '@jest/globals';
import { Template } from 'aws-cdk-lib/assertions';
import type { Stack } from 'aws-cdk-lib';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { EncryptionGateway, Rewrap, type EncryptionGatewayProps, type RewrapProps } from '../../lib/index.js';
import { ACCOUNT, emptyStack, keyArn, REGION, statementsOf, synthesize, text } from '../helpers/synth.js';

const FUNCTION_ROLE = 'RewrapRewrapObjectRole';
const LEAST = {
  deployment: 'test',
  publicKeySetSecretName: 'sealdrop/test/public-keys',
  vaultWriteSecretName: 'sealdrop/test/vault-write',
};
const SECRETS = {
  privateKeySetSecretName: 'sealdrop/test/private-keys',
  vaultRewriteSecretName: 'sealdrop/test/vault-rewrite',
};
const LISTS = 'arn:aws:s3:::reports/rewrap/lists/*';

interface Given {
  props?: Partial<RewrapProps>;
  gateway?: (stack: Stack) => Partial<EncryptionGatewayProps>;
}

function synthesizeRewrap({ props, gateway: more = () => ({}) }: Given = {}): Template {
  const stack = emptyStack();
  const gateway = new EncryptionGateway(stack, 'Gateway', { ...LEAST, ...more(stack) });
  const reports = s3.Bucket.fromBucketName(stack, 'Reports', 'reports');
  new Rewrap(stack, 'Rewrap', { gateway, reports, ...SECRETS, ...props });
  return Template.fromStack(stack);
}

const secret = (name: string) => `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-??????`;
const template = synthesizeRewrap();
const ids = Object.keys(template.toJSON().Resources);
const idOf = (start: string) => ids.find((id) => id.startsWith(start))!;
const machineOf = (each: Template) =>
  Object.values(each.findResources('AWS::StepFunctions::StateMachine'))[0]!.Properties;
const settingsOf = (each: Template) => {
  const functions = Object.entries(each.findResources('AWS::Lambda::Function'));
  const [, made] = functions.find(([id]) => id.startsWith('RewrapRewrapObject'))!;
  return JSON.parse(text(made.Properties.Environment.Variables.SEALDROP_SETTINGS));
};

test('without it there is no function, no role and no state machine of it, and no private key is named', () => {
  const { template: without } = synthesize();
  expect(Object.keys(without.toJSON().Resources).filter((id) => id.includes('Rewrap'))).toEqual([]);
  expect(JSON.stringify(without.toJSON())).not.toContain('private-keys');
});

describe('the role of the function', () => {
  const statements = statementsOf(template, FUNCTION_ROLE);

  test('reads both key sets and the credentials for rewriting, writes lists; nothing else', () => {
    const log = `<${idOf('RewrapRewrapObjectLog')}.Arn>`;
    expect(statements.map(({ actions, resources }) => [actions, resources])).toEqual([
      [['logs:CreateLogStream', 'logs:PutLogEvents'], [log]],
      [['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], ['*']],
      [
        ['secretsmanager:GetSecretValue'],
        [
          secret('sealdrop/test/private-keys'),
          secret('sealdrop/test/public-keys'),
          secret('sealdrop/test/vault-rewrite'),
        ],
      ],
      [['s3:AbortMultipartUpload', 's3:PutObject'], [LISTS]],
    ]);
    expect(statements.every(({ effect, conditions }) => effect === 'Allow' && conditions === '{}')).toBe(
      true,
    );
  });

  test('wraps by the deployment’s keys of KMS, and decrypts with none of them', () => {
    const withKey = synthesizeRewrap({
      gateway: (stack) => ({ wrappingKeys: [kms.Key.fromKeyArn(stack, 'Key', keyArn(1))] }),
    });
    const onKey = statementsOf(withKey, FUNCTION_ROLE).filter(({ resources }) =>
      resources.includes(keyArn(1)),
    );
    expect(onKey.flatMap(({ actions }) => actions)).toEqual(['kms:Encrypt', 'kms:GenerateDataKey']);
  });

  test('on a vault that is a bucket reads and writes, and deletes nothing', () => {
    const onAws = synthesizeRewrap({
      props: { vaultRewriteSecretName: undefined },
      gateway: (stack) => ({
        vaultWriteSecretName: undefined,
        vaultBucket: { bucket: s3.Bucket.fromBucketName(stack, 'Vault', 'vault'), prefix: 'sealed/' },
      }),
    });
    const onVault = statementsOf(onAws, FUNCTION_ROLE).filter(({ resources }) =>
      resources.join().includes(':::vault'),
    );
    expect(onVault.map(({ actions, resources }) => [actions, resources])).toEqual([
      [['s3:AbortMultipartUpload', 's3:GetObject', 's3:PutObject'], ['arn:aws:s3:::vault/sealed/*']],
      [['s3:ListBucket'], ['arn:aws:s3:::vault']],
    ]);
  });
});

test('the encrypting role is what it is without: it reads neither the private keys nor the credentials for rewriting', () => {
  const encrypting = (each: Template) => statementsOf(each, 'GatewayEncryptObjectRole');
  expect(encrypting(template)).toEqual(encrypting(synthesize().template));
  const named = encrypting(template).flatMap(({ resources }) => resources);
  expect(named.filter((resource) => /private-keys|vault-rewrite/.test(resource))).toEqual([]);
});

test('the role of the state machine calls the one function and writes lists and reports; nothing else', () => {
  const machine = idOf('RewrapStateMachine');
  const own = statementsOf(template, 'RewrapRole').filter(({ resources }) => resources.join() !== '*');
  expect(own.map(({ actions, resources }) => [actions, resources])).toEqual([
    [['lambda:InvokeFunction'], [`<${idOf('RewrapRewrapObjectFunction')}.Arn>`]],
    [
      ['s3:AbortMultipartUpload', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject'],
      ['arn:aws:s3:::reports/rewrap/*'],
    ],
    [['states:StartExecution'], [`<${machine}>`]],
    [
      ['states:DescribeExecution', 'states:StopExecution'],
      [`arn:aws:states:${REGION}:${ACCOUNT}:execution:<${machine}.Name>:*`],
    ],
  ]);
});

test('the state machine has the vault listed, and calls the function for what is on the list', () => {
  const { StartAt, States } = JSON.parse(text(machineOf(template).DefinitionString));
  expect(StartAt).toBe('List');
  expect(States.List.Parameters.Payload.list).toEqual({
    'prefix.$': '$.prefix',
    'dryRun.$': '$.dryRun',
    'run.$': '$$.Execution.Name',
  });
  expect(States.Rewrap).toMatchObject({
    ItemReader: {
      ReaderConfig: { InputType: 'JSONL' },
      Parameters: { Bucket: 'reports', 'Key.$': '$.vault.Payload.list' },
    },
    ItemBatcher: { MaxItemsPerBatch: 10 },
    MaxConcurrency: 10,
    ToleratedFailurePercentage: 100,
    ResultWriter: { Parameters: { Bucket: 'reports', Prefix: 'rewrap' } },
  });
});

test('the function takes objects of up to 4.9 GiB unless told otherwise; its log is kept for a year, and outlives the stack', () => {
  expect(settingsOf(template)).toMatchObject({
    ...{ publicKeySet: 'sealdrop/test/public-keys', privateKeySet: 'sealdrop/test/private-keys' },
    ...{ vault: { secret: 'sealdrop/test/vault-rewrite' }, maxObjectBytes: 840 * 6 * 1024 * 1024 },
  });
  expect(settingsOf(synthesizeRewrap({ props: { maxObjectBytes: 7 } })).maxObjectBytes).toBe(7);
  const log = template.findResources('AWS::Logs::LogGroup')[idOf('RewrapRewrapObjectLog')]!;
  expect(log).toMatchObject({ DeletionPolicy: 'Retain', Properties: { RetentionInDays: 365 } });
});

test.each<[string, RegExp, Partial<RewrapProps>]>([
  ['no credentials to rewrite with', /needs vaultRewriteSecretName/, { vaultRewriteSecretName: undefined }],
  ['those of the encrypting function', /same secret/, { vaultRewriteSecretName: LEAST.vaultWriteSecretName }],
  [
    'a private key set that is the public one',
    /same secret/,
    { privateKeySetSecretName: LEAST.publicKeySetSecretName },
  ],
  ['an ARN for a name', /not its ARN/, { privateKeySetSecretName: 'arn:aws:secretsmanager:x' }],
])('refuses %s', (_, message, props) => {
  expect(() => synthesizeRewrap({ props })).toThrow(message);
});

test('refuses a secret where the vault is a bucket', () => {
  const gateway = (stack: Stack) => ({
    vaultWriteSecretName: undefined,
    vaultBucket: { bucket: s3.Bucket.fromBucketName(stack, 'Vault', 'vault') },
  });
  expect(() => synthesizeRewrap({ gateway })).toThrow(/by a role, not by a secret/);
});

test('refuses a gateway that does not write esdk', () => {
  const gateway = () => ({ format: 's3ec' as const });
  expect(() => synthesizeRewrap({ gateway })).toThrow(
    'a rewrap is for a gateway that writes esdk, and this one writes s3ec',
  );
});
