// The encrypting function, its bundle run as Lambda does, with large objects: whole in the vault, below 400 MB resident
// whatever their size, and faster than what a function's largest object is reckoned from. Inbox and vault are on MinIO
// (TLS), queue and secrets on ministack.
// Usage: npm run proof -- function [GiB]
import { execFileSync, fork, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  CreateQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { helpers } from '../helpers/outside-jest.mjs';

const MIB = 1024 * 1024;
const LIMIT_MB = 400;
/** It levels off within the first half GiB: what held on to content would go on. */
const MOST_GROWTH_MB = 100;
/** As the constructs do (lib/constructs/gateway-settings.ts). */
const SLOWEST_MIB_PER_SECOND = 12;
const LONGEST_SECONDS = 14 * 60;
const BATCH = 10;
const BATCH_BYTES = 100e6;

const gib = Number(process.argv[2] ?? 4);
const bundle = join(process.cwd(), 'dist/lambda/encrypt-object/index.mjs');
const driver = new URL('../helpers/lambda-process.mjs', import.meta.url);
const command = join(process.cwd(), 'dist/bin/sealdrop.js');
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-function-'));
const { startMinio, startMinistack } = await helpers();
const minio = await startMinio({ tls: true });
const ministack = await startMinistack();
const { accessKeyId, secretAccessKey } = minio.credentials;
const environment = {
  ...process.env,
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
  AWS_REGION: minio.region,
  AWS_ENDPOINT_URL: ministack.endpoint,
  AWS_ENDPOINT_URL_S3: minio.endpoint,
  AWS_CA_BUNDLE: minio.caBundle,
};
const { endpoint, region, credentials } = ministack;
const sqs = new SQSClient({ endpoint, region, credentials, useQueueUrlAsEndpoint: false });
const queueUrl = await createQueue('arrivals');
const settings = {
  ...{ deployment: 'proof', publicKeySet: 'public-keys', keyNames: {}, idempotency: 'idempotency' },
  ...{ vault: { secret: 'vault-write' }, secretsTtlSeconds: 300, account: '000000000000', after: 'keep' },
  ...{ queueUrl, deadLetterUrl: await createQueue('dead-letters') },
  maxObjectBytes: SLOWEST_MIB_PER_SECOND * MIB * LONGEST_SECONDS,
  inboxes: [{ bucket: 'inbox', prefix: '', suffix: '', template: '{key}', encode: false, versioned: true }],
};
let failed = false;

try {
  await prepare();
  const small = await run('256 MiB', [await drop('small', 256 * MIB)]);
  const large = await run(`${gib} GiB`, [await drop('large', gib * 1024 * MIB)]);
  const objects = [];
  for (let i = 0; i < BATCH; i++) objects.push(await drop(`batch/${i}`, BATCH_BYTES));
  const batch = await run(`${BATCH} objects of ${BATCH_BYTES / 1e6} MB in a batch`, objects);

  check(`peaks below ${LIMIT_MB} MB`, Math.max(small.peak, large.peak, batch.peak) < LIMIT_MB);
  check(
    `with ${gib} GiB the peak is at most ${MOST_GROWTH_MB} MB above that with 256 MiB`,
    large.peak - small.peak < MOST_GROWTH_MB,
  );
  check(
    `more than ${SLOWEST_MIB_PER_SECOND} MiB/s, from which the largest object of a function is reckoned`,
    Math.min(large.speed, batch.speed) > SLOWEST_MIB_PER_SECOND,
  );
} finally {
  await minio.stop();
  await ministack.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

function check(what, holds) {
  console.log(`${holds ? 'holds ' : 'FAILED'}  ${what}`);
  failed ||= !holds;
}

async function createQueue(QueueName) {
  return (await sqs.send(new CreateQueueCommand({ QueueName }))).QueueUrl;
}

async function prepare() {
  await minio.createBucket('vault');
  const Bucket = await minio.createBucket('inbox');
  await minio.client.send(
    new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
  );
  execFileSync(process.execPath, [command, 'keygen', folder, '--quiet']);
  const vault = {
    ...{ endpoint: minio.endpoint, region: minio.region, bucket: 'vault', accessKeyId, secretAccessKey },
    caCertificate: readFileSync(minio.caBundle, 'utf8'),
  };
  const secrets = new SecretsManagerClient({ endpoint, region, credentials });
  for (const [Name, SecretString] of Object.entries({
    'public-keys': readFileSync(join(folder, 'public_key.pem'), 'utf8'),
    idempotency: randomBytes(32).toString('base64'),
    'vault-write': JSON.stringify(vault),
  }))
    await secrets.send(new CreateSecretCommand({ Name, SecretString }));
}

/** An object in the inbox, of random bytes: its version and digest. */
async function drop(key, size) {
  const hash = createHash('sha256');
  const block = randomBytes(MIB);
  async function* content() {
    for (let at = 0; at < size; at += MIB) {
      block.writeUInt32BE(at / MIB, ((at / MIB) * 4096) % MIB);
      const piece = block.subarray(0, Math.min(MIB, size - at));
      hash.update(piece);
      yield piece;
    }
  }
  const store = minio.store('inbox', { partSize: 16 * MIB });
  try {
    const { version, etag } = await store.put(key, content(), { size });
    return { key, size, version, etag, digest: hash.digest('hex') };
  } finally {
    store.close();
  }
}

/** Hands the objects to a new function, as its queue does, and opens what it has stored. */
async function run(what, objects) {
  const event = await throughQueue(objects);
  const bytes = objects.reduce((sum, { size }) => sum + size, 0);
  const { answer, seconds, cpuSeconds, peak, log } = await invoke(event);
  const speed = bytes / MIB / seconds;
  const ofCpu = bytes / MIB / cpuSeconds;
  console.log(
    `${what}: ${seconds.toFixed(1)} s (${speed.toFixed(0)} MiB/s; ${ofCpu.toFixed(0)} for each second of its CPU), peak ${peak.toFixed(0)} MB`,
  );
  const taken = answer?.batchItemFailures?.length === 0;
  check(`${what}: none is to be tried again`, taken);
  let same = true;
  for (const { key, digest } of objects) same &&= (await opened(key)) === digest;
  check(`${what}: opens to the same bytes`, same);
  if (!taken || !same) console.error(log);
  return { speed, peak };
}

async function throughQueue(objects) {
  for (const { key, size, version, etag } of objects) {
    const object = { key, size, eTag: etag, versionId: version, sequencer: '0001' };
    const s3 = { bucket: { name: 'inbox' }, object };
    const record = { eventVersion: '2.1', eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', s3 };
    const MessageBody = JSON.stringify({ Records: [record] });
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody }));
  }
  const Records = [];
  while (Records.length < objects.length) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 3600 }),
    );
    for (const { MessageId: messageId, ReceiptHandle: receiptHandle, Body: body } of Messages)
      Records.push({
        ...{ messageId, receiptHandle, body, eventSource: 'aws:sqs' },
        attributes: { ApproximateReceiveCount: '1' },
      });
  }
  return { Records };
}

/** In a process of its own; its peak of resident memory in MB (10^6 bytes), as the kernel keeps it. */
async function invoke(event) {
  const child = fork(driver, [bundle], {
    execArgv: ['--enable-source-maps'],
    env: { ...environment, SEALDROP_SETTINGS: JSON.stringify(settings) },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let log = '';
  child.stdout.on('data', (line) => (log += line));
  try {
    const started = performance.now();
    const done = new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', (code) => reject(new Error(`the function ended with ${code}`)));
    });
    child.send(event);
    const { answer, cpuSeconds } = await done;
    const seconds = (performance.now() - started) / 1000;
    const kilobytes = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);
    return { answer, cpuSeconds, seconds, log, peak: (kilobytes * 1024) / 1e6 };
  } finally {
    child.kill();
  }
}

/** The digest of what the private key makes of it, where it does. */
async function opened(key) {
  const target = join(folder, 'opened');
  const withKey = ['--private-key', join(folder, 'private_key.pem'), '--endpoint-url', minio.endpoint];
  const { status } = spawnSync(
    process.execPath,
    [command, 'get', `s3://vault/${key}`, target, ...withKey, '--quiet'],
    { env: environment, stdio: 'inherit' },
  );
  if (status !== 0) return undefined;
  const hash = createHash('sha256');
  await pipeline(createReadStream(target, { highWaterMark: MIB }), hash);
  rmSync(target);
  return hash.digest('hex');
}
