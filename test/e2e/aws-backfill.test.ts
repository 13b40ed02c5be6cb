/**
 * What lay in a bucket before its deployment: encrypted by a backfill, and by a rewrap encrypted to other keys. And the
 * dead-letter queue, by the command.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import type { OutcomeReport } from '../../src/contract.js';
import { createEncryptor } from '../../src/envelope/esdk/encrypt.js';
import { openDecryptor } from '../../src/index.js';
// Loaded before they are asked for: where jest 29 is asked for several modules at once, it fails at times.
import '../../src/envelope/esdk/decrypt.js';
import '../../src/keys/opening-keys.js';
import '../../src/keys/raw-rsa/unwrap.js';
import '../../src/keys/unwrapping.js';
import { rsaWrappingKeys } from '../../src/keys/raw-rsa/wrap.js';
import { contentOf } from '../helpers/aws-digests.js';
import { SECRETS, startGateway, type Gateway } from '../helpers/aws-gateway.js';
import { s3Event } from '../helpers/aws-queue.js';
import type { Aws } from '../helpers/aws-server.js';
import { VAULT_PREFIX } from '../helpers/aws-vault.js';
import { queueEmpty, takeDead, until } from '../helpers/aws-watch.js';
import { chunked } from '../helpers/bytes.js';
import { privatePem, publicPem, rsaPair, type Pair } from '../helpers/keys.js';
import { runToEnd } from '../helpers/serve.js';
import { SETUP_TIME } from '../helpers/servers.js';

// Each waits for processes of several servers, on a machine that may have other work.
jest.setTimeout(180_000);

const OLD = 'sealdrop-old';
const PRIVATE_KEYS = 'sealdrop/private-keys';
/** Set by `npm run proof -- backfill`. */
const OBJECTS = Number(process.env.SEALDROP_BACKFILL_OBJECTS ?? 400);
const RUN_TIME = 5 * 60_000;

const sizeOf = (number: number) => (number * 31) % 3000;
const keyOf = (number: number) => `${number % 7}/old ${number}+é.txt`;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({
    tls: false,
    config: async (aws) => {
      await fill(aws);
      return {
        inboxes: [{ bucket: OLD, versioned: true }],
        secretsTtlSeconds: 3600,
        rewrap: { privateKeySetSecret: PRIVATE_KEYS, vaultRewriteSecret: SECRETS.vaultRewrite },
      };
    },
  });
}, SETUP_TIME);
afterAll(async () => gateway?.stop());

async function fill({ s3 }: Aws): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket: OLD }));
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket: OLD, VersioningConfiguration }));
  let number = 0;
  const work = async () => {
    while (number < OBJECTS) {
      const mine = number++;
      const Body = contentOf(mine, sizeOf(mine));
      await s3.send(new PutObjectCommand({ Bucket: OLD, Key: keyOf(mine), Body }));
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
}

interface Ran<T> {
  readonly code: number | string;
  readonly output: string;
  readonly documents: T[];
}

/** The command, as an operator runs it. */
async function sealdrop<T>(...args: string[]): Promise<Ran<T>> {
  const { app, aws } = gateway;
  const all = [...args, '--deployment', 'e2e', '--json'];
  const { code, output } = await runToEnd(all, { cwd: app.folder, env: aws.environment });
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  return { code, output, documents: lines.map((line) => JSON.parse(line) as T) };
}

async function backfill(...args: string[]): Promise<OutcomeReport[]> {
  const { code, output, documents } = await sealdrop<OutcomeReport>('backfill', 'start', '--wait', ...args);
  if (code !== 0) throw new Error(`exit code ${code}:\n${output}`);
  return documents.filter(({ outcome }) => outcome !== undefined);
}

const outcomes = (reports: OutcomeReport[]) => [...new Set(reports.map(({ outcome }) => outcome))];
const allKeys = Array.from({ length: OBJECTS }, (_, number) => keyOf(number)).sort();
const keysOf = (reports: OutcomeReport[]) => reports.map(({ key }) => key).sort();

/** Some of them, where all would show no more: each costs a call of a function. */
const PREFIX = '3/old 1';
const chosen = allKeys.filter((key) => key.startsWith(PREFIX));

describe(`a backfill of ${OBJECTS} existing objects`, () => {
  test('nothing is stored before, nor by a dry run, which says what would be', async () => {
    const reports = await backfill('--dry-run', '--prefix', PREFIX);
    expect(outcomes(reports)).toEqual(['would_store']);
    expect(keysOf(reports)).toEqual(chosen);
    expect(await gateway.vault.keys()).toEqual([]);
  }, 240_000);

  test(
    'stores all; the report agrees with both listings',
    async () => {
      const reports = await backfill();
      expect(outcomes(reports)).toEqual(['stored']);
      expect(keysOf(reports)).toEqual(allKeys);
      const source = gateway.aws.server.store(OLD);
      const listed: Record<string, number> = {};
      for await (const { key, size } of source.list('')) listed[key] = size;
      source.close();
      expect(Object.fromEntries(reports.map(({ key, bytes }) => [key, bytes]))).toEqual(listed);
      expect((await gateway.vault.keys()).sort()).toEqual(allKeys);
    },
    RUN_TIME,
  );

  test('what it stored opens', async () => {
    const { vault, decryptor } = gateway;
    for (let number = 0; number < OBJECTS; number += 97)
      expect((await vault.open(keyOf(number), decryptor)).equals(contentOf(number, sizeOf(number)))).toBe(
        true,
      );
  });

  test(
    'a second run stores none',
    async () => {
      const { vault } = gateway;
      const listing = async () => {
        const all: string[] = [];
        for await (const { key, etag } of vault.store.list('')) all.push(`${key} ${etag}`);
        return all;
      };
      const before = await listing();
      const reports = await backfill('--prefix', PREFIX);
      expect(outcomes(reports)).toEqual(['duplicate']);
      expect(keysOf(reports)).toEqual(chosen);
      expect(await listing()).toEqual(before);
    },
    RUN_TIME,
  );
});

describe('a rewrap of what the backfill stored, after the keys have changed', () => {
  const inVault = chosen.map((key) => VAULT_PREFIX + key);
  const next = rsaPair();
  const NEXT_NAME = 'S3RSAKey-2';
  const raced = chosen[7]!;
  const replacement = Buffer.from('written by somebody else, meanwhile');

  const rewrap = async (...args: string[]) => backfill('--rewrap', '--prefix', PREFIX, ...args);
  const numberOf = (key: string) => Number(/old (\d+)/.exec(key)![1]);
  const etags = async () => {
    const found: string[] = [];
    for await (const { key, etag } of gateway.vault.store.list('')) found.push(`${key} ${etag}`);
    return found;
  };

  const entryOf = (pair: Pair, half: 'privateKey' | 'publicKey') => ({
    ...{ namespace: 'MyAppKeys', name: pair === next ? NEXT_NAME : 'S3RSAKey', state: 'active' },
    publicKey: publicPem(pair),
    ...(half === 'privateKey' && { privateKey: privatePem(pair) }),
  });
  const keySet = (pairs: Pair[], half: 'privateKey' | 'publicKey') =>
    JSON.stringify({ version: 1, keys: pairs.map((pair) => entryOf(pair, half)) });

  test('does nothing while the private keys do not open what it would make', async () => {
    const { aws, pair, setSecret } = gateway;
    await aws.secrets.send(
      new CreateSecretCommand({ Name: PRIVATE_KEYS, SecretString: keySet([pair], 'privateKey') }),
    );
    await setSecret(SECRETS.publicKeySet, keySet([next], 'publicKey'));
    const { code, output } = await sealdrop('backfill', 'start', '--rewrap', '--wait');
    expect([code, output]).toEqual([
      1,
      expect.stringContaining('the run ended as FAILED (key_required): the private key set opens nothing'),
    ]);
    await setSecret(PRIVATE_KEYS, keySet([pair, next], 'privateKey'));
  }, 240_000);

  test('a dry run says what would be, and writes nothing', async () => {
    const before = await etags();
    const reports = await rewrap('--dry-run');
    expect(outcomes(reports)).toEqual(['would_rewrap']);
    expect(keysOf(reports)).toEqual(inVault);
    expect(await etags()).toEqual(before);
  }, 240_000);

  async function writeAnother(): Promise<void> {
    const named = { namespace: 'MyAppKeys', name: NEXT_NAME, publicKey: next.publicKey };
    const key = VAULT_PREFIX + raced;
    const message = createEncryptor(rsaWrappingKeys([named])).encrypt(chunked(replacement, 99), {
      'sealdrop:key': key,
    });
    await gateway.vault.store.put(key, message);
  }

  test(
    'opens all with the old key and seals them to the new; what is written meanwhile stays',
    async () => {
      const { vault, proxy, decryptor } = gateway;
      const url = new RegExp(`${encodeURIComponent(raced).replace('%2F', '/')}\\?uploadId=`);
      // Right before its upload is completed.
      proxy!.add({ method: 'POST', url, before: writeAnother });
      const reports = await rewrap();
      expect(outcomes(reports)).toEqual(['rewrapped']);
      const set = Buffer.from(keySet([next], 'privateKey'));
      const newDecryptor = await openDecryptor({ privateKeys: [set] });
      const sizes: Record<string, number> = {};
      for (const key of chosen) {
        const expected = key === raced ? replacement : contentOf(numberOf(key), sizeOf(numberOf(key)));
        expect((await vault.open(key, newDecryptor)).equals(expected)).toBe(true);
        const withOld = vault.open(key, decryptor);
        await expect(withOld).rejects.toMatchObject({ code: 'wrong_key_or_header' });
        sizes[VAULT_PREFIX + key] = expected.length;
      }
      expect(Object.fromEntries(reports.map(({ key, bytes }) => [key, bytes]))).toEqual(sizes);
      expect(keysOf(reports)).toEqual(inVault);
    },
    RUN_TIME,
  );

  test('takes nothing outside of its prefix, and leaves no upload unfinished', async () => {
    const { vault, decryptor } = gateway;
    const other = allKeys.find((key) => !key.startsWith(PREFIX))!;
    expect(await vault.open(other, decryptor)).toEqual(contentOf(numberOf(other), sizeOf(numberOf(other))));
    for (const key of inVault) expect(await vault.store.unfinished(key)).toEqual([]);
  });

  test(
    'a second run rewraps none',
    async () => {
      const before = await etags();
      const reports = await rewrap();
      expect(outcomes(reports)).toEqual(['present']);
      expect(keysOf(reports)).toEqual(inVault);
      expect(await etags()).toEqual(before);
    },
    RUN_TIME,
  );

  test('nothing below a prefix is a run of nothing', async () => {
    expect(await backfill('--rewrap', '--prefix', 'none/')).toEqual([]);
  }, 240_000);
});

describe('`sealdrop dlq` on the deployed queue', () => {
  interface Letter {
    readonly id: string;
    readonly code: string;
    readonly objects: { bucket: string; key: string }[];
  }
  const list = async () => (await sealdrop<Letter>('dlq', 'list')).documents;
  const waiting = (code: string) =>
    until(
      `a letter with ${code}`,
      async () => (await list()).find((letter) => letter.code === code),
      180_000,
    );

  test('lists what could not be stored, with its code, and shows it', async () => {
    await gateway.drop('bad//key', 'refused');
    const letter = await waiting('key_not_storable');
    expect(letter.objects).toMatchObject([{ bucket: OLD, key: 'bad//key' }]);
    const { documents } = await sealdrop<Letter>('dlq', 'show', letter.id.slice(0, 8));
    expect(documents).toMatchObject([{ id: letter.id, code: 'key_not_storable' }]);
  }, 240_000);

  test('redrives what was tried too often: it is worked on again', async () => {
    await takeDead(gateway);
    const { aws, outputs } = gateway;
    const MessageBody = s3Event(OLD, keyOf(5));
    await aws.sqs.send(new SendMessageCommand({ QueueUrl: outputs.DeadLetterQueueUrl, MessageBody }));
    expect(await waiting('exhausted')).toMatchObject({ objects: [{ bucket: OLD, key: keyOf(5) }] });
    const { code, documents } = await until('a redrive', async () => {
      const redriven = await sealdrop<{ moved: boolean }>('dlq', 'redrive', '--code', 'exhausted', '--yes');
      return redriven.documents.length > 0 ? redriven : undefined;
    });
    expect([code, documents.length]).toEqual([0, 1]);
    await queueEmpty(gateway);
    expect(await takeDead(gateway)).toEqual([]);
  }, 180_000);
});

test('a backfill accounts for keys that end in a slash: empty ones mark folders, others are objects', async () => {
  await gateway.drop('slash/', Buffer.alloc(0));
  await gateway.drop('slash/full/', 'content');
  const start = ['backfill', 'start', '--wait', '--prefix', 'slash/'];
  const { code, documents } = await sealdrop<OutcomeReport>(...start);
  const reports = documents.filter(({ outcome }) => outcome !== undefined);
  expect(reports.map(({ key, outcome, code }) => [key, outcome, code]).sort()).toEqual([
    ['slash/', 'ignored', undefined],
    ['slash/full/', 'failed', 'key_not_storable'],
  ]);
  expect(code).toBe(6);
}, 240_000);
