/**
 * Objects under a KMS key, to and from the S3 Encryption Clients for Go and Python: by the command, on MinIO. What each of
 * the clients can't do at all is in test/proof/s3ec-clients.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pattern } from '../helpers/bytes.js';
import { Box, type Result } from '../helpers/cli.js';
import {
  plaintextOf,
  runS3ec,
  type S3ecClient,
  type S3ecJob,
  type S3ecResult,
} from '../helpers/s3ec-clients.js';
import { startS3ecServers, type S3ecServers } from '../helpers/s3ec-servers.js';
import { isWanted, SETUP_TIME } from '../helpers/servers.js';

const MIB = 1024 * 1024;
const SIZES = [0, 1, 15, 16, MIB - 1, MIB, MIB + 1, 100 * MIB];
const LARGEST = pattern(100 * MIB);
const CONTEXT = { project: 'soil samples', 'a "quoted" key': '\\ <and> /' };
/** Long enough that MinIO cuts it into several encoded words. */
const NOT_ASCII = { 用途: '研究データ（第3期）の暗号化', Größe: 'élevée', '🗝️ key': '👩🏽‍🔬 🎉' };
const ALLOW = 'REQUIRE_ENCRYPT_ALLOW_DECRYPT';
const V2 = { policy: 'FORBID_ENCRYPT_ALLOW_DECRYPT', suite: 0x0072 } as const;
const TIME = 5 * 60_000;

type Job = Partial<S3ecJob> & Pick<S3ecJob, 'op' | 'key'>;

const options = (context: Record<string, string>) =>
  Object.entries(context).flatMap(([name, value]) => ['--context', `${name}=${value}`]);

const wanted = isWanted('minio') && isWanted('ministack') ? describe : describe.skip;

wanted('under a KMS key, on MinIO', () => {
  let servers: S3ecServers;
  let box: Box;

  beforeAll(async () => {
    servers = await startS3ecServers();
    box = new Box({ ...servers.env });
    for (const size of SIZES) box.write(`in/${size}`, LARGEST.subarray(0, size));
  }, SETUP_TIME);
  afterAll(() => servers?.stop());

  const theirs = async (client: S3ecClient, jobs: Job[]): Promise<S3ecResult[]> => {
    const { bucket, kmsKey, env } = servers;
    return runS3ec(
      client,
      jobs.map((job) => ({ bucket, kmsKey, ...job })),
      env,
    );
  };
  const address = (key: string) => `s3://${servers.bucket}/${key}`;
  const put = (from: string, key: string, ...more: string[]): Promise<Result> =>
    box.run(['put', '-r', from, address(key), '--recipient', `kms:${servers.kmsKey}`, ...more], {
      timeout: TIME,
    });
  const get = (key: string, to: string, ...more: string[]): Promise<Result> =>
    box.run(['get', address(key), to, '--private-key', `kms:${servers.kmsKey}`, ...more], { timeout: TIME });
  const isPlaintext = (bytes: Buffer, size: number) => bytes.equals(LARGEST.subarray(0, size));

  describe.each([
    { name: 'V3', format: 's3ec', place: [], readers: ['go-4', 'python-4'] },
    {
      name: 'V3, by an instruction file',
      format: 's3ec',
      place: ['--instruction-file'],
      readers: ['go-4', 'python-4'],
    },
    { name: 'V2', format: 's3ec-v2', place: [], readers: ['go-3', 'go-4', 'python-4'] },
    {
      name: 'V2, by an instruction file',
      format: 's3ec-v2',
      place: ['--instruction-file'],
      readers: ['go-3', 'go-4', 'python-4'],
    },
  ] as const)('what we write: $name', ({ name, format, place, readers }) => {
    const key = (size: number) => `ours ${name}/${size}`;
    const policy = format === 's3ec' ? 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT' : ALLOW;

    beforeAll(async () => {
      const written = await put('in/', `ours ${name}/`, '--format', format, ...place, ...options(CONTEXT));
      expect(written).toMatchObject({ code: 0 });
    }, TIME);

    test.each(readers)(
      'is read by %s, of every size, with its context',
      async (reader) => {
        const results = await theirs(
          reader,
          SIZES.map((size) => ({ op: 'get', key: key(size), context: CONTEXT, policy })),
        );
        for (const [i, size] of SIZES.entries())
          expect(isPlaintext(plaintextOf(results[i]!), size)).toBe(true);
      },
      TIME,
    );

    test('has its wrapped key in one place, and its tag appended', async () => {
      const wrapped = format === 's3ec' ? 'x-amz-3' : 'x-amz-key-v2';
      const names = Object.keys(await servers.metadata(key(16)));
      expect(names.includes(wrapped)).toBe(place.length === 0);
      if (place.length > 0)
        expect(JSON.parse((await servers.read(`${key(16)}.instruction`)).toString())).toHaveProperty([
          wrapped,
        ]);
      expect(await servers.read(key(16))).toHaveLength(32);
    });

    test('is refused by them and by us when a bit of it was changed', async () => {
      const changed = `changed ${name}`;
      const body = await servers.read(key(MIB));
      body[1000]! ^= 1;
      await servers.write(changed, body, await servers.metadata(key(MIB)));
      if (place.length > 0)
        await servers.write(`${changed}.instruction`, await servers.read(`${key(MIB)}.instruction`));
      for (const reader of readers)
        expect(await theirs(reader, [{ op: 'get', key: changed, context: CONTEXT, policy }])).toMatchObject([
          { error: expect.stringMatching(/authentication failed|Failed to decrypt Object/) },
        ]);
      const refused = await get(changed, changed, '--commitment-policy', policy);
      expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('altered') });
      expect(box.has(changed)).toBe(false);
    });

    test('with a context that is not ASCII is read by Go, and by Python no way', async () => {
      box.write('small/file', LARGEST.subarray(0, 1000));
      const there = `not ASCII ${name}/`;
      const written = await put('small/', there, '--format', format, ...place, ...options(NOT_ASCII));
      expect(written).toMatchObject({ code: 0 });
      const job = { op: 'get', key: `${there}file`, policy } as const;
      for (const reader of readers.filter((each) => each !== 'python-4'))
        for (const result of await theirs(reader, [{ ...job, context: NOT_ASCII }, job]))
          expect(isPlaintext(plaintextOf(result), 1000)).toBe(true);
      expect(await theirs('python-4', [{ ...job, context: NOT_ASCII }, job])).toMatchObject([
        { error: expect.stringContaining('US-ASCII') },
        { error: expect.stringContaining('does not match') },
      ]);
    });
  });

  describe.each([
    { name: 'Go 3, V2', client: 'go-3', op: 'put', version: 2, how: {}, sizes: SIZES },
    { name: 'Go 4, V2', client: 'go-4', op: 'put', version: 2, how: V2, sizes: SIZES },
    { name: 'Go 4, V3', client: 'go-4', op: 'put', version: 3, how: {}, sizes: SIZES },
    { name: 'Python 4, V2', client: 'python-4', op: 'put', version: 2, how: V2, sizes: SIZES },
    { name: 'Python 4, V3', client: 'python-4', op: 'put', version: 3, how: {}, sizes: SIZES },
    // From 8 MiB on in parts, the last of which may be a whole one.
    {
      name: 'Python 4, V2 in parts',
      client: 'python-4',
      op: 'upload',
      version: 2,
      how: V2,
      sizes: [100 * MIB, 16 * MIB],
    },
    {
      name: 'Python 4, V3 in parts',
      client: 'python-4',
      op: 'upload',
      version: 3,
      how: {},
      sizes: [100 * MIB, 16 * MIB],
    },
  ] as const)('what $name writes', ({ name, client, op, version, how, sizes }) => {
    const policy = version === 2 ? ['--commitment-policy', ALLOW] : [];

    beforeAll(async () => {
      const jobs = sizes.map((size) => ({
        ...{ op, key: `${name}/${size}`, context: CONTEXT, body: LARGEST.subarray(0, size) },
        ...how,
      }));
      for (const result of await theirs(client, jobs)) expect(result).toMatchObject({ ok: true });
    }, TIME);

    test(
      'we read, of every size, with its context',
      async () => {
        const out = `out/${name}`;
        const read = await get(`${name}/`, out, '-r', ...policy, ...options(CONTEXT));
        expect(read).toMatchObject({ code: 0 });
        for (const size of sizes) expect(isPlaintext(box.read(`${out}/${size}`), size)).toBe(true);
      },
      TIME,
    );

    test('we refuse with another context, or with a bit changed', async () => {
      const key = `${name}/${sizes[1]}`;
      const body = await servers.read(key);
      body[0]! ^= 1;
      await servers.write(`changed ${name}`, body, await servers.metadata(key));
      const another = await get(key, 'refused', ...policy, '--context', 'project=another');
      expect(another).toMatchObject({ code: 5, stderr: expect.stringContaining('project=another') });
      const changed = await get(`changed ${name}`, 'refused', ...policy);
      expect(changed).toMatchObject({ code: 5, stderr: expect.stringContaining('altered') });
      expect(box.has('refused')).toBe(false);
    });

    if (version === 2)
      test('we refuse by the default policy, and name the one that allows it', async () => {
        const refused = await get(`${name}/${sizes[1]}`, 'refused');
        expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining(ALLOW) });
        expect(box.has('refused')).toBe(false);
      });

    if (client !== 'python-4')
      test('we read with a context that is not ASCII, which it cannot itself', async () => {
        const key = `not ASCII/${name}`;
        const job = { op, key, context: NOT_ASCII, body: LARGEST.subarray(0, 1000), ...how };
        expect(await theirs(client, [job])).toMatchObject([{ ok: true }]);
        const read = await get(key, `not ASCII ${name}`, ...policy, ...options(NOT_ASCII));
        expect(read).toMatchObject({ code: 0 });
        expect(isPlaintext(box.read(`not ASCII ${name}`), 1000)).toBe(true);
      });
  });
});
