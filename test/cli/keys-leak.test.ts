/**
 * No byte of a private key reaches what is printed, logged, documented or deployed. Keys of every kind are put wherever
 * users have them, everything is made to speak, and all that was said is searched for them in every form.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Box, type Result } from '../helpers/cli.js';
import { awsEnvironment, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

const PASSPHRASE = 'correct horse battery staple';
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = (options = {}) => pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...options }).toString();
const locked = pem({ cipher: 'aes-256-cbc', passphrase: PASSPHRASE });
const aes = randomBytes(32);

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
  box.write('phrase', `${PASSPHRASE}\n`);
  box.write('a.txt', 'hello\n');
  for (const name of ['private.pem', 'locked.pem']) chmodSync(box.path(name), 0o600);
}, SETUP_TIME);
afterAll(() => server?.stop());

const SET = '--key-set keys.json --passphrase-file phrase';
/** What works and what doesn't, in the order in which it makes sense. */
const COMMANDS = [
  `keys import private.pem ${SET}`,
  `keys import locked.pem --key-name locked --retired ${SET}`,
  `keys import private.jwk ${SET}`,
  `keys import aes.bin --aes ${SET}`,
  'keys add --key-set keys.json --no-passphrase',
  `keys rotate ${SET}`,
  'keys list --key-set keys.json',
  'keys show --key-set keys.json',
  'keys fingerprint --key-set keys.json',
  'keys export-public --key-set keys.json',
  'keys export-public --key-set keys.json --out out.json',
  'keys retire AESKey-none --key-set keys.json',
  'keys remove locked --key-set keys.json',
  'keys remove locked --yes --key-set keys.json',
  `keys publish --name leak/public --with-private leak/private ${SET}`,
  'keys list --key-set secretsmanager:leak/private',
  'keys publish --name leak/private --key-set keys.json',
  'keys publish --name leak/other --with-private leak/public --key-set keys.json',
  'keys list --key-set private.jwk',
  'keys list --key-set private.pem',
  'keys list --key-set locked.pem',
  'keys import locked.pem --key-set other.json',
  'keys import broken.pem --key-set other.json',
  'keys import broken.jwk --key-set other.json',
  'keys import broken.json --key-set other.json',
  'keys import odd.json --key-set other.json',
  'keys import aes.bin --key-set other.json',
  'keys list --key-set broken.json',
  'keys list --key-set odd.json',
  'keygen made --passphrase-file phrase',
  `put a.txt file://{dir}/vault/ --public-key public.pem`,
  `put a.txt file://{dir}/vault/ --public-key private.pem`,
  `put a.txt file://{dir}/vault/ --public-key keys.json`,
  `put a.txt file://{dir}/vault/ --public-key secretsmanager:leak/public`,
  `put a.txt file://{dir}/vault/ --public-key secretsmanager:leak/private`,
  `cat file://{dir}/vault/a.txt --private-key keys.json --passphrase-file phrase`,
  `cat file://{dir}/vault/a.txt --private-key public.pem`,
  `cat file://{dir}/vault/a.txt --private-key broken.json`,
  `inspect file://{dir}/vault/a.txt`,
  `verify file://{dir}/vault/a.txt --private-key secretsmanager:leak/private`,
  'doctor',
];

test('no output of any command has a byte of a private key in it, with --json and SEALDROP_DEBUG, whatever fails', async () => {
  for (const command of COMMANDS)
    for (const form of [command, `${command} --json`]) {
      const line = form.replaceAll('{dir}', box.dir);
      said.push({ command: form, result: await box.run(line.split(' ')) });
    }
  // The keys that it made itself.
  const set = JSON.parse(box.read('keys.json').toString()) as { keys: Record<string, string>[] };
  for (const { name, privateKey, secretKey } of set.keys) {
    if (privateKey?.includes('BEGIN PRIVATE') === true) keepNumbers(name!, privateKey);
    if (secretKey !== undefined) secrets.set(`AES key ${name}`, Buffer.from(secretKey, 'base64'));
  }
  const leaks = said.flatMap(({ command, result: { stdout, stderr } }) =>
    seenIn(`${stdout.toString('latin1')}\n${stderr}`).map((what) => `${what} in: ${command}`),
  );
  expect(leaks).toEqual([]);
  const codes = new Set(said.map(({ result }) => result.code));
  // What was to work has worked, and what was to fail has failed.
  expect([0, 1, 2].every((code) => codes.has(code))).toBe(true);
  expect(said.filter(({ result }) => result.code === null)).toEqual([]);
}, 300_000);

test('what is searched for is found where it is: in the files themselves', () => {
  for (const name of ['private.pem', 'private.jwk'])
    expect(seenIn(box.read(name).toString())).not.toEqual([]);
  expect(seenIn(`x${aes.toString('base64')}`)).toContain('the AES key');
  expect(seenIn(locked)).toContain('the locked key');
});

test('no public set, no ciphertext and no file beside the private ones has one in it', () => {
  const kept = /^(keys|broken|odd)\.json$|\.(pem|jwk|bin)$|^phrase$|^made\/private/;
  const others = box.files().filter((name) => !kept.test(name));
  expect(others).toEqual(expect.arrayContaining(['out.json', 'vault/a.txt']));
  expect(
    others.flatMap((name) => seenIn(box.read(name).toString('latin1')).map((what) => `${what} in ${name}`)),
  ).toEqual([]);
});

test('no bundle that is deployed has one in it, nor, where it encrypts, a word that reads one', () => {
  for (const name of readdirSync('dist/lambda')) {
    const code = readFileSync(join('dist/lambda', name, 'index.mjs'), 'latin1');
    expect([name, seenIn(code, 10)]).toEqual([name, []]);
    // A key in PEM, whoever's: the word alone is what refuses one.
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
