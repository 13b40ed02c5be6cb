/** `cdk deploy Vault`, on a local AWS with TLS and policies enforced: who may use its key, alone and as a gateway's vault. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { GetRoleCommand } from '@aws-sdk/client-iam';
import {
  DecryptCommand,
  DescribeKeyCommand,
  GenerateDataKeyCommand,
  GetKeyRotationStatusCommand,
  KMSClient,
} from '@aws-sdk/client-kms';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import {
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import type { AssumedRole } from '../helpers/aws-assumed.js';
import { roleCredentials } from '../helpers/aws-role.js';
import type { Aws } from '../helpers/aws-server.js';
import { startVaultStack, type VaultOutputs, type VaultStack } from '../helpers/aws-vault-stack.js';
import { Box, until } from '../helpers/cli.js';
import { SETUP_TIME } from '../helpers/servers.js';

// Each waits for processes of several servers, on a machine that may have other work.
jest.setTimeout(180_000);

/** What clients write. */
const FORMAT = 'esdk';

const TEXT = 'written by whoever the key policy names\n';

let stack: VaultStack;
let aws: Aws;
let keeper: AssumedRole;
let outsider: AssumedRole;
let outputs: VaultOutputs;
let box: Box;

beforeAll(async () => {
  stack = await startVaultStack();
  ({ aws, keeper, outsider, outputs } = stack);
  box = new Box();
  box.write('plain.txt', TEXT);
}, SETUP_TIME);
afterAll(async () => stack?.stop());

const put = ({ env }: AssumedRole, key: string, recipient = outputs.CseKeyArn) => {
  const target = `s3://${outputs.BucketName}/${key}`;
  return box.run(['put', 'plain.txt', target, '--recipient', `kms:${recipient}`, '--format', FORMAT], {
    env,
  });
};

const get = ({ env }: AssumedRole, key: string, file: string) =>
  box.run(['get', `s3://${outputs.BucketName}/${key}`, file, '--private-key', `kms:${outputs.CseKeyArn}`], {
    env,
  });

// Not its encryption: ministack's CloudFormation leaves that out. test/stack looks at the template.
describe('what was deployed', () => {
  test('is a bucket that is versioned and closed to the public', async () => {
    const at = { Bucket: outputs.BucketName };
    const { PublicAccessBlockConfiguration } = await aws.s3.send(new GetPublicAccessBlockCommand(at));
    expect(Object.values(PublicAccessBlockConfiguration!)).toEqual([true, true, true, true]);
    const { Status } = await aws.s3.send(new GetBucketVersioningCommand(at));
    expect(Status).toBe('Enabled');
  });

  test('and two keys that are rotated, the CSE key with its alias', async () => {
    const { SseKeyArn, CseKeyArn, CseKeyAlias } = outputs;
    expect(SseKeyArn).not.toBe(CseKeyArn);
    for (const KeyId of [SseKeyArn, CseKeyArn]) {
      const { KeyRotationEnabled } = await aws.kms.send(new GetKeyRotationStatusCommand({ KeyId }));
      expect(KeyRotationEnabled).toBe(true);
    }
    expect(CseKeyAlias).toBe('alias/Sealdrop-Vault-cse');
    const { KeyMetadata } = await aws.kms.send(new DescribeKeyCommand({ KeyId: CseKeyAlias }));
    expect(KeyMetadata?.Arn).toBe(CseKeyArn);
  });
});

describe('a role that the key policy names', () => {
  test('puts and gets', async () => {
    expect(await put(keeper, 'kept.txt')).toMatchObject({ code: 0 });
    expect(await get(keeper, 'kept.txt', 'back.txt')).toMatchObject({ code: 0 });
    expect(box.read('back.txt').toString()).toBe(TEXT);
  });

  test('puts by the alias', async () => {
    expect(await put(keeper, 'by-alias.txt', outputs.CseKeyAlias)).toMatchObject({ code: 0 });
    expect(await get(keeper, 'by-alias.txt', 'by-alias.txt')).toMatchObject({ code: 0 });
  });

  test('and what it put is ciphertext', async () => {
    const at = { Bucket: outputs.BucketName, Key: 'kept.txt' };
    const { Body } = await aws.s3.send(new GetObjectCommand(at));
    expect(Buffer.from(await Body!.transformToByteArray()).includes(TEXT.trim())).toBe(false);
  });
});

/** What KMS answers it, whole. */
async function denial(request: (kms: KMSClient) => Promise<unknown>): Promise<string> {
  const { name, message } = (await request(outsider.kms).catch((error: unknown) => error as Error)) as Error;
  expect(message).toContain('assumed-role/outsider/test is not authorized to perform: kms:');
  return `${name}: ${message}`;
}

describe('an administrator that the key policy does not name', () => {
  test('may look at the key and read the bucket', async () => {
    const listed = await box.run(['ls', `s3://${outputs.BucketName}/`], { env: outsider.env });
    expect(listed).toMatchObject({ code: 0 });
    expect(listed.stdout.toString()).toContain('kept.txt');
    const { KeyMetadata } = await outsider.kms.send(new DescribeKeyCommand({ KeyId: outputs.CseKeyArn }));
    expect(KeyMetadata?.Enabled).toBe(true);
  });

  test('is refused to encrypt: exit code 4, with all that KMS says', async () => {
    const { code, stderr } = await put(outsider, 'refused.txt');
    expect(code).toBe(4);
    const make = new GenerateDataKeyCommand({ KeyId: outputs.CseKeyArn, KeySpec: 'AES_256' });
    expect(stderr).toContain(await denial((kms) => kms.send(make)));
    const at = { Bucket: outputs.BucketName, Key: 'refused.txt' };
    await expect(aws.s3.send(new HeadObjectCommand(at))).rejects.toMatchObject({ name: 'NotFound' });
  });

  test('is refused to decrypt: exit code 4, with all that KMS says, and no file', async () => {
    const { code, stderr } = await get(outsider, 'kept.txt', 'refused.txt');
    expect(code).toBe(4);
    const KeyId = outputs.CseKeyArn;
    const { CiphertextBlob } = await keeper.kms.send(
      new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }),
    );
    expect(stderr).toContain(await denial((kms) => kms.send(new DecryptCommand({ KeyId, CiphertextBlob }))));
    expect(box.files()).not.toContain('refused.txt');
  });

  test('does both once the policy names it, and the key is the same one', async () => {
    const arns = [keeper.arn, outsider.arn];
    expect(await stack.deployVault({ decrypters: arns, encrypters: arns })).toEqual(outputs);
    expect(await put(outsider, 'allowed.txt')).toMatchObject({ code: 0 });
    expect(await get(outsider, 'kept.txt', 'allowed.txt')).toMatchObject({ code: 0 });
    expect(box.read('allowed.txt').toString()).toBe(TEXT);
  });
});

describe('as the vault of a gateway', () => {
  interface GatewayOutputs {
    readonly InboxBucket: string;
    readonly EncryptObjectFunction: string;
  }
  let gateway: GatewayOutputs;

  beforeAll(async () => {
    const { BucketName, SseKeyArn, CseKeyArn } = outputs;
    const set = { version: 1, keys: [{ namespace: 'aws-kms', name: CseKeyArn }] };
    const secret = { Name: 'vault-stack/public-keys', SecretString: JSON.stringify(set) };
    await aws.secrets.send(new CreateSecretCommand(secret));
    gateway = await stack.deployGateway<GatewayOutputs>('e2e', {
      publicKeySetSecret: secret.Name,
      vaultBucket: { name: BucketName, prefix: 'inbox/', kmsKeyArn: SseKeyArn },
      wrappingKmsKeyArns: [CseKeyArn],
    });
    const { Role } = await aws.lambda.send(
      new GetFunctionConfigurationCommand({ FunctionName: gateway.EncryptObjectFunction }),
    );
    const { Role: role } = await aws.iam.send(new GetRoleCommand({ RoleName: Role!.split('/').pop()! }));
    await stack.deployVault({ decrypters: [keeper.arn], encrypters: [role!.Arn!] });
  }, SETUP_TIME);

  test.each([
    { what: 'a small file', size: 100 },
    { what: 'one that needs several parts', size: 20 * 1024 * 1024 },
  ])('$what that is dropped into the inbox opens for whoever may decrypt', async ({ size }) => {
    const bytes = Buffer.alloc(size, TEXT);
    const Key = `of ${size}.bin`;
    await aws.s3.send(new PutObjectCommand({ Bucket: gateway.InboxBucket, Key, Body: bytes }));
    const at = { Bucket: outputs.BucketName, Key: `inbox/${Key}` };
    await until(`${Key} is stored`, () =>
      aws.s3.send(new HeadObjectCommand(at)).then(
        () => true,
        () => false,
      ),
    );
    expect(await get(keeper, at.Key, 'opened')).toMatchObject({ code: 0 });
    expect(box.read('opened').equals(bytes)).toBe(true);
  });

  test('the encrypting role makes data keys by the CSE key, and may not decrypt', async () => {
    const credentials = await roleCredentials(aws, gateway.EncryptObjectFunction);
    const kms = new KMSClient(aws.clientSettings(credentials));
    const made = await kms.send(new GenerateDataKeyCommand({ KeyId: outputs.CseKeyArn, KeySpec: 'AES_256' }));
    const { CiphertextBlob } = made;
    expect(made.Plaintext).toHaveLength(32);
    for (const KeyId of [outputs.CseKeyArn, undefined])
      await expect(kms.send(new DecryptCommand({ CiphertextBlob, KeyId }))).rejects.toMatchObject({
        name: expect.stringMatching(/^AccessDenied/),
      });
  });

  test('nor use the key of the bucket, but by S3', async () => {
    const credentials = await roleCredentials(aws, gateway.EncryptObjectFunction);
    const kms = new KMSClient(aws.clientSettings(credentials));
    const direct = new GenerateDataKeyCommand({ KeyId: outputs.SseKeyArn, KeySpec: 'AES_256' });
    await expect(kms.send(direct)).rejects.toMatchObject({ name: expect.stringMatching(/^AccessDenied/) });
  });
});
