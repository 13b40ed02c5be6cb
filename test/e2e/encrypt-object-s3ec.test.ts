/** The encrypting function where it writes the S3 Encryption Client's objects, on a real server. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import '../helpers/core-errors.js';
import { openDecryptor } from '../../src/compose.js';
import type { EncryptingFormat } from '../../src/contract.js';
import { partsOf } from '../../src/transfer/object-parts.js';
import { collect } from '../helpers/bytes.js';
import { EncryptingFunction, type FunctionOptions } from '../helpers/encrypting-function.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let server: S3Server;
let gateway: EncryptingFunction;
const open = async (format: EncryptingFormat, options: FunctionOptions = {}) =>
  (gateway = await EncryptingFunction.open(server, {
    ...options,
    settings: { format, ...options.settings },
  }));

beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server?.stop());
afterEach(async () => gateway?.close());

/** By the private key, under the clients' default policy unless V2 is to be read. */
async function opened(key: string, { v2 = false } = {}): Promise<Buffer> {
  const decryptor = await openDecryptor({
    privateKeys: [Buffer.from(privatePem(gateway.pair))],
    ...(v2 && { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' }),
  });
  const store = server.store(gateway.vault);
  try {
    const { info, body } = await store.get(`enc/${key}`);
    return await collect(decryptor.decrypt(body, { parts: partsOf(store, info), held: true }));
  } finally {
    store.close();
  }
}

const formatOf = async (key: string) =>
  (await gateway.headVault(`enc/${key}`))?.Metadata?.['sealdrop-format'];

const deployAgain = (format: EncryptingFormat) => Object.assign(gateway.settings, { format });

test.each<[EncryptingFormat, number]>([
  ['s3ec', 0],
  ['s3ec', 20_000_000],
  ['s3ec-v2', 1],
  ['s3ec-v2', 20_000_000],
])('%s of %d bytes opens with the private key', async (format, size) => {
  await open(format);
  const bytes = randomBytes(size);
  const one = await gateway.drop('a', bytes);
  expect(await gateway.notify(one)).toEqual({ outcomes: ['stored'], again: 0 });
  expect((await opened('a', { v2: format === 's3ec-v2' })).equals(bytes)).toBe(true);
  expect(await gateway.notify(one)).toEqual({ outcomes: ['duplicate'], again: 0 });
});

test('what the API is sent is of the same format', async () => {
  await open('s3ec');
  await gateway.put('of the api', 'hello');
  expect(await formatOf('alice/of the api')).toBe('s3ec');
  expect((await opened('alice/of the api')).toString()).toBe('hello');
});

describe('after another format was deployed', () => {
  test.each<[EncryptingFormat, EncryptingFormat]>([
    ['s3ec-v2', 's3ec'],
    ['s3ec', 's3ec-v2'],
    ['esdk', 's3ec'],
    ['s3ec', 'esdk'],
  ])('from %s to %s, an old object is no duplicate: it is stored again', async (from, to) => {
    await open(from);
    const one = await gateway.drop('a', 'content');
    await gateway.notify(one);
    deployAgain(to);
    expect(await gateway.notify(one)).toEqual({ outcomes: ['stored'], again: 0 });
    expect(await formatOf('a')).toBe(to);
    expect((await opened('a', { v2: true })).toString()).toBe('content');
    expect(await gateway.notify(one)).toEqual({ outcomes: ['duplicate'], again: 0 });
  });
});

test('with two active keys nothing is encrypted, for none of them, and records wait until one is retired', async () => {
  await open('s3ec');
  const [mine, other] = [gateway.pair, rsaPair()].map((pair, number) => ({
    ...{ namespace: 'lab', name: `key ${number}` },
    publicKey: publicPem(pair),
  }));
  const setKeys = (...keys: object[]) =>
    gateway.secrets.set('keys', Buffer.from(JSON.stringify({ version: 1, keys })));
  setKeys(mine!, other!);
  const one = await gateway.drop('a', 'content');
  expect(await gateway.notify(one)).toEqual({ outcomes: [], again: 1 });
  expect(gateway.problems).toEqual(['invalid_key']);
  expect([gateway.letters, await gateway.headVault('enc/a')]).toEqual([[], undefined]);
  setKeys(mine!, { ...other!, state: 'retired' });
  expect(await gateway.notify(one)).toEqual({ outcomes: ['stored'], again: 0 });
  expect((await opened('a')).toString()).toBe('content');
});

test('one that is too large is told to be stored elsewhere as the gateway would', async () => {
  await open('s3ec-v2', { settings: { maxObjectBytes: 3 } });
  const told = await gateway.notify(await gateway.drop('a', 'four'));
  expect(told).toEqual({ outcomes: ['too_large_for_lambda'], again: 0 });
  expect(gateway.letters[0]?.body.hint).toContain('--expected-size 4 --format s3ec-v2');
});
