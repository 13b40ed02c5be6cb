/** A deployed HTTP API whose callers bring tokens of an issuer: who gets in, how far, and who doesn't. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { dirname, join } from 'node:path';
import { ROUTES, SCOPES } from '../../src/contract.js';
import { walkApi, type WalkAnswer, type WalkRequest } from '../helpers/api-walk.js';
import { callApi, fetchTrusting } from '../helpers/aws-api.js';
import { SECRETS, startGateway, type Gateway } from '../helpers/aws-gateway.js';
import type { Aws } from '../helpers/aws-server.js';
import { logLines } from '../helpers/aws-watch.js';
import { chunked, collect } from '../helpers/bytes.js';
import { startIssuer, type Claims, type OidcIssuer } from '../helpers/oidc-issuer.js';
import { SETUP_TIME } from '../helpers/servers.js';

const AUDIENCE = 'sealdrop-e2e';
const CLAIM = 'sealdrop_prefix';
const READ_AND_WRITE = `${SCOPES.read} ${SCOPES.write}`;

let gateway: Gateway;
let issuer: OidcIssuer;
beforeAll(async () => {
  gateway = await startGateway({ tls: false, config: async (aws) => ({ api: await jwtApi(aws) }) });
}, SETUP_TIME);
afterAll(async () => {
  await gateway?.stop();
  issuer?.close();
});

async function jwtApi({ caBundle }: Aws) {
  // The certificate that ministack trusts: its own.
  issuer = await startIssuer({ certificate: caBundle, key: join(dirname(caBundle), 'private.key') });
  return {
    callers: { kind: 'jwt', issuer: issuer.url, audience: [AUDIENCE], claim: CLAIM },
    vaultReadSecret: SECRETS.vaultRead,
    vaultDeleteSecret: SECRETS.vaultDelete,
  };
}

const now = () => Math.floor(Date.now() / 1000);
const labClaims = (): Claims => ({
  ...{ sub: 'somebody', aud: AUDIENCE, iat: now() - 60, exp: now() + 600 },
  ...{ scope: READ_AND_WRITE, [CLAIM]: 'lab/' },
});
const tokenWith = (claims: Claims = {}) => issuer.token({ ...labClaims(), ...claims });

async function send(request: WalkRequest, token?: string): Promise<WalkAnswer> {
  const authorization = token !== undefined && { authorization: `Bearer ${token}` };
  return callApi(gateway, { ...request, headers: { ...request.headers, ...authorization } });
}
const put = (key: string, token?: string) =>
  send({ method: 'PUT', path: `/v1/objects/${key}`, body: Buffer.from(`content of ${key}`) }, token);
const get = (path: string, token?: string) => send({ method: 'GET', path: `/v1/${path}` }, token);
const documentOf = ({ body }: WalkAnswer) => JSON.parse(body.toString()) as Record<string, unknown>;
const open = (ciphertext: Buffer) =>
  collect(gateway.decryptor.decrypt(chunked(ciphertext, ciphertext.length)));

test('walked as the document says, every answer is one that it announces', async () => {
  const scope = `${READ_AND_WRITE} ${SCOPES.delete}`;
  const visits = await walkApi({
    send: (request, as) => send(request, as === 'caller' ? tokenWith({ scope }) : undefined),
    routes: ROUTES.filter((route) => route.scope !== 'decrypt').map(
      ({ method, path }) => `${method} ${path}`,
    ),
    fetchUrl: fetchTrusting(gateway.aws.caBundle),
    open,
  });
  expect(visits.length).toBeGreaterThan(40);
  expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
}, 240_000);

test('what is put stands below the prefix of the claim, and opens; other prefixes do not show it', async () => {
  expect((await put('mine', tokenWith())).status).toBe(201);
  const stored = await gateway.vault.open('lab/mine', gateway.decryptor);
  expect(stored.toString()).toBe('content of mine');
  expect((await get('objects/mine', tokenWith())).status).toBe(200);

  const other = tokenWith({ [CLAIM]: 'other/' });
  expect((await get('objects/mine', other)).status).toBe(404);
  expect((await get('objects/lab/mine', other)).status).toBe(404);
  expect(documentOf(await get('objects', other)).objects).toEqual([]);
  for (const path of ['objects/..%2Flab/mine', 'objects/../lab/mine', 'objects?prefix=../lab/'])
    expect((await get(path, other)).status).toBe(400);
});

describe('a token that is not good is refused before any function sees it', () => {
  const forger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const cases: [string, () => string | undefined, number][] = [
    ['none', () => undefined, 401],
    ['a word that is no token', () => 'sealdrop', 401],
    ['another audience', () => tokenWith({ aud: 'another' }), 401],
    ['no audience', () => tokenWith({ aud: undefined }), 401],
    ['expired', () => tokenWith({ exp: now() - 10 }), 401],
    ['not good yet', () => tokenWith({ nbf: now() + 600 }), 401],
    ['another issuer', () => tokenWith({ iss: 'https://localhost:1' }), 401],
    ['signed by somebody else', () => issuer.token(labClaims(), forger), 401],
    ['a signature with another byte', () => tampered(tokenWith()), 401],
    ['claims that were changed', () => changed(tokenWith(), 1, { [CLAIM]: 'other/' }), 401],
    ['no signature', () => unsigned(tokenWith()), 401],
    ['a scope for reading', () => tokenWith({ scope: SCOPES.read }), 403],
    ['no scope', () => tokenWith({ scope: undefined }), 403],
    ['a scope of another name', () => tokenWith({ scope: `${SCOPES.write}s` }), 403],
  ];
  test.each(cases)('%s', async (_, token, status) => {
    const answer = await put('refused', token());
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  test('a scope for writing does not read, and neither of them deletes', async () => {
    expect((await put('scoped', tokenWith())).status).toBe(201);
    expect((await get('objects/scoped', tokenWith({ scope: SCOPES.write }))).status).toBe(403);
    const remove = { method: 'DELETE', path: '/v1/objects/scoped' };
    expect((await send(remove, tokenWith())).status).toBe(403);
    expect((await send(remove, tokenWith({ scope: SCOPES.delete }))).status).toBe(204);
  });

  test('a path without a route tells nothing to somebody without a token', async () => {
    expect((await get('nothing/here')).status).toBe(401);
  });
});

describe('a good token whose claim is no prefix is refused by the function', () => {
  const cases: [string, unknown][] = [
    ['no slash at the end', 'lab'],
    ['up to another', 'lab/../other/'],
    ['up and out', '../'],
    ['the root', '/'],
    ['empty', ''],
    ['an empty segment', 'lab//'],
    ['absent', undefined],
    ['a list', ['lab/']],
    ['a number', 7],
  ];
  test.each(cases)('%s', async (_, prefix) => {
    const token = tokenWith({ [CLAIM]: prefix });
    for (const answer of [await put('refused', token), await get('objects', token)]) {
      expect(answer.status).toBe(403);
      expect(documentOf(answer).code).toBe('forbidden');
    }
  });
});

test('nothing that was refused is in the vault, and no log line holds a token', async () => {
  const keys = await gateway.vault.keys();
  expect(keys).toContain('lab/mine');
  expect(keys.filter((key) => !key.startsWith('lab/') || key.includes('refused'))).toEqual([]);
  const [header = ''] = tokenWith().split('.');
  expect((await logLines(gateway)).filter((line) => line.includes(header))).toEqual([]);
});

function tampered(token: string): string {
  const parts = token.split('.');
  const bytes = Buffer.from(parts[2]!, 'base64url');
  bytes[0]! ^= 1;
  return parts.with(2, bytes.toString('base64url')).join('.');
}

/** A part of the token replaced, the others as they were: its signature too. */
function changed(token: string, part: number, change: Claims): string {
  const parts = token.split('.');
  const before = JSON.parse(Buffer.from(parts[part]!, 'base64url').toString()) as Claims;
  const after = Buffer.from(JSON.stringify({ ...before, ...change }));
  return parts.with(part, after.toString('base64url')).join('.');
}

function unsigned(token: string): string {
  const parts = changed(token, 0, { alg: 'none' }).split('.');
  return parts.with(2, '').join('.');
}
