/** What the encrypting function does when things go wrong: nothing is lost, nothing is half-written. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import '../helpers/core-errors.js';
import { EncryptingFunction, type FunctionOptions } from '../helpers/encrypting-function.js';
import type { Fault } from '../helpers/fault-proxy.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let server: S3Server;
let gateway: EncryptingFunction;
const open = async (options?: FunctionOptions) => (gateway = await EncryptingFunction.open(server, options));
const stored = { outcomes: ['stored'], again: 0 };
const xml = (code: string) => `<Error><Code>${code}</Code><Message>no</Message></Error>`;

beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server?.stop());
afterEach(async () => gateway?.close());

describe('the vault', () => {
  const always = { times: Infinity };
  test.each<[string, Fault, string]>([
    ['answers 503', { answer: { status: 503, body: xml('SlowDown') }, ...always }, 'store_unavailable'],
    ['answers 500', { answer: { status: 500, body: xml('InternalError') }, ...always }, 'store_unavailable'],
    ['closes connections', { cutRequest: 0, ...always }, 'endpoint_unreachable'],
    [
      'takes only half of the bytes',
      { method: 'PUT', cutRequest: 100_000, ...always },
      'endpoint_unreachable',
    ],
    [
      'is a web page',
      { answer: { status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }, ...always },
      'not_s3',
    ],
    [
      'has lost its bucket',
      { answer: { status: 404, body: xml('NoSuchBucket') }, ...always },
      'bucket_not_found',
    ],
  ])('that %s makes it wait, and is written to when it is well', async (_, fault, code) => {
    await open();
    const one = await gateway.drop('a', randomBytes(300_000));
    gateway.toVault.add(fault);
    expect(await gateway.notify(one)).toEqual({ outcomes: [code], again: 1 });
    expect(gateway.queue.postponed).toMatchObject([{ seconds: 15 }]);
    expect(gateway.letters).toEqual([]);
    expect(await gateway.headVault('enc/a')).toBeUndefined();
    gateway.toVault.reset();
    expect(await gateway.notify(one)).toEqual(stored);
  });

  test('is waited for longer each time, up to 15 minutes', async () => {
    await open({ settings: { retryAfterSeconds: 4 } });
    const one = await gateway.drop('a', 'x');
    gateway.toVault.add({ answer: { status: 503 }, times: Infinity });
    const body = { Records: [gateway.s3Record(one)] };
    for (const received of [1, 2, 3, 8, 9, 500])
      await gateway.deliverMessages([gateway.message(body, { received })]);
    expect(gateway.queue.postponed.map(({ seconds }) => seconds)).toEqual([4, 8, 16, 512, 900, 900]);
  }, 120_000);

  test('whose bytes were damaged on their way gets them again, and the source is kept until then', async () => {
    await open({ settings: { after: 'delete' } });
    const one = await gateway.drop('a', randomBytes(500_000));
    gateway.toVault.add({ method: 'PUT', corruptRequest: 200_000, times: Infinity });
    expect(await gateway.notify(one)).toEqual({ outcomes: ['upload_corrupted'], again: 1 });
    expect(await gateway.versions('a')).toEqual([one.version]);
    expect(await gateway.headVault('enc/a')).toBeUndefined();
    gateway.toVault.reset();
    expect(await gateway.notify(one)).toEqual(stored);
    expect(await gateway.versions('a')).toEqual([]);
  });

  test('that answers 403 for what is absent is written to all the same', async () => {
    await open();
    const one = await gateway.drop('a', 'x');
    // HEAD, and the GET that asks why.
    gateway.toVault.add({ method: 'HEAD', answer: { status: 403 } });
    gateway.toVault.add({ method: 'GET', answer: { status: 403, body: xml('AccessDenied') } });
    expect(await gateway.notify(one)).toEqual(stored);
    expect(await gateway.notify(one)).toEqual({ outcomes: ['duplicate'], again: 0 });
  });

  test.each([
    ['the same version', false],
    ['two versions', true],
  ])('that answers 403 for what is absent gets %s at once right', async (_, two) => {
    await open();
    const one = await gateway.drop('a', 'one');
    const other = two ? await gateway.drop('a', 'two') : one;
    gateway.toVault.add({ method: 'HEAD', answer: { status: 403 }, times: 2 });
    gateway.toVault.add({ method: 'GET', answer: { status: 403, body: xml('AccessDenied') }, times: 2 });
    const messages = [one, other].map((each) => gateway.message({ Records: [gateway.s3Record(each)] }));
    const { outcomes, again } = await gateway.deliverMessages(messages, gateway.start());
    expect({ failed: outcomes.filter((each) => each.includes('precondition')), again }).toEqual({
      failed: [],
      again: 0,
    });
    expect(gateway.letters).toEqual([]);
    expect(await gateway.opened('a')).toBe(two ? 'two' : 'one');
  });

  test('that answers 403 for all HEADs does not get an object twice, and says so', async () => {
    await open();
    const one = await gateway.drop('a', 'x');
    await gateway.notify(one);
    gateway.toVault.add({ method: 'HEAD', answer: { status: 403 }, times: Infinity });
    gateway.toVault.add({
      method: 'GET',
      answer: { status: 403, body: xml('AccessDenied') },
      times: Infinity,
    });
    expect(await gateway.notify(one)).toEqual({ outcomes: ['precondition_failed'], again: 0 });
    expect(gateway.letters).toMatchObject([{ code: 'precondition_failed' }]);
  });

  test('that refuses old credentials gets the rotated ones, within the same call', async () => {
    await open();
    gateway.setVaultSecret({ secretAccessKey: 'not-any-more' });
    const run = gateway.start();
    const one = await gateway.drop('a', 'x');
    const message = () => [gateway.message({ Records: [gateway.s3Record(one)] })];
    expect(await gateway.deliverMessages(message(), run)).toEqual({ outcomes: ['access_denied'], again: 1 });
    gateway.setVaultSecret();
    expect(await gateway.deliverMessages(message(), run)).toEqual(stored);
    const read = gateway.secretsRead;
    expect(await gateway.deliverMessages(message(), run)).toMatchObject({ outcomes: ['duplicate'] });
    expect(gateway.secretsRead).toBe(read);
  });

  test('without conditional writes does not keep an older version that was written last', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    const isPut = { method: 'PUT', url: '/enc/a' };
    gateway.toVault.add({ ...isPut, answer: { status: 501, body: xml('NotImplemented') } });
    gateway.toVault.add({
      ...isPut,
      before: async () => {
        const two = await gateway.drop('a', 'two');
        expect(await gateway.notify(two)).toEqual(stored);
      },
    });
    expect((await gateway.notify(one)).again).toBe(0);
    expect(await gateway.opened('a')).toBe('two');
  });

  test('that got a later version between look and write keeps it', async () => {
    await open();
    const one = await gateway.drop('a', 'one');
    gateway.toVault.add({
      method: 'PUT',
      before: async () => {
        const two = await gateway.drop('a', 'two');
        expect(await gateway.notify(two)).toEqual(stored);
      },
    });
    expect((await gateway.notify(one)).outcomes).toEqual(['stored', 'stale']);
    expect(await gateway.opened('a')).toBe('two');
  });
});

describe('a run that died', () => {
  const large = () => randomBytes(18_000_000);
  test.each<[string, Fault]>([
    ['when it began the upload', { method: 'POST', url: '?uploads', loseAnswer: true, times: Infinity }],
    ['between parts', { method: 'PUT', url: 'partNumber=2', cutRequest: 1000, times: Infinity }],
    ['before the completing write', { method: 'POST', url: 'uploadId=', cutRequest: 0, times: Infinity }],
  ])('%s: is done again, and leaves nothing half', async (_, fault) => {
    await open({ settings: { after: 'delete' } });
    const one = await gateway.drop('a', large());
    gateway.toVault.add(fault);
    expect((await gateway.notify(one)).again).toBe(1);
    expect(await gateway.headVault('enc/a')).toBeUndefined();
    expect(await gateway.versions('a')).toEqual([one.version]);
    gateway.toVault.reset();
    expect(await gateway.notify(one)).toEqual(stored);
    expect(await gateway.versions('a')).toEqual([]);
  });

  test('after the completing write, unheard: it is known to be stored', async () => {
    await open();
    const one = await gateway.drop('a', large());
    gateway.toVault.add({ method: 'POST', url: 'uploadId=', loseAnswer: true });
    expect(await gateway.notify(one)).toEqual(stored);
    expect(await gateway.notify(one)).toEqual({ outcomes: ['duplicate'], again: 0 });
  });

  test('between the write and the removal: the removal is made up for', async () => {
    await open({ settings: { after: 'delete' } });
    const one = await gateway.drop('a', 'x');
    gateway.toInbox.add({ method: 'DELETE', answer: { status: 503 }, times: Infinity });
    expect((await gateway.notify(one)).again).toBe(1);
    expect(await gateway.versions('a')).toEqual([one.version]);
    gateway.toInbox.reset();
    expect(await gateway.notify(one)).toEqual({ outcomes: ['duplicate'], again: 0 });
    expect(await gateway.versions('a')).toEqual([]);
  });

  test('when its time was over: the upload is removed, and the record comes again', async () => {
    await open();
    const one = await gateway.drop('a', large());
    gateway.time = 12_000;
    gateway.toVault.add({ method: 'PUT', url: 'partNumber=2', delay: 15_000 });
    const started = Date.now();
    expect(await gateway.notify(one)).toEqual({ outcomes: ['interrupted'], again: 1 });
    expect(Date.now() - started).toBeLessThan(12_000);
    expect(await gateway.unfinished()).toBe(0);
    gateway.toVault.reset();
    expect(await gateway.notify(one)).toEqual(stored);
  });
});

describe('the source', () => {
  test('whose connection is cut is read on', async () => {
    await open();
    const bytes = randomBytes(3_000_000);
    const one = await gateway.drop('a', bytes);
    gateway.toInbox.add({ method: 'GET', cutResponse: 1_000_000 });
    expect(await gateway.notify(one)).toEqual(stored);
    expect((await gateway.openedBytes('a')).equals(bytes)).toBe(true);
  });

  test('that is overwritten while it is read, without versions: nothing mixed is stored', async () => {
    await open({ versioned: false });
    const one = await gateway.drop('a', Buffer.alloc(12_000_000, 'a'));
    gateway.toInbox.add({ method: 'GET', cutResponse: 1_000_000 });
    let two = one;
    gateway.toInbox.add({
      method: 'GET',
      before: async () => (two = await gateway.drop('a', Buffer.alloc(12_000_000, 'b'))),
    });
    expect(await gateway.notify(one)).toEqual({ outcomes: ['source_changed'], again: 1 });
    expect(await gateway.headVault('enc/a')).toBeUndefined();
    expect((await gateway.notify(one)).outcomes).toEqual(['superseded']);
    expect(await gateway.notify(two)).toEqual(stored);
    expect((await gateway.openedBytes('a')).equals(Buffer.alloc(12_000_000, 'b'))).toBe(true);
  });

  test('that may not be read waits: rights may be given', async () => {
    await open();
    const one = await gateway.drop('a', 'x');
    gateway.toInbox.add({ answer: { status: 403, body: xml('AccessDenied') }, times: Infinity });
    expect(await gateway.notify(one)).toEqual({ outcomes: ['source_unreadable'], again: 1 });
  });

  test('that is archived is put aside', async () => {
    await open();
    const one = await gateway.drop('a', 'x');
    gateway.toInbox.add({ method: 'GET', answer: { status: 403, body: xml('InvalidObjectState') } });
    expect(await gateway.notify(one)).toEqual({ outcomes: ['source_unreadable'], again: 0 });
    expect(gateway.letters).toMatchObject([{ code: 'source_unreadable' }]);
  });
});

describe('what is in the vault with a size that cannot be', () => {
  test.each(['keep', 'delete'] as const)('is stored again before anything else (%s)', async (after) => {
    await open({ settings: { after } });
    const one = await gateway.drop('a', 'content');
    // Stored, but not removed.
    gateway.toInbox.add({ method: 'DELETE', answer: { status: 503 }, times: Infinity });
    await gateway.notify(one);
    gateway.toInbox.reset();
    const good = await gateway.stored('enc/a');
    const { Metadata } = (await gateway.headVault('enc/a'))!;
    await gateway.putVault('enc/a', good.subarray(0, -1), Metadata);
    expect(await gateway.notify(one)).toEqual(stored);
    expect(await gateway.opened('a')).toBe('content');
    expect(await gateway.versions('a')).toEqual(after === 'keep' ? [one.version] : []);
  });
});

describe('secrets', () => {
  const bad: [string, (gateway: EncryptingFunction) => void, string][] = [
    ['the public keys are missing', ({ secrets }) => secrets.delete('keys'), 'secret_missing'],
    ['the vault’s is missing', ({ secrets }) => secrets.delete('vault-write'), 'secret_missing'],
    ['the idempotency key is missing', ({ secrets }) => secrets.delete('idempotency'), 'secret_missing'],
    [
      'the idempotency key is short',
      ({ secrets }) => secrets.set('idempotency', Buffer.alloc(31)),
      'secret_malformed',
    ],
    [
      'the public keys are garbage',
      ({ secrets }) => secrets.set('keys', Buffer.from('garbage')),
      'invalid_key',
    ],
    [
      'a private key is where a public one belongs',
      ({ secrets, pair }) => secrets.set('keys', Buffer.from(privatePem(pair))),
      'private_key_in_public_key_set',
    ],
    [
      'a private half is in the key set',
      ({ secrets, pair }) =>
        secrets.set(
          'keys',
          Buffer.from(
            JSON.stringify({
              version: 1,
              keys: [{ namespace: 'n', name: 'n', publicKey: publicPem(pair), privateKey: privatePem(pair) }],
            }),
          ),
        ),
      'private_key_in_public_key_set',
    ],
    [
      'a secret key is in the key set',
      ({ secrets }) =>
        secrets.set(
          'keys',
          Buffer.from(
            JSON.stringify({ version: 1, keys: [{ namespace: 'n', name: 'n', secretKey: 'AAAA' }] }),
          ),
        ),
      'private_key_in_public_key_set',
    ],
    [
      'the vault’s is no JSON',
      ({ secrets }) => secrets.set('vault-write', Buffer.from('AKIAEXAMPLE')),
      'secret_malformed',
    ],
    [
      'the vault is at an http endpoint',
      (made) => made.setVaultSecret({ allowHttp: false }),
      'secret_malformed',
    ],
  ];
  test.each(bad)(
    '%s: nothing is encrypted, all stays queued, and it goes on when it is mended',
    async (_, spoil, code) => {
      await open();
      const versions = [await gateway.drop('a', 'x'), await gateway.drop('b', 'y')];
      const good = new Map(gateway.secrets);
      spoil(gateway);
      expect(await gateway.notify(...versions)).toEqual({ outcomes: [], again: 2 });
      expect(gateway.problems).toEqual([code]);
      expect(gateway.queue.postponed).toHaveLength(2);
      expect(gateway.letters).toEqual([]);
      expect(await gateway.headVault('enc/a')).toBeUndefined();
      await expect(gateway.start()(gateway.eventBridge(versions[0]!))).rejects.toMatchObject({ code });
      await expect(gateway.call({ bucket: gateway.inbox, key: 'a' })).rejects.toMatchObject({ code });
      for (const [name, value] of good) gateway.secrets.set(name, value);
      expect(await gateway.notify(...versions)).toMatchObject({ again: 0 });
      expect(await gateway.opened('a')).toBe('x');
    },
  );

  test('are read again when their time is over, and other recipients get all of it', async () => {
    await open({ settings: { secretsTtlSeconds: 0 } });
    const run = gateway.start();
    const one = await gateway.drop('a', 'x');
    const message = () => [gateway.message({ Records: [gateway.s3Record(one)] })];
    await gateway.deliverMessages(message(), run);
    const other = rsaPair();
    gateway.secrets.set('keys', Buffer.from(publicPem(other)));
    // What only the old key opens is no duplicate.
    expect(await gateway.deliverMessages(message(), run)).toEqual(stored);
    expect(await gateway.deliverMessages(message(), run)).toEqual({ outcomes: ['duplicate'], again: 0 });
  });
});

describe('a batch', () => {
  test('of ten with one that can’t work: nine are stored, one is put aside with its code and tagged', async () => {
    await open();
    const versions = [];
    for (let i = 0; i < 9; i++) versions.push(await gateway.drop(`file${i}`, `${i}`));
    const bad = await gateway.drop('..hidden/file', 'x');
    const long = await gateway.drop(`${'s'.repeat(254)}/x`, 'y');
    const name = await gateway.drop('a/b/', 'content');
    const { outcomes, again } = await gateway.notify(...versions, name);
    expect(again).toBe(0);
    expect(outcomes.filter((each) => each === 'stored')).toHaveLength(9);
    expect(outcomes.filter((each) => each === 'key_not_storable')).toHaveLength(1);
    expect(gateway.letters).toEqual([
      {
        code: 'key_not_storable',
        body: {
          ...{ bucket: gateway.inbox, key: 'a/b/', versionId: name.version, code: 'key_not_storable' },
          hint: expect.stringContaining('choose a different key'),
        },
      },
    ]);
    expect(await gateway.tags('a/b/')).toEqual({ 'sealdrop-status': 'failed:key_not_storable' });
    expect(await gateway.versions('a/b/')).toHaveLength(1);
    expect((await gateway.notify(bad, long)).outcomes.sort()).toEqual(['stored', 'stored']);
  });

  test('of which one is to be tried again reports that one', async () => {
    await open();
    const versions = [
      await gateway.drop('a', 'x'),
      await gateway.drop('b', 'y'),
      await gateway.drop('c', 'z'),
    ];
    gateway.toVault.add({ url: '/enc/b', answer: { status: 503 }, times: Infinity });
    const messages = versions.map((each) => gateway.message({ Records: [gateway.s3Record(each)] }));
    const answer = await gateway.start()({ Records: messages });
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: messages[1]!.messageId }] });
    expect(await gateway.opened('c')).toBe('z');
  });

  test('with a message that is no event: it is put aside, without what it holds', async () => {
    await open();
    const one = await gateway.drop('a', 'x');
    const wrong = {
      Records: [
        {
          ...gateway.s3Record(one),
          s3: { bucket: { name: 'x' }, object: { key: '%E0%A4%A', eTag: one.etag } },
        },
      ],
    };
    for (const body of ['not JSON', '[]', '17', '""', '{}', wrong]) {
      expect(await gateway.deliver(body, { Records: [gateway.s3Record(one)] })).toMatchObject({ again: 0 });
    }
    expect(gateway.letters).toHaveLength(6);
    expect(JSON.stringify(gateway.letters)).not.toContain(one.etag);
    for (const { body } of gateway.letters) expect(Object.keys(body).sort()).toEqual(['code', 'message']);
  });

  test('with a message one of whose records is no event: the others are stored, and it is put aside', async () => {
    await open();
    const versions = [await gateway.drop('a', 'x'), await gateway.drop('b', 'y')];
    const [first, last] = versions.map((each) => gateway.s3Record(each));
    const bad = { ...first, s3: { bucket: { name: gateway.inbox }, object: { key: '%zz' } } };
    const body = { Records: [first, bad, last] };
    expect(await gateway.deliver(body)).toEqual({ outcomes: ['stored', 'stored'], again: 0 });
    expect(gateway.letters.map(({ code }) => code)).toEqual(['event_malformed']);
    // A message that the queue does not confirm leaves no record.
    const message = gateway.message(body, { forged: true });
    expect(await gateway.deliverMessages([message])).toEqual({
      outcomes: ['duplicate', 'duplicate'],
      again: 1,
    });
    expect(gateway.letters).toHaveLength(1);
  });

  test('whose failures cannot be put aside hands them out again', async () => {
    await open();
    const name = await gateway.drop('a//b', 'x').catch(() => undefined);
    const one = name ?? { key: 'a//b', version: undefined, etag: 'e', sequencer: '01' };
    gateway.letters.push = () => {
      throw new Error('the dead-letter queue is away');
    };
    expect((await gateway.notify(one)).again).toBe(1);
  });

  test('that the time left would not do for is not begun', async () => {
    await open();
    gateway.time = 0;
    const one = await gateway.drop('a', 'x');
    expect(await gateway.notify(one, one)).toEqual({ outcomes: [], again: 2 });
  });
});

describe('an object that is too large', () => {
  test('for what is allowed goes to the dead letters at once, without being read', async () => {
    await open({ settings: { maxObjectBytes: 1_000_000 } });
    const one = await gateway.drop('a', randomBytes(1_000_001));
    expect(await gateway.notify(one)).toEqual({ outcomes: ['too_large_for_lambda'], again: 0 });
    const hint = gateway.letters[0]?.body.hint;
    expect(gateway.letters).toMatchObject([{ code: 'too_large_for_lambda' }]);
    expect(hint).toContain(
      `aws s3 cp s3://${gateway.inbox}/a - | sealdrop put - s3://${gateway.vault}/enc/a `,
    );
    expect(hint).toContain(`--endpoint-url ${gateway.toVault.endpoint}`);
    expect(gateway.reports[0]?.error).toMatchObject({ hint });
    expect(await gateway.notify(await gateway.drop('b', randomBytes(1_000_000)))).toEqual(stored);
  });
});

describe('what failed once', () => {
  test('comes back from the dead letters and is stored; its tag goes', async () => {
    await open({ settings: { maxObjectBytes: 3 } });
    const one = await gateway.drop('a', 'content');
    await gateway.notify(one);
    expect(await gateway.tags('a')).toEqual({ 'sealdrop-status': 'failed:too_large_for_lambda' });
    const [letter] = gateway.letters;
    (gateway.settings as { maxObjectBytes: number }).maxObjectBytes = 1000;
    expect(await gateway.deliver(letter!.body)).toEqual(stored);
    expect(await gateway.opened('a')).toBe('content');
    expect(await gateway.tags('a')).toEqual({});
  });
});
