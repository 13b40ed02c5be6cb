/** What the encrypting role may not do, asked of AWS with the role's own credentials. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { GetRoleCommand } from '@aws-sdk/client-iam';
import { CreateKeyCommand, DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { GetFunctionConfigurationCommand, LambdaClient, InvokeCommand } from '@aws-sdk/client-lambda';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { SECRETS, startGateway, type Gateway } from '../helpers/aws-gateway.js';
import { roleCredentials } from '../helpers/aws-role.js';
import { stored } from '../helpers/aws-watch.js';
import { privatePem } from '../helpers/keys.js';
import { SETUP_TIME } from '../helpers/servers.js';

// Each waits for processes of several servers, on a machine that may have other work.
jest.setTimeout(180_000);

const PRIVATE_KEYS = 'sealdrop/private-keys';

let gateway: Gateway;
let secretsKey: string;
let wrappingKey: string;
let as: {
  secrets: SecretsManagerClient;
  kms: KMSClient;
  s3: S3Client;
  sqs: SQSClient;
  lambda: LambdaClient;
  sts: STSClient;
};
beforeAll(async () => {
  gateway = await startGateway({
    tls: true,
    // Keys that exist, so that the role has kms:Decrypt at all: through Secrets Manager.
    config: async ({ kms }) => {
      const newKey = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata!.Arn!;
      [secretsKey, wrappingKey] = [await newKey(), await newKey()];
      return { secretKmsKeyArns: [secretsKey] };
    },
  });
  const { aws, outputs, pair } = gateway;
  const secret = { Name: PRIVATE_KEYS, SecretString: privatePem(pair) };
  await aws.secrets.send(new CreateSecretCommand(secret));
  const settings = aws.clientSettings(await roleCredentials(aws, outputs.EncryptObjectFunction));
  as = {
    secrets: new SecretsManagerClient(settings),
    kms: new KMSClient(settings),
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    sqs: new SQSClient(settings),
    lambda: new LambdaClient(settings),
    sts: new STSClient(settings),
  };
}, SETUP_TIME);
afterAll(async () => gateway?.stop());

/** Services differ in the status. */
const REFUSED = /^40[03] AccessDenied$/;

/** AWS's answer: `allowed`, or the error's name and status. */
async function answer(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => 'allowed',
    (error: { name: string; $metadata?: { httpStatusCode?: number } }) =>
      `${error.$metadata?.httpStatusCode} ${error.name.replace(/Exception$/, '')}`,
  );
}

test('these are the credentials of the role', async () => {
  const { aws, outputs } = gateway;
  const command = new GetFunctionConfigurationCommand({ FunctionName: outputs.EncryptObjectFunction });
  const { Role } = await aws.lambda.send(command);
  const { Arn } = await as.sts.send(new GetCallerIdentityCommand({}));
  expect(Arn).toContain(`:assumed-role/${Role!.split('/').pop()}/`);
  const { Role: role } = await aws.iam.send(new GetRoleCommand({ RoleName: Role!.split('/').pop() }));
  const trusted = JSON.parse(decodeURIComponent(role!.AssumeRolePolicyDocument!)) as {
    Statement: { Principal: unknown }[];
  };
  expect(trusted.Statement.map(({ Principal }) => Principal)).toEqual([{ Service: 'lambda.amazonaws.com' }]);
});

const read = (SecretId: string) => answer(as.secrets.send(new GetSecretValueCommand({ SecretId })));

describe('the encrypting role', () => {
  test('reads the public key set and vault-write', async () => {
    expect(await read(SECRETS.publicKeySet)).toBe('allowed');
    expect(await read(SECRETS.vaultWrite)).toBe('allowed');
  });

  const FOR_OTHERS = [PRIVATE_KEYS, SECRETS.vaultRead, SECRETS.vaultDelete, SECRETS.vaultRewrite];
  test.each(FOR_OTHERS)('may not read %s', async (name) => {
    expect(await read(name)).toMatch(REFUSED);
  });

  test('may not write secrets, nor list them', async () => {
    const write = new PutSecretValueCommand({ SecretId: SECRETS.publicKeySet, SecretString: 'another' });
    expect(await answer(as.secrets.send(write))).toMatch(REFUSED);
    expect(await answer(as.secrets.send(new ListSecretsCommand({})))).toMatch(REFUSED);
  });

  test.each([
    { what: 'a wrapping key', key: () => wrappingKey },
    { what: 'the key of its secrets, but by Secrets Manager', key: () => secretsKey },
  ])('may not kms:Decrypt with $what', async ({ key }) => {
    const { kms } = gateway.aws;
    const Plaintext = Buffer.from('data key');
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId: key(), Plaintext }));
    const decrypt = new DecryptCommand({ CiphertextBlob, KeyId: key() });
    expect(await answer(kms.send(decrypt))).toBe('allowed');
    expect(await answer(as.kms.send(decrypt))).toMatch(REFUSED);
    expect(await answer(as.kms.send(new DecryptCommand({ CiphertextBlob })))).toMatch(REFUSED);
  });

  test('reads its inbox, and may neither write there nor delete', async () => {
    await gateway.drop('a', 'some bytes');
    await stored(gateway, 'a');
    const at = { Bucket: gateway.inbox, Key: 'a' };
    expect(await answer(as.s3.send(new GetObjectCommand(at)))).toBe('allowed');
    expect(await answer(as.s3.send(new PutObjectCommand({ ...at, Body: 'x' })))).toMatch(REFUSED);
    expect(await answer(as.s3.send(new DeleteObjectCommand(at)))).toMatch(REFUSED);
  });

  test('may not look elsewhere, call functions, take other roles or read the dead letters', async () => {
    const { outputs, aws } = gateway;
    const { Role } = await aws.lambda.send(
      new GetFunctionConfigurationCommand({ FunctionName: outputs.EncryptObjectFunction }),
    );
    const assume = new AssumeRoleCommand({ RoleArn: Role, RoleSessionName: 'x' });
    const call = new InvokeCommand({ FunctionName: outputs.EncryptObjectFunction });
    const receive = new ReceiveMessageCommand({ QueueUrl: outputs.DeadLetterQueueUrl });
    expect(await answer(as.s3.send(new ListBucketsCommand({})))).toMatch(REFUSED);
    expect(await answer(as.lambda.send(call))).toMatch(REFUSED);
    expect(await answer(as.sts.send(assume))).toMatch(REFUSED);
    expect(await answer(as.sqs.send(receive))).toMatch(REFUSED);
  });
});

describe('at the vault', () => {
  test.each([
    { policy: 'vault-write', may: ['put', 'get', 'list'] },
    { policy: 'vault-read', may: ['get', 'list'] },
    { policy: 'vault-delete', may: ['delete'] },
    { policy: 'vault-rewrite', may: ['put', 'get', 'list'] },
  ] as const)('the credentials of examples/minio-policies/$policy.json may $may', async ({ policy, may }) => {
    const { vault } = gateway;
    const { bucket } = vault;
    const client = vault.client(await vault.credentials(policy));
    const Key = 'inbox/of policies';
    await vault.server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
    const requests = {
      put: () => client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'y' })),
      get: () => client.send(new GetObjectCommand({ Bucket: bucket, Key })),
      list: () => client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'inbox/' })),
      delete: () => client.send(new DeleteObjectCommand({ Bucket: bucket, Key })),
      outside: () => client.send(new PutObjectCommand({ Bucket: bucket, Key: 'elsewhere', Body: 'y' })),
    };
    const allowed: string[] = [];
    for (const [name, request] of Object.entries(requests))
      if ((await answer(request())) === 'allowed') allowed.push(name);
    client.destroy();
    expect(allowed).toEqual(may);
  });
});
