/** The S3 Encryption Clients for Java among themselves: that the program runs them as it is told. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { pattern } from '../helpers/bytes.js';
import { rsaPair } from '../helpers/keys.js';
import { LEGACY_KINDS, V2_NAMES, V2_SUITE, V3_SUITE } from '../helpers/s3ec-java-kinds.js';
import { JavaRefusal, S3ecJava, type JavaJob } from '../helpers/s3ec-java.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const BUCKET = 'java-clients';
const BODY = pattern(1000);
const KEYS = { RSA: rsaPair(), AES: randomBytes(32) };
const LENIENT = { policy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' } as const;
const LEGACY = { ...LENIENT, legacyWrapping: true, legacyModes: true } as const;

let server: S3Server;
let java: S3ecJava;

beforeAll(async () => {
  server = await startMinio();
  await server.createBucket(BUCKET);
  java = await S3ecJava.start(server);
}, SETUP_TIME);

afterAll(async () => {
  await java?.stop();
  await server?.stop();
});

const v4 = (key: string, wrapping: keyof typeof KEYS): JavaJob => ({
  client: 'v4',
  bucket: BUCKET,
  key,
  wrapping: KEYS[wrapping],
});

const head = async (key: string) => server.client.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key }));

/** Names of the metadata of the object, and of its instruction file's entries. */
async function envelope(key: string): Promise<{ metadata: string[]; file: string[] }> {
  const { Metadata = {} } = await head(key);
  const file = await server.client
    .send(new GetObjectCommand({ Bucket: BUCKET, Key: `${key}.instruction` }))
    .then(async ({ Body }) => JSON.parse(await Body!.transformToString()) as object)
    .catch(() => ({}));
  return { metadata: Object.keys(Metadata).sort(), file: Object.keys(file).sort() };
}

describe.each(['RSA', 'AES'] as const)('version 4, %s', (wrapping) => {
  it('writes V2 where it is told to, and reads it where it may', async () => {
    const job = { ...v4(`${wrapping}/v2`, wrapping), suite: V2_SUITE, description: { a: 'b' } };
    await java.put({ ...job, policy: 'FORBID_ENCRYPT_ALLOW_DECRYPT' }, BODY);
    expect(await envelope(job.key)).toEqual({ metadata: V2_NAMES, file: [] });
    const reading = v4(job.key, wrapping);
    expect(await java.get({ ...reading, ...LENIENT })).toEqual(BODY);
    await expect(java.get(reading)).rejects.toThrow(/commitment policy/i);
  });

  it('writes V3', async () => {
    const job = { ...v4(`${wrapping}/v3`, wrapping), suite: V3_SUITE, description: { a: 'b' } };
    await java.put(job, BODY);
    const metadata = ['x-amz-3', 'x-amz-c', 'x-amz-d', 'x-amz-i', 'x-amz-m', 'x-amz-w'];
    expect(await envelope(job.key)).toEqual({ metadata, file: [] });
    expect(await java.get(v4(job.key, wrapping))).toEqual(BODY);
  });

  it('writes instruction files', async () => {
    const job = { ...v4(`${wrapping}/file`, wrapping), description: { a: 'b' }, instructionFile: true };
    await java.put(job, BODY);
    const metadata = ['x-amz-c', 'x-amz-d', 'x-amz-i'];
    expect(await envelope(job.key)).toEqual({ metadata, file: ['x-amz-3', 'x-amz-m', 'x-amz-w'] });
    expect(await java.get(v4(job.key, wrapping))).toEqual(BODY);
  });

  it('writes in parts', async () => {
    const body = pattern(6 * 1024 * 1024 + 1);
    await java.put({ ...v4(`${wrapping}/parts`, wrapping), multipart: true }, body);
    expect((await head(`${wrapping}/parts`)).ETag).toMatch(/-2"$/);
    expect((await java.get(v4(`${wrapping}/parts`, wrapping))).equals(body)).toBe(true);
  });

  it('reads ranges where it may', async () => {
    const job = v4(`${wrapping}/ranges`, wrapping);
    await java.put(job, BODY);
    await expect(java.get({ ...job, range: [17, 40] })).rejects.toThrow(JavaRefusal);
    expect(await java.get({ ...job, range: [17, 40], legacyModes: true })).toEqual(BODY.subarray(17, 41));
  });

  it('looks for a key by the description', async () => {
    const job = v4(`${wrapping}/description`, wrapping);
    await java.put({ ...job, description: { a: 'b', c: 'd' } }, BODY);
    expect(await java.get({ ...job, description: { c: 'd', a: 'b' } })).toEqual(BODY);
    await expect(java.get({ ...job, description: { a: 'b' } })).rejects.toThrow(JavaRefusal);
  });

  it('refuses the object of another key, and answers the next job', async () => {
    const job = v4(`${wrapping}/other`, wrapping);
    await java.put(job, BODY);
    const other = wrapping === 'RSA' ? rsaPair() : randomBytes(32);
    await expect(java.get({ ...job, wrapping: other })).rejects.toThrow(JavaRefusal);
    expect(await java.get(job)).toEqual(BODY);
  });
});

describe('version 4, for another key', () => {
  it('writes an RSA key a file of its own', async () => {
    const job = { ...v4('again/RSA', 'RSA'), instructionFile: true };
    const newWrapping = rsaPair();
    await java.put(job, BODY);
    await java.reencrypt({ ...job, newWrapping, description: { key: 'new' }, suffix: 'partner' });
    expect(await java.get({ ...job, wrapping: newWrapping, suffix: 'partner' })).toEqual(BODY);
    await expect(java.get({ ...job, wrapping: newWrapping })).rejects.toThrow(JavaRefusal);
    expect(await java.get(job)).toEqual(BODY);
  });

  it('writes the file anew for an AES key', async () => {
    const job = { ...v4('again/AES', 'AES'), instructionFile: true };
    const newWrapping = randomBytes(32);
    await java.put(job, BODY);
    await java.reencrypt({ ...job, newWrapping, description: { key: 'new' } });
    expect(await java.get({ ...job, wrapping: newWrapping })).toEqual(BODY);
    await expect(java.get(job)).rejects.toThrow(JavaRefusal);
  });
});

describe.each(LEGACY_KINDS)('$client, $mode, $wrapping, instruction file: $instructionFile', (kind) => {
  const { client, mode, instructionFile, names, old } = kind;
  const key = `legacy/${client}/${mode}/${kind.wrapping}/${instructionFile ? 'file' : 'metadata'}`;
  // It looks for its key by the description, and version 4 takes the one that it has.
  const description = { a: 'b' };
  const job = {
    client,
    mode,
    bucket: BUCKET,
    key,
    wrapping: KEYS[kind.wrapping],
    instructionFile,
    description,
  };
  const reading = v4(key, kind.wrapping);

  it('writes what it and version 4 read', async () => {
    await java.put(job, BODY);
    // MinIO drops x-amz-unencrypted-content-length, which all of them write.
    const { metadata, file } = await envelope(key);
    expect(instructionFile ? file : metadata).toEqual(names);
    expect(await java.get(job)).toEqual(BODY);
    expect(await java.get({ ...reading, ...LEGACY })).toEqual(BODY);
  });

  it('is refused by version 4 under its default policy, whatever else is allowed', async () => {
    await expect(java.get({ ...reading, ...LEGACY, policy: undefined })).rejects.toThrow(
      /commitment policy/i,
    );
  });

  it(old ? 'is refused without the legacy switches' : 'needs no legacy switches', async () => {
    const read = java.get({ ...reading, ...LENIENT });
    if (old) await expect(read).rejects.toThrow(/legacy/i);
    else expect(await read).toEqual(BODY);
  });
});
