/**
 * The S3 Encryption Clients for Go and Python among themselves: that they are started rightly, and what each can do, which
 * is what we are measured by. Where one can't read its own objects, ours that it reads are written another way.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pattern } from '../helpers/bytes.js';
import { plaintextOf, runS3ec, type S3ecClient, type S3ecJob } from '../helpers/s3ec-clients.js';
import { startS3ecServers, type S3ecServers } from '../helpers/s3ec-servers.js';
import { isWanted, SETUP_TIME } from '../helpers/servers.js';

const GCM = 0x0072;
const COMMITTING = 0x0073;
const CONTEXT = { project: 'soil samples', 'a "quoted" key': '\\ and /' };
const SIZES = [0, 1, 15, 16, 17, 70_000];
/** Above 8 MiB Python's `upload` sends parts. */
const LARGE = 17 * 1024 * 1024 + 3;

const WRITERS = [
  { name: 'Go 3', client: 'go-3', format: 2, options: {} },
  {
    name: 'Go 4, V2',
    client: 'go-4',
    format: 2,
    options: { policy: 'FORBID_ENCRYPT_ALLOW_DECRYPT', suite: GCM },
  },
  { name: 'Go 4, V3', client: 'go-4', format: 3, options: {} },
  {
    name: 'Python 4, V2',
    client: 'python-4',
    format: 2,
    options: { policy: 'FORBID_ENCRYPT_ALLOW_DECRYPT', suite: GCM },
  },
  { name: 'Python 4, V3', client: 'python-4', format: 3, options: { suite: COMMITTING } },
] as const satisfies {
  name: string;
  client: S3ecClient;
  format: 2 | 3;
  options: Partial<S3ecJob>;
}[];

const READERS = ['go-3', 'go-4', 'python-4'] as const;

const wanted = isWanted('minio') && isWanted('ministack') ? describe : describe.skip;

wanted('the S3 Encryption Clients for Go and Python', () => {
  let servers: S3ecServers;
  const all = (client: S3ecClient, jobs: (Partial<S3ecJob> & Pick<S3ecJob, 'op' | 'key'>)[]) =>
    runS3ec(
      client,
      jobs.map((job) => ({ bucket: servers.bucket, kmsKey: servers.kmsKey, ...job })),
      servers.env,
    );
  const one = async (client: S3ecClient, job: Partial<S3ecJob> & Pick<S3ecJob, 'op' | 'key'>) =>
    (await all(client, [job]))[0]!;

  beforeAll(async () => {
    servers = await startS3ecServers();
  }, SETUP_TIME);
  afterAll(() => servers?.stop());

  describe.each(WRITERS)('objects of $name', ({ name, client, format, options }) => {
    const keys = SIZES.map((size) => `${name}/${size}`);

    beforeAll(async () => {
      const puts = SIZES.map((size, i) => ({
        ...{ op: 'put' as const, key: keys[i]!, context: CONTEXT, body: pattern(size) },
        ...options,
      }));
      expect(await all(client, puts)).toEqual(puts.map(() => expect.objectContaining({ ok: true })));
    });

    test('have the metadata of their format, and their tag is appended', async () => {
      for (const [i, key] of keys.entries()) {
        const names = Object.keys(await servers.metadata(key));
        expect(names).toContain(format === 3 ? 'x-amz-3' : 'x-amz-key-v2');
        expect(names).not.toContain(format === 3 ? 'x-amz-key-v2' : 'x-amz-3');
        expect(await servers.read(key)).toHaveLength(SIZES[i]! + 16);
      }
    });

    const readers = READERS.filter((reader) => format === 2 || reader !== 'go-3');
    test.each(readers)('are read by %s, with their context', async (reader) => {
      const policy = format === 2 ? 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' : 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT';
      const results = await all(
        reader,
        keys.map((key) => ({ op: 'get', key, context: CONTEXT, policy })),
      );
      for (const [i, result] of results.entries())
        expect(plaintextOf(result).equals(pattern(SIZES[i]!))).toBe(true);
    });

    test('are refused with another context by those who look at it', async () => {
      for (const reader of readers.filter((each) => each !== 'go-3')) {
        const job = { op: 'get', key: keys[1]!, policy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' } as const;
        expect(await one(reader, { ...job, context: { project: 'other' } })).toMatchObject({
          error: expect.stringContaining('encryption context does not match'),
        });
      }
    });

    test.each(readers)(
      'are read by %s when their wrapped key lies in an instruction file',
      async (reader) => {
        const key = `${name}/moved`;
        const entries = Object.entries(await servers.metadata(keys.at(-1)!));
        const stays = ([entry]: [string, string]) => /^x-amz-[cdi]$/.test(entry);
        const metadata = Object.fromEntries(entries.filter(stays));
        await servers.write(key, await servers.read(keys.at(-1)!), metadata);
        const moved = entries.filter((entry) => !stays(entry) && entry[1] !== '');
        await servers.write(`${key}.instruction`, JSON.stringify(Object.fromEntries(moved)));
        const job = { op: 'get', key, context: CONTEXT, policy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' } as const;
        expect(plaintextOf(await one(reader, job)).equals(pattern(SIZES.at(-1)!))).toBe(true);
      },
    );

    if (format === 2)
      test('are refused by the default policy of version 4', async () => {
        for (const reader of ['go-4', 'python-4'] as const)
          expect(await one(reader, { op: 'get', key: keys[1]!, context: CONTEXT })).toMatchObject({
            error: expect.stringMatching(/commitment/i),
          });
      });
    else
      test('are not known to Go 3.1', async () => {
        // It looks for an instruction file.
        const error: unknown = expect.stringContaining('NoSuchKey');
        expect(await one('go-3', { op: 'get', key: keys[1]! })).toMatchObject({ ok: false, error });
      });
  });

  test('what Python uploads in parts is one message, which Go reads', async () => {
    const body = pattern(LARGE);
    expect(await one('python-4', { op: 'upload', key: 'parts', body })).toMatchObject({ ok: true });
    expect(await servers.read('parts')).toHaveLength(LARGE + 16);
    expect(plaintextOf(await one('go-4', { op: 'get', key: 'parts' })).equals(body)).toBe(true);
  });

  test('Python refuses a context that is not ASCII', async () => {
    const job = { op: 'put', key: 'refused', context: { 用途: '研究' }, body: pattern(1) } as const;
    expect(await one('python-4', job)).toMatchObject({ error: expect.stringContaining('US-ASCII') });
  });

  test('Go writes one, and cannot read it back from MinIO, which encodes it once where S3 does so twice', async () => {
    for (const client of ['go-3', 'go-4'] as const) {
      const key = `not ASCII/${client}`;
      const context = { 用途: '研究' };
      expect(await one(client, { op: 'put', key, context, body: pattern(1) })).toMatchObject({ ok: true });
      const error: unknown = expect.stringContaining('EncryptionContext does not match');
      expect(await one(client, { op: 'get', key })).toMatchObject({ ok: false, error });
    }
  });
});
