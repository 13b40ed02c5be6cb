/** Whoever follows the ABCI Cloud Storage guide and whoever uses sealdrop read each other's objects. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { pattern } from '../helpers/bytes.js';
import { Box, documents, secret, type Result } from '../helpers/cli.js';
import { pythonWithSdk } from '../helpers/python.js';
import {
  constantsOf,
  filledProgram,
  GUIDE_KEY_COMMANDS,
  GUIDE_PROGRAMS,
  guideProgram,
  type Program,
} from '../helpers/python-guide.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const BUCKET = 'bucket-test';
const EXAMPLE = Buffer.from('This is example for CSE!\n');
const SIZES = [0, EXAMPLE.length, MIB - 1, MIB, MIB + 1, 64 * MIB];
const LARGEST = pattern(64 * MIB);

const contentOf = (size: number) => (size === EXAMPLE.length ? EXAMPLE : LARGEST.subarray(0, size));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let minio: S3Server;
let python: string;
let box: Box;
let keysBefore: string[];

const keyDigests = () => ['private_key.pem', 'public_key.pem'].map((name) => sha256(box.read(name)));

beforeAll(async () => {
  [minio, python] = await Promise.all([startMinio(), pythonWithSdk(4)]);
  await minio.createBucket(BUCKET);
  const { accessKeyId, secretAccessKey } = minio.credentials;
  secret("the store's secret key", secretAccessKey);
  box = new Box({ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
  for (const command of GUIDE_KEY_COMMANDS) expect((await box.shell(command)).code).toBe(0);
  keysBefore = keyDigests();
}, SETUP_TIME);

afterAll(() => minio.stop());

/** Runs one of the guide's programs in the folder that has the keys, with nothing in its environment. */
async function runGuide(name: Program, values: Record<string, string>): Promise<Result> {
  const credentials = {
    ENDPOINT_URL: minio.endpoint,
    AWS_ACCESS_KEY_ID: minio.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: minio.credentials.secretAccessKey,
  };
  box.write(name, filledProgram(name, { BUCKET_NAME: BUCKET, ...credentials, ...values }));
  const result = await box.shell(`env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY '${python}' ${name}`);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return result;
}

const upload = (file: string, key: string) =>
  runGuide('Upload_By_CSE.py', { LOCAL_FILE: file, UPLOAD_KEY: key });
const download = (key: string, file: string) =>
  runGuide('Download_By_CSE.py', { DOWNLOAD_KEY: key, DOWNLOAD_FILE: file });

const sealdrop = (...args: string[]) => box.run([...args, '--endpoint-url', minio.endpoint]);
const address = (key: string) => `s3://${BUCKET}/${key}`;

describe('the programs run here are those of the guide', () => {
  it.each(GUIDE_PROGRAMS)(
    '%s: set are the constants that it tells its readers to set, and no other byte differs',
    (name) => {
      const values = Object.fromEntries(constantsOf(name).map((constant) => [constant, `a ${constant}`]));
      const lines = guideProgram(name).split('\n');
      const filled = filledProgram(name, values).split('\n');
      expect(filled).toHaveLength(lines.length);
      const changed = lines.flatMap((line, i) => (line === filled[i] ? [] : [filled[i]!.trim()]));
      expect(changed.sort()).toEqual(
        Object.entries(values)
          .map(([k, v]) => `${k} = "${v}"`)
          .sort(),
      );
    },
  );
});

describe('what the guide’s upload program stored', () => {
  it.each(SIZES)('`sealdrop get` reads with the guide’s private key as it is: %d bytes', async (size) => {
    const key = `guide/${size}.txt`;
    box.write('example.txt', contentOf(size));
    const uploaded = await upload('example.txt', key);
    expect(uploaded.stdout.toString()).toBe(`example.txt encrypted and uploaded to ${address(key)}\n`);

    const got = await sealdrop('get', address(key), 'ours.txt', '--private-key', 'private_key.pem');
    expect(got).toMatchObject({ code: 0, stdout: Buffer.alloc(0) });
    expect(sha256(box.read('ours.txt'))).toBe(sha256(contentOf(size)));
    expect(got.stderr).toContain(
      '(unbound: the message names no key, so the store could have put another in its place)',
    );
  });

  it('`sealdrop inspect` calls foreign and signed, and names the key that it was wrapped to', async () => {
    const key = `guide/${EXAMPLE.length}.txt`;
    const text = (await sealdrop('inspect', address(key))).stdout.toString();
    for (const row of [/^ +origin +foreign$/m, /^ +signed +yes$/m, /^ +wrapped to +MyAppKeys\/S3RSAKey$/m])
      expect(text).toMatch(row);
    const [document] = documents(await sealdrop('inspect', address(key), '--json'));
    expect(document).toMatchObject({
      ...{ origin: 'foreign', signed: true, committing: true, suiteId: '0x0578', frameLength: 4096 },
      wrappedKeys: [{ namespace: 'MyAppKeys', name: 'S3RSAKey', bytes: 512 }],
    });
  });

  it.each(SIZES)('`sealdrop verify` passes with the key, and without it: %d bytes', async (size) => {
    const key = `guide/${size}.txt`;
    const withKey = await sealdrop('verify', address(key), '--private-key', 'private_key.pem', '--json');
    expect(withKey.code).toBe(0);
    expect(documents(withKey)[0]).toMatchObject({ authenticated: true, bound: 'unbound' });
    const without = await sealdrop('verify', address(key), '--json');
    expect(without.code).toBe(0);
    expect(documents(without)[0]).toMatchObject({ authenticated: false });
  });
});

describe('what `sealdrop put` stored', () => {
  it.each(SIZES)('the guide’s download program reads with its own key files: %d bytes', async (size) => {
    const key = `sealdrop/${size}.txt`;
    box.write('example.txt', contentOf(size));
    const stored = await sealdrop('put', 'example.txt', address(key), '--public-key', 'public_key.pem');
    expect(stored.code).toBe(0);

    const got = await download(key, 'example_decrypted.txt');
    expect(got.stdout.toString()).toBe(`${key} decrypted and saved to example_decrypted.txt\n`);
    expect(sha256(box.read('example_decrypted.txt'))).toBe(sha256(contentOf(size)));
  });

  it('signed, the guide’s download program reads too, and a signature’s varying length does not hinder `put`', async () => {
    box.write('example.txt', EXAMPLE);
    for (let i = 0; i < 8; i++) {
      const args = [address(`signed/${i}`), '--public-key', 'public_key.pem', '--sign'];
      expect(await sealdrop('put', 'example.txt', ...args)).toMatchObject({ code: 0 });
    }
    await download('signed/7', 'example_decrypted.txt');
    expect(box.read('example_decrypted.txt').equals(EXAMPLE)).toBe(true);
  });
});

describe('the key files', () => {
  it('are still as the guide’s two openssl commands made them', () =>
    expect(keyDigests()).toEqual(keysBefore));
});
