import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
} from '@aws-sdk/client-s3';
import { writePair } from '../helpers/keys.js';
import { runToEnd, start } from '../helpers/serve.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const folder = mkdtempSync(join(tmpdir(), 'sealdrop-killed-'));
const bytes = Buffer.concat(Array.from({ length: 160 }, () => randomBytes(1024 * 1024)));
let minio: S3Server;
let env: Record<string, string>;

beforeAll(async () => {
  minio = await startMinio();
  await minio.createBucket('killed');
  const { accessKeyId, secretAccessKey } = minio.credentials;
  env = {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    SEALDROP_ENDPOINT_URL: minio.endpoint,
  };
  writeFileSync(join(folder, 'source'), bytes);
  writePair(folder);
}, SETUP_TIME);
afterAll(async () => {
  await minio.stop();
  rmSync(folder, { recursive: true });
});

const put = [
  ...['put', 'source', 's3://killed/object', '--public-key', 'public_key.pem'],
  ...['--part-size', '5MiB', '--no-resume'],
];
const get = ['get', 's3://killed/object', 'opened', '--private-key', 'private_key.pem'];

async function uploads() {
  return (
    (await minio.client.send(new ListMultipartUploadsCommand({ Bucket: 'killed', Prefix: 'object' })))
      .Uploads ?? []
  );
}

async function partsOf(upload: string | undefined): Promise<number> {
  const listed = await minio.client.send(
    new ListPartsCommand({ Bucket: 'killed', Key: 'object', UploadId: upload }),
  );
  return listed.Parts?.length ?? 0;
}

test('after kill -9 in the middle of a put, a second put succeeds and says what lies there unfinished', async () => {
  const first = start(put, { cwd: folder, env });
  for (;;) {
    const [upload] = await uploads();
    if (upload !== undefined && (await partsOf(upload.UploadId)) > 2) break;
    expect(first.child.exitCode).toBeNull();
    await sleep(10);
  }
  expect(await first.kill('SIGKILL')).toBe('SIGKILL');
  const [left] = await uploads();
  expect(left).toBeDefined();
  expect(await runToEnd(get, { cwd: folder, env })).toMatchObject({ code: 3 });

  const second = await runToEnd(put, { cwd: folder, env });
  expect(second.code).toBe(0);
  expect(second.output).toContain('warning: an unfinished upload of s3://killed/object lies at the store');
  expect(second.output).toContain(left!.UploadId);
  expect(second.output).toContain('docs/stores.md');
  expect(await runToEnd(get, { cwd: folder, env })).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, 'opened')).equals(bytes)).toBe(true);
});

test('once it was cleared as docs/stores.md says, a put says nothing of it', async () => {
  for (const { UploadId } of await uploads())
    await minio.client.send(new AbortMultipartUploadCommand({ Bucket: 'killed', Key: 'object', UploadId }));
  const third = await runToEnd(put, { cwd: folder, env });
  expect(third.code).toBe(0);
  expect(third.output).not.toContain('unfinished');
});
