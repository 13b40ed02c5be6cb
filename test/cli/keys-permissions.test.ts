/** Policies that are enforced: what `keys publish` needs is what docs/keys.md says, and readers need what it prints. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CreateAccessKeyCommand, CreateUserCommand, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { readFileSync } from 'node:fs';
import { startAws, type Aws } from '../helpers/aws-server.js';
import { Box, documents, secret } from '../helpers/cli.js';
import { addKeys } from '../helpers/cli-vault.js';
import { SETUP_TIME } from '../helpers/servers.js';

let aws: Aws;
let box: Box;

beforeAll(async () => {
  aws = await startAws();
  box = new Box({ ...aws.environment });
  addKeys(box);
  await box.shell('sealdrop keys import private_key.pem --key-set keys.json -q');
}, SETUP_TIME);
afterAll(() => aws?.stop());

/** The environment of a user who may do this and nothing else. */
async function userWith(name: string, statements: readonly object[]): Promise<Record<string, string>> {
  const { iam } = aws;
  await iam.send(new CreateUserCommand({ UserName: name }));
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  await iam.send(new PutUserPolicyCommand({ UserName: name, PolicyName: 'only', PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
  return {
    AWS_ACCESS_KEY_ID: AccessKey!.AccessKeyId!,
    AWS_SECRET_ACCESS_KEY: secret('a secret key of AWS', AccessKey!.SecretAccessKey!),
  };
}

/** As docs/keys.md lists them; those with --kms-key left out. */
function documentedActions(): string[] {
  const text = readFileSync('docs/keys.md', 'utf8').replace(/\s+/g, ' ');
  const list = /It needs `secretsmanager:(.+?), and with `--kms-key`/.exec(text)![1]!;
  return [...list.matchAll(/\w+/g)].map(([action]) => `secretsmanager:${action}`);
}

test('publish does with the documented actions, and each reader with the policy that is printed', async () => {
  const publisher = await userWith('publisher', [
    {
      Effect: 'Allow',
      Action: documentedActions(),
      Resource: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:perm/*',
    },
  ]);
  const args = [
    '--key-set',
    'keys.json',
    '--name',
    'perm/public',
    '--with-private',
    'perm/private',
    '--json',
  ];
  // Made, and then replaced.
  const made = await box.run(['keys', 'publish', ...args], { env: publisher });
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(await box.run(['keys', 'rotate', ...args], { env: publisher })).toMatchObject({
    code: 0,
    stderr: '',
  });
  const outside = ['--key-set', 'keys.json', '--name', 'other/public'];
  expect(await box.run(['keys', 'publish', ...outside], { env: publisher })).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('secretsmanager:other/public: access is denied (AccessDeniedException)'),
  });

  const [privately, publicly] = documents(made) as [{ policy: object[] }, { policy: object[] }];
  const encryptor = await userWith('encryptor', publicly.policy);
  const decryptor = await userWith('decryptor', privately.policy);
  const list = (which: string, env: Record<string, string>) =>
    box.run(['keys', 'list', '--key-set', `secretsmanager:perm/${which}`], { env });
  expect(await list('public', encryptor)).toMatchObject({ code: 0 });
  expect(await list('private', decryptor)).toMatchObject({ code: 0 });
  // Whoever encrypts has no way to the private set.
  for (const [which, env] of [
    ['private', encryptor],
    ['public', decryptor],
  ] as const)
    expect(await list(which, env)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('access is denied'),
    });
}, 120_000);
