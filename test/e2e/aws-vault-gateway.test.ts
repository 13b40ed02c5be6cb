/** A gateway that writes the S3 Encryption Client's objects into a vault on AWS, wrapped by its CSE key. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { GetRoleCommand } from '@aws-sdk/client-iam';
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { GetFunctionConfigurationCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { roleCredentials } from '../helpers/aws-role.js';
import { startVaultStack, type VaultStack } from '../helpers/aws-vault-stack.js';
import { Box, until } from '../helpers/cli.js';
import { SETUP_TIME } from '../helpers/servers.js';

// Each waits for processes of several servers, on a machine that may have other work.
jest.setTimeout(180_000);

interface GatewayOutputs {
  readonly InboxBucket: string;
  readonly EncryptObjectFunction: string;
}

let stack: VaultStack;
let gateway: GatewayOutputs;
let box: Box;
let config: object;

beforeAll(async () => {
  stack = await startVaultStack();
  box = new Box();
  const { aws, outputs, keeper } = stack;
  const { BucketName, SseKeyArn, CseKeyArn } = outputs;
  const set = { version: 1, keys: [{ namespace: 'aws-kms', name: CseKeyArn }] };
  const secret = { Name: 'vault-gateway/public-keys', SecretString: JSON.stringify(set) };
  await aws.secrets.send(new CreateSecretCommand(secret));
  config = {
    format: 's3ec-v2',
    publicKeySetSecret: secret.Name,
    vaultBucket: { name: BucketName, prefix: 'inbox/', kmsKeyArn: SseKeyArn },
    wrappingKmsKeyArns: [CseKeyArn],
  };
  gateway = await stack.deployGateway<GatewayOutputs>('e2e', config);
  const { Role } = await aws.lambda.send(
    new GetFunctionConfigurationCommand({ FunctionName: gateway.EncryptObjectFunction }),
  );
  const { Role: role } = await aws.iam.send(new GetRoleCommand({ RoleName: Role!.split('/').pop()! }));
  await stack.deployVault({ decrypters: [keeper.arn], encrypters: [role!.Arn!] });
}, SETUP_TIME);
afterAll(async () => stack?.stop());

const drop = (Key: string, Body: Uint8Array) =>
  stack.aws.s3.send(new PutObjectCommand({ Bucket: gateway.InboxBucket, Key, Body }));

/** Its metadata, when it is there. */
async function stored(key: string): Promise<Record<string, string>> {
  let metadata: Record<string, string> = {};
  const at = { Bucket: stack.outputs.BucketName, Key: `inbox/${key}` };
  await until(`${key} is stored`, () =>
    stack.aws.s3.send(new HeadObjectCommand(at)).then(
      ({ Metadata = {} }) => {
        metadata = Metadata;
        return true;
      },
      () => false,
    ),
  );
  return metadata;
}

const get = async (key: string, ...options: string[]) =>
  box.run(
    ['get', `s3://${stack.outputs.BucketName}/inbox/${key}`, 'opened'].concat(
      ...['--private-key', `kms:${stack.outputs.CseKeyArn}`, ...options],
    ),
    { env: stack.keeper.env },
  );

const V2_TOO = ['--commitment-policy', 'REQUIRE_ENCRYPT_ALLOW_DECRYPT'];

test.each([
  { what: 'an empty file', size: 0 },
  { what: 'a small file', size: 100 },
  { what: 'one that needs several parts', size: 20 * 1024 * 1024 },
])('$what that is dropped into the inbox opens for whoever may decrypt', async ({ size }) => {
  const bytes = Buffer.alloc(size, 'what the inbox got\n');
  const key = `of ${size}.bin`;
  await drop(key, bytes);
  expect(await stored(key)).toMatchObject({
    'x-amz-wrap-alg': 'kms+context',
    'x-amz-cek-alg': 'AES/GCM/NoPadding',
    'x-amz-unencrypted-content-length': String(size),
  });
  expect(await get(key, ...V2_TOO)).toMatchObject({ code: 0 });
  expect(box.read('opened').equals(bytes)).toBe(true);
});

describe('the encrypting role', () => {
  let kms: KMSClient;
  beforeAll(async () => {
    const credentials = await roleCredentials(stack.aws, gateway.EncryptObjectFunction);
    kms = new KMSClient(stack.aws.clientSettings(credentials));
  });

  test('makes data keys by the CSE key, and may not decrypt them', async () => {
    const KeyId = stack.outputs.CseKeyArn;
    const EncryptionContext = { 'aws:x-amz-cek-alg': 'AES/GCM/NoPadding' };
    const { Plaintext, CiphertextBlob } = await kms.send(
      new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext }),
    );
    expect(Plaintext).toHaveLength(32);
    for (const key of [KeyId, undefined])
      await expect(
        kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext, KeyId: key })),
      ).rejects.toMatchObject({ name: expect.stringMatching(/^AccessDenied/) });
  });

  test('nor what it has stored', async () => {
    await drop('own.bin', Buffer.from('its own'));
    const CiphertextBlob = Buffer.from((await stored('own.bin'))['x-amz-key-v2']!, 'base64');
    const EncryptionContext = { 'aws:x-amz-cek-alg': 'AES/GCM/NoPadding' };
    const decrypt = new DecryptCommand({ CiphertextBlob, EncryptionContext });
    expect((await stack.keeper.kms.send(decrypt)).Plaintext).toHaveLength(32);
    await expect(kms.send(decrypt)).rejects.toMatchObject({ name: expect.stringMatching(/^AccessDenied/) });
  });
});

test('changed to s3ec, a gateway stores the same source again, which opens by default', async () => {
  const key = 'again.bin';
  await drop(key, Buffer.from('the same'));
  await stored(key);
  const call = async () => {
    const Payload = JSON.stringify({ bucket: gateway.InboxBucket, key });
    const answer = await stack.aws.lambda.send(
      new InvokeCommand({ FunctionName: gateway.EncryptObjectFunction, Payload }),
    );
    return JSON.parse(Buffer.from(answer.Payload!).toString()) as { outcome: string };
  };
  expect(await call()).toMatchObject({ outcome: 'duplicate' });
  expect((await get(key)).code).toBe(5);
  await stack.deployGateway('e2e', { ...config, format: 's3ec' });
  expect(await call()).toMatchObject({ outcome: 'stored' });
  expect(await get(key)).toMatchObject({ code: 0 });
  expect(box.read('opened').toString()).toBe('the same');
  expect(await call()).toMatchObject({ outcome: 'duplicate' });
});
