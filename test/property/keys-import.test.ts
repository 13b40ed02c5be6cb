/**
 * Key material that somebody mutated, as `keys import` and `keys list` read it: taken or refused, soon, with nothing of
 * a private half in what is said or shown.
 */
import { describe, test } from '@jest/globals';
import fc from 'fast-check';
import { isSealdropError } from '../../src/errors.js';
import { describe as described } from '../../src/keys/describe.js';
import { readForeignKeys } from '../../src/keys/import-key.js';
import { readManagedSet } from '../../src/keys/managed-set.js';
import { printableJson } from '../../src/printable.js';
import { Secret } from '../../src/secret.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';

const PASSPHRASE = 'correct horse';
const SECONDS = 20;
const pair = rsaPair();
const lock = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE };
const [publicKey, privateKey] = [publicPem(pair), privatePem(pair)];
const locked = pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...lock }).toString();
const jwk = pair.privateKey.export({ format: 'jwk' });
const secretKey = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7 + 1)).toString('base64');
const entries = [
  { namespace: 'ns', name: 'one', publicKey, privateKey, created: '2026-11-21', state: 'active' },
  { namespace: 'ns', name: 'two', publicKey: publicPem(rsaPair()), state: 'retired' },
  { namespace: 'ns', name: 'three', secretKey, always: true },
  { namespace: 'aws-kms', name: 'arn:aws:kms:us-east-1:111122223333:key/1234abcd' },
];

const files: Record<string, Buffer> = {
  'PEM, PKCS#8': Buffer.from(privateKey),
  'PEM, SPKI': Buffer.from(publicKey),
  'PEM, locked': Buffer.from(locked),
  'PEM, both halves': Buffer.from(publicKey + privateKey),
  'DER, PKCS#8': pair.privateKey.export({ type: 'pkcs8', format: 'der' }),
  'DER, PKCS#1': pair.privateKey.export({ type: 'pkcs1', format: 'der' }),
  'DER, SPKI': pair.publicKey.export({ type: 'spki', format: 'der' }),
  'DER, locked': pair.privateKey.export({ type: 'pkcs8', format: 'der', ...lock }),
  JWK: Buffer.from(JSON.stringify(jwk)),
  'JWK, oct': Buffer.from(
    JSON.stringify({ kty: 'oct', k: Buffer.from(secretKey, 'base64').toString('base64url') }),
  ),
  'JWK set': Buffer.from(JSON.stringify({ keys: [jwk, { kty: 'RSA', n: jwk.n, e: jwk.e, kid: 'one' }] })),
  'key set': Buffer.from(JSON.stringify({ version: 1, keys: entries })),
};

const numbers = (['d', 'p', 'q', 'dp', 'dq', 'qi'] as const).map((m) => jwk[m]!);
const flatOf = (text: string) => text.replace(/-----[A-Z ]+-----|\n/g, '');
/** Runs of 13 characters of what is secret, wherever they begin, in the forms that the files have it in. */
const RUN = 13;
const runsOf = (text: string) =>
  Array.from({ length: Math.max(0, text.length - RUN + 1) }, (_, i) => text.slice(i, i + RUN));
const OPEN = new Set(runsOf(flatOf(publicKey)));
const PRIVATE = new Set(
  [privateKey, locked, secretKey, Buffer.from(secretKey, 'base64').toString('base64url'), ...numbers]
    .flatMap((text) => runsOf(flatOf(text)))
    .filter((run) => !OPEN.has(run)),
);

function assertClean(said: string): void {
  const flat = said.replace(/\s|\\n/g, '');
  if (runsOf(flat).some((run) => PRIVATE.has(run)))
    throw new Error('something of a private half is in what is said');
}

async function takenOrRefused(read: () => Promise<unknown>): Promise<void> {
  const began = Date.now();
  try {
    assertClean(printableJson(await read()));
  } catch (error) {
    if (!isSealdropError(error) || error.code === 'internal') throw error;
    if (/[\r\n]/.test(error.message)) throw new Error(`more than one line: ${error.message}`);
    assertClean(`${error.message}${error.hint}${error.stack}${String(error.cause)}${JSON.stringify(error)}`);
  }
  if (Date.now() - began > SECONDS * 1000) throw new Error(`it took longer than ${SECONDS} s`);
}

const ask = () => Promise.resolve(new Secret(PASSPHRASE));

/** As the command shows them. */
const shownImport = async (bytes: Buffer) =>
  (await readForeignKeys(bytes, 'FILE', { passphrase: ask })).map(({ name, entry }) => ({
    name,
    key: entry === undefined ? undefined : { ...entry, privateKey: undefined, secretKey: undefined },
  }));
const shownSet = async (bytes: Buffer) => (await readManagedSet(bytes, 'FILE', ask)).entries.map(described);

const piece = fc.oneof(
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom(
      '"',
      '{',
      '}',
      '[',
      '\n',
      '-----',
      '\\u0000',
      'null',
      '"d":"',
      'ENCRYPTED ',
      'RSA ',
      '\x02\x04\x7f\xff',
    )
    .map((text) => Buffer.from(text, 'latin1')),
);
const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.oneof(fc.constantFrom(0, 1, 4), fc.nat(60)),
  put: piece,
});

function mutated(file: Buffer, mutations: readonly { at: number; length: number; put: Buffer }[]): Buffer {
  return mutations.reduce((bytes, { at, length, put }) => {
    const from = Math.floor(at * bytes.length);
    return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + length)]);
  }, file);
}

describe.each(Object.keys(files))('mutated: %s', (which) => {
  test('is taken or refused by a code, soon, and nothing private is shown', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
        const bytes = mutated(files[which]!, mutations);
        await takenOrRefused(() => shownImport(bytes));
        await takenOrRefused(() => shownSet(bytes));
      }),
      { numRuns: 120 },
    );
  }, 120_000);
});

test('entries of any values are taken or refused by a code', async () => {
  const value = fc.oneof(
    fc.constantFrom<unknown>(
      publicKey,
      privateKey,
      secretKey,
      'active',
      'retired',
      true,
      false,
      null,
      '',
      '2026-11-21',
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const entry = fc.record(
    {
      namespace: fc.oneof(fc.constantFrom<unknown>('ns', 'aws-kms'), value),
      name: fc.oneof(
        fc.constantFrom<unknown>('one', 'two', 'arn:aws:kms:us-east-1:111122223333:key/1'),
        value,
      ),
      ...{
        publicKey: value,
        privateKey: value,
        secretKey: value,
        created: value,
        state: value,
        always: value,
      },
    },
    { requiredKeys: ['namespace', 'name'] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 3 }), async (keys) => {
      const bytes = Buffer.from(JSON.stringify({ version: 1, keys }));
      await takenOrRefused(() => shownImport(bytes));
      await takenOrRefused(() => shownSet(bytes));
    }),
    { numRuns: 400 },
  );
}, 120_000);

test('a key in the place of a name, or pasted beside one, is not shown', async () => {
  const short = Buffer.from(secretKey, 'base64').subarray(0, 24);
  const secrets = [secretKey, short.toString('base64'), short.toString('base64url'), ...numbers];
  const pasted = fc
    .tuple(fc.constantFrom(...secrets), fc.constantFrom('', ' ', '=', 'k', '"'), fc.boolean())
    .map(([key, more, before]) => ({ key, name: before ? more + key : key + more }));
  const twice = (name: string) => `${JSON.stringify(name)}:1,${JSON.stringify(name)}:2`;
  const documents = ({ key, name }: { key: string; name: string }) => [
    JSON.stringify({ version: 1, keys: [{ ...entries[0], [name]: 1 }] }),
    JSON.stringify({ version: 1, keys: [entries[2], { ...entries[2], ...(key === secretKey && { name }) }] }),
    JSON.stringify({ version: 1, keys: entries, [name]: 1 }),
    `{"version":1,"keys":[],${twice(name)}}`,
    `{"version":1,"keys":[{${twice(name)}}]}`,
    `{"kty":"oct","k":${JSON.stringify(short.toString('base64url'))},${twice(name)}}`,
    // A name that somebody gave is shown, unless it is the key that it is the name of.
    JSON.stringify({ kty: 'oct', k: short.toString('base64url'), kid: numbers.includes(key) ? 'x' : name }),
    JSON.stringify({ ...jwk, kid: numbers.includes(key) ? name : 'x', [name]: name }),
    JSON.stringify({ ...jwk, use: name, alg: name }),
    JSON.stringify({ version: name, keys: name }),
  ];
  await fc.assert(
    fc.asyncProperty(pasted, async (what) => {
      for (const text of documents(what)) {
        await takenOrRefused(() => shownImport(Buffer.from(text)));
        await takenOrRefused(() => shownSet(Buffer.from(text)));
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);

test('members of a JWK of any values are taken or refused by a code', async () => {
  const value = fc.oneof(
    fc.constantFrom<unknown>(jwk.n, jwk.d, jwk.p, 'AQAB', 'AA', ''),
    fc.jsonValue({ maxDepth: 1 }),
  );
  const members = [
    'n',
    'e',
    'd',
    'p',
    'q',
    'dp',
    'dq',
    'qi',
    'k',
    'use',
    'alg',
    'key_ops',
    'kid',
    'oth',
  ] as const;
  const changes = fc.dictionary(fc.constantFrom(...members), value, { minKeys: 1, maxKeys: 3 });
  await fc.assert(
    fc.asyncProperty(changes, fc.constantFrom('RSA', 'oct', 'EC', ''), async (changed, kty) => {
      const bytes = Buffer.from(JSON.stringify({ ...jwk, kty, ...changed }));
      await takenOrRefused(() => shownImport(bytes));
    }),
    { numRuns: 300 },
  );
}, 120_000);
