/** What other writers of an inbox, a lying store and a kill at the wrong moment can make of a gateway that deletes. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FolderGateway } from '../../src/gateway/folder.js';
import { PRIVATE_FOLDER, takeAway } from '../../src/gateway/leaving.js';
import { stateOf } from '../../src/gateway/inbox-file.js';
import { generateKeyPair, openEncryptor } from '../../src/index.js';
import { Secret } from '../../src/secret.js';
import { MemoryStore } from '../../src/store/memory.js';
import { runToEnd } from '../helpers/serve.js';

let folder: string;
const keys = mkdtempSync(join(tmpdir(), 'sealdrop-attack-keys-'));
const others = join(keys, 'others');

beforeAll(async () => {
  mkdirSync(others);
  for (const place of [keys, others]) expect((await runToEnd(['keygen', place], { cwd: keys })).code).toBe(0);
});
afterAll(() => rmSync(keys, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealdrop-attack-'));
  mkdirSync(join(folder, 'inbox'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const inbox = (...names: string[]) => join(folder, 'inbox', ...names);
const serve = (more: string[] = [], publicKey = keys, vault = 'vault') =>
  runToEnd(
    [
      ...['serve', '--once', '--inbox', 'inbox', '--vault', vault, '--settle', '1'],
      ...['--public-key', join(publicKey, 'public_key.pem')],
      ...['--idempotency-key', join(folder, 'idempotency.key'), ...more],
    ],
    { cwd: folder, env: { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' } },
  );

async function open(key: string, privateKey = keys): Promise<string> {
  const from = `file://${folder}/vault/${key}`;
  const args = ['get', from, 'opened', '--private-key', join(privateKey, 'private_key.pem')];
  expect(await runToEnd(args, { cwd: folder })).toMatchObject({ code: 0 });
  return readFileSync(join(folder, 'opened'), 'utf8');
}

describe('no file is deleted as a duplicate that', () => {
  test('has the size and time of another one, as all files of some archives have', async () => {
    for (const content of ['one', 'TWO']) {
      writeFileSync(inbox('a'), content);
      utimesSync(inbox('a'), 1e9, 1e9);
      expect(await serve(['--after', 'delete'])).toMatchObject({ code: 0 });
    }
    expect(await open('a')).toBe('TWO');
  });

  test('was encrypted to other keys only', async () => {
    writeFileSync(inbox('a'), 'one');
    await serve();
    expect(await serve(['--after', 'delete'], others)).toMatchObject({ code: 0 });
    expect(await open('a', others)).toBe('one');
  });
});

describe('a store that says 200 and keeps nothing', () => {
  let server: Server;
  afterEach(() => void server.close());
  test('does not get a file deleted', async () => {
    server = createServer((request, response) => {
      request.resume().on('end', () => {
        const ofBucket = /^\/b\/?(\?|$)/.test(request.url!);
        if (request.method === 'PUT') response.writeHead(200, { etag: '"opaque"' });
        else response.writeHead(ofBucket && request.method === 'HEAD' ? 200 : 404);
        response.end();
      });
    });
    await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
    const { port } = server.address() as { port: number };
    writeFileSync(inbox('a'), 'precious');
    const more = ['--after', 'delete', '--endpoint-url', `http://127.0.0.1:${port}`];
    expect((await serve(more, keys, 's3://b')).code).not.toBe(0);
    expect(readFileSync(inbox('a'), 'utf8')).toBe('precious');
  });
});

describe('moving aside', () => {
  test('that cannot be done leaves the file in the inbox, under its name', async () => {
    writeFileSync(join(folder, 'blocked'), 'a file');
    writeFileSync(inbox('a'), 'one');
    expect((await serve(['--after', 'move', '--move-to', 'blocked/x'])).code).not.toBe(0);
    expect(readdirSync(inbox())).toEqual(['a']);
    expect(await serve(['--after', 'move'])).toMatchObject({ code: 0 });
    expect(readdirSync(join(folder, 'inbox-done'))).toEqual(['a']);
  });

  test.each(['vault/done', 'inbox/done', 'link/done', 'inbox', '.'])('to %s is refused', async (to) => {
    symlinkSync('vault', join(folder, 'link'));
    writeFileSync(inbox('a'), 'one');
    expect(await serve(['--after', 'move', '--move-to', to])).toMatchObject({ code: 2 });
    expect(readdirSync(inbox())).toEqual(['a']);
  });

  test('is refused where INBOX-done is the vault', async () => {
    writeFileSync(inbox('a'), 'one');
    expect(await serve(['--after', 'move'], keys, 'inbox-done')).toMatchObject({ code: 2 });
  });
});

describe('what leaves the inbox', () => {
  test('and was left half-way by a killed run is put back, stored and taken away', async () => {
    // No process has this number: Linux gives none above 4194304.
    const slot = inbox(PRIVATE_FOLDER, '99999999-0011223344556677', 'sub');
    mkdirSync(slot, { recursive: true, mode: 0o700 });
    writeFileSync(join(slot, 'a'), 'the only copy');
    const { code, output } = await serve(['--after', 'delete']);
    expect(output).toContain(`put back ${join('sub', 'a')}`);
    expect(code).toBe(0);
    expect(await open('sub/a')).toBe('the only copy');
    expect(existsSync(inbox(PRIVATE_FOLDER))).toBe(false);
  });

  test('goes through no folder that somebody else has put there', async () => {
    mkdirSync(join(folder, 'loot'));
    symlinkSync('../loot', inbox(PRIVATE_FOLDER));
    writeFileSync(inbox('a'), 'one');
    const state = (await stateOf(inbox('a')))!;
    await expect(takeAway(inbox(), 'a', state)).rejects.toMatchObject({ code: 'target_unwritable' });
    expect(readdirSync(join(folder, 'loot'))).toEqual([]);
    expect(existsSync(inbox('a'))).toBe(true);
  });

  test('is never reached through a link', async () => {
    mkdirSync(join(folder, 'outside'));
    writeFileSync(join(folder, 'outside/a'), 'one');
    symlinkSync('../outside', inbox('sub'));
    const state = (await stateOf(join(folder, 'outside/a')))!;
    expect(await takeAway(inbox(), join('sub', 'a'), state)).toBe(false);
    expect(readFileSync(join(folder, 'outside/a'), 'utf8')).toBe('one');
  });

  test('stays when it was written to since, even where size and time are as before', async () => {
    writeFileSync(inbox('a'), 'one');
    utimesSync(inbox('a'), 1e9, 1e9);
    const state = (await stateOf(inbox('a')))!;
    await sleep(20);
    writeFileSync(inbox('a'), 'TWO');
    utimesSync(inbox('a'), 1e9, 1e9);
    expect(await takeAway(inbox(), 'a', state)).toBe(false);
    expect(readFileSync(inbox('a'), 'utf8')).toBe('TWO');
  });

  test('is all that was stored, however many leave at the same time', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `f${i}`);
    for (const name of names) writeFileSync(inbox(name), name);
    const states = await Promise.all(names.map(async (name) => (await stateOf(inbox(name)))!));
    const gone = await Promise.all(names.map((name, i) => takeAway(inbox(), name, states[i]!)));
    expect(gone.filter((done) => !done)).toEqual([]);
    expect(readdirSync(inbox())).toEqual([]);
  });

  test('is stored once, also where it cannot be moved for a while', async () => {
    const store = new MemoryStore();
    const to = join(folder, 'done');
    writeFileSync(to, 'in the way');
    writeFileSync(inbox('a'), 'one');
    const events: string[] = [];
    const { publicKey } = await generateKeyPair();
    const gateway = await FolderGateway.open({
      ...{ inbox: inbox(), store, prefix: '', idempotencyKey: new Secret(randomBytes(32)), settleMs: 20 },
      encryptor: await openEncryptor({ publicKeys: [Buffer.from(publicKey)] }),
      ...{ after: { action: 'move', to }, rescanMs: 50, retryMs: 100 },
      report: ({ outcome }) => {
        events.push(outcome);
        if (events.length === 3) rmSync(to);
      },
    });
    const stop = new AbortController();
    const ended = gateway.run(stop.signal);
    for (let i = 0; i < 100 && !existsSync(join(to, 'a')); i++) await sleep(50);
    stop.abort();
    await ended;
    expect(lstatSync(join(to, 'a')).isFile()).toBe(true);
    expect(events).toEqual(['stored', 'failed', 'failed']);
  });
});

describe('names', () => {
  test('with terminal controls are never written as they are', async () => {
    writeFileSync(inbox('\u001b]0;owned\u0007x\u202e'), 'x');
    const { output } = await serve();
    expect(output).toContain('stored');
    expect(output).not.toMatch(/[\u001b\u0007\u202e]/);
  });

  test('that look like options are none in the line that is to be typed', async () => {
    writeFileSync(inbox('--endpoint-url=http:elsewhere.example'), 'x');
    expect((await serve()).output).toContain(' ./--endpoint-url=http:elsewhere.example ');
  });

  test('in hidden folders are left alone', async () => {
    mkdirSync(inbox('.rsync-partial'));
    writeFileSync(inbox('.rsync-partial', 'half'), 'x');
    expect((await serve()).output).toContain('skipped .rsync-partial');
  });
});

test('an inbox in a vault is refused, also where objects go below a prefix of it', async () => {
  const root = join(folder, 'v');
  mkdirSync(join(root, 'in'), { recursive: true });
  writeFileSync(join(root, '.sealdrop-vault'), '{"version":1,"binding":"required"}');
  const { code, output } = await serve(['--inbox', 'v/in'], keys, 'v/prefix');
  expect(output).toMatch(/error: .*overlap/);
  expect(code).toBe(2);
});
