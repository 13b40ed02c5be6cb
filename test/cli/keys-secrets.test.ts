/** `sealdrop keys` on secrets and parameters of ministack: who gets which half, and that nobody's work is undone. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  TagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { chmodSync } from 'node:fs';
import { keptParameter } from '../../src/secrets/kept-parameter.js';
import { keptSecret } from '../../src/secrets/kept-secret.js';
import { Box, documents, secret } from '../helpers/cli.js';
import { addKeys, OTHER, PAIR } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { awsEnvironment, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

const today = new Date().toISOString().slice(0, 10);
const PASSPHRASE = secret('the passphrase', 'correct horse battery staple');

let server: S3Server;
let proxy: FaultProxy;
let secrets: SecretsManagerClient;
let parameters: SSMClient;

beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  const { region, credentials } = server;
  const settings = { endpoint: proxy.endpoint, region, credentials, maxAttempts: 2 };
  secrets = new SecretsManagerClient(settings);
  parameters = new SSMClient(settings);
}, SETUP_TIME);
afterAll(async () => {
  secrets?.destroy();
  parameters?.destroy();
  await proxy?.close();
  await server?.stop();
});

/** With `keys.json`: the private pair S3RSAKey in it. */
async function begin(): Promise<Box> {
  const box = new Box(awsEnvironment(server), { today });
  addKeys(box);
  for (const name of ['private_key.pem', 'other_private.pem']) chmodSync(box.path(name), 0o600);
  await box.shell('sealdrop keys import private_key.pem --key-set keys.json -q');
  return box;
}

const valueOf = async (SecretId: string) =>
  (await secrets.send(new GetSecretValueCommand({ SecretId }))).SecretString!;
const keysOf = async (name: string) =>
  (JSON.parse(await valueOf(name)) as { keys: Record<string, string>[] }).keys.map(({ name, state }) => [
    name,
    state,
  ]);
const about = (SecretId: string) => secrets.send(new DescribeSecretCommand({ SecretId }));

describe('publish', () => {
  test('what it wrote for those who encrypt takes no private half, made there or imported', async () => {
    const box = await begin();
    await box.transcript(`
      $ sealdrop keys publish --key-set keys.json --name kept/public -q | grep -c Effect
      > 1
      $ sealdrop keys add --key-set secretsmanager:kept/public
      ! error: secretsmanager:kept/public is what those who encrypt read: no private half goes there
      ! hint: make the key in the set that the private halves are in, and publish it: sealdrop keys publish
      [2]
      $ sealdrop keys import other_private.pem --key-set secretsmanager:kept/public
      ! error: secretsmanager:kept/public is what those who encrypt read: no private half goes there
      ! hint: make the key in the set that the private halves are in, and publish it: sealdrop keys publish
      [2]
    `);
    expect(await valueOf('kept/public')).not.toContain('PRIVATE');
    expect(await keysOf('kept/public')).toEqual([['S3RSAKey', 'active']]);
  });

  test('public halves in a secret that somebody else made get no private half beside them, unless it is for those', async () => {
    const box = await begin();
    await box.shell('sealdrop keys export-public --key-set keys.json --out public.json -q');
    const SecretString = box.read('public.json').toString();
    await secrets.send(new CreateSecretCommand({ Name: 'byhand/public', SecretString }));
    const refused = `
      ! error: secretsmanager:byhand/public has public halves alone: those who encrypt may read it
      ! hint: make the key in the set that the private halves are in, and publish it: sealdrop keys publish; a secret that only those read who decrypt is told by its tag sealdrop:content=private-key-set
      [2]`;
    await box.transcript(`
      $ sealdrop keys add --aes 256 --key-set secretsmanager:byhand/public${refused}
      $ sealdrop keys import private_key.pem --key-set secretsmanager:byhand/public${refused}
      $ sealdrop keys import other_public.pem --key-set secretsmanager:byhand/public -q
    `);
    expect(await valueOf('byhand/public')).not.toMatch(/PRIVATE|secretKey/);
    const Tags = [{ Key: 'sealdrop:content', Value: 'private-key-set' }];
    await secrets.send(new TagResourceCommand({ SecretId: 'byhand/public', Tags }));
    expect(
      (await box.run(['keys', 'add', '--aes', '256', '--key-set', 'secretsmanager:byhand/public'])).code,
    ).toBe(0);
  });

  test('writes the public halves alone, with tags, and says what readers need', async () => {
    const box = await begin();
    const args = ['--key-set', 'keys.json', '--name', 'app/public', '--tag', 'team=lab'];
    const { code, stdout, stderr } = await box.run(['keys', 'publish', ...args]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'made secretsmanager:app/public: 1 key (1 active), public halves\nwhoever encrypts needs:\n',
    });
    const { ARN: Resource, Tags } = await about('app/public');
    expect(JSON.parse(stdout.toString())).toEqual([
      { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource },
    ]);
    expect(Tags).toEqual(
      expect.arrayContaining([
        { Key: 'team', Value: 'lab' },
        { Key: 'sealdrop:content', Value: 'public-key-set' },
      ]),
    );
    const value = await valueOf('app/public');
    expect(value).toContain('BEGIN PUBLIC KEY');
    expect(value).not.toMatch(/private|secret/i);
    // It is taken as it is by whoever encrypts.
    box.write('a.txt', 'hi\n');
    await box.transcript(`
      $ sealdrop put a.txt file://{dir}/vault/ -q --public-key secretsmanager:app/public
      $ sealdrop cat file://{dir}/vault/a.txt --private-key keys.json
      > hi
    `);
  });

  test('writes the whole set to the second secret, unlocked, under a key of KMS', async () => {
    const { endpoint, region, credentials } = server;
    const kms = new KMSClient({ endpoint, region, credentials });
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
    kms.destroy();
    const box = await begin();
    box.write('phrase', `${PASSPHRASE}\n`);
    const set = 'locked.json';
    await box.shell(
      `openssl pkey -in private_key.pem -aes256 -passout file:phrase -out locked.pem && sealdrop keys import locked.pem --key-set ${set} --passphrase-file phrase -q`,
    );
    const args = ['--key-set', set, '--name', 'kms/public', '--with-private', 'kms/private'];
    const refused = await box.run(['keys', 'publish', ...args]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('is locked by a passphrase') });
    await expect(about('kms/public')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    const options = ['--kms-key', KeyMetadata!.Arn!, '--passphrase-file', 'phrase', '--json'];
    const done = documents(await box.run(['keys', 'publish', ...args, ...options]));
    expect(done).toMatchObject([
      { address: 'secretsmanager:kms/private', content: 'private', created: true },
      { address: 'secretsmanager:kms/public', content: 'public', created: true },
    ]);
    for (const [i, name] of ['kms/private', 'kms/public'].entries()) {
      const { ARN: Resource, KmsKeyId } = await about(name);
      expect(KmsKeyId).toBe(KeyMetadata!.Arn);
      expect(done[i]!.policy).toEqual([
        { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource },
        {
          Effect: 'Allow',
          Action: 'kms:Decrypt',
          Resource: KeyMetadata!.Arn,
          Condition: { StringEquals: { 'kms:ViaService': 'secretsmanager.us-east-1.amazonaws.com' } },
        },
      ]);
    }
    expect(await valueOf('kms/private')).toContain('-----BEGIN PRIVATE KEY-----');
    expect(await valueOf('kms/public')).not.toContain('PRIVATE');
  }, 60_000);

  test('into a parameter of Systems Manager: public halves', async () => {
    const box = await begin();
    await box.transcript(`
      $ sealdrop keys publish --key-set keys.json --name ssm:/lab/public -q | grep Action
      >     "Action": "ssm:GetParameter",
      $ sealdrop keys list --key-set ssm:/lab/public
      > active  MyAppKeys/S3RSAKey  RSA 2048  public half  {fingerprint}
      $ sealdrop keys import other_public.pem --key-name colleague --key-set ssm:/lab/public -q
      $ sealdrop keys add --key-set ssm:/lab/public
      ! error: ssm:/lab/public is for public halves alone
      ! hint: keep the set with private halves in a file or in secretsmanager:NAME, and publish it: sealdrop keys publish --name ssm:NAME
      [2]
      $ sealdrop keys publish --key-set keys.json --name lab/public --with-private ssm:/lab/private
      ! error: private halves go into a secret, not into a parameter
      ! hint: --with-private NAME of a secret
      [2]
    `);
    const { Parameter } = await parameters.send(new GetParameterCommand({ Name: '/lab/public' }));
    expect(Parameter).toMatchObject({ Version: 2, Type: 'String' });
    expect(Parameter!.Value).not.toContain('PRIVATE');
  }, 60_000);

  test('never takes the place of private keys, of another kind of secret, or, unasked, of other keys', async () => {
    const box = await begin();
    await secrets.send(new CreateSecretCommand({ Name: 'guard/private', SecretString: OTHER.privateKey }));
    await secrets.send(new CreateSecretCommand({ Name: 'guard/vault', SecretString: '{"endpoint":"x"}' }));
    await secrets.send(new CreateSecretCommand({ Name: 'guard/public', SecretString: OTHER.publicKey }));
    await box.transcript(`
      $ sealdrop keys publish --key-set keys.json --name guard/private
      ! error: secretsmanager:guard/private holds private keys: the public set would take their place
      ! hint: name another secret with --name; a private set is written with --with-private
      [1]
      $ sealdrop keys publish --key-set keys.json --name guard/vault
      ! error: secretsmanager:guard/vault holds something else than a key set: secretsmanager:guard/vault: version must be 1
      ! hint: name another secret; if that one is to be replaced, delete it first
      [1]
      $ sealdrop keys publish --key-set keys.json --name guard/new --with-private guard/public
      ! error: secretsmanager:guard/public holds public halves: whoever encrypts may read it
      ! hint: name another secret with --with-private
      [1]
      $ sealdrop keys publish --key-set keys.json --name guard/new --with-private guard/new
      ! error: the private halves cannot go to where the public ones are
      ! hint: whoever encrypts reads that secret: name another one with --with-private
      [2]
      $ sealdrop keys publish --key-set keys.json --name guard/public
      ! secretsmanager:guard/public has MyAppKeys/S3RSAKey (RSA 2048), which this set has not
      ! error: this has to be confirmed, and there is no terminal to ask at
      ! hint: if that is meant: --yes
      [2]
      $ sealdrop keys publish --key-set keys.json --name guard/public --yes -q | grep -c Effect
      > 1
      $ sealdrop keys publish --key-set keys.json --name "guard public"
      ! error: guard public cannot be the name of a secret
      ! hint: --name takes letters, digits and /_+=.@-
      [2]
    `);
    expect(await valueOf('guard/private')).toBe(OTHER.privateKey);
    expect(JSON.parse(await valueOf('guard/public')).keys[0].publicKey).toBe(PAIR.publicKey);
    await expect(about('guard/new')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  }, 60_000);

  test('never puts both into one secret, whatever it is called', async () => {
    const box = await begin();
    const tag = (content: string) => [{ Key: 'sealdrop:content', Value: `${content}-key-set` }];
    const { ARN = '' } = await secrets.send(new CreateSecretCommand({ Name: 'one/same' }));
    await secrets.send(new CreateSecretCommand({ Name: 'one/tagged', Tags: tag('public') }));
    await secrets.send(new CreateSecretCommand({ Name: 'one/secret', Tags: tag('private') }));
    const short = ARN.replace(/-[^-]+$/, '');
    for (const [name, privately] of [
      [ARN, 'one/same'],
      ['one/same', ARN],
      [short, 'one/same'],
      [short, ARN],
      [ARN.replace(/[^-]{6}$/, 'AbCdEf'), 'one/same'],
    ])
      expect(
        await box.run([
          ...['keys', 'publish', '--key-set', 'keys.json', '--name', name!],
          '--with-private',
          privately!,
        ]),
      ).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot go to where the public ones are') });
    await box.transcript(`
      $ sealdrop keys publish --key-set keys.json --name one/new --with-private one/tagged
      ! error: secretsmanager:one/tagged holds public halves: whoever encrypts may read it
      ! hint: name another secret with --with-private
      [1]
      $ sealdrop keys publish --key-set keys.json --name one/secret
      ! error: secretsmanager:one/secret is tagged as a secret for private keys
      ! hint: name another secret with --name, or take its tag sealdrop:content away
      [1]
      # An ARN is no name for a new secret.
      $ sealdrop keys publish --key-set keys.json --name arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf --with-private one/same
      ! error: secretsmanager:arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf does not exist
      ! hint: check the ARN; a new secret is made by its name
      [3]
      $ sealdrop keys add --aes 256 --key-set secretsmanager:arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf
      ! error: secretsmanager:arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf does not exist
      ! hint: check the ARN; a new secret is made by its name
      [3]
    `);
    for (const name of ['one/same', 'one/tagged', 'one/secret'])
      expect(await valueOf(name).catch(() => undefined)).toBeUndefined();
  }, 60_000);

  test('fills a secret that was made empty, and leaves one that is about to be deleted', async () => {
    const box = await begin();
    await secrets.send(new CreateSecretCommand({ Name: 'made/empty' }));
    await secrets.send(new CreateSecretCommand({ Name: 'made/leaving', SecretString: 'x' }));
    await secrets.send(new DeleteSecretCommand({ SecretId: 'made/leaving' }));
    await box.transcript(`
      $ sealdrop keys publish --key-set keys.json --name made/empty -q | grep -c Effect
      > 1
      $ sealdrop keys publish --key-set keys.json --name made/leaving
      ! error: secretsmanager:made/leaving is about to be deleted
      ! hint: restore it (aws secretsmanager restore-secret), or choose another name
      [3]
    `);
    expect(await keysOf('made/empty')).toEqual([['S3RSAKey', 'active']]);
  });
});

test('a set in a secret is made, listed, rotated and published there; old objects open as before', async () => {
  const box = await begin();
  box.write('a.txt', 'hi\n');
  await box.transcript(`
    $ sealdrop keys add --key-set secretsmanager:whole
    ! made a new key set: secretsmanager:whole
    ! it opens everything that is encrypted to it: whoever may read it can do so
    ! made MyAppKeys/S3RSAKey (RSA 4096) in secretsmanager:whole
    ! fingerprint {fingerprint}
    $ sealdrop keys publish --key-set secretsmanager:whole --name halves -q > /dev/null
    $ sealdrop put a.txt file://{dir}/vault/old -q --public-key secretsmanager:halves
    $ sealdrop keys rotate --key-set secretsmanager:whole --name halves --with-private function --wait 1 > policy
    ! made MyAppKeys/S3RSAKey-{today} (RSA 4096) in secretsmanager:whole
    ! fingerprint {fingerprint}
    ! retired: MyAppKeys/S3RSAKey
    ! made secretsmanager:function: 2 keys (1 active), private halves too
    ! whoever decrypts needs:
    ! waiting 1 s for what decrypts
    ! wrote secretsmanager:halves: 2 keys (1 active), public halves
    $ sealdrop put a.txt file://{dir}/vault/new -q --public-key secretsmanager:halves
    $ sealdrop inspect file://{dir}/vault/new | grep wrapped
    >   wrapped to    MyAppKeys/S3RSAKey-{today}
    $ sealdrop cat file://{dir}/vault/old file://{dir}/vault/new --private-key secretsmanager:function
    > hi
    > hi
  `);
  expect(await keysOf('halves')).toEqual([
    ['S3RSAKey', 'retired'],
    [`S3RSAKey-${today}`, 'active'],
  ]);
  expect(await valueOf('halves')).not.toContain('PRIVATE');
  // No version waits, and the one before is kept by Secrets Manager.
  const { VersionIdsToStages = {} } = await about('whole');
  expect(Object.values(VersionIdsToStages).flat().sort()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
}, 120_000);

describe('what comes between', () => {
  const again = { code: 'precondition_failed', retryable: true };

  test('a secret that somebody else wrote since it was read is left as it is', async () => {
    const settings = { replaces: undefined };
    await keptSecret(secrets, 'race').write(Buffer.from('first'), settings);
    const [mine, theirs] = [keptSecret(secrets, 'race'), keptSecret(secrets, 'race')];
    const { version } = (await mine.read())!;
    await theirs.write(Buffer.from('theirs'), { replaces: version });
    await expect(mine.write(Buffer.from('mine'), { replaces: version })).rejects.toMatchObject(again);
    await expect(mine.write(Buffer.from('mine'), settings)).rejects.toMatchObject(again);
    expect(await valueOf('race')).toBe('theirs');
  });

  test('nor is one that is written at the very moment; and no version stays that waits', async () => {
    await secrets.send(new CreateSecretCommand({ Name: 'moment', SecretString: 'first' }));
    const kept = keptSecret(secrets, 'moment');
    const { version } = (await kept.read())!;
    const { endpoint, region, credentials } = server;
    const other = new SecretsManagerClient({ endpoint, region, credentials });
    const put = new PutSecretValueCommand({ SecretId: 'moment', SecretString: 'theirs' });
    // Between its look and its label: they have been looked for, and the new version has been put.
    proxy.add({ skip: 2, before: () => other.send(put) });
    await expect(kept.write(Buffer.from('mine'), { replaces: version })).rejects.toMatchObject(again);
    proxy.reset();
    other.destroy();
    expect(await valueOf('moment')).toBe('theirs');
    const { VersionIdsToStages = {} } = await about('moment');
    expect(Object.values(VersionIdsToStages).flat()).not.toContain('sealdrop-next');
  });

  test('an answer that is lost is no failure: the work is found done', async () => {
    await secrets.send(new CreateSecretCommand({ Name: 'lost', SecretString: 'first' }));
    const kept = keptSecret(secrets, 'lost');
    for (const skip of [0, 1, 2, 3]) {
      const { version } = (await kept.read())!;
      proxy.add({ skip, loseAnswer: true });
      await kept.write(Buffer.from(`value ${skip}`), { replaces: version });
      proxy.reset();
      expect(await valueOf('lost')).toBe(`value ${skip}`);
    }
    proxy.add({ loseAnswer: true });
    const made = await keptSecret(secrets, 'lost/new').write(Buffer.from('x'), { replaces: undefined });
    proxy.reset();
    expect(await valueOf('lost/new')).toBe('x');
    expect(made.arn).toContain('lost/new');
  });

  test('a parameter that somebody else wrote is left as it is', async () => {
    const kept = keptParameter(parameters, '/race');
    await kept.write(Buffer.from('first'), { replaces: undefined });
    const { version } = (await kept.read())!;
    await parameters.send(new PutParameterCommand({ Name: '/race', Value: 'theirs', Overwrite: true }));
    await expect(kept.write(Buffer.from('mine'), { replaces: version })).rejects.toMatchObject(again);
    await expect(kept.write(Buffer.from('mine'), { replaces: undefined })).rejects.toMatchObject(again);
    expect((await kept.read())!.bytes.reveal().toString()).toBe('theirs');
  });

  test('what is too large for its place is refused before anything is written', async () => {
    const large = { code: 'too_large' };
    const settings = { replaces: undefined };
    await expect(
      keptSecret(secrets, 'large').write(Buffer.alloc(65_537, 97), settings),
    ).rejects.toMatchObject(large);
    await expect(
      keptParameter(parameters, '/large').write(Buffer.alloc(8193, 97), settings),
    ).rejects.toMatchObject(large);
    expect(await keptSecret(secrets, 'large').read()).toBeUndefined();
  });
});

describe('a rotation that breaks off', () => {
  const DENIED = {
    status: 400,
    body: JSON.stringify({ __type: 'AccessDeniedException', message: 'no' }),
    headers: { 'content-type': 'application/x-amz-json-1.1' },
  };

  test.each<[what: string, keys: number, name: string, message: string]>([
    ['has no room for it', 18, 'ssm:/room', 'ssm:/room can hold 8192 bytes'],
    ['would get no key to encrypt to', 1, 'none/public', 'has no active key with a public half to publish'],
  ])(
    'where the target %s, nothing is changed',
    async (_what, count, name, message) => {
      const box = await begin();
      const { keys } = JSON.parse(box.read('keys.json').toString()) as { keys: object[] };
      const more = Array.from({ length: count - 1 }, (_, i) => ({
        ...keys[0],
        name: `k${i}`,
        state: 'retired',
      }));
      const aes = { namespace: 'ns', name: 'aes', secretKey: Buffer.alloc(32, 5).toString('base64') };
      const all = count === 1 ? [aes, { ...keys[0], state: 'retired' }] : [...keys, ...more];
      box.write('keys.json', JSON.stringify({ version: 1, keys: all }));
      const before = box.read('keys.json');
      const { code, stderr } = await box.run(['keys', 'rotate', '--key-set', 'keys.json', '--name', name]);
      expect(code).not.toBe(0);
      expect(stderr).toContain(message);
      expect(box.read('keys.json')).toEqual(before);
    },
    60_000,
  );

  // Eight requests look at the two secrets, twice four; then each is made with one.
  test.each<[when: string, skip: number, keys: number, made: string[]]>([
    ['before there is a new key', 0, 1, []],
    ['before the private set is written', 8, 2, []],
    ['before the public set is written', 9, 2, ['private']],
  ])(
    '%s has published nothing that cannot be opened, and says how to go on',
    async (_when, skip, keys, made) => {
      const box = await begin();
      const app = `broken${skip}`;
      proxy.add({ skip, times: 1, answer: DENIED });
      const env = { AWS_ENDPOINT_URL: proxy.endpoint };
      const args = ['--key-set', 'keys.json', '--name', `${app}/public`, '--with-private', `${app}/private`];
      const more = ['--tag', 'team=my lab', '--region', 'us-east-1'];
      const { code, stderr } = await box.run(['keys', 'rotate', ...args, ...more], { env });
      proxy.reset();
      expect(code).toBe(4);
      if (keys === 2)
        expect(stderr).toContain(
          `hint: the set has the new key; publish it with: sealdrop keys publish --key-set keys.json --name ${app}/public --with-private ${app}/private --tag 'team=my lab' --region us-east-1\n`,
        );
      expect(JSON.parse(box.read('keys.json').toString()).keys).toHaveLength(keys);
      for (const half of ['public', 'private'] as const) {
        const there = await about(`${app}/${half}`).catch(() => undefined);
        expect([half, there !== undefined]).toEqual([half, made.includes(half)]);
      }
      expect(await box.run(['keys', 'publish', ...args])).toMatchObject({ code: 0 });
      expect(await keysOf(`${app}/public`)).toHaveLength(keys);
    },
    60_000,
  );
});

test('what AWS refuses is told: no rights, no credentials, no region, no answer', async () => {
  const box = await begin();
  await box.transcript(`
    $ sealdrop keys list --key-set secretsmanager:none
    ! error: secretsmanager:none does not exist, or has no value
    ! hint: check its name, --region and --profile; make one with its first key: sealdrop keys add, or sealdrop keys import
    [3]
    $ AWS_REGION= sealdrop keys list --key-set secretsmanager:none
    ! error: no region is set for AWS
    ! hint: name it: --region REGION (or AWS_REGION, or in the profile)
    [2]
    $ AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY= sealdrop keys list --key-set secretsmanager:none
    ! error: no credentials for AWS were found
    ! hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --profile NAME
    [4]
    $ AWS_ENDPOINT_URL=http://127.0.0.1:9 sealdrop keys list --key-set ssm:none
    ! error: ssm:none cannot be reached (ECONNREFUSED)
    ! hint: check the network, --region, and AWS_ENDPOINT_URL if it is set
    [1]
  `);
}, 60_000);
