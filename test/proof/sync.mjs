// Syncs of a tree that has hardly changed: 10,000 files of 4 KiB at MinIO. The second sync asks for no object, and takes
// less than a fifth of the first one's time, and so it is down into a folder; one changed file is one put; --delete removes what went, and nothing else.
// Usage: npm run proof -- sync [FILES]
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helpers } from '../helpers/outside-jest.mjs';

const files = Number(process.argv[2] ?? 10_000);
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-sync-'));
const command = join(process.cwd(), 'dist/bin/sealdrop.js');
const { startMinio } = await helpers();
const { startFaultProxy } = await helpers('fault-proxy');
const minio = await startMinio();
const proxy = await startFaultProxy(minio.endpoint);
let failed = false;

try {
  await minio.createBucket('sync');
  const names = Array.from({ length: files }, (_, i) => `${i % 10}/${(i >> 4) % 16}/file ${i}.bin`);
  for (const name of names) write(`tree/${name}`, randomBytes(4096));
  await sealdrop('keygen', [folder]);
  const up = ['tree', 's3://sync/t', '--public-key', 'public_key.pem'];
  const first = await sealdrop('sync', up);
  const second = await sealdrop('sync', up);
  console.log(`first ${first.seconds.toFixed(1)} s, second ${second.seconds.toFixed(2)} s`);
  check('the first stores all', first.said.startsWith(`${files} stored`));
  check('the second stores none', second.said === `0 stored (0 B), ${files} unchanged`);
  check('the second takes less than a fifth of the time', second.seconds < first.seconds / 5);
  for (const [what, more] of [
    ['with the index', []],
    ['with the index lost', ['--index', 'lost']],
  ]) {
    const asked = await requestsOf([...up, ...more]);
    console.log(`asked ${what}: ${JSON.stringify(asked)}`);
    check(`${what}: no object is read or stored`, asked.get === 0 && asked.put === 0);
    check(`${what}: HEADs for at most 1 %`, asked.head <= files / 100);
  }
  appendFileSync(join(folder, 'tree', names[7]), 'x');
  const one = await requestsOf(up);
  console.log(`asked for one changed file: ${JSON.stringify(one)}`);
  check('one changed file: one put', one.put === 1 && one.get === 0);

  const gone = names.filter((_, i) => i % 50 === 0);
  for (const name of gone) rmSync(join(folder, 'tree', name));
  const removal = await requestsOf([...up, '--delete']);
  check('--delete removes as many as went', removal.delete === gone.length && removal.put === 0);
  const down = await sealdrop('sync', ['s3://sync/t', 'copy', '--private-key', 'private_key.pem']);
  console.log(`down ${down.seconds.toFixed(1)} s`);
  check('what comes down is the same tree', sameTrees());
  const began = performance.now();
  const again = await requestsOf(['s3://sync/t', 'copy', '--private-key', 'private_key.pem']);
  const seconds = (performance.now() - began) / 1000;
  console.log(`down a second time ${seconds.toFixed(2)} s, asked ${JSON.stringify(again)}`);
  check('down a second time: no object is read', again.get === 0);
  check('down a second time: HEADs for at most 1 %', again.head <= files / 100);
  check('down a second time: less than a fifth of the time', seconds < down.seconds / 5);
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

function write(path, bytes) {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), bytes);
}

function environmentFor(endpoint) {
  const { accessKeyId, secretAccessKey } = minio.credentials;
  return {
    ...process.env,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_ENDPOINT_URL: endpoint,
    XDG_STATE_HOME: join(folder, 'state'),
  };
}

/** Not waited for by blocking: the proxy lives in this process. */
async function sealdrop(name, args, endpoint = minio.endpoint) {
  const began = performance.now();
  const env = environmentFor(endpoint);
  const child = spawn(process.execPath, [command, name, ...args], { cwd: folder, env });
  child.stdout.resume();
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${said}`);
  return { seconds: (performance.now() - began) / 1000, said: said.trim().split('\n').at(-1) };
}

/** What a sync asks of the store, by what it is asked about. */
async function requestsOf(args) {
  proxy.reset();
  await sealdrop('sync', args, proxy.endpoint);
  const counts = { list: 0, get: 0, head: 0, put: 0, delete: 0 };
  for (const line of proxy.requests) {
    const [method, url] = line.split(' ');
    counts[url.includes('list-type=2') ? 'list' : method.toLowerCase()]++;
  }
  return counts;
}

function sameTrees() {
  const list = (root) =>
    readdirSync(join(folder, root), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, root).length + 1))
      .sort();
  const [here, there] = [list('tree'), list('copy')];
  return (
    JSON.stringify(here) === JSON.stringify(there) &&
    here.every((name) =>
      readFileSync(join(folder, 'tree', name)).equals(readFileSync(join(folder, 'copy', name))),
    )
  );
}
