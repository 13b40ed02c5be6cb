/** A bucket at MinIO as the inbox: its webhook, notifications that somebody made up, and what was missed. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { writePair } from '../helpers/keys.js';
import { until } from '../helpers/cli.js';
import { runToEnd, start, type Running } from '../helpers/serve.js';
import { freePort } from '../helpers/server-process.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const token = randomBytes(24).toString('hex');
const webhook = randomBytes(24).toString('hex');
const keys = mkdtempSync(join(tmpdir(), 'sealdrop-hook-keys-'));
let minio: S3Server;
let base: string;
let port: number;
let folder: string;
let inbox: string;
let vault: string;
let running: Running | undefined;

beforeAll(async () => {
  port = await freePort();
  base = `http://127.0.0.1:${port}`;
  minio = await startMinio({
    env: {
      MINIO_NOTIFY_WEBHOOK_ENABLE_PRIMARY: 'on',
      MINIO_NOTIFY_WEBHOOK_ENDPOINT_PRIMARY: `${base}/v1/events`,
      MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_PRIMARY: webhook,
      MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_PRIMARY: join(keys, 'queue'),
    },
  });
  writePair(keys);
}, SETUP_TIME);
afterAll(async () => {
  await minio.stop();
  rmSync(keys, { recursive: true });
});

beforeEach(async () => {
  const id = randomBytes(4).toString('hex');
  [inbox, vault] = [await minio.createBucket(`inbox-${id}`), await minio.createBucket(`vault-${id}`)];
  folder = mkdtempSync(join(tmpdir(), 'sealdrop-hook-'));
  writeFileSync(join(folder, 'tokens'), `lab/ ${token}\n`, { mode: 0o600 });
  writeFileSync(join(folder, 'webhook'), `${webhook}\n`, { mode: 0o600 });
});
afterEach(async () => {
  if (running?.child.exitCode === null) await running.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const environment = () => ({
  AWS_ACCESS_KEY_ID: minio.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: minio.credentials.secretAccessKey,
});
const inboxArgs = (prefix = '') => [
  ...[
    'serve',
    '--inbox',
    `s3://${inbox}/in/`,
    '--inbox-endpoint-url',
    minio.endpoint,
    '--vault',
    `s3://${vault}/${prefix}`,
  ],
  ...['--endpoint-url', minio.endpoint, '--public-key', join(keys, 'public_key.pem')],
  ...['--idempotency-key', join(folder, 'idempotency.key')],
];

async function serve(prefix: string, ...more: string[]): Promise<void> {
  const listen = ['--listen', `127.0.0.1:${port}`, '--token-file', 'tokens', ...more];
  running = start([...inboxArgs(prefix), ...listen], { cwd: folder, env: environment() });
  await running.says('interrupt to end');
}

/** Longer than a key may be, with the vault's prefix in front. */
const LONG = Array(4).fill('a'.repeat(220)).join('/');
const DEEP = `${'v'.repeat(200)}/`;

const drop = (Key: string, Body = 'x') =>
  minio.client.send(new PutObjectCommand({ Bucket: inbox, Key, Body }));
async function stored(): Promise<string[]> {
  const { Contents = [] } = await minio.client.send(new ListObjectsV2Command({ Bucket: vault }));
  return Contents.map(({ Key }) => Key!);
}

async function subscribe(): Promise<void> {
  const QueueArn = 'arn:minio:sqs::PRIMARY:webhook';
  await minio.client.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: inbox,
      NotificationConfiguration: { QueueConfigurations: [{ QueueArn, Events: ['s3:ObjectCreated:*'] }] },
    }),
  );
}

async function open(key: string): Promise<string> {
  const args = ['get', `s3://${vault}/${key}`, 'opened', '--private-key', join(keys, 'private_key.pem')];
  const { code, output } = await runToEnd([...args, '--endpoint-url', minio.endpoint], {
    cwd: folder,
    env: environment(),
  });
  expect({ code, output }).toMatchObject({ code: 0 });
  return readFileSync(join(folder, 'opened'), 'utf8');
}

test('what lands in the bucket is told by its webhook and stored, whatever it is called', async () => {
  await drop('in/before', 'was there');
  await serve('', '--webhook-token-file', 'webhook');
  await until('what was there is stored', async () => (await stored()).includes('before'));
  await subscribe();
  const names = ['a b+c%20 &=?#', '日本/🚀.txt', 'plain'];
  for (const name of names) await drop(`in/${name}`, name);
  await drop('elsewhere', 'not in the inbox');
  await until('all are stored', async () => (await stored()).length === names.length + 1);
  expect((await stored()).sort()).toEqual(['before', ...names].sort());
  for (const name of names) expect(await open(name)).toBe(name);
  // Told, and not read from the list: that is read every five minutes.
  expect(running!.output()).toContain('202 POST /v1/events');
  await drop('in/plain', 'changed');
  await until('the change is stored', async () => (await open('plain')) === 'changed');
  expect(running!.output()).not.toMatch(new RegExp(`${token}|${webhook}`));
});

test('what can never be stored is said once, and tagged', async () => {
  await drop(`in/${LONG}`);
  await serve(DEEP, '--webhook-token-file', 'webhook');
  await running!.says('cannot be stored');
  const tags = async () =>
    (await minio.client.send(new GetObjectTaggingCommand({ Bucket: inbox, Key: `in/${LONG}` }))).TagSet;
  await until('it is tagged', async () => (await tags())?.length === 1);
  expect(await tags()).toEqual([{ Key: 'sealdrop-status', Value: 'failed:key_not_storable' }]);
});

describe('notifications that somebody made up', () => {
  const record = (bucket: string, key: string, more = {}) => ({
    Records: [
      {
        eventName: 's3:ObjectCreated:Put',
        s3: {
          bucket: { name: bucket },
          object: { key, eTag: '0'.repeat(32), sequencer: 'F'.repeat(16), ...more },
        },
      },
    ],
  });
  const tell = (body: unknown, authorization?: string) =>
    fetch(`${base}/v1/events`, {
      method: 'POST',
      headers: authorization === undefined ? {} : { authorization },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  test('are refused without the token, and change nothing with it', async () => {
    await drop('in/a', 'true');
    await serve('', '--webhook-token-file', 'webhook');
    await until('it is stored', async () => (await stored()).includes('a'));
    for (const authorization of [undefined, 'Bearer x', `Bearer ${token}`, webhook, `Basic ${webhook}`])
      expect((await tell(record(inbox, 'in/a'), authorization)).status).toBe(401);
    const known = `Bearer ${webhook}`;
    for (const body of ['{', '[]', '{}', '{"Records":[{"eventName":"s3:ObjectCreated:Put"}]}'])
      expect((await tell(body, known)).status).toBe(400);
    await drop('elsewhere', 'plain');
    for (const forged of [
      record(vault, 'a'),
      record(inbox, 'elsewhere'),
      record('other', 'in/a'),
      record(inbox, 'in/a'),
      record(inbox, 'in/..%2Felsewhere'),
    ])
      expect((await tell(forged, known)).status).toBe(202);
    await running!.says(/error: /, 3);
    expect(await stored()).toEqual(['a']);
    expect(await open('a')).toBe('true');
    // The token opens nothing else.
    const listed = await fetch(`${base}/v1/objects`, { headers: { authorization: known } });
    expect(listed.status).toBe(401);
  });

  test('have nowhere to go where no token is set', async () => {
    await serve('');
    expect((await tell(record(inbox, 'in/a'), `Bearer ${webhook}`)).status).toBe(404);
    expect((await tell(record(inbox, 'in/a'))).status).toBe(404);
  });
});

test('--once stores what is there, and on a second run nothing', async () => {
  for (let i = 0; i < 20; i++) await drop(`in/${i}`, String(i));
  const once = () => runToEnd([...inboxArgs(DEEP), '--once'], { cwd: folder, env: environment() });
  const first = await once();
  expect(first).toMatchObject({ code: 0, output: expect.stringContaining('20 dealt with, 0 failed') });
  expect(first.output.match(/^stored /gm)).toHaveLength(20);
  const second = await once();
  expect(second.output.match(/^duplicate /gm)).toHaveLength(20);
  await drop(`in/${LONG}`);
  expect(await once()).toMatchObject({ code: 6, output: expect.stringContaining('20 dealt with, 1 failed') });
});

test('an inbox that lies in the vault, or is to be emptied, is refused', async () => {
  const run = (...args: string[]) => runToEnd(args, { cwd: folder, env: environment() });
  const same = inboxArgs().map((word) => (word === `s3://${vault}/` ? `s3://${inbox}/` : word));
  expect(await run(...same)).toMatchObject({ code: 2, output: expect.stringContaining('overlap') });
  expect(await run(...inboxArgs(), '--after', 'delete')).toMatchObject({
    code: 2,
    output: expect.stringContaining('for folders'),
  });
  expect(await run(...inboxArgs(), '--webhook-token-file', 'webhook')).toMatchObject({ code: 2 });
});
