/** A rewrap of an s3ec object that is killed at any of its writes: one of both keys opens it, and the next run ends it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFaultProxy, type Fault, type FaultProxy } from '../helpers/fault-proxy.js';
import { writePair } from '../helpers/keys.js';
import { runToEnd, start } from '../helpers/serve.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const folder = mkdtempSync(join(tmpdir(), 'sealdrop-rewrap-s3ec-'));
let minio: S3Server;
let proxy: FaultProxy;
let env: Record<string, string>;
let count = 0;

beforeAll(async () => {
  minio = await startMinio();
  proxy = await startFaultProxy(minio.endpoint);
  const { accessKeyId, secretAccessKey } = minio.credentials;
  env = {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    SEALDROP_ENDPOINT_URL: proxy.endpoint,
  };
  writeFileSync(join(folder, 'source'), Buffer.alloc(6 * 1024 * 1024, 7));
  for (const name of ['old', 'new']) writePair(join(folder, name));
}, SETUP_TIME);
afterAll(async () => {
  await proxy?.close();
  await minio?.stop();
  rmSync(folder, { recursive: true });
});

async function ok(args: string[]): Promise<string> {
  const { code, output } = await runToEnd(args, { cwd: folder, env });
  expect([code, output]).toEqual([0, expect.anything()]);
  return output;
}

describe.each([false, true])('with an instruction file: %p', (file) => {
  const name = file ? /\/object\.instruction\?.*/ : /\/object\?.*/;
  const at = (what: string): RegExp => new RegExp(name.source + what);

  test.each<[string, 'before' | 'after', Fault, 'old' | 'new']>([
    ['before the upload begins', 'before', { method: 'POST', url: at('uploads') }, 'old'],
    ['when it has begun', 'after', { method: 'POST', url: at('uploads') }, 'old'],
    ['when its part is there', 'after', { method: 'PUT', url: at('partNumber=1') }, 'old'],
    ['before it is completed', 'before', { method: 'POST', url: at('uploadId=') }, 'old'],
    ['when it was completed', 'after', { method: 'POST', url: at('uploadId=') }, 'new'],
  ])('%s', async (_when, hook, fault, opener) => {
    const bucket = await minio.createBucket(`killed-${++count}`);
    const address = `s3://${bucket}/object`;
    const options = ['--format', 's3ec', ...(file ? ['--instruction-file'] : [])];
    await ok(['put', 'source', address, '--public-key', 'old/public_key.pem', ...options]);
    const keys = ['old', 'new'].flatMap((which) => ['--private-key', `${which}/private_key.pem`]);
    const args = ['rewrap', address, '--to', 'new/public_key.pem', ...keys];
    const opens = async (which: string) =>
      (await runToEnd(['verify', address, '--private-key', `${which}/private_key.pem`], { cwd: folder, env }))
        .code === 0;
    // The probe of conditions completes an upload of another key.
    const killed = start(args, { cwd: folder, env });
    proxy.add({ ...fault, [hook]: async () => killed.kill('SIGKILL') });
    expect(await killed.ended()).toBe('SIGKILL');
    proxy.reset();
    expect(await opens(opener)).toBe(true);
    expect(await opens(opener === 'old' ? 'new' : 'old')).toBe(false);
    expect(await ok(args)).toContain(opener === 'old' ? 'rewrapped: ' : 'there already: ');
    expect([await opens('old'), await opens('new')]).toEqual([false, true]);
  });
});
