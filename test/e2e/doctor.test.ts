/** `sealdrop doctor` against real servers, as its users run it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { Box, documents } from '../helpers/cli.js';
import { addKeys, environmentFor } from '../helpers/cli-vault.js';
import { isWanted, SETUP_TIME, STARTERS, type S3Server, type ServerName } from '../helpers/servers.js';

interface Finding {
  check: string;
  verdict: string;
  text: string;
}

interface Report {
  address: string;
  verdict: string;
  findings: Finding[];
  settings: object;
  storeOptions: string[];
}

const reports = (result: { stdout: Buffer }) => documents(result) as unknown as Report[];
const texts = ({ findings }: Report, check: string) =>
  findings.filter((finding) => finding.check === check).map(({ text }) => text);

describe.each((['minio', 'versitygw', 'ministack'] as const).filter(isWanted))('%s', (name: ServerName) => {
  let server: S3Server;
  let box: Box;

  beforeAll(async () => {
    server = await STARTERS[name]({ tls: name === 'minio' });
    box = new Box(environmentFor(server));
    addKeys(box);
    await server.createBucket('vault');
  }, SETUP_TIME);
  afterAll(() => server.stop());

  const doctor = (...args: string[]) =>
    box.run(['doctor', ...args, ...(server.caBundle === undefined ? [] : ['--ca-bundle', server.caBundle])], {
      timeout: 120_000,
    });

  async function leftovers(bucket: string): Promise<(string | undefined)[]> {
    const { Versions = [], DeleteMarkers = [] } = await server.client.send(
      new ListObjectVersionsCommand({ Bucket: bucket }),
    );
    const { Uploads = [] } = await server.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    return [...Versions, ...DeleteMarkers, ...Uploads].map(({ Key }) => Key);
  }

  test('everything that sealdrop needs works, and nothing is left', async () => {
    const result = await doctor('s3://vault/in/', '--public-key', 'public_key.pem', '--json');
    const [local, store] = reports(result);
    expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: '' });
    expect(local).toMatchObject({ address: 'local', verdict: expect.stringMatching(/ok|note/) });
    const bad = store!.findings.filter(({ verdict }) => verdict === 'broken' || verdict === 'setting');
    expect(bad).toEqual([]);
    expect(store!.settings).toEqual({});
    expect(texts(store!, 'rehearsal')).toHaveLength(4);
    expect(texts(store!, 'conditions')).toContain('writes rely on: all');
    expect(texts(store!, 'small')).toEqual(['stored and read']);
    expect(texts(store!, 'scratch')).toEqual([]);
    expect(await leftovers('vault')).toEqual([]);
  }, 180_000);

  test('what it differs in is named', async () => {
    const [, store] = reports(await doctor('s3://vault/', '--json'));
    const aliased = texts(store!, 'keys').find((text) => text.startsWith('kept under another name'));
    if (name === 'versitygw') expect(aliased).toMatch(/p\/\/q {2}a\/\.\.\/b/);
    const kept = texts(store!, 'delete').includes('If-Match is kept');
    expect(kept).toBe(name !== 'minio');
    if (name === 'minio') {
      expect(texts(store!, 'listing')).toContain('unfinished uploads are listed by their whole key alone');
      expect(texts(store!, 'encryption')).toContain('--sse c');
      expect(texts(store!, 'certificate')[0]).toMatch(/^the certificate ends on /);
    } else expect(texts(store!, 'certificate')[0]).toMatch(/^http: /);
  }, 180_000);

  test('a wrong secret, a bucket that there is not', async () => {
    const denied = await box.run(['doctor', 's3://vault/', '--json', ...ca(server)], {
      env: { AWS_SECRET_ACCESS_KEY: 'wrong' },
    });
    // Ministack looks at no signatures.
    if (name !== 'ministack') {
      expect(denied.code).toBe(1);
      expect(reports(denied)[1]!.findings.at(-1)).toMatchObject({
        check: 'credentials',
        verdict: 'broken',
        text: 'the store answers 403 SignatureDoesNotMatch',
      });
    }
    const missing = await doctor('s3://nowhere-at-all/', '--json');
    expect(missing.code).toBe(1);
    expect(reports(missing)[1]!.findings.at(-1)).toMatchObject({
      check: 'bucket',
      verdict: 'broken',
      text: 'the store answers 404 NoSuchBucket',
    });
  }, 180_000);

  test('a versioned bucket has no version left', async () => {
    if (name === 'versitygw') return expect(server.name).toBe('versitygw');
    const Bucket = await server.createBucket('versioned');
    await server.client.send(
      new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
    );
    const [, store] = reports(await doctor('s3://versioned/', '--json'));
    expect(texts(store!, 'versions')).toEqual(['versioning is on']);
    expect(await leftovers(Bucket)).toEqual([]);
  }, 180_000);
});

const ca = ({ caBundle }: S3Server) => (caBundle === undefined ? [] : ['--ca-bundle', caBundle]);

test('keys that do not fit, a configuration that does not hold, and every vault of it', async () => {
  const box = new Box();
  addKeys(box);
  await box.transcript(`
    $ sealdrop init --vault-name lab --address file://{dir}/vault --public-key public_key.pem --private-key private_key.pem --quiet
    $ sealdrop doctor
    > ok       keys           encrypts to MyAppKeys/S3RSAKey, {fingerprint}
    > ok       keys           the private key can be read
    > ok       keys           the private key opens what the public key encrypts
    > ok       configuration  sealdrop.config.json is used
    > warning  directory      {dir}/vault is no vault yet
    >                         -> the first sealdrop put into it makes it one
    $ echo hi > a && sealdrop put a lab: --quiet
    $ sealdrop doctor lab | tail -5
    > ok       directory      a vault at {dir}/vault
    > ok       directory      put and got 1000 bytes, proven by fsync
    > ok       directory      put and got 10486760 bytes, proven by fsync
    > ok       directory      listed
    > ok       directory      an object is not replaced with --no-overwrite
    $ sealdrop ls lab:
    > {time}            433 a
    $ sealdrop doctor lab: --private-key other_private.pem > report
    [1]
    $ head -4 report | tail -2
    > broken   keys           the private key does not open what the public key encrypts
    >                         -> they are not of one pair
    $ sealdrop doctor lab: --public-key none.pem | head -2
    > broken   keys           there is no key file none.pem
    >                         -> make a pair with: sealdrop keygen
    $ sealdrop doctor other:
    > ok       keys           encrypts to MyAppKeys/S3RSAKey, {fingerprint}
    > ok       keys           the private key can be read
    > ok       keys           the private key opens what the public key encrypts
    > ok       configuration  sealdrop.config.json is used
    ! error: there is no vault named other
    ! hint: configured: lab; a file of that name is written ./other:
    [2]
  `);
}, 120_000);

test('nothing listens, no such host', async () => {
  const box = new Box({ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
  await box.transcript(`
    $ sealdrop doctor s3://b --endpoint-url https://no-such-host.invalid | tail -2
    > broken   name           the host no-such-host.invalid is not found (ENOTFOUND)
    >                         -> check --endpoint-url and --region
    $ sealdrop doctor s3://b --endpoint-url https://127.0.0.1:9 | tail -2
    > broken   certificate    no trusted connection (ECONNREFUSED)
    >                         -> give the certificate of its authority: --ca-bundle FILE; or the port speaks no TLS
  `);
}, 120_000);
