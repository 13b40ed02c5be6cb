// 1 MiB out of a 10 GiB object at MinIO, from any place of it: at most 3 requests and 3 MiB received.
// Usage: npm run proof -- range [GiB]
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helpers } from '../helpers/outside-jest.mjs';

const MIB = 1024 * 1024;
const gib = Number(process.argv[2] ?? 10);
const size = gib * 1024 * MIB;
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-range-'));
const command = join(process.cwd(), 'dist/bin/sealdrop.js');
const { startMinio } = await helpers();
const { startFaultProxy } = await helpers('fault-proxy');
const minio = await startMinio();
const proxy = await startFaultProxy(minio.endpoint);
const { accessKeyId, secretAccessKey } = minio.credentials;
const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
let failed = false;

const PARTS = {
  'the first': 0,
  'over an edge of frames': Math.floor(size / 3),
  'one whole frame': size / 2,
  'the last': size - MIB,
};

try {
  await minio.createBucket('range');
  // With holes: only the parts that are read are more than zeros.
  const source = join(folder, 'source');
  const file = await open(source, 'w');
  await file.truncate(size);
  const wanted = {};
  for (const [what, at] of Object.entries(PARTS))
    await file.write((wanted[what] = randomBytes(MIB)), 0, MIB, at);
  await file.close();
  run(['keygen', folder, '--quiet']);
  const key = (name) => join(folder, `${name}_key.pem`);
  run(['put', source, 's3://range/object', '--public-key', key('public'), '-q'], minio.endpoint);
  rmSync(source);
  for (const [what, at] of Object.entries(PARTS)) {
    const ways = [`${at}-${at + MIB - 1}`, ...(what === 'the last' ? [`${at}-`, `-${MIB}`] : [])];
    for (const range of ways) {
      proxy.reset();
      const before = proxy.transferred();
      const started = performance.now();
      const args = ['cat', 's3://range/object', '--private-key', key('private'), '--range', range];
      // What it sends is counted as well.
      const found = await runAside(args, proxy.endpoint);
      const received = proxy.transferred() - before;
      const seconds = (performance.now() - started) / 1000;
      const requests = proxy.requests.length;
      console.log(
        `${what} (${range}): ${requests} requests, ${(received / MIB).toFixed(2)} MiB, ${seconds.toFixed(2)} s`,
      );
      check('it is that part', found.equals(wanted[what]));
      check('at most 3 requests', requests <= 3);
      check('at most 3 MiB', received <= 3 * MIB);
    }
  }
} finally {
  await proxy.close();
  await minio.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

function check(what, holds) {
  console.log(`${holds ? 'holds ' : 'FAILED'}  ${what}`);
  failed ||= !holds;
}

function run(args, endpoint) {
  const options = endpoint === undefined ? [] : ['--endpoint-url', endpoint];
  execFileSync(process.execPath, [command, ...args, ...options], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** While the proxy, which is in this process, goes on. */
async function runAside(args, endpoint) {
  const child = spawn(process.execPath, [command, ...args, '--endpoint-url', endpoint], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pieces = [];
  for await (const piece of child.stdout) pieces.push(piece);
  const code = child.exitCode ?? (await new Promise((resolve) => child.once('exit', resolve)));
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}`);
  return Buffer.concat(pieces);
}
