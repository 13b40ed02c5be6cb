/** What vaults, networks, secrets and Lambda do to a deployed gateway. Sources are deleted once stored: what is lost is lost. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GetFunctionConfigurationCommand, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { HeadObjectCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
} from '@aws-sdk/client-secrets-manager';
import { contentOf } from '../helpers/aws-digests.js';
import { SECRETS, startGateway, type Gateway } from '../helpers/aws-gateway.js';
import { killFunction, killSender } from '../helpers/aws-kill.js';
import { VAULT_PREFIX } from '../helpers/aws-vault.js';
import {
  linesSoFar,
  lookInVault,
  queueEmpty,
  statusOf,
  stored,
  takeDead,
  until,
} from '../helpers/aws-watch.js';
import { startFaultProxy, type Fault } from '../helpers/fault-proxy.js';
import { privatePem, publicPem } from '../helpers/keys.js';
import { SETUP_TIME } from '../helpers/servers.js';

const MIB = 1024 * 1024;
/** Of several parts. */
const LARGE = 18 * MIB;
/** Long enough for what failed to be tried again. */
const AGAIN = 180_000;
const TEST_TIME = 2 * AGAIN;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({
    tls: false,
    config: () => ({
      ...{ afterStore: 'delete', secretsTtlSeconds: 3600, maxConcurrency: 4, maxObjectBytes: 32 * MIB },
      ...{ retryAfterSeconds: 1 },
    }),
  });
}, SETUP_TIME);
afterAll(async () => {
  // Another one than it began with.
  await gateway?.proxy?.close();
  await gateway?.stop();
});

const dropped = new Map<string, Buffer>();
async function drop(key: string, size = 1000): Promise<void> {
  const bytes = contentOf(dropped.size, size);
  dropped.set(key, bytes);
  await gateway.drop(key, bytes);
}

async function isInInbox(key: string): Promise<boolean> {
  const command = new HeadObjectCommand({ Bucket: gateway.inbox, Key: key });
  return gateway.aws.s3.send(command).then(
    () => true,
    () => false,
  );
}

/** Stored as it was dropped, and gone from the inbox only then. */
async function expectStored(key: string): Promise<void> {
  await stored(gateway, key, AGAIN);
  expect((await gateway.vault.open(key, gateway.decryptor)).equals(dropped.get(key)!)).toBe(true);
  await until(`${key} out of the inbox`, async () => ((await isInInbox(key)) ? undefined : true), AGAIN);
}

interface Entry {
  readonly key?: string;
  readonly outcome?: string;
  readonly code?: string;
}

async function entriesOf(key: string): Promise<Entry[]> {
  const lines = (await linesSoFar(gateway)).filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Entry).filter((entry) => entry.key === key);
}

/** Waits until a run has failed, and its log says why. */
const failed = (key: string): Promise<Entry> =>
  until(
    `a failure of ${key}`,
    async () => (await entriesOf(key)).find(({ outcome }) => outcome === 'failed'),
    AGAIN,
  );

async function expectUntouched(key: string): Promise<void> {
  expect(await lookInVault(gateway, key)).toBeUndefined();
  expect(await isInInbox(key)).toBe(true);
}

/** Each upload that was begun is removed; the next try may have begun its own meanwhile. */
async function expectAborted(key: string): Promise<void> {
  const ids = async () => (await gateway.vault.store.unfinished(VAULT_PREFIX + key)).map(({ id }) => id);
  const begun = await ids();
  await until(
    `the uploads of ${key} aborted`,
    async () => {
      const left = await ids();
      return begun.some((id) => left.includes(id)) ? undefined : true;
    },
    AGAIN,
  );
}

describe('a vault that ruins uploads for a while', () => {
  const busy = { status: 503, body: '<Error><Code>SlowDown</Code></Error>' };
  const faults: { key: string; what: string; size: number; fault: Fault }[] = [
    { key: 'corrupted', what: 'bytes change on the way', size: 1000, fault: { corruptRequest: 400 } },
    { key: 'corrupted-part', what: 'bytes of one part change', size: LARGE, fault: { corruptRequest: 4000 } },
    { key: 'busy', what: 'it answers 503', size: 1000, fault: { answer: busy } },
    { key: 'cut', what: 'it closes connections halfway', size: 100_000, fault: { cutRequest: 50_000 } },
    { key: 'cut-part', what: 'in a later part, too', size: LARGE, fault: { cutRequest: 1_000_000 } },
    { key: 'unheard', what: 'its answers are lost', size: 1000, fault: { loseAnswer: true } },
  ];

  beforeAll(async () => {
    for (const { key, fault, size } of faults) {
      const url = size === LARGE ? `/${key}?partNumber=2` : `/${key}?`;
      gateway.proxy!.add({ method: 'PUT', url: size === LARGE ? url : `/${key}`, times: 1e6, ...fault });
      await drop(key, size);
    }
    for (const { key } of faults) if (key !== 'unheard') await failed(key);
  }, TEST_TIME);

  test.each(faults.filter(({ key }) => key !== 'unheard'))(
    '$what: the source stays, nothing is half-written',
    async ({ key }) => {
      await expectUntouched(key);
      await expectAborted(key);
    },
  );

  test(
    'when it is over, all is stored',
    async () => {
      gateway.proxy!.reset();
      for (const { key } of faults) await expectStored(key);
      await queueEmpty(gateway, AGAIN);
      expect(await takeDead(gateway)).toEqual([]);
    },
    TEST_TIME,
  );
});

describe('a vault', () => {
  test(
    'that is down for a while',
    async () => {
      const { proxy, vault } = gateway;
      const port = Number(new URL(proxy!.endpoint).port);
      await proxy!.close();
      for (const key of ['down-1', 'down-2']) await drop(key);
      expect(await failed('down-1')).toMatchObject({ code: 'endpoint_unreachable' });
      await expectUntouched('down-1');
      gateway = { ...gateway, proxy: await startFaultProxy(vault.server.endpoint, port) };
      for (const key of ['down-1', 'down-2']) await expectStored(key);
    },
    TEST_TIME,
  );

  test(
    'that is slow',
    async () => {
      gateway.proxy!.add({ url: '/slow', delay: 2_000, times: 1e6 });
      await drop('slow', LARGE);
      await expectStored('slow');
    },
    TEST_TIME,
  );

  test(
    'that answers 403 for what is not there, as AWS does to whoever may not list',
    async () => {
      gateway.proxy!.add({ method: 'HEAD', url: '/unlisted', notFoundAs: 403, times: 1e6 });
      await drop('unlisted');
      await expectStored('unlisted');
      expect(
        gateway.proxy!.requests.filter((r) => r.startsWith('HEAD') && r.includes('unlisted')),
      ).not.toEqual([]);
    },
    TEST_TIME,
  );

  test(
    'that refuses the credentials, and takes rotated ones: without a deployment',
    async () => {
      const { aws, vault, proxy, setSecret } = gateway;
      const wrong = { accessKeyId: 'revoked', secretAccessKey: 'revoked-secret' };
      await setSecret(SECRETS.vaultWrite, vault.secret(wrong, proxy!.endpoint));
      await killFunction(gateway);
      await drop('refused');
      expect(await failed('refused')).toMatchObject({ code: 'access_denied' });
      await expectUntouched('refused');
      // A secret is used for an hour here: it is read again because it was refused.
      const rotated = vault.secret(await vault.credentials('vault-write'), proxy!.endpoint);
      await setSecret(SECRETS.vaultWrite, rotated);
      await expectStored('refused');
      const { SecretString } = await aws.secrets.send(
        new GetSecretValueCommand({ SecretId: SECRETS.vaultWrite }),
      );
      expect(SecretString).toBe(rotated);
    },
    TEST_TIME,
  );
});

describe('the function killed', () => {
  const POINTS: { point: string; fault: Fault }[] = [
    { point: 'before anything is sent', fault: { method: 'HEAD' } },
    { point: 'when the upload begins', fault: { method: 'POST', url: '?uploads' } },
    { point: 'between two parts', fault: { method: 'PUT', url: 'partNumber=2' } },
    { point: 'before the upload is completed', fault: { method: 'POST', url: 'uploadId=' } },
    { point: 'after it was completed', fault: { method: 'POST', url: 'uploadId=' } },
    { point: 'between storing and deleting the source', fault: { method: 'HEAD', skip: 1 } },
  ];
  const keyOf = (point: string) => `killed-${point.replaceAll(' ', '-')}`;
  const killed = new Set<string>();

  // All at once: a message comes back half a minute after the run that held it has certainly ended.
  beforeAll(async () => {
    const { aws, outputs, proxy } = gateway;
    const FunctionName = outputs.EncryptObjectFunction;
    const { Timeout } = await aws.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
    await aws.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 30 }));
    proxy!.reset();
    for (const { point, fault } of POINTS) {
      const kill = async (port: number) => {
        if (await killSender(gateway, port)) killed.add(point);
      };
      const url = new RegExp(`/${keyOf(point)}.*${((fault.url as string) ?? '').replace('?', '\\?')}`);
      proxy!.add({ ...fault, url, ...(point.startsWith('after') ? { after: kill } : { before: kill }) });
      await drop(keyOf(point), LARGE);
      // Each in a batch of its own.
      await until(`the kill ${point}`, async () => (killed.has(point) ? true : undefined), AGAIN);
    }
    await queueEmpty(gateway, 2 * AGAIN);
    await aws.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout }));
  }, 4 * AGAIN);

  test.each(POINTS)('$point: nothing is lost', async ({ point }) => {
    await expectStored(keyOf(point));
    expect(await takeDead(gateway)).toEqual([]);
  });
});

describe('secrets', () => {
  const value = async (SecretId: string) =>
    (await gateway.aws.secrets.send(new GetSecretValueCommand({ SecretId }))).SecretString!;
  const remove = (SecretId: string) =>
    gateway.aws.secrets.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));

  const cases: { what: string; secret: string; code: string; spoil: (name: string) => Promise<unknown> }[] = [
    // As on AWS: a role that may read one secret is not told of another, nor of none, whether it is there.
    { what: 'no public key set', secret: SECRETS.publicKeySet, code: 'access_denied', spoil: remove },
    { what: 'no vault-write', secret: SECRETS.vaultWrite, code: 'access_denied', spoil: remove },
    {
      ...{ what: 'a vault-write that is no JSON', secret: SECRETS.vaultWrite, code: 'secret_malformed' },
      spoil: (name) => gateway.setSecret(name, '{"endpoint": '),
    },
    {
      ...{ what: 'a public key set that is no key', secret: SECRETS.publicKeySet, code: 'invalid_key' },
      spoil: (name) => gateway.setSecret(name, 'no key'),
    },
    {
      ...{ what: 'a private key where a public one belongs', secret: SECRETS.publicKeySet },
      code: 'private_key_in_public_key_set',
      spoil: (name) => gateway.setSecret(name, privatePem(gateway.pair)),
    },
    {
      ...{ what: 'a private half in the public key set', secret: SECRETS.publicKeySet },
      code: 'private_key_in_public_key_set',
      spoil: (name) => gateway.setSecret(name, keySetWithPrivateHalf()),
    },
  ];

  const refusals = async (code: string) =>
    (await linesSoFar(gateway)).filter(
      (l) => l.includes('"not configured"') && l.includes(`"code":"${code}"`),
    );

  test.each(cases)(
    '$what: refused with its code, the work waits',
    async ({ what, secret, code, spoil }) => {
      const { aws, setSecret } = gateway;
      const good = await value(secret);
      await spoil(secret);
      await killFunction(gateway);
      const key = `while-${what.replaceAll(' ', '-')}`;
      const before = (await refusals(code)).length;
      try {
        await drop(key);
        await until('a refusal', async () => ((await refusals(code)).length > before ? true : undefined));
        await expectUntouched(key);
        // A line of its own, which may come later.
        const counted = async () =>
          (await linesSoFar(gateway)).some((line) => line.includes('"NotConfigured"'));
        await until('its metric', async () => ((await counted()) ? true : undefined));
        expect((await linesSoFar(gateway)).join('\n')).not.toContain('PRIVATE KEY');
      } finally {
        await setSecret(secret, good).catch(() =>
          aws.secrets.send(new CreateSecretCommand({ Name: secret, SecretString: good })),
        );
      }
      await expectStored(key);
      expect(await takeDead(gateway)).toEqual([]);
    },
    TEST_TIME,
  );

  const keySetWithPrivateHalf = () => {
    const names = {
      namespace: 'MyAppKeys',
      name: 'S3RSAKey',
      created: '2026-01-01T00:00:00Z',
      state: 'active',
    };
    const halves = { publicKey: publicPem(gateway.pair), privateKey: privatePem(gateway.pair) };
    return JSON.stringify({ version: 1, keys: [{ ...names, ...halves }] });
  };
});

test('an object that cannot fit the time limit is refused at once, with its code', async () => {
  await drop('too-large', 33 * MIB);
  const [dead] = await until('the dead letter', async () => {
    const taken = await takeDead(gateway);
    return taken.length > 0 ? taken : undefined;
  });
  expect(dead).toMatchObject({ code: 'too_large_for_lambda', letter: { key: 'too-large' } });
  await expectUntouched('too-large');
  // The letter is sent first.
  const status = await until('its status', () => statusOf(gateway, 'too-large'));
  expect(status).toBe('failed:too_large_for_lambda');
});

test(
  'in all: every object is stored once, or still in the inbox with its code',
  async () => {
    await queueEmpty(gateway, AGAIN);
    const { aws, inbox, vault, decryptor } = gateway;
    const { Versions = [] } = await aws.s3.send(new ListObjectVersionsCommand({ Bucket: inbox }));
    expect(Versions.map(({ Key }) => Key)).toEqual(['too-large']);
    expect((await vault.keys()).sort()).toEqual(
      [...dropped.keys()].filter((key) => key !== 'too-large').sort(),
    );
    for (const key of await vault.keys())
      expect([key, (await vault.open(key, decryptor)).equals(dropped.get(key)!)]).toEqual([key, true]);
  },
  TEST_TIME,
);
