import { beforeEach, describe, expect, test } from '@jest/globals';
import { ROUTES } from '../../src/contract.js';
import { SealdropError, type ErrorCode } from '../../src/errors.js';
import { lambdaHandler } from '../../src/gateway/api/lambda-event.js';
import { problemOf, problemResponse } from '../../src/gateway/api/problem.js';
import { readMetadata } from '../../src/transfer/metadata.js';
import { chunked, collect } from '../helpers/bytes.js';
import {
  createGateway,
  decryptor,
  encryptor,
  eventOf,
  PRINCIPALS,
  VAULT_PREFIX,
  type Gateway,
} from '../helpers/api-call.js';

let gateway: Gateway;
beforeEach(() => {
  gateway = createGateway();
});

const MIB = 1024 * 1024;
const put = (path: string, body: Buffer | string, headers: Record<string, string> = {}) =>
  gateway.call({ method: 'PUT', path, body, headers });
const message = async (key: string) => {
  const { body } = await gateway.store.get(key);
  return Buffer.concat(await body.toArray());
};

describe('PUT', () => {
  test('stores the body encrypted, bound to its vault key, and says nothing that identifies the plaintext', async () => {
    const answer = await put('/v1/objects/a/b.txt', 'hello');
    const fingerprints = encryptor.recipients.map(({ fingerprint }) => fingerprint);
    expect(answer).toMatchObject({ statusCode: 201, document: { key: 'a/b.txt', size: 5, fingerprints } });
    const stored = await message(`${VAULT_PREFIX}alice/a/b.txt`);
    let context;
    const plaintext = await collect(
      decryptor.decrypt(chunked(stored, 1000), { accept: (info) => void (context = info.context) }),
    );
    expect(plaintext.toString()).toBe('hello');
    expect(context).toMatchObject({ 'sealdrop:key': `${VAULT_PREFIX}alice/a/b.txt` });
    const { metadata } = await gateway.store.head(`${VAULT_PREFIX}alice/a/b.txt`);
    const source: unknown = expect.stringMatching(/^v1[.]/);
    expect(readMetadata(metadata)).toEqual({ format: 'esdk', size: 5, fingerprints, source });
    // MD5 of "hello", and its SHA-256, in hex.
    expect(JSON.stringify([answer, metadata])).not.toMatch(/5d41402abc4b2a76|2cf24dba5fb0a30e|etag/i);
  });

  test.each([0, 1, 4 * MIB])('takes %i bytes', async (size) => {
    expect(await put('/v1/objects/a', Buffer.alloc(size, 1))).toMatchObject({
      statusCode: 201,
      document: { size },
    });
  });

  test('of more than 4 MiB is refused, and the way that takes it is named', async () => {
    const { statusCode, document } = await put('/v1/objects/a', Buffer.alloc(4 * MIB + 1));
    expect(statusCode).toBe(413);
    expect(document).toMatchObject({ code: 'too_large', hint: expect.stringContaining('POST /v1/uploads') });
    await expect(gateway.store.head(`${VAULT_PREFIX}alice/a`)).rejects.toMatchObject({
      code: 'object_not_found',
    });
  });

  test('replaces what is there, but not with If-None-Match', async () => {
    await put('/v1/objects/a', 'one');
    expect((await put('/v1/objects/a', 'two', { 'If-None-Match': '*' })).document).toMatchObject({
      status: 412,
      code: 'target_exists',
    });
    expect((await put('/v1/objects/new', 'x', { 'if-none-match': ' * ' })).statusCode).toBe(201);
    expect((await put('/v1/objects/a', 'three')).statusCode).toBe(201);
    const { bytes } = await gateway.call({ method: 'POST', path: '/v1/decrypt/a' });
    expect(bytes.toString()).toBe('three');
  });

  test.each([
    [{ 'if-match': '"x"' }, 400],
    [{ 'if-none-match': '"x"' }, 400],
    [{ 'content-range': 'bytes 0-1/2' }, 400],
    [{ 'content-encoding': 'gzip' }, 415],
    [{ 'content-encoding': 'aws-chunked' }, 415],
  ])('with %j stores nothing', async (headers, status) => {
    expect((await put('/v1/objects/a', 'x', headers as never)).statusCode).toBe(status);
    await expect(gateway.store.head(`${VAULT_PREFIX}alice/a`)).rejects.toMatchObject({
      code: 'object_not_found',
    });
  });

  describe('of what API Gateway takes for text', () => {
    const asText = (body: Buffer, more: Record<string, string> = {}) =>
      gateway.call({
        method: 'PUT',
        path: '/v1/objects/a',
        body,
        headers: { 'content-type': 'text/csv', 'content-length': String(body.length), ...more },
        asText: true,
      });

    test('stores UTF-8 as it was sent', async () => {
      expect((await asText(Buffer.from('日本,1\r\n'))).statusCode).toBe(201);
      expect((await gateway.call({ method: 'POST', path: '/v1/decrypt/a' })).bytes.toString()).toBe(
        '日本,1\r\n',
      );
    });

    test.each([
      ['Shift_JIS', Buffer.from([0x93, 0xfa, 0x2c, 0x31])],
      ['a cut character, which is as long as what stands for it', Buffer.from([0x61, 0xf0, 0x9f, 0x9a])],
      ['UTF-16', Buffer.from('日本', 'utf16le')],
    ])('stores nothing of what is not UTF-8: %s', async (_, body) => {
      const { document } = await asText(body);
      expect(document).toMatchObject({
        ...{ status: 415, code: 'unsupported_media_type' },
        hint: expect.stringContaining('application/octet-stream'),
      });
      await expect(gateway.store.head(`${VAULT_PREFIX}alice/a`)).rejects.toMatchObject({
        code: 'object_not_found',
      });
    });

    test.each(['text/csv; charset=Shift_JIS', 'text/plain;charset="utf-16be"'])(
      'stores nothing that is said to be %s',
      async (type) => {
        expect((await asText(Buffer.from('abc'), { 'content-type': type })).statusCode).toBe(415);
        expect(
          (await asText(Buffer.from('abc'), { 'content-type': 'text/csv; charset=UTF-8' })).statusCode,
        ).toBe(201);
      },
    );

    test('stores nothing of what came shorter or longer than it was sent', async () => {
      expect((await asText(Buffer.from('abc'), { 'content-length': '6' })).statusCode).toBe(415);
    });
  });

  test.each([
    ['100%25 +a&b=c#d', '100% +a&b=c#d'],
    ['日本語/🚀.txt', '日本語/🚀.txt'],
    ['%2541', '%41'],
    ['a'.repeat(255), 'a'.repeat(255)],
  ])('of %j, as API Gateway hands it on, is for the key %j', async (path, key) => {
    expect((await put(`/v1/objects/${path}`, 'x')).document).toMatchObject({ key });
    expect((await gateway.store.head(`${VAULT_PREFIX}alice/${key}`)).key).toBe(`${VAULT_PREFIX}alice/${key}`);
  });

  test.each(['%41', 'a%2', '%', '100% a', '%2F'])(
    'of %j is refused: no HTTP API would have left it so, and what was meant is not known',
    async (path) => {
      expect((await put(`/v1/objects/${path}`, 'x')).document).toMatchObject({
        status: 400,
        code: 'invalid_request',
      });
    },
  );

  test.each(['a'.repeat(256), 'a/'.repeat(600) + 'a', 'a/', '\ud800', 'a\0b'])(
    'of %j is refused by the rules of keys',
    async (key) => {
      expect((await put(`/v1/objects/${key}`, 'x')).statusCode).toBe(400);
    },
  );
});

describe('GET and HEAD', () => {
  test('say where the ciphertext is, and both sizes', async () => {
    await put('/v1/objects/a', 'hello');
    const { document, headers } = await gateway.call({ path: '/v1/objects/a' });
    const { size } = await gateway.store.head(`${VAULT_PREFIX}alice/a`);
    expect(document).toMatchObject({
      key: 'a',
      size: 5,
      storedSize: size,
      url: `https://vault/${VAULT_PREFIX}alice/a`,
    });
    const head = await gateway.call({ method: 'HEAD', path: '/v1/objects/a' });
    expect(head).toMatchObject({ statusCode: 200, body: '', headers: { 'sealdrop-size': '5' } });
    expect(headers).toMatchObject({ 'sealdrop-stored-size': String(size), 'cache-control': 'no-store' });
  });

  test('of what is not there are 404, without a body for HEAD, and without the vault being named', async () => {
    const { document, statusCode } = await gateway.call({ path: '/v1/objects/none' });
    expect(statusCode).toBe(404);
    expect(JSON.stringify(document)).not.toContain('memory:');
    expect(await gateway.call({ method: 'HEAD', path: '/v1/objects/none' })).toMatchObject({
      statusCode: 404,
      body: '',
    });
  });

  test('say no size where the metadata are lost', async () => {
    await gateway.store.put(`${VAULT_PREFIX}alice/bare`, chunked(Buffer.from('x'), 1));
    const { document } = await gateway.call({ path: '/v1/objects/bare' });
    expect(document).not.toHaveProperty('size');
    expect(document).toMatchObject({ storedSize: 1, fingerprints: [] });
  });
});

describe('the list', () => {
  test('comes in pages, in the order of the bytes of keys, each key once', async () => {
    const keys = ['a', 'a-b', 'a/b', 'a/c', 'b', 'é', '日', '\ufffd', '🚀'];
    for (const key of keys) await put(`/v1/objects/${key}`, key);
    for (const limit of [1, 2, 8, 9, 200]) {
      const seen: string[] = [];
      let query: string | undefined = `limit=${limit}`;
      while (query !== undefined) {
        const { document } = await gateway.call({ path: '/v1/objects', query });
        const page = document.objects as { key: string; size: number }[];
        expect(page.length).toBeLessThanOrEqual(limit);
        for (const { key, size } of page) expect(size).toBe(Buffer.byteLength(key));
        seen.push(...page.map(({ key }) => key));
        query =
          document.cursor === undefined ? undefined : `limit=${limit}&cursor=${document.cursor as string}`;
      }
      expect(seen).toEqual(keys);
    }
  });

  test.each([
    'limit=0',
    'limit=1&limit=2',
    'limit=201',
    'limit=-1',
    'limit=1e2',
    'limit=',
    'cursor=',
    'cursor=%0a',
    `prefix=${'a'.repeat(1025)}`,
  ])('refuses %s', async (query) => {
    expect((await gateway.call({ path: '/v1/objects', query })).document).toMatchObject({ status: 400 });
  });

  test('reads a plus sign in a query as forms do, and keeps an encoded one', async () => {
    await put('/v1/objects/a b', 'x');
    await put('/v1/objects/a+b', 'x');
    const keys = async (query: string) =>
      ((await gateway.call({ path: '/v1/objects', query })).document.objects as { key: string }[]).map(
        ({ key }) => key,
      );
    expect(await keys('prefix=a+b')).toEqual(['a b']);
    expect(await keys('prefix=a%2Bb')).toEqual(['a+b']);
  });
});

describe('DELETE', () => {
  test('removes one object, and is done where there is none', async () => {
    await put('/v1/objects/a', 'x');
    await put('/v1/objects/a/b', 'x');
    for (let i = 0; i < 2; i++)
      expect(await gateway.call({ method: 'DELETE', path: '/v1/objects/a' })).toMatchObject({
        statusCode: 204,
        body: '',
      });
    expect((await gateway.call({ path: '/v1/objects/a' })).statusCode).toBe(404);
    expect((await gateway.call({ path: '/v1/objects/a/b' })).statusCode).toBe(200);
  });
});

describe('uploads', () => {
  const ask = (body: unknown, type = 'application/json') =>
    gateway.call({
      method: 'POST',
      path: '/v1/uploads',
      headers: { 'Content-Type': type },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  test('give a form for one key, of any size up to 5 GiB, or of the size that was said', async () => {
    const { statusCode, document } = await ask({ name: 'a/b c.bin' });
    expect(statusCode).toBe(201);
    expect(document).toMatchObject({
      maxBytes: 5 * 1024 ** 3,
      key: `uploads/${String(document.id)}/a/b c.bin`,
    });
    expect(gateway.forms[0]).toMatchObject({ minBytes: 0, maxBytes: 5 * 1024 ** 3 });
    await ask({ name: 'a', size: 7 });
    expect(gateway.forms[1]).toMatchObject({ minBytes: 7, maxBytes: 7 });
    expect(gateway.forms[0]!.key).not.toBe(gateway.forms[1]!.key);
  });

  test.each([
    ['', 400],
    ['{"name":"a"', 400],
    ['null', 400],
    ['"a"', 400],
    [{ name: 'a', extra: 1 }, 400],
    [{ name: 'a', size: 1.5 }, 400],
    [{ name: 'a', size: 5 * 1024 ** 3 + 1 }, 400],
    ['{"name":"a","__proto__":{"size":1}}', 400],
    [`{"name":"${'a'.repeat(70_000)}"}`, 413],
  ])('refuse the body %j', async (body, status) => {
    const answer = await ask(body);
    expect(answer.statusCode).toBe(status);
    expect(gateway.forms).toEqual([]);
  });

  test('refuse bytes that are no UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xc0, 0xae]), Buffer.from('"}')]);
    const headers = { 'content-type': 'application/json' };
    expect((await gateway.call({ method: 'POST', path: '/v1/uploads', headers, body })).statusCode).toBe(400);
  });

  test('that the inbox would ignore are refused', async () => {
    gateway = createGateway({ inbox: { prefix: 'in/', suffix: '.csv' } });
    expect((await ask({ name: 'a.txt' })).document).toMatchObject({ status: 409, code: 'upload_not_taken' });
    expect((await ask({ name: 'a.csv' })).statusCode).toBe(201);
    expect(gateway.forms[0]!.key).toMatch(/^in\/alice\/uploads\/[\w-]{22}\/a\.csv$/);
  });

  test.each([
    ['{bucket}/{rest}', false],
    ['{key}', true],
    ['x/{rest}', true],
  ])(
    'whose vault key would lie outside of the own prefix, by the template %s, are refused',
    async (template, encode) => {
      gateway = createGateway({ inbox: { prefix: 'in/', template, encode } });
      expect((await ask({ name: 'a' })).document).toMatchObject({ status: 409, code: 'upload_not_taken' });
      expect(gateway.forms).toEqual([]);
    },
  );

  test('whose names are escaped in the vault say so', async () => {
    gateway = createGateway({ inbox: { encode: true } });
    const { document } = await ask({ name: '100%' });
    expect(document.key).toBe(`uploads/${String(document.id)}/100%25`);
  });

  const id = 'Zz09_-'.padEnd(22, 'x');
  test.each([
    [undefined, { status: 'waiting' }],
    ['stored', { status: 'stored' }],
    ['failed:too_large_for_lambda', { status: 'failed', code: 'too_large_for_lambda' }],
    ['failed:<b>', { status: 'waiting' }],
  ])('tagged %s are %j', async (status, wanted) => {
    gateway.arrived.push({ key: `alice/uploads/${id}/a`, ...(status !== undefined && { status }) });
    expect((await gateway.call({ path: `/v1/uploads/${id}` })).document).toEqual({
      id,
      key: `uploads/${id}/a`,
      ...wanted,
    });
  });
});

describe('POST decrypt', () => {
  const decrypt = (path: string, more = {}) =>
    gateway.call({ method: 'POST', path: `/v1/decrypt/${path}`, ...more });
  const copy = async (from: string, to: string) =>
    gateway.store.put(VAULT_PREFIX + to, chunked(await message(VAULT_PREFIX + from), 1000));

  test('answers with the plaintext, and leaves a line in the audit log without it', async () => {
    await put('/v1/objects/a', 'hello');
    const answer = await decrypt('a');
    expect(answer).toMatchObject({ statusCode: 200, isBase64Encoded: true });
    expect(answer.bytes.toString()).toBe('hello');
    expect(gateway.audited).toEqual([
      { principal: expect.stringContaining('role/alice'), key: 'alice/a', outcome: 'opened', bytes: 5 },
    ]);
  });

  test('never opens what was moved, copied from others or made without a key', async () => {
    await put('/v1/objects/a', 'hello');
    await copy('alice/a', 'alice/moved');
    await copy('alice/a', 'bob/a');
    await gateway.store.put(
      `${VAULT_PREFIX}alice/unbound`,
      encryptor.encrypt(chunked(Buffer.from('x'), 1), { mine: 'yes' }),
    );
    for (const answer of [
      await decrypt('moved'),
      await decrypt('a', { role: 'bob' }),
      await decrypt('unbound'),
    ])
      expect(answer.document).toMatchObject({ status: 422, code: 'wrong_object' });
    expect(gateway.audited.map(({ outcome, code }) => `${outcome} ${code}`)).toEqual(
      Array(3).fill('refused wrong_object'),
    );
  });

  test('releases nothing of what is damaged at its end', async () => {
    await put('/v1/objects/a', Buffer.alloc(3 * MIB, 'secret'));
    const whole = await message(`${VAULT_PREFIX}alice/a`);
    for (const [damaged, code] of [
      [whole.subarray(0, -10), 'truncated'],
      [Buffer.concat([whole.subarray(0, -1), Buffer.from([whole.at(-1)! ^ 1])]), 'frame_auth'],
      [Buffer.concat([whole, Buffer.from('x')]), 'trailing_data'],
    ] as const) {
      await gateway.store.put(`${VAULT_PREFIX}alice/a`, chunked(damaged, 100_000));
      const answer = await decrypt('a');
      expect(answer.document).toMatchObject({ status: 422, code });
      expect(answer.bytes.toString()).not.toContain('secret');
    }
  });

  test('opens nothing outside of the prefixes of the deployment, nor more than 4 MiB', async () => {
    gateway = createGateway({ prefixes: ['alice/open/', 'al'] });
    await put('/v1/objects/closed', 'x');
    await put('/v1/objects/open', 'x');
    await put('/v1/objects/open/yes', Buffer.alloc(4 * MIB));
    const large = encryptor.encrypt(chunked(Buffer.alloc(4 * MIB + 1), MIB), {
      'sealdrop:key': `${VAULT_PREFIX}alice/open/large`,
    });
    await gateway.store.put(`${VAULT_PREFIX}alice/open/large`, large);
    expect((await decrypt('closed')).document).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await decrypt('open')).statusCode).toBe(403);
    expect((await decrypt('open/yes')).bytes.length).toBe(4 * MIB);
    expect((await decrypt('open/large')).document).toMatchObject({ status: 413, code: 'too_large' });
    expect((await decrypt('open/../closed')).statusCode).toBe(400);
  });
});

describe('what is no route', () => {
  test.each([
    '/',
    '/v1',
    '/v1/',
    '/v2/objects',
    '/v1/objects/',
    '/v1/uploads/',
    '/v1/health/',
    '//v1/health',
    '/V1/health',
  ])('GET %s is a problem', async (path) => {
    const { statusCode, headers } = await gateway.call({ path });
    expect([400, 404]).toContain(statusCode);
    expect(headers['content-type']).toBe('application/problem+json');
  });

  test('a wrong method is told which there are', async () => {
    const event = { ...eventOf({ method: 'POST', path: '/v1/keys' }, 'POST /v1/keys') };
    const { handler } = await handlerOfApi();
    expect(await handler(event)).toMatchObject({ statusCode: 405, headers: { allow: 'GET' } });
  });

  test.each([
    ['GET', '/v1/nope', 404, 'route_not_found', undefined],
    ['PATCH', '/v1/objects', 405, 'method_not_allowed', 'GET'],
    ['DELETE', '/v1/objects/a', 405, 'method_not_allowed', 'PUT, HEAD, GET'],
    ['POST', '/v1/decrypt/a', 404, 'route_not_found', undefined],
    ['GET', '/v1/%zz', 400, 'invalid_request', undefined],
  ])('%s %s has no route at API Gateway: %i %s', async (method, path, statusCode, code, allow) => {
    const small = createGateway({ routes: { delete: false, decrypt: false } });
    const answer = await small.call({ method, path, routeKey: '$default' });
    expect(answer).toMatchObject({ statusCode, document: { code } });
    expect(answer.headers['allow']).toBe(allow);
  });

  test('a route that API Gateway did not choose is not taken: its authorizer has not run', async () => {
    const { handler, calls } = await handlerOfApi();
    for (const [routeKey, method, path] of [
      ['GET /v1/health', 'GET', '/v1/keys'],
      ['GET /v1/keys', 'POST', '/v1/keys'],
    ] as const)
      expect(await handler(eventOf({ method, path }, routeKey))).toMatchObject({ statusCode: 400 });
    expect(await handler(eventOf({ path: '/v1/keys' }, '$default'))).toMatchObject({ statusCode: 404 });
    expect(calls()).toBe(0);
    expect(await handler(eventOf({ path: '/v1/keys' }, 'GET /v1/keys'))).toMatchObject({ statusCode: 200 });
    const staged = eventOf({ path: '/prod/v1/keys' }, 'GET /v1/keys');
    const inStage = { ...staged, requestContext: { ...staged.requestContext, stage: 'prod' } };
    expect(await handler(inStage)).toMatchObject({ statusCode: 200 });
  });

  async function handlerOfApi() {
    const { createApi } = await import('../../src/gateway/api/api.js');
    const { json } = await import('../../src/gateway/api/http.js');
    let called = 0;
    const api = createApi({ handlers: { 'GET /v1/keys': async () => (called++, json(200, { keys: [] })) } });
    return { handler: lambdaHandler(api, PRINCIPALS), calls: () => called };
  }
});

describe('problems', () => {
  const secretive = (code: ErrorCode) =>
    new SealdropError(code, 'SECRET in s3://bucket at 10.0.0.1', {
      hint: 'SECRET',
      cause: new Error('SECRET'),
    });

  test.each<readonly [ErrorCode, number]>([
    ['access_denied', 502],
    ['credentials_missing', 502],
    ['endpoint_unreachable', 503],
    ['store_unavailable', 503],
    ['object_not_found', 404],
    ['secret_malformed', 500],
    ['invalid_key', 500],
    ['private_key_in_public_key_set', 500],
    ['wrong_object', 422],
    ['internal', 500],
  ])('of code %s have the status %i, and say nothing of buckets, endpoints or causes', (code, status) => {
    const { body, headers } = problemResponse(secretive(code));
    expect(JSON.parse(body as string)).toMatchObject({ code, status, type: `urn:sealdrop:error:${code}` });
    expect(body).not.toMatch(/SECRET|s3:|10\.0/);
    expect(headers['retry-after']).toBe(status === 503 ? '5' : undefined);
  });

  test('of what is none of ours are internal errors without a word of it', () => {
    expect(problemOf(new TypeError('SECRET'))).toEqual({
      type: 'urn:sealdrop:error:internal',
      title: 'Internal error',
      status: 500,
      code: 'internal',
    });
  });

  test('that a store makes reach the log with their cause, and the caller without', async () => {
    const failing = Object.assign(gateway.store, {
      head: async () => Promise.reject(secretive('store_unavailable')),
    });
    expect(failing).toBe(gateway.store);
    const { body, statusCode } = await gateway.call({ path: '/v1/objects/a' });
    expect(statusCode).toBe(503);
    expect(body).not.toContain('SECRET');
    expect(gateway.entries.at(-1)).toMatchObject({
      status: 503,
      key: 'alice/a',
      error: { code: 'store_unavailable' },
    });
  });
});

test('the document has the routes that the deployment has', async () => {
  const routes = async (options: { delete: boolean; decrypt: boolean }) => {
    const { document } = await createGateway({ routes: options }).call({ path: '/v1/openapi.json' });
    return Object.entries(document.paths as object).flatMap(([path, methods]) =>
      Object.keys(methods as object).map(
        (method) => `${method.toUpperCase()} ${path.replace('{key}', '{key+}')}`,
      ),
    );
  };
  const all = ROUTES.map(({ method, path }) => `${method} ${path}`);
  expect((await routes({ delete: true, decrypt: true })).sort()).toEqual([...all].sort());
  expect((await routes({ delete: false, decrypt: false })).sort()).toEqual(
    all.filter((route) => !/^DELETE|decrypt/.test(route)).sort(),
  );
});
