/** The deployed HTTP API, as its own OpenAPI document describes it. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { ROUTES } from '../../src/contract.js';
import { walkApi, type WalkAnswer, type WalkRequest } from '../helpers/api-walk.js';
import { callApi, fetchTrusting, newRole } from '../helpers/aws-api.js';
import { contentOf, digestsIn, forbidden, type Forbidden } from '../helpers/aws-digests.js';
import { SECRETS, startGateway, type Gateway } from '../helpers/aws-gateway.js';
import type { Credentials } from '../helpers/aws-server.js';
import { logLines, until } from '../helpers/aws-watch.js';
import { chunked, collect } from '../helpers/bytes.js';
import { privatePem } from '../helpers/keys.js';
import { SETUP_TIME } from '../helpers/servers.js';

// Each waits for processes of several servers, on a machine that may have other work.
jest.setTimeout(180_000);

const MIB = 1024 * 1024;
const PRIVATE_KEYS = 'sealdrop/private-keys';
const MAY_CALL = [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }];

let gateway: Gateway;
let lab: Credentials;
let fetchUrl: typeof fetch;
const answers: WalkAnswer[] = [];
const digests: Forbidden[] = [];
beforeAll(async () => {
  gateway = await startGateway({
    tls: false,
    config: () => ({
      afterStore: 'tag',
      api: {
        callers: {
          kind: 'iam',
          prefixes: { '000000000000:role/lab': 'lab/', '000000000000:role/other': 'other/' },
        },
        vaultReadSecret: SECRETS.vaultRead,
        vaultDeleteSecret: SECRETS.vaultDelete,
        decrypt: { privateKeySetSecret: PRIVATE_KEYS, prefixes: ['lab/'] },
      },
    }),
  });
  const { aws, pair } = gateway;
  await aws.secrets.send(new CreateSecretCommand({ Name: PRIVATE_KEYS, SecretString: privatePem(pair) }));
  lab = await newRole(gateway, 'lab', MAY_CALL);
  fetchUrl = fetchTrusting(aws.caBundle);
}, SETUP_TIME);
afterAll(async () => gateway?.stop());

async function send(request: WalkRequest, credentials?: Credentials): Promise<WalkAnswer> {
  const answer = await callApi(gateway, request, credentials);
  answers.push(answer);
  return answer;
}
const asLab = (method: string, path: string, more: Partial<WalkRequest> = {}) =>
  send({ method, path, ...more }, lab);
const documentOf = ({ body }: WalkAnswer) => JSON.parse(body.toString()) as Record<string, string>;

const open = (ciphertext: Buffer) =>
  collect(gateway.decryptor.decrypt(chunked(ciphertext, ciphertext.length)));

test('walked as the document says, every answer is one that it announces', async () => {
  const visits = await walkApi({
    send: (request, as) => send(request, as === 'caller' ? lab : undefined),
    routes: ROUTES.map(({ method, path }) => `${method} ${path}`),
    fetchUrl,
    open,
    tooLarge: 4 * MIB + 1,
  });
  expect(visits.length).toBeGreaterThan(40);
}, 240_000);

describe('who may call', () => {
  test.each(ROUTES.filter(({ path }) => path !== '/v1/health'))(
    'without credentials $method $path refuses',
    async ({ method, path }) => {
      const real = path.replace('{key+}', 'lab/a').replace('{id}', 'A'.repeat(22));
      expect((await send({ method, path: real })).status).toBe(403);
    },
  );

  test('a role that the configuration does not name is refused', async () => {
    const stranger = await newRole(gateway, 'stranger', MAY_CALL);
    const answer = await send({ method: 'GET', path: '/v1/objects' }, stranger);
    expect(answer.status).toBe(403);
  });

  test('a named role without the right to call is refused by AWS', async () => {
    const other = await newRole(gateway, 'other', []);
    expect((await send({ method: 'GET', path: '/v1/objects' }, other)).status).toBe(403);
  });
});

describe('small objects by PUT', () => {
  test.each([0, 1, 100_000, 4 * MIB])('%d bytes', async (size) => {
    const bytes = contentOf(size, size);
    digests.push(forbidden(String(size), bytes));
    const path = `/v1/objects/small/${size}`;
    expect((await asLab('PUT', path, { body: bytes })).status).toBe(201);
    expect((await gateway.vault.open(`lab/small/${size}`, gateway.decryptor)).equals(bytes)).toBe(true);
  });

  test('text that is not UTF-8 is stored as bytes, and refused as text', async () => {
    const body = Buffer.from([0x93, 0xfa, 0x96, 0x7b, 0x2c, 0x31, 0x0a]);
    const put = (type: string) =>
      asLab('PUT', '/v1/objects/small/sjis.csv', { body, headers: { 'content-type': type } });
    const refused = await put('text/csv');
    expect(refused.status).toBe(415);
    expect(documentOf(refused).hint).toContain('application/octet-stream');
    expect(await gateway.vault.keys()).not.toContain('lab/small/sjis.csv');
    expect((await put('application/octet-stream')).status).toBe(201);
    expect((await gateway.vault.open('lab/small/sjis.csv', gateway.decryptor)).equals(body)).toBe(true);
  });

  test('one byte more names the next route', async () => {
    const answer = await asLab('PUT', '/v1/objects/large', { body: Buffer.alloc(4 * MIB + 1) });
    expect(answer.status).toBe(413);
    expect(answer.body.toString()).toContain('/v1/uploads');
  });

  test('nobody reaches below the prefix of somebody else', async () => {
    for (const path of ['/v1/objects/..%2Fother/x', '/v1/objects/../other/x', '/v1/objects/%2E%2E/other/x'])
      expect((await asLab('PUT', path, { body: Buffer.from('x') })).status).toBe(400);
    expect((await gateway.vault.keys()).filter((key) => !key.startsWith('lab/'))).toEqual([]);
  });
});

test('an upload by a form: waiting, then stored below the same prefix, and opened', async () => {
  const content = contentOf(5, 6 * MIB);
  digests.push(forbidden('upload', content));
  const body = Buffer.from(JSON.stringify({ name: 'report.bin', size: content.length }));
  const created = await asLab('POST', '/v1/uploads', {
    body,
    headers: { 'content-type': 'application/json' },
  });
  expect(created.status).toBe(201);
  const upload = JSON.parse(created.body.toString()) as {
    id: string;
    key: string;
    url: string;
    fields: object;
  };
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value as string);
  form.append('file', new Blob([Uint8Array.from(content)]), 'file');
  expect((await fetchUrl(upload.url, { method: 'POST', body: form })).status).toBe(204);
  await until('the upload stored', async () => {
    const status = documentOf(await asLab('GET', `/v1/uploads/${upload.id}`));
    expect(['waiting', 'stored']).toContain(status.status);
    return status.status === 'stored' ? true : undefined;
  });
  expect((await gateway.vault.open(`lab/${upload.key}`, gateway.decryptor)).equals(content)).toBe(true);
  expect(upload.key).toBe(`uploads/${upload.id}/report.bin`);
}, 90_000);

test('no log line holds a presigned URL, a form’s signature or a secret', async () => {
  const text = (await logLines(gateway)).join('\n');
  for (const word of ['X-Amz-Signature', 'X-Amz-Credential', 'Policy"', 'PRIVATE KEY', 'secretAccessKey'])
    expect(text).not.toContain(word);
});

test('no answer and no log line holds the MD5 of a plaintext', async () => {
  expect(digests).toHaveLength(5);
  const said = answers.map(({ headers, body }) => JSON.stringify(headers) + body.toString('latin1'));
  expect(said.filter((each) => digestsIn(each, digests).length > 0)).toEqual([]);
  expect((await logLines(gateway)).filter((line) => digestsIn(line, digests).length > 0)).toEqual([]);
});
