/**
 * No byte of a private key reaches what is printed, logged, documented or deployed. Keys of every kind are put wherever
 * users have them, everything is made to speak, and all that was said is searched for them in every form.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { fork, spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Box, secret, until, type Result } from '../helpers/cli.js';
import type { HttpApiResult } from '../../src/gateway/api/lambda-event.js';
import { eventOf, PRINCIPALS } from '../helpers/api-call.js';
import { codeOf, functionNames } from '../helpers/bundles.js';
import { awsEnvironment, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

const PASSPHRASE = 'correct horse battery staple';
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = (options = {}) => pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...options }).toString();
const locked = pem({ cipher: 'aes-256-cbc', passphrase: PASSPHRASE });
const aes = randomBytes(32);
const TOKEN = secret('a token', randomBytes(24).toString('hex'));

/** What none may see: each number of the private key, the AES key, the bytes that are locked, the passphrase. */
const secrets = new Map<string, Buffer>();

function keepNumbers(what: string, privatePem: string): void {
  const jwk = createPrivateKey(privatePem).export({ format: 'jwk' });
  for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const)
    secrets.set(`${member} of ${what}`, Buffer.from(jwk[member]!, 'base64url'));
}

/** Twelve characters of a form are looked for; base64 has three ways to cut the same bytes. */
function piecesOf(bytes: Buffer): string[] {
  const cut = [0, 1, 2].map((from) => bytes.subarray(from, from + 3 * Math.floor((bytes.length - from) / 3)));
  const forms = [
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    bytes.toString('latin1'),
    BigInt(`0x${bytes.toString('hex')}`).toString(),
    ...cut.flatMap((part) => [part.toString('base64'), part.toString('base64url')]),
  ];
  return forms.flatMap((form) => form.match(/[^]{12}/g) ?? [form]);
}

/** @param every looks for each so many-th piece, in what is large */
function seenIn(text: string, every = 1): string[] {
  const flat = text.replace(/\\n|\s/g, '');
  return [...secrets].flatMap(([what, bytes]) => {
    const pieces = piecesOf(bytes).filter((_piece, i) => i % every === 0);
    return pieces.some((piece) => flat.includes(piece) || text.includes(piece)) ? [what] : [];
  });
}

let server: S3Server;
let box: Box;
const said: { command: string; result: Result }[] = [];

beforeAll(async () => {
  server = await startMinistack();
  box = new Box({ ...awsEnvironment(server), SEALDROP_DEBUG: '1' });
  keepNumbers('the pair', pem());
  secrets.set('the AES key', aes);
  secrets.set('the passphrase', Buffer.from(PASSPHRASE));
  secrets.set(
    'the locked key',
    Buffer.from(locked.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64').subarray(100),
  );
  box.write('private.pem', pem());
  box.write('public.pem', pair.publicKey.export({ type: 'spki', format: 'pem' }));
  box.write('locked.pem', locked);
  box.write('private.jwk', JSON.stringify(pair.privateKey.export({ format: 'jwk' })));
  box.write('aes.bin', aes);
  box.write('broken.pem', pem().replace(/\n.{30}/, '\n'));
  box.write('broken.jwk', JSON.stringify({ ...pair.privateKey.export({ format: 'jwk' }), e: 'AQ' }));
  box.write(
    'broken.json',
    `{"version":1,"keys":[{"namespace":"a","name":"b","privateKey":${JSON.stringify(pem())},`,
  );
  box.write('odd.json', JSON.stringify({ version: 1, keys: [{ [pem()]: 1 }] }));
  const entry = { namespace: 'a', name: 'b', privateKey: pem() };
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  const publicKey = other.export({ type: 'spki', format: 'pem' });
  box.write('mixed.json', JSON.stringify({ version: 1, keys: [{ ...entry, publicKey }] }));
  box.write('tokens', `lab/ ${TOKEN}\n`);
  chmodSync(box.path('tokens'), 0o600);
  box.write('tree/t.txt', 'hello\n');
  box.write('phrase', `${PASSPHRASE}\n`);
  box.write('a.txt', 'hello\n');
  for (const name of ['private.pem', 'locked.pem']) chmodSync(box.path(name), 0o600);
}, SETUP_TIME);
afterAll(() => server?.stop());

const SET = '--key-set keys.json --passphrase-file phrase';
const LISTEN =
  'serve --listen 127.0.0.1:0 --token-file tokens --vault file://{dir}/vault/ --public-key public.pem';
const OPEN = '--private-key private.pem --private-key keys.json --passphrase-file phrase';
/** What works and what doesn't, in the order in which it makes sense, with the exit codes that tell which it was. */
const COMMANDS: readonly (readonly [number, string])[] = [
  [0, `keys import private.pem ${SET}`],
  [0, `keys import locked.pem --key-name locked --retired ${SET}`],
  [0, `keys import private.jwk ${SET}`],
  [0, `keys import aes.bin --aes ${SET}`],
  [0, 'keys add --key-set keys.json --no-passphrase'],
  [2, `keys rotate ${SET}`],
  [0, `keys rotate S3RSAKey ${SET}`],
  [0, 'keys list --key-set keys.json'],
  [0, 'keys show --key-set keys.json'],
  [0, 'keys fingerprint --key-set keys.json'],
  [0, 'keys export-public --key-set keys.json'],
  [0, 'keys export-public --key-set keys.json --out out.json'],
  [3, 'keys retire AESKey-none --key-set keys.json'],
  [2, 'keys remove locked --key-set keys.json'],
  [0, 'keys remove locked --yes --key-set keys.json'],
  [0, `keys publish --name leak/public --with-private leak/private ${SET}`],
  [0, 'keys list --key-set secretsmanager:leak/private'],
  [1, 'keys publish --name leak/private --key-set keys.json'],
  [1, 'keys publish --name leak/other --with-private leak/public --key-set keys.json'],
  [2, 'keys list --key-set private.jwk'],
  [0, 'keys list --key-set private.pem'],
  [2, 'keys list --key-set locked.pem'],
  [2, 'keys import locked.pem --key-set other.json'],
  [2, 'keys import broken.pem --key-set other.json'],
  [2, 'keys import broken.jwk --key-set other.json'],
  [2, 'keys import broken.json --key-set other.json'],
  [2, 'keys import odd.json --key-set other.json'],
  [2, 'keys import aes.bin --key-set other.json'],
  [2, 'keys list --key-set broken.json'],
  [2, 'keys list --key-set odd.json'],
  [0, 'keygen made --passphrase-file phrase'],
  [0, `put a.txt file://{dir}/vault/ --public-key public.pem`],
  [2, `put a.txt file://{dir}/vault/ --public-key private.pem`],
  [2, `put a.txt file://{dir}/vault/ --public-key keys.json`],
  [0, `put a.txt file://{dir}/vault/ --public-key secretsmanager:leak/public`],
  [2, `put a.txt file://{dir}/vault/ --public-key secretsmanager:leak/private`],
  [2, `put a.txt file://{dir}/vault/ --key-set mixed.json`],
  [0, `cat file://{dir}/vault/a.txt --private-key keys.json --passphrase-file phrase`],
  [2, `cat file://{dir}/vault/a.txt --private-key public.pem`],
  [2, `cat file://{dir}/vault/a.txt --private-key broken.json`],
  [0, `inspect file://{dir}/vault/a.txt`],
  [0, `verify file://{dir}/vault/a.txt --private-key secretsmanager:leak/private`],
  [0, `rewrap file://{dir}/vault/a.txt --to public.pem --again ${OPEN}`],
  [0, `rewrap file://{dir}/vault/a.txt --to keys.json --again ${OPEN}`],
  [2, `rewrap file://{dir}/vault/a.txt --to mixed.json ${OPEN}`],
  [2, `rewrap -r file://{dir}/vault/ --to broken.pem ${OPEN}`],
  [
    5,
    `rewrap file://{dir}/vault/a.txt --to public.pem --again --private-key made/private_key.pem --passphrase-file phrase`,
  ],
  [0, `cp file://{dir}/vault/a.txt file://{dir}/vault/b.txt --public-key public.pem ${OPEN}`],
  [2, `cp file://{dir}/vault/a.txt file://{dir}/vault/b.txt --public-key private.pem ${OPEN}`],
  [0, `mv file://{dir}/vault/b.txt file://{dir}/vault/c.txt --public-key public.pem ${OPEN}`],
  [
    2,
    `mv file://{dir}/vault/c.txt file://{dir}/vault/d.txt --public-key public.pem --private-key broken.pem`,
  ],
  [0, `sync tree/ file://{dir}/vault/tree/ --public-key public.pem`],
  [2, `sync tree/ file://{dir}/vault/tree/ --public-key private.pem`],
  [0, `sync file://{dir}/vault/tree/ synced/ ${OPEN}`],
  [2, `sync file://{dir}/vault/tree/ synced/ --private-key broken.jwk`],
  [2, `serve --inbox tree --vault file://{dir}/vault/ --public-key private.pem`],
  [2, `serve --inbox tree --vault file://{dir}/vault/ --public-key keys.json`],
  [2, `${LISTEN} --decrypt-with broken.pem --decrypt-prefix lab/`],
  [2, `${LISTEN} --decrypt-with locked.pem --decrypt-prefix lab/`],
  [0, 'doctor'],
];

/** Of the keys that it made itself, too. */
function keepMade(): void {
  const set = JSON.parse(box.read('keys.json').toString()) as { keys: Record<string, string>[] };
  for (const { name, privateKey, secretKey } of set.keys) {
    if (privateKey?.includes('BEGIN PRIVATE') === true) keepNumbers(name!, privateKey);
    if (secretKey !== undefined) secrets.set(`AES key ${name}`, Buffer.from(secretKey, 'base64'));
  }
}

test('no output of any command has a byte of a private key in it, with --json and SEALDROP_DEBUG, whatever fails', async () => {
  const codes: [number | null, string][] = [];
  for (const [, command] of COMMANDS)
    for (const form of ['', ' --json']) {
      const line = `${command.replaceAll('{dir}', box.dir)}${form}`;
      const result = await box.run(line.split(' '));
      said.push({ command: `${command}${form}`, result });
      // Some change what they find: what they say a second time is looked at all the same.
      if (form === '') codes.push([result.code, command]);
    }
  keepMade();
  const leaks = said.flatMap(({ command, result: { stdout, stderr } }) =>
    seenIn(`${stdout.toString('latin1')}\n${stderr}`).map((what) => `${what} in: ${command}`),
  );
  expect(leaks).toEqual([]);
  // What was to work has worked, and what was to fail has failed.
  expect(codes).toEqual(COMMANDS);
  expect(said.filter(({ result }) => result.code === null)).toEqual([]);
}, 600_000);

test('no output has one in it where a key is given in place of the name of its file', async () => {
  const keys = [
    pem(),
    locked,
    box.read('private.jwk').toString(),
    aes.toString('base64'),
    aes.toString('hex'),
  ];
  const options = ['--private-key', '--public-key', '--key-set', '--passphrase-file'].flatMap((option) =>
    keys.flatMap((key) => [[option, key], [`${option}=${key}`], [option, ...key.split(/\s/)]]),
  );
  for (const option of options) {
    const { stdout, stderr, code } = await box.run(['sync', 'tree/', 's3://leak/', '--json', ...option]);
    expect([code, seenIn(`${stdout.toString()}\n${stderr}`)]).toEqual([2, []]);
  }
}, 120_000);

test('what is searched for is found where it is: in the files themselves', () => {
  for (const name of ['private.pem', 'private.jwk'])
    expect(seenIn(box.read(name).toString())).not.toEqual([]);
  expect(seenIn(`x${aes.toString('base64')}`)).toContain('the AES key');
  expect(seenIn(locked)).toContain('the locked key');
});

/** What opens the object a.txt of the vault below lab/, and what does not: both are told in the log. */
async function expectLogged(
  decrypt: (name: string) => Promise<{ status: number; text: string }>,
  log: () => string,
): Promise<void> {
  const [opened, refused] = [await decrypt('a.txt'), await decrypt('other.txt')];
  expect(opened).toMatchObject({ status: 200, text: 'hello\n' });
  expect(refused.status).toBeGreaterThanOrEqual(400);
  await until('it logs both', () => log().includes('"opened"') && log().includes('wrong_key_or_header'));
  expect([seenIn(log()), seenIn(refused.text)]).toEqual([[], []]);
}

test('no log of a gateway that decrypts has one in it', async () => {
  for (const [name, key] of [
    ['a.txt', 'public.pem'],
    ['other.txt', 'made/public_key.pem'],
  ])
    expect(
      await box.run(['put', 'a.txt', `file://${box.dir}/served/lab/${name}`, '--public-key', key!]),
    ).toMatchObject({
      code: 0,
    });
  const line = `${LISTEN.replace('{dir}/vault', `${box.dir}/served`)} --decrypt-with private.pem --decrypt-prefix lab/ --json`;
  const serving = box.start(line.split(' '));
  const pieces: Buffer[] = [];
  for (const stream of [serving.child.stdout!, serving.child.stderr!])
    stream.on('data', (piece: Buffer) => pieces.push(piece));
  const log = () => Buffer.concat(pieces).toString('latin1');
  try {
    await until('it serves', () => /serving http:[^ ]*\/v1\//.test(log()));
    const base = /serving (http:\/\/[^/]+)\/v1\//.exec(log())![1]!;
    await expectLogged(async (name) => {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const answer = await fetch(`${base}/v1/decrypt/${name}`, { method: 'POST', headers });
      return { status: answer.status, text: await answer.text() };
    }, log);
  } finally {
    serving.child.kill('SIGINT');
    await serving.result;
  }
}, 120_000);

test('no log of the function that decrypts has one in it, whichever set it is given', async () => {
  const bucket = await server.createBucket('leak-vault');
  for (const [name, key] of [
    ['a.txt', 'public.pem'],
    ['other.txt', 'made/public_key.pem'],
  ])
    expect(
      await box.run(['put', 'a.txt', `s3://${bucket}/alice/${name}`, '--public-key', key!]),
    ).toMatchObject({ code: 0 });
  const secretsManager = new SecretsManagerClient({
    ...{ endpoint: server.endpoint, region: server.region, credentials: server.credentials },
  });
  const { accessKeyId, secretAccessKey } = server.credentials;
  const vault = {
    endpoint: server.endpoint,
    region: server.region,
    bucket,
    accessKeyId,
    secretAccessKey,
    allowHttp: true,
  };
  const keep = (Name: string, SecretString: string) =>
    secretsManager.send(new CreateSecretCommand({ Name, SecretString }));
  await keep('leak/vault-read', JSON.stringify(vault));
  await keep('leak/broken', box.read('broken.json').toString());
  await keep('leak/mixed', box.read('mixed.json').toString());
  await keep('leak/bare', pem());
  secretsManager.destroy();
  for (const [set, isGood] of [
    ['leak/bare', true],
    ['leak/broken', false],
    ['leak/mixed', false],
  ] as const) {
    const decrypting = startDecrypting(set);
    try {
      const { log } = decrypting;
      if (isGood) await expectLogged((name) => decrypting.call(name), log);
      else {
        const { status, text } = await decrypting.call('a.txt');
        expect(status).toBe(500);
        await until('it logs it', () => log().includes('invalid_key'));
        expect([seenIn(log()), seenIn(text)]).toEqual([[], []]);
      }
    } finally {
      await decrypting.stop();
    }
  }
}, 120_000);

/** The bundle as Lambda runs it. */
function startDecrypting(privateKeySet: string) {
  const settings = {
    ...{ deployment: 'leak', principals: PRINCIPALS, privateKeySet, vault: { secret: 'leak/vault-read' } },
    ...{ secretsTtlSeconds: 300, prefixes: ['alice/'] },
  };
  const child = fork('test/helpers/lambda-process.mjs', ['dist/lambda/decrypt-object/index.mjs'], {
    env: { ...box.env, SEALDROP_SETTINGS: JSON.stringify(settings) },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const pieces: Buffer[] = [];
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (piece: Buffer) => pieces.push(piece));
  const event = (name: string) =>
    eventOf({ method: 'POST', path: `/v1/decrypt/${name}`, role: 'alice' }, 'POST /v1/decrypt/{key+}');
  return {
    log: () => Buffer.concat(pieces).toString('latin1'),
    async call(name: string) {
      const answered = new Promise<{ answer: HttpApiResult }>((resolve, reject) => {
        child.once('message', resolve as never);
        child.once('exit', () => reject(new Error(Buffer.concat(pieces).toString('latin1'))));
      });
      child.send(event(name));
      const { statusCode, body = '', isBase64Encoded } = (await answered).answer;
      return {
        status: statusCode,
        text: Buffer.from(body, isBase64Encoded === true ? 'base64' : 'utf8').toString('latin1'),
      };
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill();
      await ended;
    },
  };
}

test('no public set, no ciphertext and no file beside the private ones has one in it', () => {
  const kept = /^(keys|broken|odd|mixed)\.json$|\.(pem|jwk|bin)$|^phrase$|^made\/private/;
  const others = box.files().filter((name) => !kept.test(name));
  expect(others).toEqual(expect.arrayContaining(['out.json', 'vault/a.txt']));
  expect(
    others.flatMap((name) => seenIn(box.read(name).toString('latin1')).map((what) => `${what} in ${name}`)),
  ).toEqual([]);
});

test('no bundle that is deployed has a key in PEM in it, nor, where it encrypts, a word that reads one', () => {
  for (const name of functionNames()) {
    const code = codeOf(name);
    // Keys of whoever builds them are not known here: any key in PEM is one too many. The word alone is what refuses one.
    expect([name, /-----BEGIN [A-Z ]*PRIVATE KEY-----(\\n|\s)*[\w+/=]{20}/.test(code)]).toEqual([
      name,
      false,
    ]);
    if (['encrypt-object', 'put-object'].includes(name))
      expect([name, /createPrivateKey|privateDecrypt/.test(code)]).toEqual([name, false]);
  }
});

test('no template has one in it, where an app is synthesized with the keys beside it', () => {
  const deployment = { publicKeySetSecret: 'leak/public', vaultWriteSecret: 'leak/vault' };
  const api = {
    callers: { kind: 'iam', prefixes: { '111122223333:role/lab': 'lab/' } },
    ...{ vaultReadSecret: 'leak/read', decrypt: { privateKeySetSecret: 'leak/private', prefixes: ['lab/'] } },
  };
  const keys = {
    publicKeys: ['public.pem'],
    privateKeys: ['private.pem', 'locked.pem'],
    keySet: 'keys.json',
  };
  box.write('sealdrop.config.json', JSON.stringify({ keys, deployments: { prod: { ...deployment, api } } }));
  const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: object };
  const env = {
    ...box.env,
    CDK_OUTDIR: box.path('cdk.out'),
    CDK_CONTEXT_JSON: JSON.stringify(context),
    ...{
      SEALDROP_PRIVATE_KEY: 'private.pem',
      SEALDROP_KEY_SET: 'keys.json',
      SEALDROP_PASSPHRASE_FILE: 'phrase',
    },
  };
  const app = join(process.cwd(), 'dist/bin/app.js');
  const { status, stderr } = spawnSync(process.execPath, [app], { cwd: box.dir, env, encoding: 'utf8' });
  expect({ status, stderr, seen: seenIn(stderr) }).toMatchObject({ status: 0, seen: [] });
  const made = box.files('cdk.out').filter((name) => name.endsWith('.json') && !name.startsWith('TMPDIR'));
  const texts = made.map((name) => ({ name, text: box.read(join('cdk.out', name)).toString() }));
  // It is the deployment that decrypts: its template names the secret.
  expect(
    texts.some(({ name, text }) => name.endsWith('.template.json') && text.includes('leak/private')),
  ).toBe(true);
  expect(texts.flatMap(({ name, text }) => seenIn(text, 2).map((what) => `${what} in ${name}`))).toEqual([]);
}, 60_000);
