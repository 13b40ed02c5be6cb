/** `put -r` and `get -r`, killed in the middle: with --resume nothing is missing and nothing doubled. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { contentOf } from '../helpers/awkward-tree.js';
import { writePair } from '../helpers/keys.js';
import { runToEnd, start } from '../helpers/serve.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const FILES = 600;
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-trees-killed-'));
let minio: S3Server;
let env: Record<string, string>;

beforeAll(async () => {
  minio = await startMinio();
  await minio.createBucket('trees');
  const { accessKeyId, secretAccessKey } = minio.credentials;
  env = {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    SEALDROP_ENDPOINT_URL: minio.endpoint,
    SEALDROP_PUBLIC_KEY: 'public_key.pem',
    SEALDROP_PRIVATE_KEY: 'private_key.pem',
  };
  for (let i = 0; i < FILES; i++) {
    const directory = join(folder, 'tree', `d${i % 7}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `f${i}`), randomBytes(4096));
  }
  // Long since stored before they are uploaded: LastModified has whole seconds at some stores.
  await sleep(1100);
  writePair(folder);
}, SETUP_TIME);
afterAll(async () => {
  await minio.stop();
  rmSync(folder, { recursive: true });
});

async function stored(): Promise<number> {
  const { KeyCount } = await minio.client.send(new ListObjectsV2Command({ Bucket: 'trees' }));
  return KeyCount ?? 0;
}

const written = () =>
  readdirSync(folder, { recursive: true }).filter((name) => /^out\/d\d\/f/.test(String(name))).length;

/** Kills the command when enough was done. */
async function killedAt(args: string[], done: () => Promise<number> | number, count: number): Promise<void> {
  const running = start(args, { cwd: folder, env });
  while ((await done()) < count) {
    expect(running.child.exitCode).toBeNull();
    await sleep(5);
  }
  expect(await running.kill('SIGKILL')).toBe('SIGKILL');
}

test('put -r', async () => {
  const put = ['put', '-r', 'tree', 's3://trees/'];
  await killedAt(put, stored, 100);
  const before = await stored();
  expect(before).toBeLessThan(FILES);
  await killedAt([...put, '--resume'], stored, before + 100);
  const last = await stored();
  const { code, output } = await runToEnd([...put, '--resume'], { cwd: folder, env });
  expect(code).toBe(0);
  const [, done, present] = /(\d+) files? stored.* (\d+) there already/.exec(output)!;
  expect([Number(done), Number(present)]).toEqual([FILES - last, last]);
  expect(await stored()).toBe(FILES);
});

test('get -r, with nothing half done left', async () => {
  const get = ['get', '-r', 's3://trees/tree', 'out'];
  await killedAt(get, written, 100);
  const before = written();
  await killedAt([...get, '--resume'], written, before + 100);
  const { code, output } = await runToEnd([...get, '--resume'], { cwd: folder, env });
  expect(code).toBe(0);
  expect(output).toMatch(/there already/);
  expect(contentOf(join(folder, 'out'))).toEqual(contentOf(join(folder, 'tree')));
});

test('an interruption leaves what was done and says how to go on', async () => {
  rmSync(join(folder, 'out'), { recursive: true });
  const running = start(['get', '-r', 's3://trees/tree', 'out'], { cwd: folder, env });
  while (written() < 20) await sleep(5);
  expect(await running.kill('SIGINT')).toBe(130);
  expect(running.output()).toContain('the same command with --resume goes on from there');
  const left = readdirSync(join(folder, 'out'), { recursive: true }).map(String);
  expect(left.filter((name) => name.includes('sealdrop-part'))).toEqual([]);
});
