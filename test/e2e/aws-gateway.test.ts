/** `cdk deploy`, drop files, find ciphertext in the vault: on a local AWS with TLS and policies enforced. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ListStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { contentOf, digestsIn, forbidden, type Forbidden } from '../helpers/aws-digests.js';
import { cdk } from '../helpers/aws-cdk.js';
import { startGateway, type Gateway } from '../helpers/aws-gateway.js';
import { VAULT_PREFIX } from '../helpers/aws-vault.js';
import { logLines, queueEmpty, stored, takeDead } from '../helpers/aws-watch.js';
import { chunked, collect } from '../helpers/bytes.js';
import { privatePem, publicPem } from '../helpers/keys.js';
import { filledProgram } from '../helpers/python-guide.js';
import { pythonWithSdk } from '../helpers/python.js';
import { run } from '../helpers/run.js';
import { SETUP_TIME } from '../helpers/servers.js';

// Each waits for processes of several servers, on a machine that may have other work.
jest.setTimeout(180_000);

const MIB = 1024 * 1024;
const FILES = 200;
const SIZES = [
  ...[0, 0, 1, MIB - 1, MIB, MIB + 1, 4 * MIB, 5 * MIB, 5 * MIB + 1, 8 * MIB - 1, 16 * MIB + 1],
  ...[64 * MIB, 256 * MIB],
];
const DROP_TIME = 5 * 60_000;

interface File {
  readonly number: number;
  readonly key: string;
  readonly size: number;
}

const FOLDERS = ['', 'reports/2026/', 'with space/', '日本/'];
const files: File[] = Array.from({ length: FILES }, (_, number) => {
  const size = SIZES[number] ?? (number * 7919) % 60_000;
  return { number, key: `${FOLDERS[number % FOLDERS.length]}file ${number}.bin`, size };
});
const bytesOf = ({ number, size }: File) => contentOf(number, size);

let gateway: Gateway;
const digests: Forbidden[] = [];
beforeAll(async () => {
  gateway = await startGateway({ tls: true, validation: true });
}, SETUP_TIME);
afterAll(async () => gateway?.stop());

/** Every tenth as a multipart upload, whose ETag is no MD5 of the whole. */
async function drop(file: File): Promise<void> {
  const { aws, inbox } = gateway;
  const bytes = bytesOf(file);
  let etag: string | undefined;
  if (file.size > 8 * MIB && file.size < 256 * MIB) {
    const store = aws.server.store(inbox);
    etag = (await store.put(file.key, chunked(bytes, MIB))).etag;
    store.close();
  } else await gateway.drop(file.key, bytes);
  digests.push(forbidden(file.key, bytes, etag));
}

describe('200 files of 0 bytes to 256 MiB, dropped into the inbox', () => {
  test(
    'are in the vault',
    async () => {
      const left = [...files];
      const worker = async () => {
        for (let file = left.pop(); file !== undefined; file = left.pop()) await drop(file);
      };
      await Promise.all(Array.from({ length: 8 }, worker));
      await queueEmpty(gateway, DROP_TIME);
      expect((await gateway.vault.keys()).sort()).toEqual(files.map(({ key }) => key).sort());
      expect(await takeDead(gateway)).toEqual([]);
    },
    DROP_TIME + 60_000,
  );

  test('and open with the private key, byte for byte', async () => {
    const { vault, decryptor } = gateway;
    const wrong: string[] = [];
    for (const file of files)
      if (!bytesOf(file).equals(await vault.open(file.key, decryptor))) wrong.push(file.key);
    expect(wrong).toEqual([]);
  }, 180_000);

  test(
    'the program of the ABCI guide opens one',
    async () => {
      const { vault, pair } = gateway;
      const folder = mkdtempSync(join(tmpdir(), 'sealdrop-guide-'));
      try {
        const { accessKeyId, secretAccessKey } = vault.server.credentials;
        writeFileSync(join(folder, 'private_key.pem'), privatePem(pair));
        writeFileSync(join(folder, 'public_key.pem'), publicPem(pair));
        const program = filledProgram('Download_By_CSE.py', {
          ENDPOINT_URL: vault.server.endpoint,
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          BUCKET_NAME: vault.bucket,
          DOWNLOAD_KEY: VAULT_PREFIX + files[9]!.key,
          DOWNLOAD_FILE: 'opened',
        });
        writeFileSync(join(folder, 'download.py'), program);
        const env = { AWS_CA_BUNDLE: vault.server.caBundle! };
        await run(await pythonWithSdk(4), ['download.py'], { cwd: folder, env });
        expect(readFileSync(join(folder, 'opened')).equals(bytesOf(files[9]!))).toBe(true);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    SETUP_TIME,
  );
});

describe('the MD5 and the ETag of no plaintext', () => {
  test('are found where they are (the search works)', async () => {
    const digest = digests[5]!;
    for (const spelling of digest.spellings)
      expect(digestsIn(Buffer.concat([Buffer.from('x'), spelling]), digests)).toEqual([digest.name]);
  });

  test('are in any vault object or its metadata', async () => {
    const { vault } = gateway;
    const found: string[] = [];
    for (const { key } of files) {
      const { info, body } = await vault.store.get(VAULT_PREFIX + key);
      const own = digests.filter(({ name }) => name === key);
      expect(own).toHaveLength(1);
      found.push(...digestsIn(await collect(body), own), ...digestsIn(JSON.stringify(info), digests));
    }
    expect(found).toEqual([]);
  }, 180_000);

  test('are in any log line or metric', async () => {
    const lines = await logLines(gateway);
    const outcomes = lines.filter((line) => line.includes('"outcome":"stored"'));
    expect(outcomes.length).toBeGreaterThanOrEqual(FILES);
    expect(lines.some((line) => line.includes('"_aws"') && line.includes('StoredBytes'))).toBe(true);
    expect(lines.filter((line) => digestsIn(line, digests).length > 0)).toEqual([]);
  });
});

test('logs say what was done, and nothing of events, URLs or secrets', async () => {
  const lines = await logLines(gateway);
  const text = lines.join('\n');
  const line = lines.find((each) => each.includes('"outcome":"stored"') && each.includes('/file 7.bin'));
  expect(JSON.parse(line!)).toMatchObject({ outcome: 'stored', key: files[7]!.key, bytes: files[7]!.size });
  for (const word of ['"Records"', 'X-Amz-Signature', 'eTag', 'PRIVATE KEY', 'secretAccessKey'])
    expect(text).not.toContain(word);
  const { secretAccessKey } = gateway.vault.server.credentials;
  expect(text).not.toContain(secretAccessKey);
});

test('no answer of a function is in a trace', async () => {
  const { aws, outputs } = gateway;
  const command = new GetFunctionConfigurationCommand({ FunctionName: outputs.EncryptObjectFunction });
  const { Environment, TracingConfig } = await aws.lambda.send(command);
  expect(Environment?.Variables?.POWERTOOLS_TRACER_CAPTURE_RESPONSE).toBe('false');
  expect(TracingConfig?.Mode).toBe('Active');
});

test('`cdk destroy` leaves what the inbox and the vault hold', async () => {
  const { app, aws, inbox, stack, vault } = gateway;
  await stored(gateway, files[0]!.key);
  await cdk({ ...app, validation: false }, ['destroy', stack, '--force']);
  const { Versions = [] } = await aws.s3.send(new ListObjectVersionsCommand({ Bucket: inbox }));
  const keys = files.map(({ key }) => key).sort();
  expect(Versions.map(({ Key }) => Key).sort()).toEqual(keys);
  expect((await vault.keys()).sort()).toEqual(keys);
  for (const file of [files[1]!, files.at(-1)!]) {
    expect(Versions.find(({ Key }) => Key === file.key)?.Size).toBe(file.size);
    expect((await vault.open(file.key, gateway.decryptor)).equals(bytesOf(file))).toBe(true);
  }
  const { StackSummaries = [] } = await aws.cloudFormation.send(
    new ListStacksCommand({
      StackStatusFilter: ['CREATE_COMPLETE', 'UPDATE_COMPLETE'],
    }),
  );
  expect(StackSummaries.map(({ StackName }) => StackName)).not.toContain(stack);
}, 240_000);
