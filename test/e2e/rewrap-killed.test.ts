/** `rewrap -r`, killed in the middle: what goes on from there loses nothing, and does nothing twice. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3';
import { contentOf } from '../helpers/awkward-tree.js';
import { writePair } from '../helpers/keys.js';
import { runToEnd, start } from '../helpers/serve.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const FILES = 200;
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-rewrap-killed-'));
let minio: S3Server;
let env: Record<string, string>;
let bucket: string;
let counter = 0;

beforeAll(async () => {
  minio = await startMinio();
  const { accessKeyId, secretAccessKey } = minio.credentials;
  env = {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    SEALDROP_ENDPOINT_URL: minio.endpoint,
  };
  for (let i = 0; i < FILES; i++) {
    const directory = join(folder, 'tree', `d${i % 7}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `f${i}`), randomBytes(4096));
  }
  for (const name of ['old', 'new']) writePair(join(folder, name));
}, SETUP_TIME);
afterAll(async () => {
  await minio.stop();
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  bucket = await minio.createBucket(`rewrap-${++counter}`);
  await minio.client.send(
    new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }),
  );
  await ok(['put', '-r', 'tree', `s3://${bucket}/`, '--public-key', 'old/public_key.pem']);
}, 120_000);

async function ok(args: string[]): Promise<string> {
  const { code, output } = await runToEnd(args, { cwd: folder, env });
  expect([code, output]).toEqual([0, expect.anything()]);
  return output;
}

/** How many versions each key has. */
async function versions(): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  let page: ListObjectVersionsCommandOutput | undefined;
  do {
    const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page ?? {};
    const command = new ListObjectVersionsCommand({
      Bucket: bucket,
      ...(KeyMarker && { KeyMarker }),
      ...(VersionIdMarker && { VersionIdMarker }),
    });
    page = await minio.client.send(command);
    for (const { Key } of page.Versions ?? []) found.set(Key!, (found.get(Key!) ?? 0) + 1);
  } while (page.IsTruncated === true);
  return found;
}

const rewrapped = async () => [...(await versions()).values()].filter((n) => n > 1).length;
const rewrapping = (...more: string[]) => [
  ...['rewrap', '-r', `s3://${bucket}/`, '--to', 'new/public_key.pem'],
  ...['--private-key', 'old/private_key.pem', '--private-key', 'new/private_key.pem', ...more],
];

async function killedAt(args: string[], count: number): Promise<void> {
  const running = start(args, { cwd: folder, env });
  while ((await rewrapped()) < count) {
    expect([running.child.exitCode, running.output()]).toEqual([null, expect.anything()]);
    await sleep(5);
  }
  expect(await running.kill('SIGKILL')).toBe('SIGKILL');
}

/** Done by this run, and found done. */
function counts(output: string): [number, number] {
  const done = /(\d+) files? rewrapped/.exec(output)?.[1] ?? 0;
  const present = /(\d+) there already/.exec(output)?.[1] ?? 0;
  return [Number(done), Number(present)];
}

test.each([[['--resume', 'done.jsonl']], [[]]])(
  'with %j',
  async (more) => {
    rmSync(join(folder, 'done.jsonl'), { force: true });
    const args = rewrapping(...more);
    await killedAt(args, 40);
    const first = await rewrapped();
    await killedAt(args, first + 40);
    const second = await rewrapped();
    expect(second).toBeLessThan(FILES);
    // Somebody stores another file meanwhile, for the old key: that one is rewrapped, and not undone.
    const running = start(args, { cwd: folder, env });
    writeFileSync(join(folder, 'tree/d3/f3'), 'theirs');
    await ok(['put', 'tree/d3/f3', `s3://${bucket}/tree/d3/f3`, '--public-key', 'old/public_key.pem']);
    const code = await running.ended();
    // Only where it came just between the reading and the writing of it.
    expect([0, 6]).toContain(code);
    const [done, present] = counts(running.output());
    expect(done + present).toBe(code === 0 ? FILES : FILES - 1);
    expect(present).toBeGreaterThanOrEqual(second - 1);
    await ok(args);
    const last = await versions();
    expect(last.size).toBe(FILES);
    for (const [key, n] of last) {
      if (key === 'tree/d3/f3') expect(n).toBeGreaterThanOrEqual(3);
      else expect([key, n]).toEqual([key, 2]);
    }
    rmSync(join(folder, 'out'), { recursive: true, force: true });
    await ok(['get', '-r', `s3://${bucket}/tree`, 'out', '--private-key', 'new/private_key.pem']);
    expect(contentOf(join(folder, 'out'))).toEqual(contentOf(join(folder, 'tree')));
    const old = await runToEnd(
      ['get', '-r', `s3://${bucket}/tree`, 'none', '--private-key', 'old/private_key.pem'],
      { cwd: folder, env },
    );
    expect(old.code).toBe(5);
    expect(old.output).toContain(`${FILES} failed`);
    expect(existsSync(join(folder, 'done.jsonl'))).toBe(more.length > 0);
    if (more.length > 0) {
      // One line for the rewrap, and one for each object whose end was noted before the command was killed.
      const lines = readFileSync(join(folder, 'done.jsonl'), 'utf8').trim().split('\n');
      expect(lines.length).toBeGreaterThan(FILES - 40);
    }
  },
  180_000,
);

test('an interruption leaves whole objects, says how to go on, and no upload behind', async () => {
  const running = start(rewrapping(), { cwd: folder, env });
  while ((await rewrapped()) < 20) await sleep(5);
  expect(await running.kill('SIGINT')).toBe(130);
  expect(running.output()).toContain('what was rewrapped stays; the same command goes on from there');
  for (const key of (await versions()).keys()) {
    const { Uploads = [] } = await minio.client.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key }),
    );
    expect([key, Uploads.length]).toEqual([key, 0]);
  }
  const [done, present] = counts(await ok(rewrapping()));
  expect(done + present).toBe(FILES);
}, 120_000);
