/** What lay in a bucket before its deployment: encrypted by a backfill. And the dead-letter queue, by the command. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { CreateBucketCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import type { OutcomeReport } from '../../src/contract.js';
import { contentOf } from '../helpers/aws-digests.js';
import { startGateway, type Gateway } from '../helpers/aws-gateway.js';
import { s3Event } from '../helpers/aws-queue.js';
import type { Aws } from '../helpers/aws-server.js';
import { queueEmpty, takeDead, until } from '../helpers/aws-watch.js';
import { runToEnd } from '../helpers/serve.js';
import { SETUP_TIME } from '../helpers/servers.js';

// Each waits for processes of several servers, on a machine that may have other work.
jest.setTimeout(180_000);

const OLD = 'sealdrop-old';
const OBJECTS = 2000;
const RUN_TIME = 5 * 60_000;

const sizeOf = (number: number) => (number * 31) % 3000;
const keyOf = (number: number) => `${number % 7}/old ${number}+é.txt`;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({
    tls: false,
    config: async (aws) => {
      await fill(aws);
      return { inboxes: [{ bucket: OLD, versioned: true }], secretsTtlSeconds: 3600 };
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

describe('a backfill of 2,000 existing objects', () => {
  test('nothing is stored before, nor by a dry run, which says what would be', async () => {
    const reports = await backfill('--dry-run', '--prefix', '3/');
    expect(outcomes(reports)).toEqual(['would_store']);
    expect(keysOf(reports)).toEqual(allKeys.filter((key) => key.startsWith('3/')));
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
      const reports = await backfill();
      expect(outcomes(reports)).toEqual(['duplicate']);
      expect(keysOf(reports)).toEqual(allKeys);
      expect(await listing()).toEqual(before);
    },
    RUN_TIME,
  );
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
