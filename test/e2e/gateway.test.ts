import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { writePair } from '../helpers/keys.js';
import { runToEnd, start, type Running } from '../helpers/serve.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let folder: string;
let running: Running | undefined;
const keys = mkdtempSync(join(tmpdir(), 'sealdrop-gateway-keys-'));

beforeAll(() => writePair(keys));
afterAll(() => rmSync(keys, { recursive: true }));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealdrop-gateway-'));
  mkdirSync(join(folder, 'inbox'));
});
afterEach(async () => {
  if (running?.child.exitCode === null) await running.kill('SIGKILL');
  running = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const inbox = (...names: string[]) => join(folder, 'inbox', ...names);
const serveArgs = (...more: string[]) => [
  ...['serve', '--inbox', 'inbox', '--vault', 'vault', '--public-key', join(keys, 'public_key.pem')],
  ...['--idempotency-key', join(folder, 'idempotency.key'), '--settle', '1', ...more],
];
const once = (...more: string[]) => runToEnd(serveArgs('--once', ...more), { cwd: folder });
const watch = (...more: string[]) => (running = start(serveArgs(...more), { cwd: folder }));

/** The plaintext of an object in the directory vault. */
async function open(key: string): Promise<Buffer> {
  const target = join(folder, 'opened');
  const args = [
    'get',
    `file://${folder}/vault/${key}`,
    target,
    '--private-key',
    join(keys, 'private_key.pem'),
  ];
  expect(await runToEnd(args, { cwd: folder })).toMatchObject({ code: 0 });
  const bytes = readFileSync(target);
  unlinkSync(target);
  return bytes;
}

const objects = () =>
  readdirSync(join(folder, 'vault'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !join(entry.parentPath, entry.name).includes('.sealdrop-'))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, 'vault').length + 1))
    .sort();

describe('what is in the inbox', () => {
  test('is stored once, whatever it is called, and opens byte for byte', async () => {
    mkdirSync(inbox('sub folder', '深い'), { recursive: true });
    const files: Record<string, Buffer> = {
      empty: Buffer.alloc(0),
      'ひらがな と 空白.txt': Buffer.from('こんにちは'),
      'sub folder/深い/100% +a&b=c?#d.bin': randomBytes(3_000_000),
    };
    for (const [name, bytes] of Object.entries(files)) writeFileSync(inbox(name), bytes);
    const first = await once();
    expect(first).toMatchObject({
      code: 0,
      output: expect.stringContaining('3 stored, 0 there already, 0 failed'),
    });
    expect(objects()).toEqual(Object.keys(files).sort());
    for (const [name, bytes] of Object.entries(files)) expect((await open(name)).equals(bytes)).toBe(true);
    const second = await once();
    expect(second).toMatchObject({
      code: 0,
      output: expect.stringContaining('0 stored, 3 there already, 0 failed'),
    });
  });

  test('is stored again when its size or its time changed', async () => {
    writeFileSync(inbox('a'), 'one');
    await once();
    utimesSync(inbox('a'), new Date(), new Date(Date.now() - 100_000));
    expect((await once()).output).toContain('1 stored');
    appendFileSync(inbox('a'), ' more');
    expect((await once()).output).toContain('1 stored');
    expect((await open('a')).toString()).toBe('one more');
  });

  test('is stored again when the metadata is lost, forged or of another deployment', async () => {
    writeFileSync(inbox('a'), 'one');
    await once();
    const meta = join(folder, 'vault/.sealdrop-meta', readdirSync(join(folder, 'vault/.sealdrop-meta'))[0]!);
    const forged = readFileSync(meta, 'utf8').replace(/("sealdrop-source":"v1\.[^"]+)./, '$1!');
    expect(forged).toContain('!');
    writeFileSync(meta, forged);
    expect((await once()).output).toContain('1 stored');
    unlinkSync(meta);
    expect((await once()).output).toContain('1 stored');
    unlinkSync(join(folder, 'idempotency.key'));
    expect((await once()).output).toContain('1 stored');
    expect((await once()).output).toContain('0 stored, 1 there already');
  });

  test('is left alone where it is a link, hidden or unfinished, and that is said', async () => {
    writeFileSync(join(folder, 'outside'), 'secret of the machine');
    symlinkSync(join(folder, 'outside'), inbox('link'));
    mkdirSync(join(folder, 'elsewhere'));
    writeFileSync(join(folder, 'elsewhere/file'), 'secret of the machine');
    symlinkSync(join(folder, 'elsewhere'), inbox('linked-folder'));
    writeFileSync(inbox('.hidden'), 'x');
    writeFileSync(inbox('download.part'), 'x');
    const { code, output } = await once();
    expect(code).toBe(0);
    for (const name of ['link', 'linked-folder', '.hidden', 'download.part'])
      expect(output).toContain(`skipped ${name}:`);
    expect(objects()).toEqual([]);
  });
});

describe('the gateway refuses', () => {
  test.each([
    ['a public key in the inbox', ['--public-key', 'inbox/public_key.pem']],
    ['an idempotency key in the inbox', ['--idempotency-key', 'inbox/new.key']],
    ['an idempotency key in the vault', ['--idempotency-key', 'vault/new.key']],
  ])('%s', async (_what, more) => {
    writeFileSync(inbox('public_key.pem'), readFileSync(join(keys, 'public_key.pem')));
    const { code, output } = await once(...more);
    expect(output).toMatch(/error: the key .* lies in/);
    expect(code).toBe(2);
    expect(existsSync(inbox('new.key'))).toBe(false);
  });

  test.each(['inbox', 'inbox/vault', '.'])('a vault that overlaps the inbox: %s', async (vault) => {
    mkdirSync(join(folder, 'inbox/vault'), { recursive: true });
    writeFileSync(join(folder, '.sealdrop-vault'), '{"version":1,"binding":"required"}');
    const { code, output } = await once('--vault', vault);
    expect(output).toMatch(/error: .*overlap/);
    expect(code).toBe(2);
  });
});

describe('a file that comes', () => {
  test('is taken only when it has stopped growing', async () => {
    const gateway = watch();
    await gateway.says('watching');
    for (let i = 0; i < 8; i++) {
      appendFileSync(inbox('growing'), `line ${i}\n`);
      await sleep(300);
    }
    expect(gateway.output()).not.toContain('stored growing');
    await gateway.says('stored growing');
    expect((await open('growing')).toString().split('\n')).toHaveLength(9);
    expect(await gateway.kill('SIGINT')).toBe(0);
    expect(gateway.output()).toContain('stopped');
  });

  test('is stored anew each time that it changes', async () => {
    const gateway = watch();
    await gateway.says('watching');
    writeFileSync(inbox('a'), 'one');
    await gateway.says('stored a');
    writeFileSync(inbox('a'), 'second');
    await gateway.says('stored a', 2);
    expect((await open('a')).toString()).toBe('second');
  });

  test('and goes away before it rests leaves nothing', async () => {
    const gateway = watch();
    await gateway.says('watching');
    writeFileSync(inbox('a'), 'one');
    await sleep(300);
    renameSync(inbox('a'), inbox('b'));
    await gateway.says('stored b');
    expect(objects()).toEqual(['b']);
  });
});

describe('after a verified store a file is', () => {
  test('deleted, if so asked', async () => {
    writeFileSync(inbox('a'), 'one');
    expect(await once('--after', 'delete')).toMatchObject({ code: 0 });
    expect(readdirSync(join(folder, 'inbox'))).toEqual([]);
    expect((await open('a')).toString()).toBe('one');
  });

  test('moved aside, if so asked, never over another', async () => {
    mkdirSync(inbox('sub'));
    for (const content of ['one', 'two']) {
      writeFileSync(inbox('sub/a'), content);
      expect(await once('--after', 'move')).toMatchObject({ code: 0 });
      expect(existsSync(inbox('sub/a'))).toBe(false);
    }
    expect(readFileSync(join(folder, 'inbox-done/sub/a'), 'utf8')).toBe('one');
    expect(readFileSync(join(folder, 'inbox-done/sub/a.1'), 'utf8')).toBe('two');
  });

  test('removed also where it was stored by a run that died before it could', async () => {
    writeFileSync(inbox('a'), 'one');
    await once();
    expect((await once('--after', 'delete')).output).toContain('0 stored, 1 there already');
    expect(existsSync(inbox('a'))).toBe(false);
  });
});

describe('with MinIO as the vault', () => {
  let minio: S3Server;
  let env: Record<string, string>;
  const args = (...more: string[]) => [
    ...[
      'serve',
      '--inbox',
      'inbox',
      '--vault',
      's3://gateway/in',
      '--endpoint-url',
      minio.endpoint,
      '--settle',
      '1',
    ],
    ...[
      '--public-key',
      join(keys, 'public_key.pem'),
      '--idempotency-key',
      join(folder, 'idempotency.key'),
      ...more,
    ],
  ];
  const uploads = async () =>
    (await minio.client.send(new ListMultipartUploadsCommand({ Bucket: 'gateway', Prefix: 'in/big' })))
      .Uploads ?? [];

  beforeAll(async () => {
    minio = await startMinio();
    await minio.createBucket('gateway');
    const { accessKeyId, secretAccessKey } = minio.credentials;
    env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  }, SETUP_TIME);
  afterAll(() => minio.stop());

  test('files are stored below the prefix, and not again on the next start', async () => {
    writeFileSync(inbox('日本 語.txt'), 'x');
    const first = await runToEnd(args('--once'), { cwd: folder, env });
    expect(first.output).toContain('stored 日本 語.txt -> s3://gateway/in/日本 語.txt');
    expect((await runToEnd(args('--once'), { cwd: folder, env })).output).toContain(
      '0 stored, 1 there already',
    );
  });

  test('a file that changes while it is read is stored as it is afterwards, and never half', async () => {
    const first = randomBytes(60 * 1024 * 1024);
    writeFileSync(inbox('big'), first);
    const gateway = start(args(), { cwd: folder, env });
    running = gateway;
    await gateway.says('watching');
    // Rewritten again and again while the gateway reads it: whatever it stores must be one of the states.
    for (let i = 0; i < 4; i++) {
      await sleep(1_150);
      writeFileSync(inbox('big'), Buffer.alloc(40 * 1024 * 1024 + i, i));
    }
    await gateway.says('stored big');
    const target = join(folder, 'opened');
    const stateInVault = async () => {
      const got = await runToEnd(
        [
          'get',
          's3://gateway/in/big',
          target,
          '--endpoint-url',
          minio.endpoint,
          '--private-key',
          join(keys, 'private_key.pem'),
        ],
        { cwd: folder, env },
      );
      expect(got).toMatchObject({ code: 0 });
      const opened = readFileSync(target);
      if (opened.equals(first)) return -1;
      const state = opened[0]!;
      expect(opened.equals(Buffer.alloc(40 * 1024 * 1024 + state, state))).toBe(true);
      return state;
    };
    // On a busy machine one in between may have rested long enough to be stored first.
    let state = await stateInVault();
    for (const until = Date.now() + 30_000; state !== 3 && Date.now() < until;) state = await stateInVault();
    expect(state).toBe(3);
    await gateway.kill('SIGTERM');
    expect(await uploads()).toEqual([]);
  });

  test('an interrupted upload is aborted: no part stays, and the next start stores the file', async () => {
    writeFileSync(inbox('big'), Buffer.alloc(400 * 1024 * 1024, 1));
    running = start(args('--once'), { cwd: folder, env });
    for (const until = Date.now() + 20_000; Date.now() < until && (await uploads()).length === 0;)
      await sleep(20);
    expect(await uploads()).toHaveLength(1);
    expect(await running.kill('SIGTERM')).toBe(130);
    expect(await uploads()).toEqual([]);
    expect((await runToEnd(args('--once'), { cwd: folder, env })).output).toContain('1 stored');
  });

  test('a vault that is down for a while costs patience and nothing else', async () => {
    const away = await startMinio();
    await away.createBucket('gateway');
    const port = new URL(away.endpoint).port;
    await away.stop();
    writeFileSync(inbox('a'), 'one');
    const vaultArgs = args().map((arg) => (arg === minio.endpoint ? `http://127.0.0.1:${port}` : arg));
    const gateway = start(vaultArgs, { cwd: folder, env });
    running = gateway;
    await gateway.says(/failed a: tried again in \d+ s/);
    expect(gateway.output()).toContain('ECONNREFUSED');
    expect(existsSync(inbox('a'))).toBe(true);
  });
});
