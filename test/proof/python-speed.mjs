// `sealdrop put` against the upload program of the ABCI Cloud Storage guide (the AWS Encryption SDK for Python): the same
// file, the same MinIO on this machine, start-up included, one after the other. Ours may take half the time at most.
// Usage: npm run proof -- python-speed [MiB] [RUNS]
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const MOST = 0.5;
const MIB = 1024 * 1024;
const BUCKET = 'bucket-test';
const mebibytes = Number(process.argv[2] ?? 256);
const runs = Number(process.argv[3] ?? 5);
const command = join(process.cwd(), 'dist/bin/sealdrop.js');

const { startMinio, pythonWithSdk, filledProgram, GUIDE_KEY_COMMANDS } = await helpers();
const python = await pythonWithSdk(4);
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-python-speed-'));
const minio = await startMinio();
try {
  await minio.createBucket(BUCKET);
  prepare();
  const programs = {
    sealdrop: [
      process.execPath,
      command,
      'put',
      'example.txt',
      address('sealdrop'),
      ...withKey('public'),
      '--quiet',
    ],
    python: [python, 'Upload_By_CSE.py'],
  };
  const taken = { sealdrop: [], python: [] };
  console.log(`${mebibytes} MiB to MinIO, start-up included; ${runs} runs each after a warm-up, alternating`);
  for (let i = 0; i <= runs; i++) {
    for (const [name, argv] of Object.entries(programs)) {
      const run = await measure(argv);
      if (i > 0) taken[name].push(run);
      console.log(`${i === 0 ? 'warm-up' : `run ${i}`}  ${name.padEnd(8)}  ${text(run)}`);
    }
  }
  for (const key of Object.keys(programs))
    await measure([process.execPath, command, 'verify', address(key), ...withKey('private'), '--quiet']);
  console.log('both objects open and are whole');
  judge(taken);
} finally {
  await minio.stop();
  rmSync(folder, { recursive: true, force: true });
}

function judge(taken) {
  const [ours, theirs] = [taken.sealdrop, taken.python].map((all) => ({
    seconds: median(all.map((run) => run.seconds)),
    cpu: all[0].cpu === undefined ? undefined : median(all.map((run) => run.cpu)),
    peak: median(all.map((run) => run.peak)),
  }));
  const ratio = ours.seconds / theirs.seconds;
  console.log(`median   sealdrop  ${text(ours)}`);
  console.log(`median   python    ${text(theirs)}`);
  console.log(
    `sealdrop takes ${ratio.toFixed(2)} of Python's time, and ${(ours.peak / theirs.peak).toFixed(2)} of its memory`,
  );
  console.log(`${ratio <= MOST ? 'holds ' : 'FAILED'}  sealdrop takes at most ${MOST} of the time`);
  if (ratio > MOST) process.exitCode = 1;
}

/** The keys as the guide has them made, the file, and the guide's program with its constants set. */
function prepare() {
  for (const line of GUIDE_KEY_COMMANDS) {
    const [program, ...args] = line.split(' ');
    execFileSync(program, args, { cwd: folder, stdio: 'ignore' });
  }
  for (let i = 0; i < mebibytes; i++) appendFileSync(join(folder, 'example.txt'), randomBytes(MIB));
  const values = {
    BUCKET_NAME: BUCKET,
    UPLOAD_KEY: 'python',
    LOCAL_FILE: 'example.txt',
    ENDPOINT_URL: minio.endpoint,
    AWS_ACCESS_KEY_ID: minio.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: minio.credentials.secretAccessKey,
  };
  writeFileSync(join(folder, 'Upload_By_CSE.py'), filledProgram('Upload_By_CSE.py', values));
}

function address(key) {
  return `s3://${BUCKET}/${key}`;
}

function withKey(half) {
  return [`--${half}-key`, `${half}_key.pem`, '--endpoint-url', minio.endpoint];
}

/**
 * Seconds from start to exit; seconds of processor time, where a `time` is installed that tells; and the peak of
 * resident memory in MB (10^6 bytes), as the kernel keeps it.
 */
async function measure([program, ...args]) {
  const { accessKeyId, secretAccessKey } = minio.credentials;
  const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const report = join(folder, 'time');
  const timed = existsSync('/usr/bin/time');
  const argv = timed
    ? ['/usr/bin/time', '-f', '%M %U %S', '-o', report, program, ...args]
    : [program, ...args];
  const started = performance.now();
  const child = spawn(argv[0], argv.slice(1), { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const watch = timed ? undefined : setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), 20);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  const seconds = (performance.now() - started) / 1000;
  clearInterval(watch);
  if (code !== 0) throw new Error(`${program} ${args[0]} ended with ${code}`);
  if (!timed) return { seconds, peak };
  const [kib, user, system] = readFileSync(report, 'utf8').trim().split(' ').map(Number);
  return { seconds, cpu: user + system, peak: (kib * 1024) / 1e6 };
}

function peakOf(pid) {
  try {
    return (
      (Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024) / 1e6
    );
  } catch {
    return 0; // it has just ended
  }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle) - 1]) / 2;
}

function text({ seconds, cpu, peak }) {
  const processor = cpu === undefined ? '' : `, ${cpu.toFixed(2)} s of processor time`;
  return `${seconds.toFixed(2)} s (${(mebibytes / seconds).toFixed(0)} MiB/s)${processor}, peak ${peak.toFixed(0)} MB`;
}

/** What the tests start servers and the guide's programs with, for use without jest. */
async function helpers() {
  // Inside the project: the packages that stay outside of the bundle are found from there.
  const place = mkdtempSync(join(process.cwd(), 'node_modules', '.proof-'));
  try {
    const outfile = join(place, 'helpers.mjs');
    const names = ['servers', 'python', 'python-guide'];
    const contents = names.map((name) => `export * from './${name}.js';`).join('\n');
    const stdin = { contents, resolveDir: join(process.cwd(), 'test/helpers') };
    await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(place, { recursive: true });
  }
}
