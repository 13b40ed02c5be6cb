import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
} from '@aws-sdk/client-s3';
import { selfSigned, type Certificate } from '../helpers/certificate.js';
import { Box, documents, until } from '../helpers/cli.js';
import { httpServer, silentServer, tlsInFrontOf, type Listener } from '../helpers/cli-listeners.js';
import { addKeys, environmentFor, newVault, type TestVault } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { freePort } from '../helpers/server-process.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const PUBLIC = ['--public-key', 'public_key.pem'];
const PRIVATE = ['--private-key', 'private_key.pem'];
const MIB = 1024 * 1024;

let server: S3Server;
let vault: TestVault;
let before: string[];
let old: Buffer;

beforeAll(async () => {
  server = await startMinio();
  vault = await newVault('s3', server);
  vault.box.write('data', 'data');
  vault.box.write('target', 'untouched');
  vault.box.write('large', randomBytes(12 * MIB));
  await vault.box.run(['put', 'data', `${vault.address}/object`, ...PUBLIC]);
  await vault.box.run(['put', 'large', `${vault.address}/large`, ...PUBLIC]);
  old = await vault.stored('object');
  before = vault.box.files();
}, SETUP_TIME);
afterAll(async () => server.stop());

/** After everything that fails: no file came or went, and the object that was there still is. */
afterEach(async () => {
  expect(vault.box.files()).toEqual(before);
  expect(vault.box.read('target').toString()).toBe('untouched');
  expect(await vault.stored('object')).toEqual(old);
  expect(await vault.keys()).toEqual(['large', 'object']);
  for (const key of ['object', 'large', 'new']) expect(await vault.unfinished(key)).toEqual([]);
});

test('a bucket that isn’t there', () =>
  vault.box.transcript(`
    $ sealdrop put data s3://no-such-bucket/new --public-key public_key.pem
    ! error: s3://no-such-bucket/new: there is no such bucket (NoSuchBucket)
    ! hint: check the name, and the endpoint and region that it is at
    [3]
    $ sealdrop get s3://no-such-bucket/object target --private-key private_key.pem
    ! error: there is no bucket no-such-bucket at {host}
    ! hint: check the name, and the endpoint and region that it is at
    [3]
    $ sealdrop ls s3://no-such-bucket
    ! error: s3://no-such-bucket/: there is no such bucket (NoSuchBucket)
    ! hint: check the name, and the endpoint and region that it is at
    [3]
    $ sealdrop rm s3://no-such-bucket/object
    ! error: there is no bucket no-such-bucket at {host}
    ! hint: check the name, and the endpoint and region that it is at
    [3]
    $ sealdrop ls s3://A
    ! error: s3://A/: no bucket can have that name (InvalidBucketName)
    ! hint: names have 3 to 63 small letters, digits, dots and hyphens
    [3]
  `));

describe('credentials', () => {
  const secretHint =
    'the secret key does not fit the access key (or a proxy changes requests, or the region is wrong)';

  test('with the wrong secret: every command says which of the two is wrong', async () => {
    await vault.box.transcript(
      `
      $ sealdrop put data {vault}/object --public-key public_key.pem
      ! error: {vault}/object: access is denied (SignatureDoesNotMatch)
      ! hint: ${secretHint}
      [4]
      $ sealdrop get {vault}/object target --private-key private_key.pem
      ! error: {vault}/object: access is denied (SignatureDoesNotMatch)
      ! hint: ${secretHint}
      [4]
      $ sealdrop put data {vault}/object --no-overwrite --public-key public_key.pem
      ! error: {vault}/object: access is denied (SignatureDoesNotMatch)
      ! hint: ${secretHint}
      [4]
      $ sealdrop ls {vault}
      ! error: {vault}/: access is denied (SignatureDoesNotMatch)
      ! hint: ${secretHint}
      [4]
      $ sealdrop rm {vault}/object
      ! error: {vault}/object: access is denied (SignatureDoesNotMatch)
      ! hint: ${secretHint}
      [4]
    `,
      { env: { AWS_SECRET_ACCESS_KEY: 'a-wrong-secret' } },
    );
  });

  test('that the store doesn’t know', () =>
    vault.box.transcript(
      `
      $ sealdrop get {vault}/object target --private-key private_key.pem
      ! error: {vault}/object: access is denied (InvalidAccessKeyId)
      ! hint: the store does not know this access key: check the profile or the environment, and the endpoint
      [4]
    `,
      { env: { AWS_ACCESS_KEY_ID: 'NOBODY' } },
    ));

  const NONE = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };

  test('that are missing', async () => {
    const put = await vault.box.run(['put', 'data', `${vault.address}/new`, '--json', ...PUBLIC], {
      env: NONE,
    });
    expect(put).toMatchObject({
      code: 4,
      stderr:
        'error: no credentials for the store were found\nhint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --profile NAME\n',
    });
    expect(documents(put)).toMatchObject([{ error: { code: 'credentials_missing', retryable: false } }]);
    expect(put.milliseconds).toBeLessThan(10_000);
  });

  test('that are missing, where the metadata service of a cloud is asked and never answers: no long wait', async () => {
    const metadata = await silentServer();
    const { code, stderr, milliseconds } = await vault.box.run(
      ['get', `${vault.address}/object`, 'target', ...PRIVATE],
      {
        env: {
          ...NONE,
          AWS_EC2_METADATA_DISABLED: 'false',
          AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${metadata.host}`,
        },
      },
    );
    await metadata.close();
    expect({ code, error: stderr.split('\n')[0] }).toEqual({
      code: 4,
      error: 'error: no credentials for the store were found',
    });
    // Measured: 2 s.
    expect(milliseconds).toBeLessThan(15_000);
  });

  test('of a profile that isn’t there', () =>
    vault.box.transcript(`
      $ sealdrop get {vault}/object target --profile nobody --private-key private_key.pem
      ! error: the profile nobody gives no credentials
      ! hint: check its name, and what ~/.aws/credentials and ~/.aws/config have under it
      [4]
    `));
});

describe('an endpoint', () => {
  const get = (...more: string[]) =>
    vault.box.run(['get', `${vault.address}/object`, 'target', ...PRIVATE, ...more]);
  const put = (...more: string[]) =>
    vault.box.run(['put', 'data', `${vault.address}/object`, ...PUBLIC, ...more]);

  test('that is no URL', async () => {
    for (const url of ['127.0.0.1:9000', 'ftp://host', 'https://user:password@host', 's3.example.com']) {
      const { code, stderr } = await get('--endpoint-url', url);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr:
          'error: the endpoint is not a URL like https://host:port\nhint: it begins with https:// or http:// and holds no user name or password\n',
      });
    }
  });

  test('where nothing listens, and one whose name doesn’t exist', async () => {
    const host = `127.0.0.1:${await freePort()}`;
    for (const act of [get, put])
      expect(await act('--endpoint-url', `http://${host}`)).toMatchObject({
        code: 1,
        stderr: `error: ${vault.address}/object: the connection to ${host} failed (ECONNREFUSED)\nhint: nothing listens there: check --endpoint-url and its port\n`,
      });
    const { code, stderr } = await get('--endpoint-url', 'http://no-such-host.invalid');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: .* the connection to no-such-host\.invalid failed \((ENOTFOUND|EAI_AGAIN)\)\nhint: .*\n$/,
    );
  });

  test.each<[string, number, Record<string, string>, string, string]>([
    ['a web page', 200, { 'content-type': 'text/html' }, '<html>Welcome</html>', 'answered 200'],
    [
      'a login page',
      302,
      { location: 'https://login.example/' },
      '',
      'answered 302, a redirection to another address',
    ],
    [
      'an API',
      404,
      { 'content-type': 'application/json' },
      '{"message":"no route"}',
      'answered 404 with application/json',
    ],
    ['text', 200, { 'content-type': 'text/plain' }, 'hello', 'answered 200'],
  ])('that is %s and no S3', async (_what, status, headers, body, why) => {
    const web = await httpServer((request, response) => {
      request.resume();
      response.writeHead(status, headers).end(body);
    });
    const outcomes = [];
    for (const args of [
      ['get', `${vault.address}/object`, 'target', ...PRIVATE],
      ['put', 'data', `${vault.address}/object`, ...PUBLIC],
      ['ls', vault.address],
    ])
      outcomes.push(await vault.box.run([...args, '--endpoint-url', `http://${web.host}`, '--json']));
    await web.close();
    for (const { code, stderr, stdout } of outcomes) {
      expect(code).toBe(1);
      expect(stderr).toContain(`error: ${web.host} is not an S3 endpoint: it `);
      expect(stderr).toContain('hint: check --endpoint-url');
      expect(documents({ stdout }).at(-1)).toMatchObject({ error: { code: 'not_s3' } });
    }
    expect(outcomes.some(({ stderr }) => stderr.includes(why))).toBe(true);
  });

  test('that refuses in words of its own, which are passed on', async () => {
    const said = 'S3 API Requests must be made to API port.';
    const web = await httpServer((request, response) => {
      request.resume();
      response
        .writeHead(400, { 'content-type': 'application/xml' })
        .end(`<Error><Code>InvalidArgument</Code><Message>${said}</Message></Error>`);
    });
    const listed = await vault.box.run(['ls', vault.address, '--endpoint-url', `http://${web.host}`]);
    await web.close();
    expect(listed).toMatchObject({
      code: 1,
      stderr: `error: ${vault.address}/: the store refuses this request (InvalidArgument: ${said})\n`,
    });
  });

  test('that speaks TLS with a certificate nobody knows; then with it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealdrop-cli-tls-'));
    const certificate: Certificate = await selfSigned(folder);
    const tls: Listener = await tlsInFrontOf(server.endpoint, certificate);
    const url = ['--endpoint-url', `https://${tls.host}`];
    for (const act of [get, put])
      expect(await act(...url)).toMatchObject({
        code: 1,
        stderr: `error: the certificate of ${tls.host} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)\nhint: give the certificate of its authority with --ca-bundle FILE (or AWS_CA_BUNDLE)\n`,
      });
    const trusted = [
      await vault.box.run([
        'cat',
        `${vault.address}/object`,
        ...url,
        '--ca-bundle',
        certificate.certificate,
        ...PRIVATE,
      ]),
      await vault.box.run(['cat', `${vault.address}/object`, ...url, ...PRIVATE], {
        env: { AWS_CA_BUNDLE: certificate.certificate },
      }),
    ];
    for (const { stdout, stderr } of trusted) expect([stdout.toString(), stderr]).toEqual(['data', '']);
    const spoken = await get('--endpoint-url', server.endpoint.replace('http:', 'https:'));
    await tls.close();
    rmSync(folder, { recursive: true });
    expect(spoken).toMatchObject({
      code: 1,
      stderr: `error: ${vault.address}/object: the connection to ${new URL(server.endpoint).host} failed (EPROTO)\nhint: it does not speak TLS there: check whether --endpoint-url begins with http:// or https://\n`,
    });
  });

  test('with a CA bundle that can’t be read, or is none', async () => {
    expect(await get('--ca-bundle', 'missing')).toMatchObject({
      code: 2,
      stderr: 'error: the CA bundle missing cannot be read\n',
    });
  });
});

describe('a store that dies half-way', () => {
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await startFaultProxy(server.endpoint);
  });
  afterAll(async () => proxy.close());
  afterEach(() => proxy.reset());

  test('during a get: the target stays as it was; cat has released whole frames that are right', async () => {
    proxy.add({ method: 'GET', url: '/large', cutResponse: 5 * MIB, times: 1 });
    proxy.add({ method: 'GET', url: '/large', cutResponse: 0, times: 1000 });
    const env = { SEALDROP_ENDPOINT_URL: proxy.endpoint };
    const got = await vault.box.run(['get', `${vault.address}/large`, 'target', ...PRIVATE], { env });
    expect(got.code).toBe(1);
    expect(got.stderr).toMatch(
      /^error: .*\/large: the connection (broke again and again|to \S+ failed).*\n$/,
    );
    proxy.reset();
    proxy.add({ method: 'GET', url: '/large', cutResponse: 5 * MIB, times: 1 });
    proxy.add({ method: 'GET', url: '/large', cutResponse: 0, times: 1000 });
    const cat = await vault.box.run(['cat', `${vault.address}/large`, ...PRIVATE], { env });
    expect(cat.code).toBe(1);
    // The fifth frame was cut within: headers and tags take room as well.
    expect(cat.stdout.equals(vault.box.read('large').subarray(0, 4 * MIB))).toBe(true);
  });

  test('during a put: the old object stays, and no unfinished upload where it could be removed', async () => {
    proxy.add({ method: 'PUT', url: 'partNumber=2', cutRequest: 100_000, times: 1000 });
    const { code, stderr } = await vault.box.run(
      ['put', 'large', `${vault.address}/object`, '--part-size', '5MiB', ...PUBLIC],
      { env: { SEALDROP_ENDPOINT_URL: proxy.endpoint } },
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: .*\/object: the connection to 127\.0\.0\.1:\d+ failed \(\w+\)\n(hint: .*\n)?$/,
    );
    expect(proxy.requests.filter((line) => line.startsWith('DELETE'))).toHaveLength(1);
  });

  test('for good: the put fails and says what stays at the store', async () => {
    const dying = await startMinio();
    const other = await newVault('s3', dying);
    other.box.write('large', randomBytes(12 * MIB));
    const running = other.box.start([
      'put',
      '-',
      `${other.address}/object`,
      '--part-size',
      '5MiB',
      ...PUBLIC,
    ]);
    running.child.stdin!.write(randomBytes(11 * MIB));
    await until('the upload has begun', async () => (await other.unfinished('object')).length === 1);
    const [id] = await other.unfinished('object');
    const upload = { Bucket: other.box.names.bucket, Key: 'object', UploadId: id };
    // By then the command has the id.
    await until('a part is there', async () => {
      const { Parts = [] } = await dying.client.send(new ListPartsCommand(upload));
      return Parts.length > 0;
    });
    await dying.stop();
    running.child.stdin!.end(randomBytes(MIB));
    const { code, stderr } = await running.result;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: .* the connection to 127\.0\.0\.1:\d+ failed \(ECONNREFUSED\)\nhint: .*\n$/,
    );
    expect(stderr).toContain(`an unfinished upload with id ${id} stays at the store`);
  });

  test('and answers 503 for ever: it is asked again some times, and then said', async () => {
    proxy.add({ answer: { status: 503, body: '<Error><Code>SlowDown</Code></Error>' }, times: 1000 });
    const got = await vault.box.run(['ls', vault.address, '--json'], {
      env: { SEALDROP_ENDPOINT_URL: proxy.endpoint },
    });
    expect(got).toMatchObject({
      code: 1,
      stderr: `error: ${vault.address}/: the store asks to slow down (SlowDown)\n`,
    });
    expect(documents(got)).toMatchObject([{ error: { code: 'store_unavailable', retryable: true } }]);
    expect(proxy.requests.length).toBeGreaterThan(2);
  });
});

test('uploads that somebody began and nobody ended are said after a put', async () => {
  const target = { Bucket: vault.box.names.bucket, Key: 'object' };
  const { UploadId } = await server.client.send(new CreateMultipartUploadCommand(target));
  const { code, stderr } = await vault.box.run(['put', 'data', `${vault.address}/object`, ...PUBLIC]);
  await server.client.send(new AbortMultipartUploadCommand({ ...target, UploadId }));
  expect(code).toBe(0);
  expect(stderr).toContain(
    `warning: an unfinished upload of ${vault.address}/object lies at the store since `,
  );
  expect(stderr).toContain(`(upload id ${UploadId})\nhint: it takes room until it is aborted`);
  old = await vault.stored('object');
});

test('the put’s own upload is none of them, however late the store lists it', async () => {
  const proxy = await startFaultProxy(server.endpoint);
  proxy.add({ method: 'GET', url: '&uploads', delay: 500 });
  proxy.add({ method: 'PUT', url: 'partNumber=', delay: 1_000, times: 10 });
  const put = ['put', 'large', `${vault.address}/large`, '--part-size', '5MiB', '--json', ...PUBLIC];
  const result = await vault.box.run(put, { env: { SEALDROP_ENDPOINT_URL: proxy.endpoint } });
  const { requests } = proxy;
  await proxy.close();
  expect(requests.filter((line) => /^GET .*&uploads/.test(line))).toHaveLength(1);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(documents(result)).toMatchObject([{ unfinishedUploads: [] }]);
});

describe('settings', () => {
  let box: Box;
  const cat = (args: string[] = [], env: Record<string, string> = {}) =>
    box.run(['cat', `${vault.address}/object`, ...PRIVATE, ...args], { env });
  const opens = { code: 0, stderr: '', stdout: Buffer.from('data') };
  let nowhere: string;

  beforeAll(async () => {
    const environment = environmentFor(server);
    nowhere = `http://127.0.0.1:${await freePort()}`;
    // Nothing in the environment: all comes from files.
    box = new Box();
    addKeys(box);
    const profile = (...lines: string[]) => `${lines.join('\n')}\n\n`;
    const keys = [
      `aws_access_key_id = ${environment.AWS_ACCESS_KEY_ID}`,
      `aws_secret_access_key = ${environment.AWS_SECRET_ACCESS_KEY}`,
    ];
    box.write('credentials', profile('[default]', ...keys) + profile('[lab]', ...keys));
    box.write(
      'config',
      profile('[default]', 'region = us-east-1', `endpoint_url = ${nowhere}`) +
        profile('[profile lab]', 'region = us-east-1', `endpoint_url = ${server.endpoint}`) +
        profile('[profile services]', ...keys, 'services = local', 'region = us-east-1') +
        profile('[services local]', 's3 =', `  endpoint_url = ${server.endpoint}`),
    );
    Object.assign(box.env, {
      AWS_SHARED_CREDENTIALS_FILE: box.path('credentials'),
      AWS_CONFIG_FILE: box.path('config'),
    });
  });

  test('credentials and endpoint_url come from the files of the AWS tools, by profile', async () => {
    expect(await cat(['--profile', 'lab'])).toMatchObject(opens);
    expect(await cat([], { SEALDROP_PROFILE: 'lab' })).toMatchObject(opens);
    expect(await cat([], { AWS_PROFILE: 'lab' })).toMatchObject(opens);
    expect(await cat(['--profile', 'services'])).toMatchObject(opens);
    expect(await cat()).toMatchObject({ code: 1 });
  });

  test('the option goes before the environment, SEALDROP_ before AWS_, and that before the files', async () => {
    const good = server.endpoint;
    expect(await cat(['--endpoint-url', good])).toMatchObject(opens);
    expect(await cat(['--endpoint-url', good], { SEALDROP_ENDPOINT_URL: nowhere })).toMatchObject(opens);
    expect(await cat([], { SEALDROP_ENDPOINT_URL: good, AWS_ENDPOINT_URL: nowhere })).toMatchObject(opens);
    expect(await cat([], { AWS_ENDPOINT_URL: good })).toMatchObject(opens);
    expect(await cat([], { AWS_ENDPOINT_URL_S3: good, AWS_ENDPOINT_URL: nowhere })).toMatchObject(opens);
    expect(await cat(['--endpoint-url', nowhere], { SEALDROP_ENDPOINT_URL: good })).toMatchObject({
      code: 1,
    });
    expect(await cat(['--profile', 'lab'], { SEALDROP_PROFILE: 'nobody' })).toMatchObject(opens);
    // Credentials of the environment don't come between, and nothing is said about them.
    const wrong = { AWS_ACCESS_KEY_ID: 'WRONG', AWS_SECRET_ACCESS_KEY: 'wrong' };
    expect(await cat(['--profile', 'lab'], wrong)).toMatchObject(opens);
  });

  test('keys come from SEALDROP_PUBLIC_KEY and SEALDROP_PRIVATE_KEY, and an option replaces them', async () => {
    box.write('data', 'mine');
    const env = { SEALDROP_PUBLIC_KEY: 'other_public.pem', SEALDROP_PRIVATE_KEY: 'other_private.pem' };
    await box.transcript(
      `
      $ sealdrop put data - -q | sealdrop cat - && echo
      > mine
      $ sealdrop put data - -q | sealdrop cat - --private-key private_key.pem 2>&-
      [5]
      $ sealdrop put data - -q --public-key public_key.pem | sealdrop cat - --private-key private_key.pem && echo
      > mine
    `,
      { env },
    );
  });

  test('without a region and an endpoint, AWS is meant: the region is asked for', () =>
    new Box({ AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' }).transcript(`
      $ sealdrop ls s3://bucket
      ! error: no region is set for AWS
      ! hint: name it: --region REGION (or AWS_REGION, or in the profile); for another store: --endpoint-url URL
      [2]
    `));
});
