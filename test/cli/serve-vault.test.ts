/** What a gateway finds of its vault before it begins. */
import { chmodSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newVault } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let server: S3Server;
let proxy: FaultProxy;
beforeAll(async () => {
  server = await startMinio();
  proxy = await startFaultProxy(server.endpoint);
}, SETUP_TIME);
afterAll(async () => {
  await proxy?.close();
  await server?.stop();
});

async function gateway() {
  const vault = await newVault('s3', server);
  vault.box.write('inbox/a', 'x');
  const keys = ['--public-key', 'public_key.pem', '--idempotency-key', 'idempotency.key'];
  const serve = (...args: string[]) => vault.box.run(['serve', '--settle', '1', ...keys, ...args]);
  return { ...vault, serve };
}

test('a bucket that isn’t there is said at the start, which ends there', async () => {
  const { box, serve } = await gateway();
  box.write('tokens', `in/ ${'0'.repeat(64)}\n`);
  chmodSync(box.path('tokens'), 0o600);
  for (const from of [
    ['--inbox', 'inbox'],
    ['--listen', '127.0.0.1:0', '--token-file', 'tokens'],
  ]) {
    const { code, stderr } = await serve(...from, '--vault', 's3://no-such-bucket/in/');
    expect([code, stderr]).toEqual([
      3,
      expect.stringContaining('error: s3://no-such-bucket/in/: there is no such bucket (NoSuchBucket)'),
    ]);
    expect(stderr).toContain('hint: check the name, and the endpoint and region that it is at');
    expect(stderr).not.toContain('Ctrl-C');
  }
  expect(box.has('idempotency.key')).toBe(false);
});

test('credentials that may not list store what they may write', async () => {
  const { address, keys, serve } = await gateway();
  const denied = '<Error><Code>AccessDenied</Code><Message>no</Message></Error>';
  proxy.reset();
  proxy.add({ method: 'GET', url: 'list-type=2', answer: { status: 403, body: denied }, times: 100 });
  const endpoint = ['--endpoint-url', proxy.endpoint];
  const { code, stderr } = await serve('--inbox', 'inbox', '--vault', address, '--once', ...endpoint);
  expect([code, stderr]).toEqual([0, expect.stringContaining('1 stored')]);
  expect(proxy.requests.filter((line) => line.includes('list-type=2'))).toHaveLength(1);
  expect(await keys()).toEqual(['a']);
});

test('a store that is not there for now is asked for each file', async () => {
  const { address, serve } = await gateway();
  const endpoint = ['--endpoint-url', 'http://127.0.0.1:9'];
  const { code, stderr } = await serve('--inbox', 'inbox', '--vault', address, '--once', ...endpoint);
  expect([code, stderr]).toEqual([1, expect.stringContaining('0 stored, 0 there already, 1 failed')]);
});
