/** Attacks on what keeps callers apart: whatever is sent, nobody reaches a key outside of their own prefix. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { principalOf } from '../../src/gateway/api/principal.js';
import { parseTarget } from '../../src/gateway/http/node-request.js';
import { chunked } from '../helpers/bytes.js';
import {
  ACCOUNT,
  createGateway,
  PRINCIPALS,
  roleAuthorizer,
  VAULT_PREFIX,
  type Gateway,
} from '../helpers/api-call.js';

let gateway: Gateway;
const VICTIMS = [
  'bob/secret',
  'al/secret',
  'team/carol/secret',
  'alice',
  'alicex/secret',
  'ALICE/secret',
  'secret',
];

beforeEach(async () => {
  gateway = createGateway();
  for (const key of VICTIMS)
    await gateway.store.put(VAULT_PREFIX + key, chunked(Buffer.from(`of ${key}`), 100));
});

async function keysInVault(): Promise<string[]> {
  const keys = [];
  for await (const { key } of gateway.store.list('')) keys.push(key);
  return keys;
}

const untouched = async () => {
  for (const victim of VICTIMS) {
    const { body } = await gateway.store.get(VAULT_PREFIX + victim);
    expect(Buffer.concat(await body.toArray()).toString()).toBe(`of ${victim}`);
  }
  for (const key of await keysInVault())
    if (!VICTIMS.includes(key.slice(VAULT_PREFIX.length)))
      expect(key.startsWith(`${VAULT_PREFIX}alice/`)).toBe(true);
};

const ESCAPES = [
  '../bob/secret',
  '..%2fbob%2fsecret',
  '%2e%2e/bob/secret',
  '%2E%2E%2Fbob%2Fsecret',
  '%252e%252e%252fbob%252fsecret',
  '%25252e%25252e/bob/secret',
  'x/../../bob/secret',
  './../bob/secret',
  '/bob/secret',
  '//bob/secret',
  '%2fbob/secret',
  'x//../bob/secret',
  '..\\bob\\secret',
  '%5c..%5cbob',
  '..;/bob/secret',
  '%00/../bob/secret',
  '..%00/bob/secret',
  '\uff0e\uff0e/bob/secret',
  '%c0%ae%c0%ae/bob/secret',
  '%uff0e%uff0e/bob/secret',
  '..%c0%af../bob/secret',
  '\u2024\u2024/bob/secret',
  'a/%2e/../../bob/secret',
  '.%2e/bob/secret',
  'vault/bob/secret',
  '?x=/../bob/secret',
  '#/../bob/secret',
];

const ROUTES_WITH_KEYS = [
  ['PUT', '/v1/objects/'],
  ['GET', '/v1/objects/'],
  ['HEAD', '/v1/objects/'],
  ['DELETE', '/v1/objects/'],
  ['POST', '/v1/decrypt/'],
] as const;

describe.each<readonly [string, string]>(ROUTES_WITH_KEYS)('%s %s', (method, folder) => {
  test.each(ESCAPES)('cannot be led out by %j', async (key) => {
    // As the local server decodes it, and as API Gateway hands it on without decoding or after.
    const { path } = parseTarget(encodeURI(folder + key).replaceAll('%25', '%'));
    for (const form of [folder + key, ...(path === undefined ? [] : [path.replaceAll('%', '%25')])]) {
      const { bytes, statusCode } = await gateway.call({ method, path: form, body: 'mine' });
      expect([200, 201, 204, 400, 403, 404]).toContain(statusCode);
      expect(bytes.toString()).not.toMatch(/of (bob|al|team|ALICE|secret)/);
    }
    await untouched();
  });
});

test('no path of any letters leads out', async () => {
  const piece = fc.constantFrom(
    '..',
    '.',
    '/',
    '//',
    '%',
    '%2e',
    '%2F',
    '%25',
    'bob',
    'secret',
    'alice',
    '\\',
    'é',
    'e\u0301',
    '\0',
    'x',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 8 }),
      fc.constantFrom(...ROUTES_WITH_KEYS),
      async (pieces, [method, folder]) => {
        const { bytes } = await gateway.call({ method, path: folder + pieces.join(''), body: 'mine' });
        expect(bytes.toString()).not.toMatch(/of (bob|al|team|ALICE|secret)/);
        await untouched();
      },
    ),
    { numRuns: 400 },
  );
});

describe('a list', () => {
  test.each([
    ['', '', ['a', 'b/c']],
    ['of a prefix of another', 'prefix=../bob/', undefined],
    ['of an absolute prefix', 'prefix=/bob/', undefined],
    ['of a prefix with dots in the middle', 'prefix=b/../../bob/', undefined],
    ['of encoded dots', 'prefix=%2e%2e%2fbob%2f', undefined],
    ['of dots that were encoded twice', 'prefix=%252e%252e%252f', []],
    ['behind a key of another', `cursor=${Buffer.from('../bob/a').toString('base64url')}`, ['a', 'b/c']],
    ['behind the first key of all', `cursor=${Buffer.from('\0').toString('base64url')}`, ['a', 'b/c']],
    ['behind the own keys', `cursor=${Buffer.from('zzz').toString('base64url')}`, []],
    ['of two prefixes', 'prefix=b&prefix=../bob/', undefined],
  ])('%s shows the own keys alone', async (_, query, wanted) => {
    for (const key of ['a', 'b/c'])
      await gateway.call({ method: 'PUT', path: `/v1/objects/${key}`, body: 'x' });
    const { statusCode, document } = await gateway.call({ path: '/v1/objects', query });
    if (wanted === undefined) expect(statusCode).toBe(400);
    else expect((document.objects as { key: string }[]).map(({ key }) => key)).toEqual(wanted);
  });

  test('of "al/" shows nothing of "alice/", and the other way round', async () => {
    await gateway.call({ method: 'PUT', path: '/v1/objects/mine', body: 'x' });
    const al = await gateway.call({ path: '/v1/objects', query: 'prefix=', role: 'al' });
    expect(al.document).toEqual({ objects: [expect.objectContaining({ key: 'secret' })] });
    const query = `prefix=ice/`;
    expect((await gateway.call({ path: '/v1/objects', query, role: 'al' })).document).toEqual({
      objects: [],
    });
  });
});

describe('an upload', () => {
  test('lands below the own prefix, with the id that was given', async () => {
    const { document } = await gateway.call({ method: 'POST', path: '/v1/uploads', ...json({ name: 'a' }) });
    expect(gateway.forms[0]!.key).toBe(`alice/uploads/${String(document.id)}/a`);
  });

  test.each([
    '../a',
    '../../bob/a',
    '/a',
    'a/../../b',
    '.',
    '..',
    '',
    'a//b',
    'a/',
    '${filename}',
    'x\0',
    'a/./b',
  ])('called %j is refused', async (name) => {
    const { statusCode } = await gateway.call({ method: 'POST', path: '/v1/uploads', ...json({ name }) });
    expect(statusCode).toBe(400);
    expect(gateway.forms).toEqual([]);
  });

  test('of somebody else is not known, whatever its state', async () => {
    const id = 'A'.repeat(22);
    gateway.arrived.push({ key: `bob/uploads/${id}/a`, status: 'failed:truncated' });
    const seen = (role: string) => gateway.call({ path: `/v1/uploads/${id}`, role });
    expect((await seen('bob')).document).toMatchObject({ status: 'failed', code: 'truncated' });
    expect((await seen('alice')).statusCode).toBe(404);
    await gateway.store.put(`${VAULT_PREFIX}bob/uploads/${id}/a`, chunked(Buffer.from('x'), 1));
    expect((await seen('bob')).document).toMatchObject({ status: 'stored' });
    expect((await seen('alice')).statusCode).toBe(404);
  });

  test.each(['../../bob/uploads/x', '..', 'A'.repeat(21), `${'A'.repeat(21)}/`, `${'A'.repeat(21)}%25`, ''])(
    'is not looked for under the id %j',
    async (id) => {
      const { statusCode } = await gateway.call({ path: `/v1/uploads/${id}` });
      expect([400, 404, 405]).toContain(statusCode);
    },
  );
});

describe('a principal', () => {
  const iam = (userArn: unknown, accountId: unknown = ACCOUNT) => ({ iam: { userArn, accountId } });
  const sts = `arn:aws:sts::${ACCOUNT}:assumed-role`;
  const users = `arn:aws:iam::${ACCOUNT}:user`;

  test.each([
    [`${sts}/alice/anything`, 'alice/'],
    [`${sts}/alice/bob`, 'alice/'],
    [`arn:aws-cn:sts::${ACCOUNT}:assumed-role/bob/x@y.z`, 'bob/'],
    [`${users}/carol`, 'team/carol/'],
    [`${users}/division/team/carol`, 'team/carol/'],
  ])('%s has the prefix %s', (arn, prefix) => {
    expect(principalOf(iam(arn), PRINCIPALS).prefix).toBe(prefix);
  });

  test.each([
    `${sts}/mallory/alice`,
    `${sts}/x/role/alice`,
    `${sts}/alice`,
    `${sts}/alice/a/b`,
    `${sts}/constructor/x`,
    `${sts}/__proto__/x`,
    `${users}/alice`,
    `arn:aws:iam::${ACCOUNT}:role/alice`,
    `arn:aws:iam::${ACCOUNT}:root`,
    `arn:aws:sts::${ACCOUNT}:federated-user/alice`,
    `arn:aws:sts::999999999999:assumed-role/alice/x`,
    `${sts}/alice/x\n`,
    `x${sts}/alice/x`,
    '',
  ])('%j has none', (arn) => {
    expect(() => principalOf(iam(arn), PRINCIPALS)).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });

  test('of another account than the authorizer says has none', () => {
    expect(() => principalOf(iam(`${sts}/alice/x`, '999999999999'), PRINCIPALS)).toThrow(/no prefix/);
    expect(() => principalOf(iam(`${sts}/alice/x`, null), PRINCIPALS)).toThrow(/no prefix/);
  });

  test.each([undefined, {}, { iam: null }, { iam: {} }, { jwt: { claims: { prefix: 'alice/' } } }])(
    'is nobody where the authorizer says %j',
    (authorizer) => {
      expect(() => principalOf(authorizer, PRINCIPALS)).toThrow(
        expect.objectContaining({ code: 'unauthorized' }),
      );
    },
  );

  const jwt = (prefix: unknown) => ({ jwt: { claims: { sub: 'x', prefix } } });
  const byClaim = { kind: 'jwt', claim: 'prefix' } as const;

  test('has the prefix of its claim', () => {
    expect(principalOf(jwt('lab/a b/'), byClaim)).toEqual({ id: 'x', prefix: 'lab/a b/' });
  });

  test.each([
    '',
    '/',
    'a',
    '/a/',
    '../',
    'a/../',
    'a//',
    './',
    '[a/ b/]',
    'a/\0/',
    '.',
    'a/b',
    undefined,
    null,
    5,
    ['a/'],
    {},
  ])('has none with the claim %j', (claim) => {
    expect(() => principalOf(jwt(claim), byClaim)).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });

  test.each(['toString', '__proto__', 'constructor'])(
    'has none by a claim named %s that is not there',
    (claim) => {
      expect(() => principalOf({ jwt: { claims: {} } }, { kind: 'jwt', claim })).toThrow(/no prefix/);
    },
  );

  test.each([
    'PUT /v1/objects/k',
    'GET /v1/objects',
    'GET /v1/objects/k',
    'DELETE /v1/objects/k',
    'POST /v1/uploads',
    'GET /v1/uploads/k',
    'GET /v1/keys',
    'GET /v1/openapi.json',
    'POST /v1/decrypt/k',
  ])('without a prefix is refused by %s, and nobody too', async (route) => {
    const [method, path] = route.split(' ') as [string, string];
    expect((await gateway.call({ method, path, role: 'mallory' })).document).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    expect((await gateway.call({ method, path, role: null })).document).toMatchObject({
      status: 401,
      code: 'unauthorized',
    });
  });

  test('may see whether the API answers, whoever it is', async () => {
    expect((await gateway.call({ path: '/v1/health', role: null })).document).toEqual({ status: 'ok' });
    expect(
      (await gateway.call({ path: '/v1/health', authorizer: roleAuthorizer('mallory') })).statusCode,
    ).toBe(200);
  });
});

function json(value: unknown) {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
