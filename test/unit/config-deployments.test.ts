/** What sealdrop.config.json may say of deployments, and how a mistake is told. */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { configJsonSchema } from '../../src/config/schema.js';
import { parseDeployments, readDeployments } from '../../src/config/read-deployments.js';

const LEAST = {
  publicKeySetSecret: 'sealdrop/dev/public-keys',
  vaultWriteSecret: 'sealdrop/dev/vault-write',
};
const MOST = {
  ...LEAST,
  account: '111122223333',
  region: 'ap-northeast-1',
  idempotencySecret: 'mine',
  secretKmsKeyArns: ['arn:aws:kms:ap-northeast-1:111122223333:key/1'],
  wrappingKmsKeyArns: ['arn:aws:kms:us-east-1:444455556666:key/3'],
  inboxes: [
    { prefix: 'in/', suffix: '.csv', vaultKeyTemplate: 'in/{rest}', encode: true, events: 'eventbridge' },
    { bucket: 'there-already', versioned: true, kmsKeyArn: 'arn:aws:kms:ap-northeast-1:111122223333:key/2' },
  ],
  inboxBucket: { noncurrentVersionDays: 30, abortIncompleteUploadsDays: 3, accessLogsBucket: 'the-logs' },
  format: 'esdk',
  afterStore: 'delete',
  keyNames: { namespace: 'ours', name: 'first' },
  memoryMiB: 2048,
  timeoutSeconds: 600,
  maxObjectBytes: 1e9,
  maxConcurrency: 2,
  secretsTtlSeconds: 60,
  logRetentionDays: 30,
  alarmTopicArn: 'arn:aws:sns:ap-northeast-1:111122223333:alarms',
  network: {
    vpcId: 'vpc-0123456a',
    subnets: [{ id: 'subnet-0123456b', availabilityZone: 'ap-northeast-1a' }],
    securityGroups: ['sg-0123456c'],
  },
  inventory: { bucket: 'the-inventory', prefix: 'daily/' },
  // One private key set for both.
  rewrap: { privateKeySetSecret: 'k', vaultRewriteSecret: 'w', maxObjectBytes: 1000 },
  synthesizer: 'cli',
  api: {
    callers: { kind: 'iam', prefixes: { '111122223333:role/lab': 'lab/' } },
    vaultReadSecret: 'r',
    vaultDeleteSecret: 'd',
    decrypt: { privateKeySetSecret: 'k', prefixes: ['lab/'] },
    uploadExpirySeconds: 60,
    throttle: { rate: 1.5, burst: 3 },
  },
};

const read = (dev: object, rest: object = {}) =>
  parseDeployments(JSON.stringify({ ...rest, deployments: { dev } }), 'sealdrop.config.json');

function refusal(run: () => unknown): { code: string; message: string; hint?: string } {
  try {
    run();
  } catch (error) {
    return error as ReturnType<typeof refusal>;
  }
  throw new Error('it was taken');
}

test('the least and the most that it may say', () => {
  expect(read(LEAST)).toEqual({ dev: LEAST });
  expect(read(MOST)).toEqual({ dev: MOST });
});

const VAULT = {
  kind: 'vault',
  account: '111122223333',
  region: 'ap-northeast-1',
  synthesizer: 'cli',
  keyPolicy: 'restricted',
  decrypters: ['arn:aws:iam::111122223333:role/reader', 'arn:aws:iam::444455556666:user/path/reader'],
  encrypters: ['arn:aws:iam::111122223333:role/service-role/writer'],
  administrators: ['arn:aws-cn:iam::111122223333:role/boss'],
};

test('the same of a vault, and a gateway may say its kind', () => {
  expect(read({ kind: 'vault' })).toEqual({ dev: { kind: 'vault' } });
  expect(read(VAULT)).toEqual({ dev: VAULT });
  expect(read({ kind: 'gateway', ...LEAST })).toEqual({ dev: { kind: 'gateway', ...LEAST } });
});

test('what other commands keep in the same file is left alone', () => {
  expect(read(LEAST, { vaults: { lab: {} }, $schema: './sealdrop.schema.json' })).toEqual({ dev: LEAST });
});

describe('a mistake names its field', () => {
  const { vaultWriteSecret: _, ...noVault } = LEAST;
  const mistakes: [string, object, string][] = [
    [
      'a field that there is not',
      { ...LEAST, vaultWriteSecrets: 'x' },
      'deployments.dev.vaultWriteSecrets: there is no such field',
    ],
    [
      'the wrong kind',
      { ...LEAST, maxConcurrency: 'many' },
      'deployments.dev.maxConcurrency: must be a number',
    ],
    [
      'a format that does not encrypt',
      { ...LEAST, format: 'plain' },
      'deployments.dev.format: must be one of "esdk", "s3ec", "s3ec-v2"',
    ],
    [
      'in a list',
      { ...LEAST, inboxes: [{}, { prefix: 7 }] },
      'deployments.dev.inboxes[1].prefix: must be a text',
    ],
    [
      'no vault',
      noVault,
      'deployments.dev.vaultWriteSecret: exactly one of vaultWriteSecret and vaultBucket is needed',
    ],
    [
      'a secret by its ARN',
      { ...LEAST, publicKeySetSecret: 'arn:aws:secretsmanager:x:y:secret:z' },
      'deployments.dev.publicKeySetSecret: must be the name of a secret (not its ARN)',
    ],
    [
      'a caller by session',
      { ...LEAST, api: { callers: { kind: 'iam', prefixes: { me: 'a/' } } } },
      'must be ACCOUNT:role/NAME or ACCOUNT:user/NAME',
    ],
    [
      'a caller with the path of its role',
      { ...LEAST, api: { callers: { kind: 'iam', prefixes: { '111122223333:role/team/a': 'a/' } } } },
      'deployments.dev.api.callers.prefixes.111122223333:role/team/a: must be ACCOUNT:role/NAME or ACCOUNT:user/NAME, the NAME without the path',
    ],
    [
      'a caller inside of another',
      {
        ...LEAST,
        api: {
          callers: {
            kind: 'iam',
            prefixes: { '111122223333:role/a': 'a/', '111122223333:role/b': 'a/b/' },
          },
        },
      },
      'deployments.dev.api.callers.prefixes.111122223333:role/b: lies in the prefix of 111122223333:role/a',
    ],
    [
      'a filter that no policy holds',
      { ...LEAST, inboxes: [{ prefix: '日本/', events: 'eventbridge' }] },
      'deployments.dev.inboxes[0].prefix: must be printable ASCII',
    ],
    [
      'a filter that S3 wants encoded',
      { ...LEAST, inboxes: [{}, { suffix: 'a b', events: 's3' }] },
      'deployments.dev.inboxes[1].suffix: must be of letters, digits and /!_.\'()- unless events is "eventbridge"',
    ],
    [
      'one secret for public keys and for what proves what was stored',
      { ...LEAST, idempotencySecret: LEAST.publicKeySetSecret },
      'deployments.dev.idempotencySecret: must not be the secret of publicKeySetSecret',
    ],
    [
      'one secret to read and to write',
      {
        ...LEAST,
        api: { callers: MOST.api.callers, vaultReadSecret: LEAST.vaultWriteSecret, vaultDeleteSecret: 'd' },
      },
      'deployments.dev.api.vaultReadSecret: must not be the secret of vaultWriteSecret',
    ],
    [
      'one secret for the public and the private keys',
      {
        ...LEAST,
        api: { ...MOST.api, decrypt: { privateKeySetSecret: LEAST.publicKeySetSecret, prefixes: ['lab/'] } },
      },
      'deployments.dev.api.decrypt.privateKeySetSecret: must not be the secret of publicKeySetSecret',
    ],
    [
      'a rewrap without credentials for it',
      { ...LEAST, rewrap: { privateKeySetSecret: 'k' } },
      'deployments.dev.rewrap.vaultRewriteSecret: is needed unless the vault is a vaultBucket, and not with one',
    ],
    [
      'a rewrap with the credentials of what encrypts',
      { ...LEAST, rewrap: { privateKeySetSecret: 'k', vaultRewriteSecret: LEAST.vaultWriteSecret } },
      'deployments.dev.rewrap.vaultRewriteSecret: must not be the secret of vaultWriteSecret',
    ],
    [
      'a rewrap that opens with the public keys',
      { ...LEAST, rewrap: { privateKeySetSecret: LEAST.publicKeySetSecret, vaultRewriteSecret: 'w' } },
      'deployments.dev.rewrap.privateKeySetSecret: must not be the secret of publicKeySetSecret',
    ],
    [
      'a prefix without its slash',
      { ...LEAST, api: { callers: { kind: 'iam', prefixes: { '111122223333:role/a': 'a' } } } },
      'deployments.dev.api.callers.prefixes.111122223333:role/a: must end in a slash',
    ],
    [
      'tokens over plain http',
      { ...LEAST, api: { callers: { kind: 'jwt', issuer: 'http://issuer', audience: ['a'], claim: 'c' } } },
      'deployments.dev.api.callers.issuer: must be an https:// URL',
    ],
    [
      'callers of another kind',
      { ...LEAST, api: { callers: { kind: 'open' } } },
      'deployments.dev.api.callers.kind: must be of the kind "iam" or "jwt"',
    ],
    ['what is needed', { vaultWriteSecret: 'x' }, 'deployments.dev.publicKeySetSecret: is missing'],
    ['too little', { ...LEAST, maxConcurrency: 1 }, 'deployments.dev.maxConcurrency: must be at least 2'],
    ['no inbox', { ...LEAST, inboxes: [] }, 'deployments.dev.inboxes: must not be empty'],
    ['another word', { ...LEAST, afterStore: 'move' }, 'afterStore: must be one of "keep", "tag", "delete"'],
    [
      'another kind',
      { ...LEAST, kind: 'bucket' },
      'deployments.dev.kind: must be "gateway", which is the default, or "vault"',
    ],
    [
      'what a gateway has, of a vault',
      { ...VAULT, inboxes: [{}] },
      'deployments.dev.inboxes: there is no such field',
    ],
    [
      'what a vault has, of a gateway',
      { ...LEAST, decrypters: [] },
      'deployments.dev.decrypters: there is no such field',
    ],
    [
      'nobody among those who are named',
      { kind: 'vault', decrypters: [] },
      'deployments.dev.decrypters: must not be empty',
    ],
    [
      'everybody',
      { kind: 'vault', decrypters: ['*'] },
      'deployments.dev.decrypters[0]: must be the ARN of a role or user of IAM',
    ],
    [
      'a whole account',
      { kind: 'vault', encrypters: ['arn:aws:iam::111122223333:root'] },
      'deployments.dev.encrypters[0]: must be the ARN of a role or user',
    ],
    [
      'another key policy',
      { kind: 'vault', keyPolicy: 'open' },
      'deployments.dev.keyPolicy: must be one of "account", "restricted"',
    ],
  ];
  test.each(mistakes)('%s', (_, dev, message) => {
    const error = refusal(() => read(dev));
    expect(error).toMatchObject({
      code: 'invalid_config',
      hint: expect.stringContaining('sealdrop.schema.json'),
    });
    expect(error.message).toContain('sealdrop.config.json: ');
    expect(error.message).toContain(message);
  });

  test('a name that CloudFormation could not take', () => {
    expect(refusal(() => parseDeployments('{"deployments":{"my lab":{}}}', 'f')).message).toContain(
      'deployments.my lab',
    );
  });

  test('several are told at once, a line each', () => {
    const { message } = refusal(() => read({ ...LEAST, one: 1, two: 2, memoryMiB: 1 }));
    expect(message.split('\n').map((line) => line.trim())).toEqual([
      'sealdrop.config.json:',
      'deployments.dev.memoryMiB: must be at least 512',
      'deployments.dev.one: there is no such field',
      'deployments.dev.two: there is no such field',
    ]);
  });

  test('no deployment at all', () => {
    const { message } = refusal(() => parseDeployments('{"deployments":{}}', 'f'));
    expect(message).toBe('f: deployments: names no deployment');
  });

  test('no JSON at all', () => {
    expect(refusal(() => parseDeployments('deployments: dev', 'f'))).toMatchObject({
      code: 'invalid_config',
      message: expect.stringMatching(/^f is not JSON: ./),
    });
  });

  test('a comma too much: its line', () => {
    const { message } = refusal(() => parseDeployments('{\n  "deployments": {},\n}', 'f'));
    expect(message).toMatch(/^f is not JSON: line 3: /);
  });
});

test('a file that is not there', async () => {
  await expect(readDeployments('/nowhere/sealdrop.config.json')).rejects.toMatchObject({
    code: 'invalid_config',
    message: 'there is no file /nowhere/sealdrop.config.json',
    hint: expect.stringContaining('-c config=FILE'),
  });
});

describe('the schema for editors', () => {
  const published = JSON.parse(readFileSync(new URL('../../sealdrop.schema.json', import.meta.url), 'utf8'));

  test('is current (npm run schema writes it)', () => {
    expect(published).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });

  test('takes what is taken, and marks what is not', () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(published);
    for (const dev of [LEAST, MOST]) expect(validate({ deployments: { dev } })).toBe(true);
    for (const dev of [{ ...LEAST, other: 1 }, { ...LEAST, maxConcurrency: 1 }, { vaultWriteSecret: 'v' }])
      expect(validate({ deployments: { dev } })).toBe(false);
  });
});
