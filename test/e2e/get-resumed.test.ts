/** A get that is broken off, and the next one that goes on: what is kept, what is fetched again, and what is never believed. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { existsSync, linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { pattern } from '../helpers/bytes.js';
import { until, type Box, type Result } from '../helpers/cli.js';
import { newVault, type TestVault } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const CONTENT = pattern(12 * MIB + 5);
const STATE = '.opened.sealdrop-resume';
const PARTIAL = '.opened.sealdrop-partial';

let server: S3Server;
let proxy: FaultProxy;
let vault: TestVault;
let box: Box;
let get: string[];
let stored: Buffer;
let before: string[];

beforeAll(async () => {
  server = await startMinio();
  proxy = await startFaultProxy(server.endpoint);
  vault = await newVault('s3', server);
  box = vault.box;
  box.write('large', CONTENT);
  box.write('config.json', JSON.stringify({ defaults: { resumeFrom: MIB, maxAttempts: 1 } }));
  const put = (key: string, ...more: string[]) =>
    box.run(['put', 'large', `${vault.address}/${key}`, '--public-key', 'public_key.pem', '-q', ...more]);
  for (const [key, more] of [
    ['object', []],
    ['other', []],
    ['signed', ['--sign']],
    ['s3ec', ['--format', 's3ec']],
  ] as const)
    expect(await put(key, ...more)).toMatchObject({ code: 0 });
  box.env.AWS_ENDPOINT_URL_S3 = proxy.endpoint;
  get = [
    'get',
    `${vault.address}/object`,
    'opened',
    '--private-key',
    'private_key.pem',
    '--config',
    'config.json',
  ];
  stored = await vault.stored('object');
  before = box.files();
}, SETUP_TIME);
afterAll(async () => {
  await proxy.close();
  await server.stop();
});
beforeEach(async () => {
  proxy.reset();
  for (const name of ['opened', STATE, PARTIAL]) rmSync(box.path(name), { force: true });
  await vault.plant('object', stored);
});

const kept = () => [STATE, PARTIAL].filter((name) => box.has(name));
const expectNothingLeft = () => expect(box.files()).toEqual(before);

/** Stops within the eighth frame, whatever comes by other requests, and is interrupted there. */
async function interrupted(args = get): Promise<Result> {
  proxy.add({ method: 'GET', url: /\/(object|signed|s3ec)\b/, stallResponse: 7.5 * MIB });
  const running = box.start(args, { input: '' });
  const written = () =>
    box.files().some((name) => /sealdrop-part(ial)?$/.test(name) && statSync(box.path(name)).size > 6 * MIB);
  await until('most of it is there', written);
  running.child.kill('SIGINT');
  const result = await running.result;
  proxy.reset();
  return result;
}

async function fetched(run: () => Promise<Result>): Promise<{ result: Result; bytes: number }> {
  const at = proxy.transferred();
  const result = await run();
  return { result, bytes: proxy.transferred() - at };
}

test('interrupted, it keeps the frames that came; the same command fetches the rest alone', async () => {
  const { code, stderr } = await interrupted();
  expect(code).toBe(130);
  expect(stderr).toMatch(
    /^[78]\.0 MiB stay in .*: the same command goes on from there; this clears them: rm .*\nerror: interrupted\n$/,
  );
  expect(kept()).toEqual([STATE, PARTIAL]);
  expect(box.files()).toEqual([...before, STATE, PARTIAL].sort());
  for (const name of kept()) expect(statSync(box.path(name)).mode & 0o777).toBe(0o600);
  const { result, bytes } = await fetched(() => box.run(get));
  expect(result).toMatchObject({ code: 0 });
  expect(result.stderr).toMatch(/^going on with an earlier get: [78]\.0 MiB of 12\.0 MiB are there\n/);
  expect(bytes).toBeLessThan(6 * MIB);
  expect(box.read('opened').equals(CONTENT)).toBe(true);
  rmSync(box.path('opened'));
  expectNothingLeft();
});

test('interrupted twice, it goes on twice', async () => {
  await interrupted();
  proxy.add({ method: 'GET', url: 'object', skip: 1, stallResponse: 3 * MIB });
  const running = box.start(get, { input: '' });
  await until('more is there', () => statSync(box.path(PARTIAL)).size > 8.9 * MIB);
  running.child.kill('SIGINT');
  expect((await running.result).stderr).toMatch(/\n(9|10)\.0 MiB stay/);
  proxy.reset();
  const { result, bytes } = await fetched(() => box.run(get));
  expect(result).toMatchObject({ code: 0 });
  expect(bytes).toBeLessThan(5 * MIB);
  expect(box.read('opened').equals(CONTENT)).toBe(true);
});

test('the store goes away for good: what came is kept', async () => {
  proxy.add({ method: 'GET', url: 'object', cutResponse: 5 * MIB });
  proxy.add({ method: 'GET', url: 'object', times: 99, answer: { status: 503 } });
  const { code, stderr } = await box.run(get);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^[34]\.0 MiB stay in /);
  proxy.reset();
  expect(await box.run([...get, '-q'])).toMatchObject({ code: 0, stderr: '' });
  expect(box.read('opened').equals(CONTENT)).toBe(true);
});

test.each<[string, () => string[]]>([
  ['--no-resume', () => [...get, '--no-resume']],
  ['of what is smaller than resumeFrom', () => get.slice(0, -2)],
  ['signed', () => get.map((arg) => arg.replace('/object', '/signed'))],
  ['of s3ec', () => get.map((arg) => arg.replace('/object', '/s3ec'))],
])('%s: an interruption leaves nothing', async (_what, args) => {
  expect(await interrupted(args())).toMatchObject({ code: 130, stderr: 'error: interrupted\n' });
  expectNothingLeft();
});

test('--no-resume clears what an earlier one has left', async () => {
  await interrupted();
  expect(await box.run([...get, '--no-resume', '-q'])).toMatchObject({ code: 0, stderr: '' });
  expect(box.read('opened').equals(CONTENT)).toBe(true);
  expect(kept()).toEqual([]);
});

test('the object is another one by now: it begins anew, and says so', async () => {
  await interrupted();
  expect(
    await box.run(['put', 'large', `${vault.address}/object`, '--public-key', 'public_key.pem', '-q']),
  ).toMatchObject({ code: 0 });
  const { code, stderr } = await box.run(get);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^an earlier get is not gone on with: the object is another one by now\n/);
  expect(box.read('opened').equals(CONTENT)).toBe(true);
});

const CHANGED =
  /^an earlier get is not gone on with: what was kept of it is not there any more, or was changed\n/;
const state = () =>
  readFileSync(box.path(STATE), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
const writeState = (lines: object[]) =>
  writeFileSync(box.path(STATE), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));

test.each<[string, () => void, RegExp]>([
  [
    'one byte of what was kept',
    () => {
      const bytes = box.read(PARTIAL);
      bytes[3 * MIB]! ^= 1;
      writeFileSync(box.path(PARTIAL), bytes);
    },
    CHANGED,
  ],
  ['its length', () => writeFileSync(box.path(PARTIAL), box.read(PARTIAL).subarray(0, 4 * MIB)), CHANGED],
  [
    'another file in its place',
    () => {
      // Made while the first is there: a file that is gone may leave its inode to the next.
      writeFileSync(box.path('other'), box.read(PARTIAL), { mode: 0o600 });
      renameSync(box.path('other'), box.path(PARTIAL));
    },
    CHANGED,
  ],
  ['a second name for it', () => linkSync(box.path(PARTIAL), box.path('second')), CHANGED],
  ['no file', () => rmSync(box.path(PARTIAL)), CHANGED],
  [
    'two frames swapped, with their marks',
    () => {
      const bytes = box.read(PARTIAL);
      const swapped = Buffer.concat([
        bytes.subarray(MIB, 2 * MIB),
        bytes.subarray(0, MIB),
        bytes.subarray(2 * MIB),
      ]);
      writeFileSync(box.path(PARTIAL), swapped);
      const [first, ...rest] = state();
      const marks = Buffer.concat(rest.map((line) => Buffer.from(line.marks, 'base64')));
      const of = (n: number) => marks.subarray(28 * n, 28 * n + 28);
      writeState([
        first,
        {
          frames: marks.length / 28,
          marks: Buffer.concat([of(1), of(0), marks.subarray(56)]).toString('base64'),
        },
      ]);
    },
    CHANGED,
  ],
  [
    'a mark',
    () => {
      const [first, line, ...rest] = state();
      const marks = Buffer.from(line.marks, 'base64');
      marks[20]! ^= 1;
      writeState([first, { ...line, marks: marks.toString('base64') }, ...rest]);
    },
    CHANGED,
  ],
  [
    'the header',
    () => {
      const [first, ...rest] = state();
      const header = Buffer.from(first.header, 'base64');
      header[10]! ^= 1;
      writeState([{ ...first, header: header.toString('base64') }, ...rest]);
    },
    /the object is another one by now\n/,
  ],
  [
    'the key',
    () => {
      const [first, ...rest] = state();
      writeState([{ ...first, key: 'other' }, ...rest]);
    },
    /it was of another object\n/,
  ],
])('somebody changed %s: it begins anew, and says so', async (_what, change, said) => {
  await interrupted();
  change();
  const { code, stderr } = await box.run(get);
  rmSync(box.path('second'), { force: true });
  expect(code).toBe(0);
  expect(stderr).toMatch(said);
  expect(box.read('opened').equals(CONTENT)).toBe(true);
  rmSync(box.path('opened'));
  expectNothingLeft();
});

test('a frame of the rest was changed: nothing is left, of either run', async () => {
  await interrupted();
  proxy.add({ method: 'GET', url: 'object', skip: 1, corruptResponse: MIB });
  expect(await box.run(get)).toMatchObject({ code: 5 });
  expectNothingLeft();
});

test('what is kept of one object is not gone on with for another', async () => {
  await interrupted();
  const other = get.map((arg) => arg.replace('/object', '/other'));
  const { code, stderr } = await box.run(other);
  expect({ code, stderr: stderr.split('\n')[0] }).toEqual({
    code: 0,
    stderr: 'an earlier get is not gone on with: it was of another object',
  });
  expect(box.read('opened').equals(CONTENT)).toBe(true);
});

test('a second run at the same time is refused', async () => {
  proxy.add({ method: 'GET', url: 'object', stallResponse: 3 * MIB });
  const running = box.start(get, { input: '' });
  await until('it has begun', () => existsSync(box.path(PARTIAL)));
  const second = await box.run(get);
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/^error: opened is being written by another run\n/);
  running.child.kill('SIGINT');
  await running.result;
});

test('after kill -9, it goes on from what was durable', async () => {
  const large = pattern(200 * MIB);
  box.write('huge', large);
  const huge = `${vault.address}/huge`;
  expect(await box.run(['put', 'huge', huge, '--public-key', 'public_key.pem', '-q'])).toMatchObject({
    code: 0,
  });
  proxy.add({ method: 'GET', url: 'huge', stallResponse: 150 * MIB });
  const args = ['get', huge, 'opened', '--private-key', 'private_key.pem'];
  const running = box.start(args, { input: '' });
  await until('two thirds are durable', () => box.has(STATE) && state().at(-1).frames >= 128);
  running.child.kill('SIGKILL');
  expect((await running.result).signal).toBe('SIGKILL');
  expect(box.has('opened')).toBe(false);
  proxy.reset();
  const { result, bytes } = await fetched(() => box.run(args));
  expect(result).toMatchObject({ code: 0 });
  expect(result.stderr).toMatch(/^going on with an earlier get: 1(28|29)\.0 MiB of 200\.0 MiB are there\n/);
  expect(bytes).toBeLessThan(75 * MIB);
  expect(box.read('opened').equals(large)).toBe(true);
  expect(kept()).toEqual([]);
  rmSync(box.path('huge'));
});
