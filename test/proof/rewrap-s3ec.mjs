// Rewrap of an s3ec object on MinIO, whose body stays in the store. Less than 1 MiB travels (counted at a proxy); it takes no
// longer than a put, and where the wrapped key lies in an instruction file under a tenth of one: medians of 3, alternating,
// without the proxy.
// Usage: npm run proof -- rewrap-s3ec [MiB]
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { helpers } from '../helpers/outside-jest.mjs';
import { makeFile } from '../helpers/proof-parts.mjs';

const MIB = 1024 * 1024;
const ROUNDS = 3;
const size = Number(process.argv[2] ?? 2048);
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-rewrap-s3ec-'));
const command = join(process.cwd(), 'dist/bin/sealdrop.js');
const { startMinio } = await helpers();
const { startFaultProxy } = await helpers('fault-proxy');
const minio = await startMinio();
const proxy = await startFaultProxy(minio.endpoint);
const key = (which, half) => join(folder, which, `${half}_key.pem`);
const BOTH = ['old', 'new'].flatMap((which) => ['--private-key', key(which, 'private')]);
let failed = false;

try {
  for (const which of ['old', 'new']) await run('keygen', [join(folder, which)]);
  await minio.createBucket('rewrap');
  const source = join(folder, 'source');
  await makeFile(source, size);
  await measure(source, 'metadata', [], 1);
  await measure(source, 'instruction file', ['--instruction-file'], 0.1);
} finally {
  await proxy.close();
  await minio.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

async function measure(source, place, options, most) {
  const address = 's3://rewrap/object';
  const to = (which) => ['--to', key(which, 'public'), ...BOTH];
  const put = async () =>
    run('put', [source, address, '--format', 's3ec', ...options, '--public-key', key('old', 'public')]);
  const times = { put: [], rewrap: [] };
  for (let i = 0; i < ROUNDS; i++) {
    times.put.push(await put());
    times.rewrap.push(await run('rewrap', [address, ...to('new')]));
  }
  const [ofPut, ofRewrap] = [median(times.put), median(times.rewrap)];
  const shown = (all) => all.map((seconds) => seconds.toFixed(2)).join(' ');
  console.log(`${size} MiB, ${place}: put ${shown(times.put)} s, rewrap ${shown(times.rewrap)} s`);
  console.log(`load average ${loadavg()[0].toFixed(1)}`);
  const ratio = ofRewrap / ofPut;
  check(`${place}: rewrap takes at most ${most} of a put: ${ratio.toFixed(3)}`, ratio <= most);
  const before = proxy.transferred();
  await run('rewrap', [address, ...to('old')], proxy.endpoint);
  const moved = proxy.transferred() - before;
  check(`${place}: less than 1 MiB travels: ${moved} bytes`, moved > 0 && moved < MIB);
  const opens = async (which) =>
    run('verify', [address, '--private-key', key(which, 'private')]).then(
      () => true,
      () => false,
    );
  check(`${place}: it opens with the key that it is for now`, await opens('old'));
  check(`${place}: and with no other`, !(await opens('new')));
}

function check(what, holds) {
  console.log(`${holds ? 'holds ' : 'FAILED'}  ${what}`);
  failed ||= !holds;
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

/** Runs the command. @returns seconds */
async function run(name, args, endpoint = minio.endpoint) {
  const { accessKeyId, secretAccessKey } = minio.credentials;
  const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const options = name === 'keygen' ? ['--quiet'] : ['--endpoint-url', endpoint, '--quiet'];
  const began = performance.now();
  const child = spawn(process.execPath, [command, name, ...args, ...options], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (piece) => (said += piece));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${said}`);
  return (performance.now() - began) / 1000;
}
