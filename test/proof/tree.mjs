// 10,000 files of 4 KiB and every awkward name go to MinIO and come back, each way, and by sync, killed at three random points and run again with --resume.
// Nothing may be missing, doubled or different, and an undisturbed run each way takes less than two minutes of one core
// (the clock's time, which depends on what else the machine does, is printed beside it).
// Usage: npm run proof -- tree [files]
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { helpers } from '../helpers/outside-jest.mjs';

const LIMIT_SECONDS = 120;
const KILLS = 3;
const files = Number(process.argv[2] ?? 10_000);
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-tree-'));
const command = join(process.cwd(), 'dist/bin/sealdrop.js');
const { startMinio } = await helpers();
const { AWKWARD_NAMES, makeAwkwardTree } = await helpers('awkward-tree');
const all = files + AWKWARD_NAMES.length;
const minio = await startMinio();
let failed = false;

try {
  for (const bucket of ['whole', 'killed', 'synced']) await minio.createBucket(bucket);
  await run(['keygen', '.']).ended;
  makeTree();
  console.log(`${files} files of 4 KiB, ${AWKWARD_NAMES.length} of awkward names, ${cpus().length} cores`);

  const put = await timed('put -r', ['put', '-r', 'tree', 's3://whole/']);
  await timed('put -r --resume, all there', ['put', '-r', 'tree', 's3://whole/', '--resume']);
  const get = await timed('get -r', ['get', '-r', 's3://whole/tree', 'whole']);
  check('the same tree came back', digestOf('whole') === digestOf('tree'));
  check(`put -r takes less than ${LIMIT_SECONDS} s of one core`, put < LIMIT_SECONDS);
  check(`get -r takes less than ${LIMIT_SECONDS} s of one core`, get < LIMIT_SECONDS);
  rmSync(join(folder, 'whole'), { recursive: true });

  const resumed = ['--resume'];
  await killed(['put', '-r', 'tree', 's3://killed/'], () => stored('killed'), resumed);
  const listed = await run(['ls', 's3://killed/', '--json']).ended;
  const keys = listed.output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).key);
  check('after three kills each key is there once', keys.length === all && new Set(keys).size === all);
  await killed(['get', '-r', 's3://killed/tree', 'killed'], () => written('killed'), resumed);
  check('after three kills each way the same tree came back', digestOf('killed') === digestOf('tree'));

  await killed(['sync', 'tree', 's3://synced/'], () => stored('synced'));
  check('after three kills of sync each file is there once', (await stored('synced')) === all);
  await killed(['sync', 's3://synced/', 'synced'], () => written('synced'));
  check(
    'after three kills of sync each way the same tree came back',
    digestOf('synced') === digestOf('tree'),
  );
} finally {
  await minio.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

function check(what, holds) {
  console.log(`${holds ? 'holds ' : 'FAILED'}  ${what}`);
  failed ||= !holds;
}

function makeTree() {
  for (let i = 0; i < files; i++) {
    const directory = join(folder, 'tree', `d${i % 100}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file ${i}`), randomBytes(4096));
  }
  makeAwkwardTree(join(folder, 'tree', 'awkward'));
}

/** Of all names and contents below. */
function digestOf(name) {
  const hash = createHash('sha256');
  const root = join(folder, name);
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  for (const path of entries.map((entry) => join(entry.parentPath, entry.name)).sort())
    hash.update(`${relative(root, path)}\0`).update(createHash('sha256').update(readFileSync(path)).digest());
  return hash.digest('hex');
}

function run(args) {
  const { accessKeyId, secretAccessKey } = minio.credentials;
  const child = spawn(process.execPath, [command, ...args], {
    cwd: folder,
    env: {
      ...process.env,
      XDG_STATE_HOME: join(folder, 'state'),
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      SEALDROP_ENDPOINT_URL: minio.endpoint,
      SEALDROP_PUBLIC_KEY: 'public_key.pem',
      SEALDROP_PRIVATE_KEY: 'private_key.pem',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  let cpu = 0;
  const watch = setInterval(() => (cpu = Math.max(cpu, cpuSecondsOf(child.pid))), 100);
  const ended = new Promise((resolve) =>
    child.once('close', (code, signal) => {
      clearInterval(watch);
      resolve({ code, signal, output, cpu });
    }),
  );
  return { child, ended };
}

/** User and system time, as the kernel counts it. */
function cpuSecondsOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0; // it has just ended
  }
}

/** Says how long it took by the clock; resolves to the seconds of one core. */
async function timed(what, args) {
  const began = performance.now();
  const { code, output, cpu } = await run(args).ended;
  if (code !== 0) throw new Error(`${what} ended with ${code}: ${output}`);
  const seconds = (performance.now() - began) / 1000;
  console.log(`${what}: ${seconds.toFixed(1)} s (${cpu.toFixed(0)} s of one core); ${output.trim()}`);
  return cpu;
}

/** Killed when random numbers of files were done, then run to its end. */
async function killed(args, done, again = []) {
  const points = Array.from({ length: KILLS }, () =>
    randomInt(Math.ceil(files / 50), Math.floor(files * 0.9)),
  );
  for (const [i, point] of points.sort((a, b) => a - b).entries()) {
    const { child, ended } = run(i === 0 ? args : [...args, ...again]);
    while (child.exitCode === null && (await done()) < point) await sleep(50);
    child.kill('SIGKILL');
    const { signal } = await ended;
    check(`${args[0]} killed with ${await done()} of ${files} files done`, signal === 'SIGKILL');
  }
  await timed(`${args[0]} run again`, [...args, ...again]);
}

async function stored(bucket) {
  let count = 0;
  for (let token; ;) {
    const command = new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token });
    const page = await minio.client.send(command);
    count += page.KeyCount ?? 0;
    token = page.NextContinuationToken;
    if (token === undefined) return count;
  }
}

function written(name) {
  const root = join(folder, name);
  if (!existsSync(root)) return 0;
  return readdirSync(root, { recursive: true }).filter((name) => /^d\d+\/file/.test(name)).length;
}
