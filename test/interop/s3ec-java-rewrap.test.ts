/** Objects that `rewrap` gave another key, opened by the S3 Encryption Client for Java: ours, and its own. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pattern } from '../helpers/bytes.js';
import { Box } from '../helpers/cli.js';
import { environmentFor } from '../helpers/cli-vault.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';
import { V2_SUITE, V3_SUITE } from '../helpers/s3ec-java-kinds.js';
import { JavaRefusal, S3ecJava, type JavaJob, type JavaKey } from '../helpers/s3ec-java.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const BODY = pattern(100_000);
const ALLOW = 'REQUIRE_ENCRYPT_ALLOW_DECRYPT';
const OLD = { RSA: rsaPair(), AES: randomBytes(32) };
const NEW = rsaPair();

let server: S3Server;
let java: S3ecJava;
let box: Box;
let bucket: string;

beforeAll(async () => {
  server = await startMinio();
  bucket = await server.createBucket(`java-rewrap-${randomUUID()}`);
  java = await S3ecJava.start(server);
  box = new Box(environmentFor(server));
  box.write('RSA.key', privatePem(OLD.RSA));
  box.write('RSA.pub', publicPem(OLD.RSA));
  const keys = [{ namespace: 'lab', name: 'aes', secretKey: OLD.AES.toString('base64') }];
  for (const name of ['AES.key', 'AES.pub']) box.write(name, JSON.stringify({ version: 1, keys }));
  box.write('new.pub', publicPem(NEW));
  box.write('new.key', privatePem(NEW));
  box.write('body', BODY);
}, SETUP_TIME);
afterAll(async () => {
  await java?.stop();
  await server?.stop();
});

async function run(...args: string[]): Promise<void> {
  expect(await box.run(args)).toMatchObject({ code: 0 });
}

const CASES = (['RSA', 'AES'] as const).flatMap((from) =>
  (['s3ec', 's3ec-v2'] as const).flatMap((format) =>
    [false, true].flatMap((instructionFile) =>
      (['we', 'version 4'] as const).map((writer) => ({ from, format, instructionFile, writer })),
    ),
  ),
);

describe.each(CASES)('from $from, $format, instruction file: $instructionFile', (one) => {
  const { from, format, instructionFile, writer } = one;

  it(`version 4 opens what ${writer} wrote with the new RSA key, and not with the old one`, async () => {
    const key = randomUUID();
    const reading = (wrapping: JavaKey): JavaJob => ({ client: 'v4', bucket, key, wrapping, policy: ALLOW });
    if (writer === 'we') {
      const to = from === 'RSA' ? ['--public-key', 'RSA.pub'] : ['--recipient', 'AES.pub'];
      const file = instructionFile ? ['--instruction-file'] : [];
      await run('put', 'body', `s3://${bucket}/${key}`, '--format', format, ...file, ...to);
    } else
      await java.put(
        {
          ...reading(OLD[from]),
          ...{ suite: format === 's3ec' ? V3_SUITE : V2_SUITE, instructionFile },
          ...(format === 's3ec' ? {} : { policy: 'FORBID_ENCRYPT_ALLOW_DECRYPT' }),
          description: { team: 'ops' },
        },
        BODY,
      );
    expect((await java.get(reading(OLD[from]))).equals(BODY)).toBe(true);
    const keys = ['--private-key', `${from}.key`, '--private-key', 'new.key'];
    const options = ['--unbound', '--commitment-policy', ALLOW];
    await run('rewrap', `s3://${bucket}/${key}`, '--to', 'new.pub', ...keys, ...options);
    expect((await java.get(reading(NEW))).equals(BODY)).toBe(true);
    await expect(java.get(reading(OLD[from]))).rejects.toBeInstanceOf(JavaRefusal);
  });
});
