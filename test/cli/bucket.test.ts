/** Encrypted buckets: made, and told from others by what the store says of the objects. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CreateBucketCommand,
  GetBucketEncryptionCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { Box, documents, until } from '../helpers/cli.js';
import { environmentFor } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, startVersitygw, type S3Server } from '../helpers/servers.js';

const KMS = { MINIO_KMS_SECRET_KEY: `lab-key:${Buffer.alloc(32, 7).toString('base64')}` };

let servers: Record<'encrypting' | 'bare' | 'other', S3Server>;
let boxes: Record<'encrypting' | 'bare' | 'other', Box>;

beforeAll(async () => {
  const [encrypting, bare, other] = await Promise.all([
    startMinio({ env: KMS }),
    startMinio(),
    startVersitygw(),
  ]);
  servers = { encrypting, bare, other };
  const boxFor = (server: S3Server) => new Box(environmentFor(server));
  boxes = { encrypting: boxFor(encrypting), bare: boxFor(bare), other: boxFor(other) };
}, SETUP_TIME);
afterAll(async () => {
  for (const server of Object.values(servers ?? {})) await server.stop();
});

const put = (server: S3Server, Bucket: string, Key: string, sse?: 'AES256') =>
  server.client.send(
    new PutObjectCommand({ Bucket, Key, Body: 'x', ...(sse && { ServerSideEncryption: sse }) }),
  );

async function versionsIn({ client }: S3Server, Bucket: string): Promise<unknown[]> {
  const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
  return [...Versions, ...DeleteMarkers];
}

const isThere = ({ client }: S3Server, Bucket: string) =>
  client.send(new HeadBucketCommand({ Bucket })).then(
    () => true,
    () => false,
  );

test('a name that S3 has no buckets of is refused before anything is asked', async () => {
  const box = new Box({ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9', AWS_REGION: 'us-east-1' });
  const hint =
    'names have 3 to 63 small letters, digits, dots and hyphens, begin and end with a letter or digit, have no two dots in a row, and are no IP address';
  for (const name of ['Bad_Name', 'ab', 'x'.repeat(64), '-ab', 'ab.', 'a..b', '10.0.0.1'])
    await box.transcript(`
      $ sealdrop bucket create s3://${name}
      ! error: ${name} is no name for a bucket
      ! hint: ${hint}
      [2]`);
  // What is one is asked for; so is what is there under another.
  for (const args of [['s3://0a.b-c'], ['s3://Bad_Name', '--existing']]) {
    const { stderr } = await box.run(['bucket', 'create', ...args]);
    expect(stderr).toContain('error: no credentials');
  }
});

describe('on a server with default encryption', () => {
  test('made without, a bucket is what it is; a check of it tells when there is something to look at', async () => {
    await boxes.encrypting.transcript(`
      $ sealdrop bucket create s3://plain
      ! made s3://plain
      $ sealdrop bucket check s3://plain
      > s3://plain: cannot tell, there is no object to look at
      ! default encryption: none
      ! hint: --probe writes an object, looks at it and removes it
      [3]
      $ sealdrop bucket check s3://plain --probe
      > s3://plain: not encrypted by the store
      ! default encryption: none
      ! a new object: not encrypted
      [1]
    `);
    expect(await versionsIn(servers.encrypting, 'plain')).toEqual([]);
    await put(servers.encrypting, 'plain', 'sealed', 'AES256');
    await servers.encrypting.createBucket('partly');
    await put(servers.encrypting, 'partly', 'a', 'AES256');
    await put(servers.encrypting, 'partly', 'b');
    await boxes.encrypting.transcript(`
      $ sealdrop bucket check s3://partly --limit 1
      > s3://partly: the first 1 object encrypted by the store, the others not looked at
      ! the first 1 object: 1 AES256
      ! hint: there are more objects: look at them too with --limit
      ! default encryption: none
      [6]
      $ sealdrop bucket check s3://partly --limit 1 --json | grep -o '"verdict":"[a-z-]*"'
      > "verdict":"incomplete"
      $ sealdrop bucket check s3://partly/a --limit 1
      > s3://partly/a: encrypted by the store
      ! 1 object: 1 AES256
      ! default encryption: none
    `);
    await boxes.encrypting.transcript(`
      $ sealdrop bucket check s3://plain
      > s3://plain: encrypted by the store
      ! 1 object: 1 AES256
      ! default encryption: none
      # It was asked for with that one object.
      $ sealdrop bucket check s3://plain --probe
      > s3://plain: not encrypted by the store
      ! 1 object: 1 AES256
      ! default encryption: none
      ! a new object: not encrypted
      [1]
    `);
    await put(servers.encrypting, 'plain', 'b/open');
    await put(servers.encrypting, 'plain', 'a\u001b[31m');
    await boxes.encrypting.transcript(`
      $ sealdrop bucket check s3://plain
      > s3://plain: not encrypted by the store
      >   not encrypted by the store: a\\u{1b}[31m
      >   not encrypted by the store: b/open
      ! 3 objects: 1 AES256, 2 not encrypted
      ! default encryption: none
      [1]
      $ sealdrop bucket check s3://plain/seal
      > s3://plain/seal: encrypted by the store
      ! 1 object: 1 AES256
      ! default encryption: none
      $ sealdrop bucket check s3://plain --limit 2
      > s3://plain: not encrypted by the store
      >   not encrypted by the store: a\\u{1b}[31m
      >   not encrypted by the store: b/open
      ! the first 2 objects: 2 not encrypted
      ! hint: there are more objects: look at them too with --limit
      ! default encryption: none
      [1]
      $ sealdrop bucket check s3://plain --limit 1
      > s3://plain: not encrypted by the store
      >   not encrypted by the store: a\\u{1b}[31m
      ! the first 1 object: 1 not encrypted
      ! hint: there are more objects: look at them too with --limit
      ! default encryption: none
      [1]
    `);
  });

  test('it is never switched on where objects lie that are not encrypted', async () => {
    await boxes.encrypting.transcript(`
      $ sealdrop bucket create s3://plain --encrypted
      ! error: s3://plain is there already, and was left as it is
      ! hint: see what it does: sealdrop bucket check; to set what you ask for in it: --existing
      [1]
      $ sealdrop bucket create s3://plain --encrypted --existing
      ! error: s3://plain holds objects that are not encrypted, and would still hold them: nothing was changed
      ! hint: see which: sealdrop bucket check; make a new bucket with --encrypted and copy them there
      [1]
    `);
    const asked = servers.encrypting.client.send(new GetBucketEncryptionCommand({ Bucket: 'plain' }));
    await expect(asked).rejects.toThrow(/not found/);
  });

  test('where all are encrypted, or there are none, it can be', async () => {
    const { client } = servers.encrypting;
    await client.send(new CreateBucketCommand({ Bucket: 'later' }));
    await put(servers.encrypting, 'later', 'sealed', 'AES256');
    await boxes.encrypting.transcript(`
      $ sealdrop bucket create s3://later --encrypted --existing
      ! set s3://later: encrypts new objects (AES256)
    `);
    await put(servers.encrypting, 'later', 'other');
    await boxes.encrypting.transcript(`
      $ sealdrop bucket check s3://later
      > s3://later: encrypted by the store
      ! 2 objects: 2 AES256
      ! default encryption: AES256
    `);
  });

  test('made encrypted: the probe tells before there is anything, and leaves nothing', async () => {
    await boxes.encrypting.transcript(`
      $ sealdrop bucket create s3://sealed --encrypted
      ! made s3://sealed: encrypts new objects (AES256)
      $ sealdrop bucket check s3://sealed
      > s3://sealed: cannot tell, there is no object to look at
      ! default encryption: AES256
      ! hint: --probe writes an object, looks at it and removes it
      [3]
      $ sealdrop bucket check s3://sealed --probe
      > s3://sealed: encrypted by the store
      ! default encryption: AES256
      ! a new object: AES256
    `);
    expect(await versionsIn(servers.encrypting, 'sealed')).toEqual([]);
  });

  test('with a KMS key and versions, of which the probe leaves none', async () => {
    const { client } = servers.encrypting;
    const made = await boxes.encrypting.run([
      ...['bucket', 'create', 's3://kms', '--encrypted=aws:kms:lab-key', '--versioned', '--json'],
    ]);
    expect(documents(made)).toEqual([
      { address: 's3://kms', created: true, encryption: 'aws:kms', versioned: true },
    ]);
    const checked = await boxes.encrypting.run(['bucket', 'check', 's3://kms', '--probe', '--json']);
    expect(checked.code).toBe(0);
    expect(documents(checked)).toEqual([
      {
        ...{
          address: 's3://kms',
          verdict: 'encrypted',
          objects: 0,
          more: false,
          unencrypted: 0,
          encryptions: {},
        },
        ...{ unencryptedKeys: [], probe: 'aws:kms' },
        defaultEncryption: { state: 'set', algorithm: 'aws:kms', keyId: 'lab-key', allowsSseC: true },
      },
    ]);
    expect((await client.send(new GetBucketVersioningCommand({ Bucket: 'kms' }))).Status).toBe('Enabled');
    expect(await versionsIn(servers.encrypting, 'kms')).toEqual([]);
  });

  test('a configured vault may be named; what it asks for says nothing of its bucket', async () => {
    await servers.encrypting.createBucket('named');
    const vaults = { lab: { address: 's3://named/data', sse: 'AES256', binding: 'allow' } };
    boxes.encrypting.write('lab.json', JSON.stringify({ vaults }));
    boxes.encrypting.write('a.txt', 'plaintext');
    await boxes.encrypting.transcript(`
      $ sealdrop put a.txt lab:a --format plain --sse none --config lab.json
      ! a.txt -> s3://named/data/a (9 B)
      $ sealdrop put a.txt lab:b --format plain --sse AES256 --config lab.json
      ! a.txt -> s3://named/data/b (9 B)
      $ sealdrop bucket check lab: --probe --config lab.json
      > s3://named/data/: not encrypted by the store
      >   not encrypted by the store: data/a
      ! 2 objects: 1 AES256, 1 not encrypted
      ! default encryption: none
      ! a new object: not encrypted
      [1]
    `);
  });

  test('`put --sse bucket` goes by the bucket, and stores nothing where that encrypts nothing', async () => {
    boxes.encrypting.write('a.txt', 'plaintext');
    await boxes.encrypting.transcript(`
      $ sealdrop put a.txt s3://sealed/a.txt --format plain --sse bucket
      ! a.txt -> s3://sealed/a.txt (9 B)
      $ sealdrop put a.txt s3://plain/a.txt --format plain --sse bucket
      ! error: s3://plain/a.txt: the store does not say that it encrypts what it was sent (asked for: the bucket's default)
      ! hint: the bucket has no default encryption: see sealdrop bucket check; what was sent is removed again
      [1]
      $ sealdrop ls s3://plain/a.txt
      ! nothing there begins with s3://plain/a.txt
    `);
  });
});

describe('what cannot be set leaves no bucket behind', () => {
  test.each(['bare', 'other'] as const)('on a server without the API: %s', async (name) => {
    await boxes[name].transcript(`
      $ sealdrop bucket create s3://sealed --encrypted --versioned
      ! error: s3://sealed: the store does not know this request (NotImplemented): it has no default encryption that could be set in S3's way, or not this one; the new bucket was removed again
      ! hint: make the bucket with the store's own tool (on the ABCI Cloud Storage of s3.abci.ai: create-encrypted-bucket), and look at it: sealdrop bucket check --probe
      [1]
      $ sealdrop bucket create s3://sealed --allow-sse-c
      ! error: s3://sealed has no default encryption that SSE-C could be allowed beside; the new bucket was removed again
      ! hint: only AWS has to be told; on other stores that have SSE-C leave --allow-sse-c out
      [1]
    `);
    expect(await isThere(servers[name], 'sealed')).toBe(false);
  });

  test('a check says what the objects are all the same', async () => {
    await servers.other.createBucket('open');
    await boxes.other.transcript(`
      $ sealdrop bucket check s3://open --probe
      > s3://open: not encrypted by the store
      ! default encryption: the store does not say
      ! a new object: not encrypted
      [1]
    `);
    await put(servers.other, 'open', 'a');
    await boxes.other.transcript(`
      $ sealdrop bucket check s3://open
      > s3://open: not encrypted by the store
      >   not encrypted by the store: a
      ! 1 object: 1 not encrypted
      ! default encryption: the store does not say
      [1]
    `);
  });
});

describe('at AWS', () => {
  /** A new bucket there, as its documentation has it since April 2026: encrypted by default, SSE-C blocked. */
  function newBucketOfAws() {
    const set: string[] = [];
    let blocked = 'SSE-C';
    let made = false;
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (piece: Buffer) => (body += piece.toString()));
      request.on('end', () => {
        const encryption = request.url!.includes('encryption');
        if (request.method === 'PUT' && encryption) {
          set.push(body);
          blocked = /<EncryptionType>([^<]*)</.exec(body)?.[1] ?? blocked;
        }
        const status = request.method === 'HEAD' && !made ? 404 : 200;
        made ||= request.method === 'PUT';
        response.writeHead(status, { 'content-type': 'application/xml', 'x-amz-request-id': '1' });
        const rule = `<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BlockedEncryptionTypes><EncryptionType>${blocked}</EncryptionType></BlockedEncryptionTypes><BucketKeyEnabled>true</BucketKeyEnabled>`;
        const found = `<ServerSideEncryptionConfiguration><Rule>${rule}</Rule></ServerSideEncryptionConfiguration>`;
        response.end(
          request.method === 'GET'
            ? encryption
              ? found
              : '<ListBucketResult><Name>customers</Name></ListBucketResult>'
            : '',
        );
      });
    });
    return { server, set };
  }

  test('a new bucket refuses SSE-C, check says so, and --allow-sse-c changes that alone', async () => {
    const { server, set } = newBucketOfAws();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const env = { AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    try {
      await boxes.bare.transcript(
        `
        $ sealdrop bucket create s3://customers
        ! made s3://customers
        $ sealdrop bucket check s3://customers
        > s3://customers: cannot tell, there is no object to look at
        ! default encryption: AES256 (objects under SSE-C are refused)
        ! hint: --probe writes an object, looks at it and removes it
        [3]
        $ sealdrop bucket create s3://customers --allow-sse-c --existing
        ! set s3://customers: takes SSE-C
        $ sealdrop bucket check s3://customers 2>&1 | grep default
        > default encryption: AES256
      `,
        { env },
      );
      expect(set).toEqual([
        expect.stringMatching(/<SSEAlgorithm>AES256<.*<EncryptionType>NONE<\/EncryptionType>/),
      ]);
      // Without it each object costs a request to KMS.
      expect(set[0]).toContain('<BucketKeyEnabled>true</BucketKeyEnabled>');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('when something fails on the way', () => {
  let proxy: FaultProxy;
  let env: Record<string, string>;
  beforeAll(async () => {
    proxy = await startFaultProxy(servers.encrypting.endpoint);
    env = { AWS_ENDPOINT_URL_S3: proxy.endpoint };
    await servers.encrypting.createBucket('faulty');
  });
  afterAll(async () => proxy?.close());

  test('the probe is removed though it could not be looked at', async () => {
    proxy.add({ method: 'HEAD', url: 'sealdrop-probe', times: 99, answer: { status: 403 } });
    proxy.add({ method: 'GET', url: 'sealdrop-probe', times: 99, answer: { status: 403 } });
    const { code } = await boxes.encrypting.run(['bucket', 'check', 's3://faulty', '--probe'], { env });
    expect(code).toBe(4);
    expect(await versionsIn(servers.encrypting, 'faulty')).toEqual([]);
    proxy.reset();
  });

  test('a probe that may not be written is said, and not that it could not be removed', async () => {
    proxy.add({ method: 'PUT', url: 'sealdrop-probe', times: 99, answer: { status: 403 } });
    const failed = await boxes.encrypting.run(['bucket', 'check', 's3://faulty', '--probe'], { env });
    expect([failed.code, failed.stderr]).toEqual([4, expect.stringContaining('access is denied')]);
    proxy.reset();
  });

  test('a bucket whose encryption was taken and is not there is removed', async () => {
    proxy.add({ method: 'PUT', url: '?encryption', answer: { status: 200 } });
    const failed = await boxes.encrypting.run(['bucket', 'create', 's3://forgetful', '--encrypted'], { env });
    expect([failed.code, failed.stderr]).toEqual([
      1,
      expect.stringContaining(
        'took the default encryption and does not have it; the new bucket was removed again',
      ),
    ]);
    expect(await isThere(servers.encrypting, 'forgetful')).toBe(false);
    proxy.reset();
  });

  test('one that cannot be removed is said to stay', async () => {
    proxy.add({ method: 'PUT', url: '?encryption', answer: { status: 501 } });
    proxy.add({ method: 'DELETE', times: 99, answer: { status: 403 } });
    const failed = await boxes.encrypting.run(['bucket', 'create', 's3://stays', '--encrypted'], { env });
    expect([failed.code, failed.stderr]).toEqual([
      1,
      expect.stringContaining('the new bucket s3://stays stays, without what was asked for'),
    ]);
    proxy.reset();
  });

  test.each([
    ['check', 'faulty', ['--probe'], { method: 'HEAD', url: 'sealdrop-probe' }],
    ['create', 'interrupted', ['--encrypted'], { method: 'PUT', url: '?encryption' }],
  ])('interrupted, %s leaves nothing', async (command, name, options, at) => {
    const answer = { status: 500 };
    proxy.add({ ...at, times: 99, delay: 3_000, answer });
    const running = boxes.encrypting.start(['bucket', command, `s3://${name}`, ...options], { env });
    await until('it is asked', () =>
      proxy.requests.some((each) => each.startsWith(at.method) && each.includes(at.url)),
    );
    running.child.kill('SIGINT');
    const { code, stderr } = await running.result;
    expect([code, stderr]).toEqual([130, 'error: interrupted\n']);
    proxy.reset();
    if (command === 'check') expect(await versionsIn(servers.encrypting, name)).toEqual([]);
    else expect(await isThere(servers.encrypting, name)).toBe(false);
  });

  test('a name that is taken', async () => {
    const body = '<Error><Code>BucketAlreadyExists</Code></Error>';
    proxy.add({ method: 'PUT', url: /^\/taken/, answer: { status: 409, body } });
    const failed = await boxes.encrypting.run(['bucket', 'create', 's3://taken'], { env });
    expect([failed.code, failed.stderr]).toEqual([
      1,
      expect.stringContaining('error: there is a bucket taken already\nhint: bucket names are shared'),
    ]);
    proxy.reset();
  });

  test('the limit of 1,000 objects holds, with one HEAD for each', async () => {
    await servers.encrypting.createBucket('many');
    for (let i = 0; i < 50; i++)
      await Promise.all(Array.from({ length: 21 }, (_, j) => put(servers.encrypting, 'many', `${i}/${j}`)));
    const checked = await boxes.encrypting.run(['bucket', 'check', 's3://many', '--json'], { env });
    expect(checked.code).toBe(1);
    const [found] = documents(checked) as [{ unencryptedKeys: string[] }];
    expect(found).toMatchObject({ objects: 1000, more: true, unencrypted: 1000 });
    expect(found.unencryptedKeys).toHaveLength(1000);
    expect(proxy.requests.filter((each) => each.startsWith('HEAD'))).toHaveLength(1000);
  });
});

test('an address that is no bucket, and a kind that is none', () =>
  boxes.bare.transcript(`
    $ sealdrop bucket create s3://a/b
    ! error: s3://a/b names more than a bucket: s3://bucket
    [2]
    $ sealdrop bucket check file:///tmp
    ! error: the address names no bucket: a bucket is s3://bucket
    [2]
    $ sealdrop bucket create --encrypted s3://a
    ! error: option '--encrypted [kind]' argument 's3://a' is invalid. It must be AES256, aws:kms or aws:kms:KEY, or nothing: name the bucket before it then.
    ! hint: see: sealdrop bucket create --help
    [2]
  `));
