/** A large put, killed where a proxy has counted 60 % of it: the same command goes on, and everybody opens what is stored. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { guideKey, PYTHON_SETUP_TIME, PythonBatch } from '../helpers/python.js';
import { runToEnd, start } from '../helpers/serve.js';
import { isWanted, SETUP_TIME, STARTERS, type S3Server } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const SIZE = 96 * MIB;
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-resume-put-'));
const source = join(folder, 'source');
const bytes = Buffer.concat(Array.from({ length: SIZE / MIB }, () => randomBytes(MIB)));
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const state = join(folder, 'state/sealdrop/uploads');

beforeAll(() => {
  writeFileSync(source, bytes);
  writeFileSync(join(folder, 'public_key.pem'), pair.publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(join(folder, 'private_key.pem'), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const wanted = (['minio', 'versitygw'] as const).filter(isWanted);

describe.each(wanted)('at %s', (name) => {
  let server: S3Server;
  let proxy: FaultProxy;
  let env: Record<string, string>;
  beforeAll(async () => {
    server = await STARTERS[name]();
    proxy = await startFaultProxy(server.endpoint);
    await server.createBucket('resume');
    env = {
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
      SEALDROP_ENDPOINT_URL: proxy.endpoint,
      XDG_STATE_HOME: join(folder, 'state'),
    };
  }, SETUP_TIME);
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });
  afterEach(() => {
    proxy.reset();
    expect(readdirSync(state)).toEqual([]);
  });

  const put = (...more: string[]) => [
    ...['put', 'source', 's3://resume/object', '--public-key', 'public_key.pem'],
    ...['--part-size', '5MiB', '--parallel', '4', ...more],
  ];
  const run = async (...args: string[]) => runToEnd(args, { cwd: folder, env });
  const brokenOff = async (signal: NodeJS.Signals, share = 0.6) => {
    const before = proxy.transferred();
    const running = start(put(), { cwd: folder, env });
    while (proxy.transferred() - before < share * SIZE) {
      if (running.child.exitCode !== null) throw new Error(`it ended too early: ${running.output()}`);
      await sleep(2);
    }
    await running.kill(signal);
    return running.output();
  };
  const uploads = async () =>
    (await server.client.send(new ListMultipartUploadsCommand({ Bucket: 'resume', Prefix: 'object' })))
      .Uploads ?? [];
  const stored = async () => {
    const { Body } = await server.client.send(new GetObjectCommand({ Bucket: 'resume', Key: 'object' }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const expectOpens = async () => {
    const target = join(folder, 'opened');
    const got = await run('get', 's3://resume/object', target, '--private-key', 'private_key.pem');
    expect(got).toMatchObject({ code: 0 });
    expect(readFileSync(target).equals(bytes)).toBe(true);
    rmSync(target);
  };

  test(
    'SIGKILL: the second run sends under half, and the AWS Encryption SDK for Python opens it',
    async () => {
      // Four parts of 5 MiB may be on their way, and be lost: of 96 MiB a fifth (of 2 GiB, in the proof, a hundredth).
      await brokenOff('SIGKILL', 0.8);
      expect(await uploads()).toHaveLength(1);
      const names = readdirSync(state);
      expect(names.some((each) => each.endsWith('.jsonl'))).toBe(true);
      for (const each of names) expect(statSync(join(state, each)).mode & 0o777).toBe(0o600);
      expect(statSync(state).mode & 0o777).toBe(0o700);

      const before = proxy.transferred();
      const { code, output } = await run(...put('--json'));
      expect(code).toBe(0);
      expect(proxy.transferred() - before).toBeLessThan(SIZE / 2);
      const document = JSON.parse(output.split('\n').find((line) => line.startsWith('{'))!);
      expect(document).toMatchObject({ plaintextSize: SIZE, unfinishedUploads: [] });
      expect(document.resumed.there + document.resumed.sent).toBe(document.size);
      expect(document.resumed.sent).toBeLessThan(SIZE / 2);
      expect(await uploads()).toEqual([]);

      await expectOpens();
      const python = new PythonBatch(4);
      const ticket = python.add(
        { op: 'decrypt', policy: 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT', keys: [guideKey(pair)] },
        await stored(),
      );
      await python.run();
      const digest = (of: Buffer) => createHash('sha256').update(of).digest('hex');
      expect(digest(python.output(ticket))).toBe(digest(bytes));
    },
    PYTHON_SETUP_TIME,
  );

  test('SIGINT: says what stays, how to go on, and how to clear it, which clears all', async () => {
    const output = await brokenOff('SIGINT', 0.3);
    expect(output).toMatch(
      /^[\d.]+ MiB of 96\.0 MiB stay at the store: the same command goes on from there, and sealdrop uploads abort s3:\/\/resume\/object --key --older-than 0 clears it\nerror: interrupted\n$/,
    );
    expect(readdirSync(state)).toHaveLength(1);
    const address = ['s3://resume/object', '--key', '--older-than', '0'];
    expect(await run('uploads', 'abort', ...address, '--yes')).toMatchObject({ code: 0 });
    expect(await uploads()).toEqual([]);
  });

  test('--no-resume leaves nothing, and gives up what an earlier run left', async () => {
    await brokenOff('SIGINT', 0.3);
    const [left] = await uploads();
    const running = start(put('--no-resume'), { cwd: folder, env });
    const before = proxy.transferred();
    while (proxy.transferred() - before < 0.2 * SIZE) await sleep(2);
    expect((await uploads()).map(({ UploadId }) => UploadId)).not.toContain(left!.UploadId);
    expect(await running.kill('SIGINT')).toBe(130);
    expect(running.output()).toBe('error: interrupted\n');
    expect(await uploads()).toEqual([]);
  });

  test('a file that was changed meanwhile begins anew', async () => {
    await brokenOff('SIGKILL', 0.3);
    const [left] = await uploads();
    bytes[SIZE - 1]! ^= 1;
    writeFileSync(source, bytes);
    const { code, output } = await run(...put());
    expect(code).toBe(0);
    expect(output).toContain(
      'an earlier put is not gone on with: the file is another one, or was changed since',
    );
    expect(await uploads()).toEqual([]);
    expect(left).toBeDefined();
    await expectOpens();
  });

  test('two at once: the second says that it could not be gone on with, and both end well', async () => {
    let go = () => undefined as void;
    const later = new Promise<void>((resolve) => (go = resolve));
    proxy.add({ method: 'PUT', url: 'partNumber=9&', before: () => later });
    const first = start(put(), { cwd: folder, env });
    while (!proxy.requests.some((each) => each.includes('partNumber=9&'))) await sleep(5);
    const second = await run(...put());
    expect(second.code).toBe(0);
    expect(second.output).toContain(
      'this put could not be gone on with later: another put to this address is running',
    );
    go();
    expect(await first.ended()).toBe(0);
    await expectOpens();
  });

  test('an upload that the store has forgotten begins anew', async () => {
    await brokenOff('SIGKILL', 0.3);
    // Past this machine: its state stays.
    const other = { cwd: folder, env: { ...env, XDG_STATE_HOME: join(folder, 'other') } };
    await runToEnd(['uploads', 'abort', 's3://resume/object', '--key', '--older-than', '0', '--yes'], other);
    const { code, output } = await run(...put());
    expect(code).toBe(0);
    expect(output).toContain('an earlier put is not gone on with: the store has no such upload any more');
    await expectOpens();
  });
});
