// A put to MinIO, killed (SIGKILL) where a proxy has counted 60 % of it: the same command goes on, sends under half, and the AWS
// Encryption SDK for Python opens the result as a stream.
// Usage: npm run proof -- resume-put [MiB]
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { helpers } from '../helpers/outside-jest.mjs';
import { makeFile, peakOf } from '../helpers/proof-parts.mjs';

const MIB = 1024 * 1024;
const LIMIT_MB = 200;
const size = Number(process.argv[2] ?? 2048);
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-resume-put-'));
const command = join(process.cwd(), 'dist/bin/sealdrop.js');
const { startMinio } = await helpers();
const { startFaultProxy } = await helpers('fault-proxy');
const { pythonWithSdk } = await helpers('python');
const minio = await startMinio();
const proxy = await startFaultProxy(minio.endpoint);
const { accessKeyId, secretAccessKey } = minio.credentials;
const env = {
  ...process.env,
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
  SEALDROP_ENDPOINT_URL: proxy.endpoint,
  XDG_STATE_HOME: join(folder, 'state'),
};
let failed = false;
/** With its stream, so that a large object fits into memory. */
const PROGRAM = `
import sys
import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateRawRsaKeyringInput, PaddingScheme

message, target, key = sys.argv[1:]
with open(key, "rb") as file:
    private_key = file.read()
keyring = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig()).create_raw_rsa_keyring(
    input=CreateRawRsaKeyringInput(
        key_namespace="MyAppKeys",
        key_name="S3RSAKey",
        padding_scheme=PaddingScheme.OAEP_SHA256_MGF1,
        private_key=private_key,
    )
)
client = aws_encryption_sdk.EncryptionSDKClient()
with open(message, "rb") as source, open(target, "wb") as out:
    with client.stream(mode="d", source=source, keyring=keyring) as stream:
        for chunk in stream:
            out.write(chunk)
`;

try {
  const source = join(folder, 'source');
  const digest = await makeFile(source, size);
  await minio.createBucket('resume');
  await ended(start('keygen', folder));
  const put = ['put', source, 's3://resume/object', '--public-key', join(folder, 'public_key.pem')];
  const first = start(...put);
  while (proxy.transferred() < 0.6 * size * MIB && first.child.exitCode === null) await sleep(2);
  first.child.kill('SIGKILL');
  await first.end;

  const before = proxy.transferred();
  const began = performance.now();
  const second = start(...put);
  await ended(second);
  const share = (proxy.transferred() - before) / (size * MIB);
  const seconds = (performance.now() - began) / 1000;
  console.log(`${size} MiB: the second run took ${seconds.toFixed(1)} s; ${second.said().trim()}`);
  console.log(`load average ${loadavg()[0].toFixed(1)}`);
  check(`the second run moves under half: ${share.toFixed(3)} of the file`, share < 0.5);
  check(`and peaks below ${LIMIT_MB} MB: ${second.peak().toFixed(0)} MB`, second.peak() < LIMIT_MB);
  check('no state is left', readdirSync(join(folder, 'state/sealdrop/uploads')).length === 0);
  rmSync(source);

  const target = join(folder, 'target');
  await ended(start('get', 's3://resume/object', target, '--private-key', join(folder, 'private_key.pem')));
  check('sealdrop opens it', (await sha256(target)) === digest);
  rmSync(target);

  const message = join(folder, 'message');
  const { Body } = await minio.client.send(new GetObjectCommand({ Bucket: 'resume', Key: 'object' }));
  await pipeline(Body, createWriteStream(message));
  const program = join(folder, 'open.py');
  writeFileSync(program, PROGRAM);
  const python = spawn(await pythonWithSdk(4), [program, message, target, join(folder, 'private_key.pem')]);
  python.stderr.pipe(process.stderr);
  await new Promise((resolve) => python.once('close', resolve));
  check('the AWS Encryption SDK for Python opens it', (await sha256(target)) === digest);
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

function start(...args) {
  const child = spawn(process.execPath, [command, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  let peak = 0;
  child.stderr.on('data', (piece) => (text += piece));
  const timer = setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), 50);
  const end = new Promise((resolve) => child.once('close', resolve)).finally(() => clearInterval(timer));
  return { child, end, said: () => text, peak: () => peak };
}

async function ended({ end, said }) {
  const code = await end;
  if (code !== 0) throw new Error(`it ended with ${code}: ${said()}`);
}

async function sha256(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return hash.digest('hex');
}
