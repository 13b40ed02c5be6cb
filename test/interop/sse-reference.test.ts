/**
 * Whoever follows "S3のオブジェクトをSSE-Cで暗号化/復号化してみる" (Qiita, 2022) and whoever uses sealdrop read each other's
 * objects; so does whoever uses the AWS CLI. Its programs run as printed: all that is theirs to set is in their .env.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pattern } from '../helpers/bytes.js';
import { Box, documents, secret, type Result } from '../helpers/cli.js';
import { addKeys } from '../helpers/cli-vault.js';
import { pythonVenv } from '../helpers/python-venv.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const PROGRAMS = {
  'upload_for_boto3.py': '44cbf2cb21c126483b786b4768fa2268430ba49cfcf03b03da2818014767ceea',
  'download_for_boto3.py': '9574815d3449b669cdc53d3fe62f67117d99c1322288d36b8fd1580acaf030fc',
  'upload_to_s3.sh': 'b8489b62ada575a4a04521a585d186ccc8bae72a4a18a73187c26cef98528239',
  'download_to_s3.sh': '570cbd2a760c47a497df5139acc210c6ab983745ba0a40f2cc58b240068b3054',
} as const;
type Program = keyof typeof PROGRAMS;

const BUCKET = 'sse-c';
const MIB = 1024 * 1024;
const KMS_KEY = 'lab-key';
const IMAGE = pattern(12 * MIB + 7);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let minio: S3Server;
let box: Box;

beforeAll(async () => {
  const kms = `${KMS_KEY}:${Buffer.alloc(32, 7).toString('base64')}`;
  const requirements = ['awscli==1.46.3', 'boto3==1.44.5', 'python-dotenv==1.2.4'];
  const [server, python] = await Promise.all([
    startMinio({ tls: true, env: { MINIO_KMS_SECRET_KEY: kms } }),
    pythonVenv('aws-cli', requirements),
  ]);
  minio = server;
  await minio.createBucket(BUCKET);
  box = new Box({ SEALDROP_CA_BUNDLE: minio.caBundle! });
  box.env.PATH = `${dirname(python)}:${box.env.PATH}`;
  addKeys(box);
  writeProfile();
  // Not every system has it.
  box.write('uuidgen', `#!/bin/sh\nexec python -c 'import uuid; print(uuid.uuid4())'\n`);
  await box.shell('chmod +x uuidgen && mkdir tmp bin && mv uuidgen bin/');
  box.env.PATH = `${box.path('bin')}:${box.env.PATH}`;
  for (const [name, digest] of Object.entries(PROGRAMS)) {
    const bytes = readFileSync(fileURLToPath(new URL(`sse-reference/${name}`, import.meta.url)));
    expect([name, sha256(bytes)]).toEqual([name, digest]);
    box.write(name, bytes);
  }
  await makeEnv();
  box.write('sample.jpg', IMAGE);
}, SETUP_TIME);

afterAll(async () => minio?.stop());

/** The profile that their PROFILE names has what the AWS tools need for another store. */
function writeProfile(): void {
  const { accessKeyId, secretAccessKey } = minio.credentials;
  const home = join(box.home, '.aws');
  mkdirSync(home, { recursive: true });
  const place = `region = us-east-1\nendpoint_url = ${minio.endpoint}\nca_bundle = ${minio.caBundle}\n`;
  box.write(join('..', 'home', '.aws', 'config'), `[profile lab]\n${place}`);
  const credentials = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secret('the secret key', secretAccessKey)}\n`;
  box.write(join('..', 'home', '.aws', 'credentials'), `[lab]\n${credentials}`);
}

/** As a user does: a key by keygen, and the rest filled in by hand. */
async function makeEnv(): Promise<void> {
  expect(await box.run(['keygen', '--sse-c'])).toMatchObject({ code: 0 });
  const text = box.read('.env').toString();
  secret('the SSE-C key', /^SSE_CUSTOMER_KEY_BASE64='(.{44})'$/m.exec(text)![1]!);
  const filled = text
    .replace("BUCKET_NAME=''", `BUCKET_NAME='${BUCKET}'`)
    .replace("KEY=''", "KEY='sample.jpg'")
    .replace("PROFILE=''", "PROFILE='lab'");
  box.write('.env', filled);
}

async function runReference(name: Program): Promise<Result> {
  const result = await box.shell(`${name.endsWith('.py') ? 'python' : 'bash'} ${name}`);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return result;
}

/** What a download program has put into its tmp folder. */
async function downloaded(name: Program): Promise<Buffer> {
  rmSync(box.path('tmp'), { recursive: true });
  mkdirSync(box.path('tmp'));
  await runReference(name);
  const files = readdirSync(box.path('tmp'));
  expect(files).toHaveLength(1);
  return box.read(join('tmp', ...files));
}

const sealdrop = (...args: string[]) => box.run(args);
const ADDRESS = `s3://${BUCKET}/sample.jpg`;
const UPLOADS = ['upload_for_boto3.py', 'upload_to_s3.sh'] as const;
const DOWNLOADS = ['download_for_boto3.py', 'download_to_s3.sh'] as const;

describe('the .env that keygen makes', () => {
  it('is for its owner alone, and has the names of the reference and the MD5 of the key', () => {
    expect(statSync(box.path('.env')).mode & 0o777).toBe(0o600);
    const values = Object.fromEntries(
      [
        ...box
          .read('.env')
          .toString()
          .matchAll(/^(\w+)='(.*)'$/gm),
      ].map(([, name, value]) => [name, value]),
    );
    const key = Buffer.from(values.SSE_CUSTOMER_KEY_BASE64, 'base64');
    expect(values).toEqual({
      BUCKET_NAME: BUCKET,
      KEY: 'sample.jpg',
      SSE_CUSTOMER_KEY_BASE64: key.toString('base64'),
      SSE_CUSTOMER_KEY_MD5: createHash('md5').update(key).digest('base64'),
      PROFILE: 'lab',
    });
    expect(key).toHaveLength(32);
  });
});

describe.each(UPLOADS)('what %s stored', (upload) => {
  it('`sealdrop get` and `verify` read with the same .env', async () => {
    await runReference(upload);
    const got = await sealdrop('get', ADDRESS, 'ours.jpg', '--format', 'plain', '--sse-env', '.env');
    expect(got).toMatchObject({ code: 0, stdout: Buffer.alloc(0) });
    expect(sha256(box.read('ours.jpg'))).toBe(sha256(IMAGE));
    const verified = await sealdrop('verify', ADDRESS, '--format', 'plain', '--sse-env', '.env', '--json');
    expect(verified.code).toBe(0);
    expect(documents(verified)[0]).toMatchObject({ authenticated: false, size: IMAGE.length });
  });
});

describe('what `sealdrop put --format plain` stored, in parts', () => {
  it.each(DOWNLOADS)('%s reads', async (download) => {
    const put = await sealdrop(
      'put',
      'sample.jpg',
      ADDRESS,
      '--format',
      'plain',
      '--sse-env',
      '.env',
      '--json',
    );
    expect(put.code).toBe(0);
    expect(documents(put)[0]).toMatchObject({ size: IMAGE.length, checked: 'signature', recipients: [] });
    expect(sha256(await downloaded(download))).toBe(sha256(IMAGE));
  });
});

describe('what `sealdrop put` encrypted, under SSE-C besides', () => {
  it.each(DOWNLOADS)('%s takes out as a message, which the private key opens', async (download) => {
    const args = ['--public-key', 'public_key.pem', '--sse', 'c', '--sse-env', '.env'];
    expect(await sealdrop('put', 'sample.jpg', ADDRESS, ...args)).toMatchObject({ code: 0 });
    box.write('message', await downloaded(download));
    const opened = await sealdrop(
      'get',
      'message',
      'opened.jpg',
      '--private-key',
      'private_key.pem',
      '--moved',
    );
    expect(opened).toMatchObject({ code: 0 });
    expect(sha256(box.read('opened.jpg'))).toBe(sha256(IMAGE));
    const got = await sealdrop(
      'get',
      ADDRESS,
      'got.jpg',
      '--private-key',
      'private_key.pem',
      '--sse-env',
      '.env',
    );
    expect(got).toMatchObject({ code: 0 });
    expect(sha256(box.read('got.jpg'))).toBe(sha256(IMAGE));
  });
});

describe('the AWS CLI’s own transfers', () => {
  const KINDS: [string, string, string[]][] = [
    ['SSE-C', '--sse-c AES256 --sse-c-key fileb://raw.key', ['--sse', 'c', '--sse-key-file', 'raw.key']],
    ['SSE-S3', '--sse AES256', ['--sse', 'AES256']],
    ['SSE-KMS', `--sse aws:kms --sse-kms-key-id ${KMS_KEY}`, ['--sse', `aws:kms:${KMS_KEY}`]],
  ];

  beforeAll(async () => {
    const make = `. ./.env; printf %s "$SSE_CUSTOMER_KEY_BASE64" | base64 -d > raw.key`;
    expect(await box.shell(make)).toMatchObject({ code: 0 });
  });

  it.each(KINDS)('%s: reads ours, in parts, and ours reads its', async (_kind, theirs, ours) => {
    const place = ['--format', 'plain', '--profile', 'lab', ...ours];
    expect(await sealdrop('put', 'sample.jpg', `s3://${BUCKET}/ours`, ...place)).toMatchObject({ code: 0 });
    // Reading needs the key of SSE-C, and nothing for the others.
    const reading = theirs.startsWith('--sse-c') ? theirs : '';
    const down = await box.shell(`aws s3 cp s3://${BUCKET}/ours theirs.jpg ${reading} --profile lab --quiet`);
    expect(down).toMatchObject({ code: 0, stderr: '' });
    expect(sha256(box.read('theirs.jpg'))).toBe(sha256(IMAGE));

    const up = await box.shell(`aws s3 cp sample.jpg s3://${BUCKET}/theirs ${theirs} --profile lab --quiet`);
    expect(up).toMatchObject({ code: 0, stderr: '' });
    const got = await sealdrop('get', `s3://${BUCKET}/theirs`, 'ours.jpg', ...place);
    expect(got).toMatchObject({ code: 0 });
    expect(sha256(box.read('ours.jpg'))).toBe(sha256(IMAGE));
  });
});
