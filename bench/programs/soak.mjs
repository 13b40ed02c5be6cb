// Transfers of many kinds, several at a time, in one process by the library, for so many minutes; some are broken off. Looks at
// its own memory and handles every few seconds, after a collection, and prints what it saw.
// Usage: node --expose-gc soak.mjs JOB, a JSON object: library, store (settings of the library), bucket, keys, folder, minutes
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const MIB = 1024 * 1024;
const SIZES = [0, 1, 4096, MIB, 20 * MIB, 100 * MIB];
const WORKERS = 3;
const EVERY = 5_000;
const BROKEN_OFF = 0.15;

const job = JSON.parse(process.argv[2]);
const { put, get, isSealdropError } = await import(pathToFileURL(job.library).href);
const started = performance.now();
const until = started + job.minutes * 60_000;
const counts = { put: 0, get: 0, cat: 0, 'broken off': 0 };
let rejections = 0;
process.on('unhandledRejection', (reason) => {
  rejections++;
  console.error(reason);
});

await mkdir(job.folder, { recursive: true });
const samples = [];
const looking = setInterval(look, EVERY);
await Promise.all(Array.from({ length: WORKERS }, (_, i) => work(i)));
clearInterval(looking);
console.log(JSON.stringify({ counts, rejections, samples }));

async function work(id) {
  const file = join(job.folder, `${id}.bin`);
  const key = `s3://${job.bucket}/soak-${id}`;
  for (let n = 0; performance.now() < until; n++) {
    const bytes = randomBytes(SIZES[randomInt(SIZES.length)]);
    const digest = sha256(bytes);
    await writeFile(file, bytes);
    // A file one time, a stream the other.
    const source = n % 2 === 0 ? file : pieces(bytes);
    const done = await attempt('put', (signal) =>
      put({ ...job.store, source, target: key, publicKeys: [job.keys.public], signal }),
    );
    if (!done) continue;
    const opening = { ...job.store, source: key, privateKeys: [job.keys.private] };
    if (await attempt('get', (signal) => get({ ...opening, target: `${file}.back`, signal })))
      assertSame(sha256(await readFile(`${file}.back`)), digest);
    const hash = createHash('sha256');
    const target = new Writable({ write: (piece, _encoding, next) => (hash.update(piece), next()) });
    if (await attempt('cat', (signal) => get({ ...opening, target, signal })))
      assertSame(hash.digest('hex'), digest);
  }
}

/** @returns whether it came to its end; some are broken off, and then may fail as such alone */
async function attempt(kind, action) {
  const signal = Math.random() < BROKEN_OFF ? AbortSignal.timeout(randomInt(1, 400)) : undefined;
  try {
    await action(signal);
    counts[kind]++;
    return true;
  } catch (error) {
    if (signal?.aborted !== true || !(isSealdropError(error) || error.name === 'TimeoutError')) throw error;
    counts['broken off']++;
    await sleep(1);
    return false;
  }
}

function look() {
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  const handles = process.getActiveResourcesInfo().length;
  const files = readdirSync('/proc/self/fd').length;
  samples.push([Math.round((performance.now() - started) / 1000), rss, heapUsed, external, handles, files]);
}

function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function assertSame(found, wanted) {
  if (found !== wanted) throw new Error('what came back is not what was stored');
}
