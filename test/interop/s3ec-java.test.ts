/** RSA and AES keys, both ways with the S3 Encryption Clients for Java: version 4, and the legacy ones. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { pattern } from '../helpers/bytes.js';
import { Box, documents } from '../helpers/cli.js';
import { environmentFor } from '../helpers/cli-vault.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';
import { LEGACY_KINDS, V2_SUITE, V3_SUITE } from '../helpers/s3ec-java-kinds.js';
import { S3ecJava, type JavaJob } from '../helpers/s3ec-java.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const SIZES = [0, 1, 15, 16, MIB - 1, MIB, MIB + 1];
const KEYS = { RSA: rsaPair(), AES: randomBytes(32) };
const NON_ASCII = { 用途: '研究データ（第3期）', 'emoji 🗝️': '👩🏽‍🔬', 'é "\\': 'é' };
const BODY = pattern(1000);

type Wrapping = keyof typeof KEYS;
type Format = 's3ec' | 's3ec-v2';

const FORMATS: Record<Format, Pick<JavaJob, 'suite' | 'policy'>> = {
  s3ec: { suite: V3_SUITE },
  's3ec-v2': { suite: V2_SUITE, policy: 'FORBID_ENCRYPT_ALLOW_DECRYPT' },
};
/** Version 4 reads everything with it that is not legacy. */
const ALLOW = { policy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' } as const;
/** The same for us. */
const LENIENT = ['--commitment-policy', 'REQUIRE_ENCRYPT_ALLOW_DECRYPT'];
const reading = (format: Format): string[] => (format === 's3ec' ? [] : LENIENT);

const TO: Record<Wrapping, string[]> = {
  RSA: ['--public-key', 'public.pem'],
  AES: ['--recipient', 'aes.json'],
};
const FROM: Record<Wrapping, string[]> = {
  RSA: ['--private-key', 'private.pem'],
  AES: ['--private-key', 'aes.json'],
};

let server: S3Server;
let java: S3ecJava;
let box: Box;
let bucket: string;

beforeAll(async () => {
  server = await startMinio();
  bucket = await server.createBucket(`java-${randomUUID()}`);
  java = await S3ecJava.start(server);
  box = new Box(environmentFor(server));
  box.write('private.pem', privatePem(KEYS.RSA));
  box.write('public.pem', publicPem(KEYS.RSA));
  box.write('aes.json', keySetOf(KEYS.AES));
  for (const size of SIZES) box.write(`files/${size}`, pattern(size));
  box.write('body', BODY);
}, SETUP_TIME);

afterAll(async () => {
  await java?.stop();
  await server?.stop();
});

function keySetOf(secretKey: Buffer): string {
  const keys = [{ namespace: 'lab', name: 'aes', secretKey: secretKey.toString('base64') }];
  return JSON.stringify({ version: 1, keys });
}

const address = (key: string): string => `s3://${bucket}/${key}`;

async function command(...args: string[]) {
  const result = await box.run(args, { timeout: 120_000 });
  expect(result).toMatchObject({ code: 0 });
  return result;
}

/** Equal bytes, without printing a mebibyte where they are not. */
function expectSame(bytes: Buffer, wanted: Buffer): void {
  expect(bytes.length).toBe(wanted.length);
  expect(bytes.equals(wanted)).toBe(true);
}

async function keysBelow(prefix: string): Promise<string[]> {
  const listed = await server.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return (listed.Contents ?? []).map(({ Key }) => Key!.slice(prefix.length)).sort();
}

const v4 = (key: string, wrapping: Wrapping): JavaJob => ({
  client: 'v4',
  bucket,
  key,
  wrapping: KEYS[wrapping],
});

const CASES = (['RSA', 'AES'] as const).flatMap((wrapping) =>
  (['s3ec', 's3ec-v2'] as const).flatMap((format) =>
    [false, true].map((instructionFile) => ({ wrapping, format, instructionFile })),
  ),
);

describe.each(CASES)('$wrapping, $format, instruction file: $instructionFile', (one) => {
  const { wrapping, format, instructionFile } = one;
  const place = `${wrapping}/${format}/${instructionFile ? 'file' : 'metadata'}`;
  const writing = ['--format', format, ...(instructionFile ? ['--instruction-file'] : [])];

  it('version 4 reads what we write', async () => {
    const prefix = `ours/${place}/`;
    await command('put', '-r', 'files/', address(prefix), ...writing, ...TO[wrapping]);
    const names = SIZES.flatMap((size) =>
      instructionFile ? [`${size}`, `${size}.instruction`] : [`${size}`],
    );
    expect(await keysBelow(prefix)).toEqual(names.sort());
    const allowed = format === 's3ec' ? {} : ALLOW;
    for (const size of SIZES)
      expectSame(await java.get({ ...v4(`${prefix}${size}`, wrapping), ...allowed }), pattern(size));
  });

  it('we read what version 4 writes', async () => {
    const prefix = `theirs/${place}/`;
    for (const size of SIZES) {
      const job = { ...v4(`${prefix}${size}`, wrapping), ...FORMATS[format], instructionFile };
      await java.put(job, pattern(size));
    }
    await command('get', '-r', address(prefix), `theirs/${place}`, ...FROM[wrapping], ...reading(format));
    expect(box.files(`theirs/${place}`)).toEqual(SIZES.map(String).sort());
    for (const size of SIZES) expectSame(box.read(`theirs/${place}/${size}`), pattern(size));
  });

  it('version 4 sees the material description that we write, whatever its characters are', async () => {
    const key = `ours/${place}/description`;
    const context = Object.entries(NON_ASCII).flatMap(([name, value]) => ['--context', `${name}=${value}`]);
    await command('put', 'body', address(key), ...writing, ...context, ...TO[wrapping]);
    expectSame(await java.get({ ...v4(key, wrapping), ...ALLOW, description: NON_ASCII }), BODY);
  });

  it('version 4 reads ranges of what we write', async () => {
    const key = `ours/${place}/ranged`;
    await command('put', 'body', address(key), ...writing, ...TO[wrapping]);
    const job = { ...v4(key, wrapping), ...ALLOW, legacyModes: true };
    for (const [first, last] of [[0, 15] as const, [17, 40] as const, [990, 999] as const])
      expectSame(await java.get({ ...job, range: [first, last] }), BODY.subarray(first, last + 1));
  });

  it('we see the material description that version 4 writes', async () => {
    const key = `theirs/${place}/description`;
    // Of a header with other characters MinIO refuses the signature of the AWS SDK for Java.
    const description = instructionFile ? NON_ASCII : { purpose: 'research "data" \\ 3' };
    await java.put({ ...v4(key, wrapping), ...FORMATS[format], instructionFile, description }, BODY);
    const target = `${place}/described`;
    mkdirSync(box.path(place), { recursive: true });
    const got = await command('get', '--json', address(key), target, ...FROM[wrapping], ...reading(format));
    expect(documents(got)).toMatchObject([{ format: 's3ec', description }]);
    expectSame(box.read(target), BODY);
  });
});

describe.each(['RSA', 'AES'] as const)('100 MiB, %s', (wrapping) => {
  it.each(['s3ec', 's3ec-v2'] as const)('both ways, in parts, %s', async (format) => {
    const body = pattern(100 * MIB);
    box.write('large', body);
    const [ours, theirs] = [`large/${wrapping}/${format}/ours`, `large/${wrapping}/${format}/theirs`];
    await command('put', 'large', address(ours), '--format', format, ...TO[wrapping]);
    expectSame(await java.get({ ...v4(ours, wrapping), ...ALLOW }), body);
    await java.put({ ...v4(theirs, wrapping), ...FORMATS[format], multipart: true }, body);
    await command('get', address(theirs), 'large', ...FROM[wrapping], ...reading(format));
    expectSame(box.read('large'), body);
  });
});

describe('a key wrapped anew in the instruction file by version 4', () => {
  it.each(['s3ec', 's3ec-v2'] as const)('of ours opens with the new key alone, %s', async (format) => {
    const key = `again/${format}`;
    const newKey = randomBytes(32);
    box.write('new.json', keySetOf(newKey));
    await command('put', 'body', address(key), '--format', format, '--instruction-file', ...TO.AES);
    const job = { ...v4(key, 'AES'), ...FORMATS[format], newWrapping: newKey, description: { key: 'new' } };
    await java.reencrypt(job);
    await command('get', address(key), 'again', '--private-key', 'new.json', ...reading(format));
    expectSame(box.read('again'), BODY);
    const old = await box.run(['get', address(key), 'old', ...FROM.AES, ...reading(format)]);
    expect(old).toMatchObject({ code: 5, stderr: expect.stringContaining('no key that was named opens') });
    expect(box.has('old')).toBe(false);
  });
});

/** Around what CBC pads. */
const LEGACY_SIZES = [0, 1, 15, 16, 17, MIB + 1];

describe.each(LEGACY_KINDS)('$client, $mode, $wrapping, instruction file: $instructionFile', (kind) => {
  const { client, mode, wrapping, instructionFile, old } = kind;
  const prefix = `legacy/${client}/${mode}/${wrapping}/${instructionFile ? 'file' : 'metadata'}/`;
  const description = instructionFile ? NON_ASCII : { purpose: 'research' };

  /** @returns what it says where it is refused */
  async function refusal(...options: string[]): Promise<string> {
    const args = [address(`${prefix}16`), 'refused', ...FROM[wrapping], ...options];
    const { code, stderr } = await box.run(['get', ...args]);
    expect(code).toBe(5);
    expect(box.has('refused')).toBe(false);
    return stderr;
  }

  beforeAll(async () => {
    const job = { client, mode, bucket, wrapping: KEYS[wrapping], instructionFile, description };
    for (const size of LEGACY_SIZES) await java.put({ ...job, key: `${prefix}${size}` }, pattern(size));
  });

  it('we refuse it under the default policy, and say which reads it', async () => {
    expect(await refusal()).toContain('--commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT');
    expect(await refusal('--allow-legacy')).toContain('--commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT');
  });

  if (old)
    it('we refuse it without --allow-legacy, and say so', async () => {
      expect(await refusal(...LENIENT)).toContain('--allow-legacy');
    });

  it('we read it, and its material description', async () => {
    const options = old ? [...LENIENT, '--allow-legacy'] : LENIENT;
    await command('get', '-r', address(prefix), prefix, ...FROM[wrapping], ...options);
    expect(box.files(prefix)).toEqual(LEGACY_SIZES.map(String).sort());
    for (const size of LEGACY_SIZES) expectSame(box.read(`${prefix}${size}`), pattern(size));
    const got = await command('get', '--json', address(`${prefix}16`), 'one', ...FROM[wrapping], ...options);
    expect(documents(got)).toMatchObject([{ format: 's3ec', description }]);
  });
});

describe.each(CASES.filter(({ format }) => format === 's3ec-v2'))(
  'the legacy clients read what we write: $wrapping, instruction file: $instructionFile',
  ({ wrapping, instructionFile }) => {
    it.each([
      { client: 'v2', mode: 'StrictAuthenticatedEncryption' },
      { client: 'v1', mode: 'AuthenticatedEncryption' },
    ] as const)('$client', async ({ client, mode }) => {
      const key = `ours/${client}/${wrapping}/${instructionFile ? 'file' : 'metadata'}`;
      const file = instructionFile ? ['--instruction-file'] : [];
      const writing = ['--format', 's3ec-v2', ...file, '--context', 'purpose=research'];
      await command('put', 'body', address(key), ...writing, ...TO[wrapping]);
      const description = { purpose: 'research' };
      const job = { client, mode, bucket, key, wrapping: KEYS[wrapping], description };
      expectSame(await java.get(job), BODY);
    });
  },
);
