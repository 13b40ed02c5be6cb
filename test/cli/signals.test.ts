import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { until, type Running } from '../helpers/cli.js';
import { lateAnswers } from '../helpers/cli-listeners.js';
import { newVault, type TestVault } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const PUBLIC = ['--public-key', 'public_key.pem'];
const PRIVATE = ['--private-key', 'private_key.pem'];
const MIB = 1024 * 1024;
const never = () => new Promise(() => undefined);
const INTERRUPTED = { code: 130, signal: null, stderr: 'error: interrupted\n', stdout: Buffer.alloc(0) };

let server: S3Server;
let proxy: FaultProxy;
beforeAll(async () => {
  server = await startMinio();
  proxy = await startFaultProxy(server.endpoint);
}, SETUP_TIME);
afterAll(async () => {
  await proxy.close();
  await server.stop();
});
afterEach(() => proxy.reset());

describe.each(['s3', 'directory'] as const)('with a vault on %s', (kind) => {
  let vault: TestVault;
  let before: string[];
  let old: Buffer;
  beforeAll(async () => {
    vault = await newVault(kind, server);
    vault.box.write('target', 'untouched');
    vault.box.write('large', randomBytes(16 * MIB));
    await vault.box.run(['put', 'large', `${vault.address}/object`, '--part-size', '5MiB', ...PUBLIC]);
    old = await vault.stored('object');
    before = vault.box.files();
  });

  const slowPut = (...more: string[]): Running => {
    const running = vault.box.start([
      'put',
      '-',
      `${vault.address}/object`,
      '--part-size',
      '5MiB',
      ...more,
      ...PUBLIC,
    ]);
    running.child.stdin!.write(randomBytes(12 * MIB));
    return running;
  };
  const begun = async () => (await vault.unfinished('object')).length > 0;

  const expectNothingLeft = async () => {
    expect(await vault.unfinished('object')).toEqual([]);
    expect(await vault.keys()).toEqual(['object']);
    expect((await vault.stored('object')).equals(old)).toBe(true);
    expect(vault.box.files()).toEqual(before);
    expect(vault.box.read('target').toString()).toBe('untouched');
  };

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s while a put waits for its source',
    async (signal) => {
      const running = slowPut();
      await until('the upload has begun', begun);
      running.child.kill(signal);
      expect(await running.result).toMatchObject(INTERRUPTED);
      await expectNothingLeft();
    },
  );

  test('--json says it as well', async () => {
    const running = slowPut('--json');
    await until('the upload has begun', begun);
    running.child.kill('SIGINT');
    const { code, stdout } = await running.result;
    expect(code).toBe(130);
    expect(JSON.parse(stdout.toString())).toMatchObject({ error: { code: 'interrupted' } });
    await expectNothingLeft();
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s while get waits for its source', async (signal) => {
    const message = await vault.stored('object');
    const running = vault.box.start(['get', '-', 'target', ...PRIVATE]);
    running.child.stdin!.write(message.subarray(0, 6 * MIB));
    await until('there is a file aside', () =>
      vault.box.files().some((name) => name.endsWith('.sealdrop-part')),
    );
    running.child.kill(signal);
    expect(await running.result).toMatchObject(INTERRUPTED);
    await expectNothingLeft();
  });

  test('SIGINT while cat waits for its reader', async () => {
    const running = vault.box.start(['cat', `${vault.address}/object`, ...PRIVATE]);
    await once(running.child.stdout!, 'data');
    running.child.stdout!.pause();
    // Until the pipe is full, and it waits.
    await sleep(700);
    running.child.kill('SIGINT');
    running.child.stdout!.resume();
    expect(await running.result).toMatchObject({ code: 130, stderr: 'error: interrupted\n' });
    await expectNothingLeft();
  });
});

describe('at a store that is slow', () => {
  let vault: TestVault;
  let before: string[];
  beforeAll(async () => {
    vault = await newVault('s3', server);
    vault.box.write('large', randomBytes(16 * MIB));
    vault.box.write('target', 'untouched');
    await vault.box.run(['put', 'large', `${vault.address}/there`, ...PUBLIC]);
    before = vault.box.files();
  });
  const env = () => ({ SEALDROP_ENDPOINT_URL: proxy.endpoint });
  const asked = (text: string) => () => proxy.requests.some((line) => line.includes(text));

  const expectNothingLeft = async () => {
    expect(await vault.unfinished('new')).toEqual([]);
    expect(await vault.keys()).toEqual(['there']);
    expect(vault.box.files()).toEqual(before);
  };

  test.each([
    ['parts are on their way', 'partNumber=2', { url: 'partNumber=', before: never, times: 100 }],
    ['the upload begins', '?uploads', { url: /\?uploads/, method: 'POST', delay: 1_500 }],
    ['the size of the source is being asked at the store', '', { delay: 1_500, times: 100 }],
  ])('SIGINT while %s', async (_when, request, fault) => {
    proxy.add(fault);
    const running = vault.box.start(
      ['put', 'large', `${vault.address}/new`, '--part-size', '5MiB', ...PUBLIC],
      {
        env: env(),
      },
    );
    await until('it was asked', asked(request === '' ? '/' : request));
    running.child.kill('SIGINT');
    const result = await running.result;
    expect(result).toMatchObject(INTERRUPTED);
    // What was on its way when it ended has arrived by now.
    await sleep(1_700);
    await expectNothingLeft();
  });

  test('SIGINT while the store has begun the upload and its answer is on its way', async () => {
    const late = await lateAnswers(server.endpoint, 700);
    const put = ['put', 'large', `${vault.address}/new`, '--part-size', '5MiB', ...PUBLIC];
    const running = vault.box.start(put, { env: { SEALDROP_ENDPOINT_URL: `http://${late.host}` } });
    await until('the upload has begun', async () => (await vault.unfinished('new')).length > 0);
    running.child.kill('SIGINT');
    expect(await running.result).toMatchObject(INTERRUPTED);
    await late.close();
    await expectNothingLeft();
  });

  test('SIGINT while the completing request is on its way: nothing of an upload stays, whichever was first', async () => {
    proxy.add({ method: 'POST', url: 'uploadId=', delay: 1_000 });
    const running = vault.box.start(
      ['put', 'large', `${vault.address}/new`, '--part-size', '5MiB', ...PUBLIC],
      {
        env: env(),
      },
    );
    await until('it was asked', () => proxy.requests.some((line) => /^POST .*uploadId=/.test(line)));
    running.child.kill('SIGINT');
    expect((await running.result).code).toBe(130);
    await sleep(1_500);
    expect(await vault.unfinished('new')).toEqual([]);
    await vault.box.run(['rm', `${vault.address}/new`]);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s in the middle of a get', async (signal) => {
    proxy.add({ method: 'GET', url: '/there', stallResponse: 6 * MIB, times: 10 });
    const running = vault.box.start(['get', `${vault.address}/there`, 'target', ...PRIVATE], { env: env() });
    await until('there is a file aside', () =>
      vault.box.files().some((name) => name.endsWith('.sealdrop-part')),
    );
    await sleep(200);
    running.child.kill(signal);
    const result = await running.result;
    expect(result).toMatchObject(INTERRUPTED);
    expect(result.milliseconds).toBeLessThan(10_000);
    await expectNothingLeft();
    expect(vault.box.read('target').toString()).toBe('untouched');
  });

  test('SIGINT during ls and verify', async () => {
    proxy.add({ before: never, times: 100 });
    for (const args of [
      ['ls', vault.address],
      ['verify', `${vault.address}/there`],
    ]) {
      const seen = proxy.requests.length;
      const running = vault.box.start(args, { env: env() });
      await until('it was asked', () => proxy.requests.length > seen);
      running.child.kill('SIGINT');
      const { code, stderr } = await running.result;
      expect({ code, stderr }).toEqual({ code: 130, stderr: 'error: interrupted\n' });
    }
  });

  test('a second SIGINT ends at once, though the store doesn’t answer the abort', async () => {
    proxy.add({ url: 'partNumber=', before: never, times: 100 });
    proxy.add({ method: 'DELETE', before: never, times: 100 });
    const running = vault.box.start(
      ['put', 'large', `${vault.address}/stuck`, '--part-size', '5MiB', ...PUBLIC],
      {
        env: env(),
      },
    );
    await until('parts are on their way', asked('partNumber='));
    running.child.kill('SIGINT');
    await until('the abort is on its way', () => proxy.requests.some((line) => line.startsWith('DELETE')));
    const second = Date.now();
    running.child.kill('SIGINT');
    const { code, stderr } = await running.result;
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    expect(Date.now() - second).toBeLessThan(2_000);
  });
});
