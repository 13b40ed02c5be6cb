/** What the functions of the API do at AWS and at the vault: forms signed by a role, presigned URLs, rotated secrets. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { CreateRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { GetObjectCommand, ListObjectsV2Command, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import { bucketInbox, LINK_SECONDS, publicKeysOf, readableVaultOf } from '../../src/compose-api.js';
import { MAX_UPLOAD_BYTES } from '../../src/gateway/api/schemas.js';
import { Secret } from '../../src/secret.js';
import { renewing } from '../../src/secrets/renewing.js';
import type { SecretReader } from '../../src/secrets/secret-reader.js';
import { chunked } from '../helpers/bytes.js';
import { publicPem, rsaPair } from '../helpers/keys.js';
import { SETUP_TIME, startMinio, startMinistack, type S3Server } from '../helpers/servers.js';

let aws: S3Server;
let minio: S3Server;
const before = { ...process.env };

beforeAll(async () => {
  [aws, minio] = [await startMinistack(), await startMinio()];
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_REGION: aws.region,
    AWS_ACCESS_KEY_ID: aws.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: aws.credentials.secretAccessKey,
  });
}, SETUP_TIME);
afterAll(async () => {
  process.env = before;
  await Promise.all([aws.stop(), minio.stop()]);
});

describe('a form', () => {
  const key = 'in/lab/uploads/AAAAAAAAAAAAAAAAAAAAAA/日本 a+b%.txt';
  const content = Buffer.from('what is uploaded');
  let bucket: string;
  let inbox: ReturnType<typeof bucketInbox>;

  beforeAll(async () => {
    bucket = await aws.createBucket('inbox');
    const iam = new IAMClient({ endpoint: aws.endpoint, region: aws.region, credentials: aws.credentials });
    const trust = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }],
    };
    const made = await iam.send(
      new CreateRoleCommand({ RoleName: 'upload', AssumeRolePolicyDocument: JSON.stringify(trust) }),
    );
    iam.destroy();
    inbox = bucketInbox({
      inbox: { bucket, prefix: 'in/', suffix: '', template: '{rest}', encode: false, versioned: false },
      uploadRole: made.Role!.Arn!,
      account: '000000000000',
    });
  }, SETUP_TIME);

  const ask = (more = {}) =>
    inbox.form({
      ...{ owner: 'lab/', key, minBytes: content.length, maxBytes: content.length, base: '' },
      expires: new Date(Date.now() + 600_000),
      ...more,
    });

  async function send(
    url: string,
    fields: Readonly<Record<string, string>>,
    body = content,
  ): Promise<number> {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append('file', new Blob([Uint8Array.from(body)]), 'other-name');
    const { status } = await fetch(url, { method: 'POST', body: form });
    return status;
  }

  const keys = async () =>
    ((await aws.client.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents ?? []).map(
      ({ Key }) => Key,
    );

  test('is signed by the session of the role, and holds nothing of the credentials that it came from', async () => {
    const { fields } = await ask();
    expect(fields['X-Amz-Security-Token']).toEqual(expect.any(String));
    expect(JSON.stringify(fields)).not.toContain(aws.credentials.secretAccessKey);
    const policy = JSON.parse(Buffer.from(fields['Policy']!, 'base64').toString()) as {
      conditions: unknown[];
    };
    expect(policy.conditions).toEqual(
      expect.arrayContaining([{ key }, { bucket }, ['content-length-range', content.length, content.length]]),
    );
  });

  test.each<[string, (fields: Record<string, string>) => Record<string, string>]>([
    ['another key', (fields) => ({ ...fields, key: 'in/other/uploads/x' })],
    ['the key of the sender', (fields) => ({ ...fields, key: `${fields['key']}\${filename}` })],
    ['another content type', (fields) => ({ ...fields, 'Content-Type': 'text/html' })],
    ['tags', (fields) => ({ ...fields, tagging: '<Tagging/>' })],
    [
      'another policy',
      (fields) => ({
        ...fields,
        Policy: Buffer.from('{"expiration":"2999-01-01T00:00:00Z","conditions":[]}').toString('base64'),
      }),
    ],
  ])('with %s is refused', async (_, change) => {
    const { url, fields } = await ask();
    expect(await send(url, change({ ...fields }))).toBe(403);
    expect(await keys()).toEqual([]);
  });

  test.each([content.length - 1, content.length + 1])('with a file of %i bytes is refused', async (size) => {
    const { url, fields } = await ask();
    expect(await send(url, fields, Buffer.alloc(size))).toBe(400);
    expect(await keys()).toEqual([]);
  });

  test('puts exactly its object, whose tag then tells what became of it', async () => {
    expect(await inbox.find('in/lab/uploads/AAAAAAAAAAAAAAAAAAAAAA/')).toBeUndefined();
    const { url, fields } = await ask({ minBytes: 0, maxBytes: MAX_UPLOAD_BYTES });
    expect(await send(url, fields)).toBe(204);
    expect(await keys()).toEqual([key]);
    const { Body } = await aws.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    expect(Buffer.from(await Body!.transformToByteArray()).equals(content)).toBe(true);
    const folder = 'in/lab/uploads/AAAAAAAAAAAAAAAAAAAAAA/';
    expect(await inbox.find(folder)).toEqual({ key });
    const TagSet = [
      { Key: 'mine', Value: 'x' },
      { Key: 'sealdrop-status', Value: 'failed:key_not_storable' },
    ];
    await aws.client.send(new PutObjectTaggingCommand({ Bucket: bucket, Key: key, Tagging: { TagSet } }));
    expect(await inbox.find(folder)).toEqual({ key, status: 'failed:key_not_storable' });
    expect(await inbox.find('in/other/')).toBeUndefined();
  });
});

describe('a vault by its secret', () => {
  const secretsOf = (values: Record<string, string>, reads: string[] = []): SecretReader => ({
    read: async (name) => {
      reads.push(name);
      return new Secret(Buffer.from(values[name] ?? ''));
    },
  });
  const vaultSecret = (bucket: string, secretAccessKey = minio.credentials.secretAccessKey) =>
    JSON.stringify({
      ...{ endpoint: minio.endpoint, region: minio.region, bucket, prefix: 'vault', allowHttp: true },
      ...{ accessKeyId: minio.credentials.accessKeyId, secretAccessKey },
    });

  test('gives URLs that read one object, without credentials, and nothing else', async () => {
    const bucket = await minio.createBucket(`links-${randomBytes(4).toString('hex')}`);
    const vault = readableVaultOf(
      { secret: 'v' },
      { secrets: secretsOf({ v: vaultSecret(bucket) }), ttlSeconds: 60 },
    );
    const opened = await vault.current();
    const { store, prefix } = opened;
    const key = `${prefix}lab/日本 a+b%&?#.txt`;
    await store.put(key, chunked(Buffer.from('ciphertext'), 4));
    await store.put(`${prefix}other`, chunked(Buffer.from('of others'), 4));
    const { url, expires } = await opened.link(key, { base: '' });
    expect(await (await fetch(url)).text()).toBe('ciphertext');
    expect(Math.abs(expires.getTime() - Date.now() - LINK_SECONDS * 1000)).toBeLessThan(10_000);
    expect(url).not.toContain(minio.credentials.secretAccessKey);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
    expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(403);
    expect((await fetch(url.replace(/vault\/lab\/[^?]*/, 'vault/other'))).status).toBe(403);
    expect((await fetch(`${url}&x-id=PutObject`)).status).toBe(403);
    store.close();
  });

  test('that was rotated is read again, once, when the vault refuses the old one', async () => {
    const bucket = await minio.createBucket(`rotated-${randomBytes(4).toString('hex')}`);
    const values = { v: vaultSecret(bucket, 'what-it-was-before') };
    const reads: string[] = [];
    const vault = readableVaultOf({ secret: 'v' }, { secrets: secretsOf(values, reads), ttlSeconds: 600 });
    const withVault = renewing(vault);
    const list = () =>
      withVault(async ({ store }) => (await store.list('')[Symbol.asyncIterator]().next()).done);
    await expect(list()).rejects.toMatchObject({ code: 'access_denied' });
    values.v = vaultSecret(bucket);
    expect(await list()).toBe(true);
    const count = reads.length;
    expect(await list()).toBe(true);
    expect(reads.length).toBe(count);
  });

  test('public keys are shown as they are, and a private half among them never', async () => {
    const pair = rsaPair();
    const settings = { publicKeySet: 'k', keyNames: {}, secretsTtlSeconds: 60 };
    const [key] = await publicKeysOf(settings, secretsOf({ k: publicPem(pair) })).current();
    expect(key).toMatchObject({ namespace: 'MyAppKeys', name: 'S3RSAKey', publicKey: publicPem(pair) });
    const privateHalf = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await expect(publicKeysOf(settings, secretsOf({ k: privateHalf })).current()).rejects.toMatchObject({
      code: 'private_key_in_public_key_set',
    });
  });
});
