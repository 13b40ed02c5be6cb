/** Objects of the first S3 Encryption Clients with KMS, SES's mail among them. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pattern } from '../helpers/bytes.js';
import { Box } from '../helpers/cli.js';
import { plaintextOf, runS3ec, type S3ecClient, type S3ecJob } from '../helpers/s3ec-clients.js';
import { writeLegacy } from '../helpers/s3ec-legacy.js';
import { startS3ecServers, type S3ecServers } from '../helpers/s3ec-servers.js';
import { isWanted, SETUP_TIME } from '../helpers/servers.js';

const SIZES = [0, 1, 15, 16, 17, 4096, 70_000, 1024 * 1024];
const CONTENTS = ['AES/GCM/NoPadding', 'AES/CBC/PKCS5Padding'] as const;
const CLIENTS = ['go-3', 'go-4', 'python-4'] as const;
/** Of SES. */
const PAIRS = { 'aws:ses:message-id': 'o3vrnil0e2ic28trm7dfhrc2v0', 'aws:ses:rule-name': 'mail' };

const wanted = isWanted('minio') && isWanted('ministack') ? describe : describe.skip;

wanted.each(CONTENTS)('%s, with its data key wrapped by kms without context', (content) => {
  const cbc = content === 'AES/CBC/PKCS5Padding';
  let servers: S3ecServers;

  beforeAll(async () => {
    servers = await startS3ecServers();
    for (const size of SIZES) await writeLegacy(servers, `${size}`, content, pattern(size), PAIRS);
  }, SETUP_TIME);
  afterAll(() => servers?.stop());

  const read = (client: S3ecClient, sizes: readonly number[], switches: Partial<S3ecJob>) =>
    runS3ec(
      client,
      sizes.map((size) => ({
        ...{ op: 'get', bucket: servers.bucket, key: `${size}`, kmsKey: servers.kmsKey },
        ...{ policy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT', ...switches },
      })),
      servers.env,
    );

  test.each(CLIENTS)('is read by %s where legacy is allowed', async (client) => {
    const results = await read(client, SIZES, { legacyWrapping: true, legacyModes: cbc });
    for (const [i, result] of results.entries())
      expect(plaintextOf(result).equals(pattern(SIZES[i]!))).toBe(true);
  });

  test.each(CLIENTS)('is refused by %s where it is not', async (client) => {
    expect(await read(client, [16], { legacyModes: true })).toMatchObject([
      { error: expect.stringMatching(/legacy ?wrapping/i) },
    ]);
    if (cbc)
      expect(await read(client, [16], { legacyWrapping: true })).toMatchObject([
        { error: expect.stringMatching(/legacy unauthenticated/i) },
      ]);
  });

  describe('with us', () => {
    const get = (box: Box, from: string, ...more: string[]) =>
      box.run([
        ...['get', `s3://${servers.bucket}/${from}`, 'out', '--private-key', `kms:${servers.kmsKey}`],
        ...['--commitment-policy', 'REQUIRE_ENCRYPT_ALLOW_DECRYPT', ...more],
      ]);

    test('is read where legacy is allowed', async () => {
      const box = new Box({ ...servers.env });
      expect(await get(box, '', '-r', '--allow-legacy')).toMatchObject({ code: 0 });
      for (const size of SIZES) expect(box.read(`out/${size}`).equals(pattern(size))).toBe(true);
    });

    test('is said to be unauthenticated where it is', async () => {
      const box = new Box({ ...servers.env });
      const { code, stderr } = await get(box, '16', '--allow-legacy');
      expect(code).toBe(0);
      expect(stderr.includes('nothing authenticates')).toBe(cbc);
    });

    test('is refused where it is not, and the option named', async () => {
      const box = new Box({ ...servers.env });
      const refused = await get(box, '16');
      expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('--allow-legacy') });
      expect(box.has('out')).toBe(false);
    });
  });
});
