// Rewrap on MinIO. One object of 2 GiB: below 300 MB resident, in at most 1.3 times what get and put take one after the
// other; Python's SDK opens it with the new key and not with the old. And 1,000 objects, killed halfway and gone on with,
// one of which somebody else replaces meanwhile.
// Usage: npm run proof -- rewrap [GiB] [OBJECTS]
import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pipeline } from 'node:stream/promises';
import { helpers } from '../helpers/outside-jest.mjs';
import { makeFile, peakOf } from '../helpers/proof-parts.mjs';

const LIMIT_MB = 300;
const MOST = 1.3;
const gib = Number(process.argv[2] ?? 2);
const objects = Number(process.argv[3] ?? 1000);
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-rewrap-'));
const command = join(process.cwd(), 'dist/bin/sealdrop.js');
const { startMinio } = await helpers();
const { pythonWithSdk } = await helpers('python');
const python = await pythonWithSdk(4);
const minio = await startMinio();
const key = (which, half) => join(folder, which, `${half}_key.pem`);
const TO_NEW = [
  ...['--to', key('new', 'public'), '--private-key', key('old', 'private')],
  ...['--private-key', key('new', 'private')],
];
const PROGRAM = `
import hashlib, logging, sys
import aws_encryption_sdk
logging.disable(logging.CRITICAL)
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateRawRsaKeyringInput, PaddingScheme
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
keyring = providers.create_raw_rsa_keyring(input=CreateRawRsaKeyringInput(
    key_namespace="MyAppKeys", key_name="S3RSAKey", padding_scheme=PaddingScheme.OAEP_SHA256_MGF1,
    private_key=open(sys.argv[2], "rb").read()))
digest = hashlib.sha256()
try:
    with open(sys.argv[1], "rb") as source:
        client = aws_encryption_sdk.EncryptionSDKClient()
        with client.stream(mode="decrypt-unsigned", source=source, keyring=keyring) as stream:
            for piece in iter(lambda: stream.read(1048576), b""):
                digest.update(piece)
    print(digest.hexdigest())
except Exception as error:
    print("refused")
`;
let failed = false;

try {
  for (const which of ['old', 'new']) await run('keygen', [join(folder, which)]);
  await minio.createBucket('rewrap');
  await large();
  await many();
} finally {
  await minio.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

async function large() {
  const source = join(folder, 'source');
  const target = join(folder, 'target');
  const address = 's3://rewrap/object';
  const digest = await makeFile(source, gib * 1024);
  const toOld = ['--public-key', key('old', 'public')];
  await run('put', [source, address, ...toOld]);
  const before = await run('inspect', [address, '--json']);
  // Alternating, so that what else the machine does meets both; the best of each.
  const best = { both: Infinity, rewrap: Infinity };
  let peak = 0;
  for (let i = 0; i < 2; i++) {
    const get = await run('get', [address, target, '--private-key', key('old', 'private')]);
    const put = await run('put', [target, address, ...toOld]);
    best.both = Math.min(best.both, get.seconds + put.seconds);
    rmSync(target);
    const rewrap = await run('rewrap', [address, ...TO_NEW]);
    best.rewrap = Math.min(best.rewrap, rewrap.seconds);
    peak = Math.max(peak, rewrap.peak);
    console.log(
      `${gib} GiB: get ${get.seconds.toFixed(1)} s, put ${put.seconds.toFixed(1)} s; rewrap ${rewrap.seconds.toFixed(1)} s, peak ${rewrap.peak.toFixed(0)} MB`,
    );
    if (i === 0) await run('put', [source, address, ...toOld]);
  }
  check(`rewrap peaks below ${LIMIT_MB} MB`, peak < LIMIT_MB);
  const ratio = best.rewrap / best.both;
  check(`rewrap takes at most ${MOST} of get and put: ${ratio.toFixed(2)}`, ratio <= MOST);
  const after = await run('inspect', [address, '--json']);
  const [was, is] = [before, after].map(({ output }) => JSON.parse(output));
  check('another message id, the same context', was.messageId !== is.messageId && sameContext(was, is));
  rmSync(source);
  const message = join(folder, 'message');
  await download('object', message);
  check('Python opens it with the new key', (await inPython(message, 'new')) === digest);
  check('and not with the old', (await inPython(message, 'old')) === 'refused');
  rmSync(message);
}

function sameContext(a, b) {
  return JSON.stringify(a.context) === JSON.stringify(b.context);
}

async function many() {
  await minio.createBucket('many');
  const VersioningConfiguration = { Status: 'Enabled' };
  await minio.client.send(new PutBucketVersioningCommand({ Bucket: 'many', VersioningConfiguration }));
  const tree = join(folder, 'tree');
  mkdirSync(tree);
  const contents = new Map();
  for (let i = 0; i < objects; i++) {
    const bytes = randomBytes(1024 + (i % 7) * 4096);
    contents.set(`f${i}`, bytes);
    writeFileSync(join(tree, `f${i}`), bytes);
  }
  await run('put', ['-r', `${tree}/`, 's3://many/tree', '--public-key', key('old', 'public')]);
  const args = ['-r', 's3://many/tree', ...TO_NEW, '--resume', join(folder, 'done.jsonl')];
  const noted = () => {
    try {
      return readFileSync(join(folder, 'done.jsonl'), 'utf8').split('\n').length - 2;
    } catch {
      return 0;
    }
  };
  const killed = started('rewrap', args);
  const until = async (count) => {
    while (noted() < count) {
      if (killed.child.exitCode !== null) throw new Error('it ended before it could be killed');
      await sleep(5);
    }
  };
  await until(objects / 4);
  const replaced = await replaceOne(contents);
  await until(objects / 2);
  killed.child.kill('SIGKILL');
  await killed.end.catch(() => undefined);
  const first = noted();
  const { output } = await run('rewrap', [...args, '--json']);
  const { summary } = JSON.parse(output.trim().split('\n').at(-1));
  console.log(
    `${objects} objects: killed at ${first}; then ${summary.done} done, ${summary.present} there already`,
  );
  check('every object is told of once', summary.done + summary.present === objects && summary.failed === 0);
  check('what was noted is not done again', summary.present >= first);
  await run('get', ['-r', 's3://many/tree', join(folder, 'out'), '--private-key', key('new', 'private')]);
  const right = [...contents].filter(([name, bytes]) =>
    readFileSync(join(folder, 'out', name)).equals(bytes),
  );
  check('every object opens with the new key, to what went in', right.length === objects);
  const versions = await versionsOf('many');
  const others = [...contents.keys()].filter((name) => name !== replaced);
  // One that was replaced when the kill came, and not noted yet, is found done by the next run, and stays.
  const twice = others.filter((name) => versions.get(`tree/${name}`) === 2);
  check(
    'each has two versions: the one before and the new one, none was done twice',
    twice.length === objects - 1,
  );
  // What it was, what somebody else wrote, and that rewrapped; one more where it was rewrapped before they wrote.
  check(
    `the one that was replaced meanwhile was not undone`,
    [3, 4].includes(versions.get(`tree/${replaced}`)),
  );
}

/** Somebody else writes while the first run is at it. */
async function replaceOne(contents) {
  const name = `f${objects - 1}`;
  const bytes = randomBytes(3000);
  const file = join(folder, 'replacement');
  writeFileSync(file, bytes);
  await run('put', [file, `s3://many/tree/${name}`, '--public-key', key('old', 'public')]);
  contents.set(name, bytes);
  return name;
}

/** How many there are of each key. */
async function versionsOf(Bucket) {
  const found = new Map();
  let next = {};
  do {
    const page = await minio.client.send(new ListObjectVersionsCommand({ Bucket, ...next }));
    for (const { Key } of page.Versions ?? []) found.set(Key, (found.get(Key) ?? 0) + 1);
    next = page.IsTruncated
      ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
      : undefined;
  } while (next !== undefined);
  return found;
}

function check(what, holds) {
  console.log(`${holds ? 'holds ' : 'FAILED'}  ${what}`);
  failed ||= !holds;
}

/** The message as it is stored. */
async function download(name, path) {
  const store = minio.store('rewrap');
  const { body } = await store.get(name);
  const file = await open(path, 'w');
  await pipeline(body, file.createWriteStream());
  store.close();
}

async function inPython(message, which) {
  const child = spawn(python, ['-c', PROGRAM, message, key(which, 'private')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (piece) => (output += piece));
  await new Promise((resolve) => child.once('close', resolve));
  return output.trim();
}

function started(name, args) {
  const { accessKeyId, secretAccessKey } = minio.credentials;
  const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const options = name === 'keygen' ? ['--quiet'] : ['--endpoint-url', minio.endpoint, '--quiet'];
  const child = spawn(process.execPath, [command, name, ...args, ...options], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (piece) => (output += piece));
  const end = new Promise((resolve, reject) =>
    child.once('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${name} ended with ${code}`)),
    ),
  );
  return { child, end };
}

/** Runs the command; its peak of resident memory in MB (10^6 bytes), as the kernel keeps it. */
async function run(name, args) {
  const began = performance.now();
  const { child, end } = started(name, args);
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), 50);
  const output = await end.finally(() => clearInterval(watch));
  return { peak, output, seconds: (performance.now() - began) / 1000 };
}
