// A 5 GiB object goes to MinIO and comes back: byte for byte, each way below 300 MB resident.
// Usage: npm run proof -- memory [GiB [format]]
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { helpers } from '../helpers/outside-jest.mjs';
import { makeFile, peakOf } from '../helpers/proof-parts.mjs';

const LIMIT_MB = 300;
const MIB = 1024 * 1024;
const gib = Number(process.argv[2] ?? 5);
const format = process.argv[3] ?? 'esdk';
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-memory-'));
const command = join(process.cwd(), 'dist/bin/sealdrop.js');
const { startMinio } = await helpers();
const minio = await startMinio();
let failed = false;

try {
  await minio.createBucket('memory');
  const source = join(folder, 'source');
  const digest = await makeFile(source, gib * 1024);
  await run('keygen', [folder]);
  const put = await run('put', [
    source,
    's3://memory/object',
    '--public-key',
    join(folder, 'public_key.pem'),
    '--format',
    format,
  ]);
  rmSync(source);
  const target = join(folder, 'target');
  const get = await run('get', [
    's3://memory/object',
    target,
    '--private-key',
    join(folder, 'private_key.pem'),
  ]);
  const hash = createHash('sha256');
  await pipeline(createReadStream(target, { highWaterMark: MIB }), hash);
  check('the same bytes came back', hash.digest('hex') === digest);
  check(`put peaks below ${LIMIT_MB} MB`, put.peak < LIMIT_MB);
  check(`get peaks below ${LIMIT_MB} MB`, get.peak < LIMIT_MB);
} finally {
  await minio.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

function check(what, holds) {
  console.log(`${holds ? 'holds ' : 'FAILED'}  ${what}`);
  failed ||= !holds;
}

/** Runs the command; its peak of resident memory in MB (10^6 bytes), as the kernel keeps it. */
async function run(...[name, args]) {
  const { accessKeyId, secretAccessKey } = minio.credentials;
  const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const options = ['--endpoint-url', minio.endpoint, '--quiet'];
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [command, name, ...args, ...(name === 'keygen' ? ['--quiet'] : options)],
    {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), 50);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
  const seconds = (performance.now() - started) / 1000;
  if (name !== 'keygen')
    console.log(
      `${name}: ${format}, ${gib} GiB in ${seconds.toFixed(1)} s (${((gib * 1024) / seconds).toFixed(0)} MiB/s), peak ${peak.toFixed(0)} MB`,
    );
  return { peak };
}
