/** Recipients, key sets and KMS keys by the command, and credentials of a role that wants a token code. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { documents, secret } from '../helpers/cli.js';
import { environmentFor, newVault, OTHER, PAIR, type TestVault } from '../helpers/cli-vault.js';
import { ACCOUNT, keyArn, refusal, startFakeKms, type FakeKms } from '../helpers/fake-kms.js';
import { isWanted, SETUP_TIME, startMinio, startMinistack, type S3Server } from '../helpers/servers.js';

const KEY = keyArn('mine', ACCOUNT, 'eu-west-1');
const ALIAS = `arn:aws:kms:eu-west-1:${ACCOUNT}:alias/files`;
const aes = randomBytes(32).toString('base64');

let kms: FakeKms;
let vault: TestVault;
let env: Record<string, string>;
beforeAll(async () => {
  kms = await startFakeKms();
});
afterAll(() => kms.stop());
beforeEach(async () => {
  kms.reset();
  vault = await newVault('directory', undefined as never);
  env = {
    AWS_ENDPOINT_URL_KMS: kms.endpoint,
    AWS_ENDPOINT_URL_STS: kms.endpoint,
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: secret('the secret key', 'kms-secret-access-key'),
  };
  const { box } = vault;
  secret('the AES key', aes);
  box.write('plain.txt', 'hello');
  const entry = (name: string, more: object) => ({ namespace: 'lab', name, ...more });
  const [team, recovery] = [PAIR, OTHER];
  box.write(
    'keys.json',
    JSON.stringify({
      version: 1,
      keys: [
        entry('team', { publicKey: team.publicKey, privateKey: team.privateKey }),
        entry('recovery', { publicKey: recovery.publicKey, always: true }),
      ],
    }),
  );
  box.write('aes.json', JSON.stringify({ version: 1, keys: [entry('shared', { secretKey: aes })] }));
});

const put = (args: string[], name = 'x') =>
  vault.box.run(['put', 'plain.txt', `${vault.address}/${name}`, ...args], { env });
const get = (args: string[], name = 'x') =>
  vault.box.run(['get', `${vault.address}/${name}`, '-', '-q', ...args], { env });

async function expectOpens(args: string[], name?: string): Promise<void> {
  const { code, stdout, stderr } = await get(args, name);
  expect({ code, stdout: stdout.toString(), stderr }).toEqual({ code: 0, stdout: 'hello', stderr: '' });
}

const named = async (name = 'x'): Promise<string[]> => {
  const result = await vault.box.run(['inspect', `${vault.address}/${name}`, '--json']);
  const [{ wrappedKeys }] = documents(result) as unknown as [{ wrappedKeys: { name: string }[] }];
  return wrappedKeys.map((key) => key.name);
};

test('three recipients of three kinds: each opens it alone', async () => {
  const to = ['--recipient', 'public_key.pem', '--recipient', 'aes.json', '--recipient', `kms:${KEY}`];
  expect(await put(to)).toMatchObject({ code: 0 });
  await expectOpens(['--private-key', 'private_key.pem']);
  await expectOpens(['--key-set', 'aes.json']);
  await expectOpens(['--private-key', `kms:${KEY}`]);
  await expectOpens(['--kms-discovery', ACCOUNT]);
  expect(kms.calls.map(({ operation, region }) => `${operation} ${region}`)).toEqual([
    'Encrypt eu-west-1',
    'Decrypt eu-west-1',
    'Decrypt eu-west-1',
  ]);
  for (const others of [
    ['--private-key', 'other_private.pem'],
    ['--private-key', `kms:${keyArn('other')}`],
    ['--kms-discovery', '999999999999'],
  ])
    expect(await get(others)).toMatchObject({ code: 5, stdout: Buffer.alloc(0) });
}, 60_000);

describe('a key set', () => {
  test('is encrypted to and opened with, by options, environment or configuration', async () => {
    expect(await put(['--key-set', 'keys.json'])).toMatchObject({ code: 0 });
    expect(await named()).toEqual(['team', 'recovery']);
    await expectOpens(['--key-set', 'keys.json']);
    env.SEALDROP_KEY_SET = 'keys.json';
    expect(await put([], 'y')).toMatchObject({ code: 0 });
    await expectOpens([], 'y');
    delete env.SEALDROP_KEY_SET;
    vault.box.write('config.json', JSON.stringify({ keys: { keySet: 'keys.json' } }));
    env.SEALDROP_CONFIG = 'config.json';
    expect(await put([], 'z')).toMatchObject({ code: 0 });
    await expectOpens([], 'z');
  }, 60_000);

  test('gives way to recipients that are named, but for those that are always added', async () => {
    expect(await put(['--key-set', 'keys.json', '--recipient', 'aes.json'])).toMatchObject({ code: 0 });
    expect(await named()).toEqual(['shared', 'recovery']);
    expect((await get(['--key-set', 'keys.json'])).code).toBe(5);
    await expectOpens(['--private-key', 'other_private.pem']);
  }, 60_000);

  test('that an option names goes before public keys of the configuration', async () => {
    const keys = { publicKeys: ['public_key.pem'], recipients: ['aes.json'] };
    vault.box.write('config.json', JSON.stringify({ keys }));
    env.SEALDROP_CONFIG = 'config.json';
    expect(await put(['--key-set', 'keys.json'])).toMatchObject({ code: 0 });
    expect(await named()).toEqual(['team', 'recovery']);
    expect(await put([], 'y')).toMatchObject({ code: 0 });
    expect(await named('y')).toEqual(['S3RSAKey', 'shared']);
  }, 60_000);

  test('of public halves alone verifies without a key, and does not open', async () => {
    expect(await put(['--key-set', 'keys.json'])).toMatchObject({ code: 0 });
    const [, recovery] = (JSON.parse(vault.box.read('keys.json').toString()) as { keys: object[] }).keys;
    vault.box.write('public.json', JSON.stringify({ version: 1, keys: [recovery] }));
    const verified = await vault.box.run(['verify', `${vault.address}/x`, '--key-set', 'public.json']);
    expect(verified).toMatchObject({ code: 0, stderr: expect.stringContaining('without the private key') });
    const opened = await get(['--key-set', 'public.json']);
    expect(opened).toMatchObject({ code: 2, stderr: expect.stringContaining('public halves alone') });
  }, 60_000);

  test('with private halves is no recipient', async () => {
    const { code, stderr } = await put(['--recipient', 'keys.json']);
    expect(code).toBe(2);
    expect(stderr).toContain('keys[0].privateKey');
    expect(await vault.keys()).toEqual([]);
  });
});

describe('KMS', () => {
  test('an alias encrypts, and the message names the key', async () => {
    kms.aliases.set(ALIAS, KEY);
    expect(await put(['--key-set', `kms:${ALIAS}`, '--kms-grant-token', 'grant-1'])).toMatchObject({
      code: 0,
    });
    expect(await named()).toEqual([KEY]);
    await expectOpens(['--key-set', `kms:${ALIAS}`]);
    expect(kms.calls[0]).toMatchObject({ keyId: ALIAS, grantTokens: ['grant-1'] });
    expect(kms.calls[0]!.context).toEqual({ 'sealdrop:key': 'x' });
  });

  test('what it wrapped is known again by put --resume and by sync, though its size is known by bounds alone', async () => {
    const { box, address } = vault;
    for (const [name, size] of [
      ['a.txt', 3],
      ['b/c.bin', 70_000],
    ] as const)
      box.write(`tree/${name}`, randomBytes(size));
    const to = ['--recipient', 'public_key.pem', '--recipient', `kms:${KEY}`, '--json'];
    const outcomes = async (args: string[]) => {
      const result = await box.run([...args, ...to], { env });
      expect(result.code).toBe(0);
      return documents(result).flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome]));
    };
    const resume = ['put', '-r', '--resume', 'tree/', `${address}/t/`];
    const first = await outcomes(resume);
    expect(kms.calls).toHaveLength(2);
    const second = await outcomes(resume);
    expect(second).toHaveLength(first.length);
    expect(second).not.toEqual(first);
    await outcomes(['sync', 'tree/', `${address}/t/`]);
    expect(kms.calls).toHaveLength(2);
    // Larger by more than the bounds leave open; what is new is sent, and nothing else.
    box.write('tree/b/c.bin', randomBytes(90_000));
    await outcomes(resume);
    expect(kms.calls).toHaveLength(3);
  }, 60_000);

  test.each([
    ['AccessDeniedException', 4],
    ['NotFoundException', 3],
    ['DisabledException', 1],
  ])('that refuses with %s is shown whole, in one line, and nothing is stored', async (type, code) => {
    const said = `User: arn:aws:iam::${ACCOUNT}:user/me is not authorized to perform: kms:GenerateDataKey on resource: ${KEY}`;
    kms.answer = () => refusal(type, said);
    const result = await put(['--recipient', `kms:${KEY}`]);
    expect(result.code).toBe(code);
    const [error, hint, ...rest] = result.stderr.trimEnd().split('\n');
    expect(error).toMatch(/^error: the KMS key /);
    expect(error).toContain(KEY);
    expect(error).toContain(`${type}: ${said}`);
    expect(hint).toMatch(/^hint: /);
    expect(rest).toEqual([]);
    expect(await vault.keys()).toEqual([]);
  });

  test('init writes its name as it is, also in the user’s own configuration', async () => {
    const { box, address } = vault;
    const args = ['init', '--user', '--vault-name', 'lab', '--address', address];
    const keys = ['--public-key', `kms:${KEY}`, '--private-key', `kms:${ALIAS}`];
    expect(await box.run([...args, ...keys])).toMatchObject({ code: 0 });
    expect(await box.run(['put', 'plain.txt', 'lab:x'], { env })).toMatchObject({ code: 0 });
    kms.aliases.set(ALIAS, KEY);
    const got = await box.run(['get', 'lab:x', '-', '-q'], { env });
    expect(got).toMatchObject({ code: 0, stdout: Buffer.from('hello') });
    const wrong = await box.run(['init', '--vault-name', 'b', '--address', address, '--public-key', 'kms:x']);
    expect(wrong.code).toBe(2);
  }, 60_000);

  test('what is none is told before anything is read: exit code 2', async () => {
    for (const key of ['kms:', 'kms:x', 'kms:arn:aws:s3:::bucket']) {
      const result = await put(['--recipient', key]);
      expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('no key of AWS KMS') });
    }
    expect(await put(['--recipient', 'kms:alias/x'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no region'),
    });
    expect((await get(['--kms-discovery', '12'])).code).toBe(2);
    expect(kms.calls).toEqual([]);
  }, 60_000);
});

const DEVICE = `arn:aws:iam::${ACCOUNT}:mfa/me`;

describe('a profile with a role that wants a token code', () => {
  beforeEach(() => {
    const { box } = vault;
    const base = '[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = x\n';
    box.write('credentials', base);
    const role = `role_arn = arn:aws:iam::${ACCOUNT}:role/sealing\nsource_profile = base\nmfa_serial = ${DEVICE}\n`;
    box.write('config', `[profile admin]\n${role}region = eu-west-1\n`);
    env = {
      ...env,
      AWS_SHARED_CREDENTIALS_FILE: box.path('credentials'),
      AWS_CONFIG_FILE: box.path('config'),
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
    };
  });

  const asked = `Token code of ${DEVICE}: `;

  test('asks for it at a terminal, once for everything', async () => {
    const args = ['put', 'plain.txt', 'plain.txt', `${vault.address}/in/`, '--recipient', `kms:${KEY}`];
    vault.box.write('plain2.txt', 'more');
    args[2] = 'plain2.txt';
    const { code, screen } = await vault.box.terminal(
      [...args, '--key-profile', 'admin'],
      [
        { wait: asked, send: '12345\r' },
        { wait: 'six digits', send: '123456\r' },
      ],
      { env },
    );
    expect(screen).toContain(asked);
    expect(code).toBe(0);
    expect(kms.sessions).toEqual([
      { role: `arn:aws:iam::${ACCOUNT}:role/sealing`, device: DEVICE, code: '123456' },
    ]);
    expect(kms.calls.map(({ accessKeyId }) => accessKeyId)).toEqual(['ASIAROLE123456', 'ASIAROLE123456']);
  });

  test('where there is no terminal says so: exit code 4', async () => {
    const result = await put(['--recipient', `kms:${KEY}`, '--profile', 'admin']);
    expect(result).toMatchObject({ code: 4, stderr: expect.stringContaining(DEVICE) });
    expect(result.stderr).toContain('hint: run it at a terminal');
    expect(kms.sessions).toEqual([]);
  });

  test('a wrong code is told: exit code 4', async () => {
    const args = [
      'put',
      'plain.txt',
      `${vault.address}/x`,
      '--recipient',
      `kms:${KEY}`,
      '--profile',
      'admin',
    ];
    const { code, screen } = await vault.box.terminal(args, [{ wait: asked, send: '000000\r' }], { env });
    expect(code).toBe(4);
    expect(screen).toContain('invalid MFA');
    expect(await vault.keys()).toEqual([]);
  });
});

const wanted = isWanted('ministack') ? describe : describe.skip;

wanted('a vault and a KMS key by the same profile with a token code', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startMinistack();
  }, SETUP_TIME);
  afterAll(() => server?.stop());

  test('ask once', async () => {
    const there = await newVault('s3', server);
    const { box, address } = there;
    box.write('plain.txt', 'hello');
    box.write('credentials', '[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = x\n');
    box.write(
      'config',
      `[profile admin]\nrole_arn = arn:aws:iam::${ACCOUNT}:role/r\nsource_profile = base\nmfa_serial = ${DEVICE}\nregion = us-east-1\n`,
    );
    const { AWS_ENDPOINT_URL_S3, AWS_REGION } = environmentFor(server);
    const { code } = await box.terminal(
      ['put', 'plain.txt', `${address}/x`, '--recipient', `kms:${KEY}`, '--profile', 'admin'],
      [{ wait: 'Token code of', send: '654321\r' }],
      {
        env: {
          AWS_ENDPOINT_URL_S3: AWS_ENDPOINT_URL_S3!,
          AWS_REGION: AWS_REGION!,
          AWS_ACCESS_KEY_ID: '',
          AWS_SECRET_ACCESS_KEY: '',
          AWS_ENDPOINT_URL_KMS: kms.endpoint,
          AWS_ENDPOINT_URL_STS: kms.endpoint,
          AWS_SHARED_CREDENTIALS_FILE: box.path('credentials'),
          AWS_CONFIG_FILE: box.path('config'),
        },
      },
    );
    expect(code).toBe(0);
    expect(kms.sessions).toHaveLength(1);
    expect(await there.keys()).toEqual(['x']);
  });
});

describe('a vault in one account and a KMS key in another', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startMinio();
  }, SETUP_TIME);
  afterAll(() => server?.stop());

  test('are asked with the credentials of a profile each, both ways', async () => {
    const { box, address } = await newVault('s3', server);
    const { accessKeyId, secretAccessKey } = server.credentials;
    const credentials = (id: string, key: string) =>
      `aws_access_key_id = ${id}\naws_secret_access_key = ${key}\n`;
    box.write('plain.txt', 'hello');
    box.write(
      'credentials',
      `[vaults]\n${credentials(accessKeyId, secretAccessKey)}[keys]\n${credentials('AKIDOFKEYS', 'x')}`,
    );
    const away = {
      ...{ AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_ENDPOINT_URL_KMS: kms.endpoint },
      AWS_SHARED_CREDENTIALS_FILE: box.path('credentials'),
    };
    const KEY_ELSEWHERE = keyArn('shared', '999999999999', 'eu-west-1');
    const run = (profiles: string) =>
      box.shell(
        `sealdrop put plain.txt ${address}/x --public-key kms:${KEY_ELSEWHERE} ${profiles} -q && ` +
          `sealdrop get ${address}/x - --private-key kms:${KEY_ELSEWHERE} ${profiles} -q`,
        { env: away },
      );
    const { code, stdout, stderr } = await run('--profile vaults --key-profile keys');
    // The store takes no other credentials than its own.
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({ code: 0, stdout: 'hello', stderr: '' });
    expect(kms.calls.map(({ operation, keyId, accessKeyId }) => [operation, keyId, accessKeyId])).toEqual([
      ['GenerateDataKey', KEY_ELSEWHERE, 'AKIDOFKEYS'],
      ['Decrypt', KEY_ELSEWHERE, 'AKIDOFKEYS'],
    ]);
    kms.calls.length = 0;
    // Of one profile alone, both are asked with it: the store refuses those of the keys.
    expect((await run('--profile keys')).code).toBe(4);
    expect((await run('--profile vaults')).code).toBe(0);
    expect(new Set(kms.calls.slice(-2).map((call) => call.accessKeyId))).toEqual(new Set([accessKeyId]));
  }, 120_000);
});
