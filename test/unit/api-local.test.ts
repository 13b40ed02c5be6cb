import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalApi } from '../../src/gateway/http/local-api.js';
import { fileOfForm } from '../../src/gateway/http/multipart.js';
import { parseTarget } from '../../src/gateway/http/node-request.js';
import { startServer, type RunningServer } from '../../src/gateway/http/server.js';
import { Signer } from '../../src/gateway/http/signed.js';
import { readTokens } from '../../src/gateway/http/tokens.js';
import { Turns } from '../../src/gateway/http/turns.js';
import { MemoryStore } from '../../src/store/memory.js';
import { encryptor } from '../helpers/api-call.js';
import { selfSigned } from '../helpers/certificate.js';
import { chunked, drain, pattern } from '../helpers/bytes.js';

describe('a target', () => {
  test.each([
    ['/v1/objects/a%20b', '/v1/objects/a b'],
    ['/v1/objects/a+b', '/v1/objects/a+b'],
    ['/v1/objects/a%2Fb', '/v1/objects/a/b'],
    ['/v1/objects/%2541', '/v1/objects/%41'],
    ['/v1/objects/%E6%97%A5', '/v1/objects/日'],
    ['/v1/objects/../x', '/v1/objects/../x'],
    ['/v1/objects/%3Fx?y', '/v1/objects/?x'],
  ])('%s is the path %s: decoded once, and nothing else', (target, path) => {
    expect(parseTarget(target).path).toBe(path);
  });

  test.each([
    '',
    '*',
    'x',
    'http://h/v1',
    '/a b',
    '/é',
    '/a#b',
    '/%',
    '/%4',
    '/%zz',
    '/%ff',
    '/%c0%ae',
    '/%ed%a0%80',
  ])('%j has no path', (target) => {
    expect(parseTarget(target).path).toBeUndefined();
  });
});

describe('tokens', () => {
  const one = 'a'.repeat(43);
  const two = `${'b'.repeat(30)}+/==`;
  const tokens = readTokens(`# the lab\n\nlab/ ${one}\r\n  team/a/\t${two}  \n`, 'tokens');

  test.each([
    [`Bearer ${one}`, 'lab/'],
    [`bearer   ${one} `, 'lab/'],
    [`Bearer ${two}`, 'team/a/'],
  ])('%s stands for %s', (header, prefix) => {
    expect(tokens.authenticate(header).prefix).toBe(prefix);
  });

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Basic ${one}`,
    one,
    `Bearer ${one}x`,
    `Bearer ${one.slice(1)}`,
    `Bearer ${one}, Bearer ${one}`,
    `Bearer lab/ ${one}`,
  ])('%j is nobody', (header) => {
    expect(() => tokens.authenticate(header)).toThrow(expect.objectContaining({ code: 'unauthorized' }));
  });

  test.each([
    ['', /no token/],
    [one, /line 1 is not a prefix and a token/],
    [`lab ${one}`, /does not end in a slash/],
    [`/ ${one}`, /it is empty/],
    [`../ ${one}`, /segment/],
    [`/lab/ ${one}`, /begins with a slash/],
    [`lab/ ${one} more`, /not a prefix and a token/],
    [`lab/ ${one.slice(0, 21)}`, /shorter than 22/],
    [`lab/ ${one}é`, /character/],
    [`lab/ ${one}\nother/ ${one}`, /one token twice/],
  ])('%j are refused, and not shown', (text, problem) => {
    const read = () => readTokens(text, 'tokens');
    expect(read).toThrow(problem);
    expect(read).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.not.stringContaining('aaaa') }),
    );
  });
});

describe('what was signed', () => {
  const later = () => new Date(Date.now() + 60_000);
  const signer = new Signer();
  const token = signer.sign('form', { key: 'a/b' }, later());

  test('opens for its purpose, at its signer, before it expires', async () => {
    expect(signer.open('form', token)).toEqual({ key: 'a/b' });
    const refused = expect.objectContaining({ code: 'forbidden' });
    expect(() => signer.open('ciphertext', token)).toThrow(refused);
    expect(() => new Signer().open('form', token)).toThrow(refused);
    const short = signer.sign('form', {}, new Date(Date.now() + 50));
    await sleep(60);
    expect(() => signer.open('form', short)).toThrow(refused);
  });

  test('opens in no other form', () => {
    const [payload = '', mac = ''] = token.split('.');
    const other = Buffer.from('{"value":{"key":"x"},"expires":9999999999999}').toString('base64url');
    for (const forged of [
      '',
      '.',
      payload,
      `.${mac}`,
      `${other}.${mac}`,
      `${payload}.${mac}.`,
      `${payload}.${mac.slice(1)}`,
      `${payload}x.${mac}`,
    ])
      expect(() => signer.open('form', forged)).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });
});

describe('turns', () => {
  /** What holds a turn until it is told to end. */
  function holder(turns: Turns, who: string) {
    let end = () => {};
    let began = false;
    const over = new Promise<void>((resolve) => (end = resolve));
    const done = turns.take(who, () => ((began = true), over));
    return { done, end, began: () => sleep(1).then(() => began) };
  }

  test('are taken in order, no more at a time than allowed, and a failure frees its place', async () => {
    const turns = new Turns(2);
    let now = 0;
    let most = 0;
    const order: number[] = [];
    const results = await Promise.allSettled(
      [0, 1, 2, 3, 4, 5].map((i) =>
        turns.take(`caller ${i}`, async () => {
          most = Math.max(most, ++now);
          await sleep(5);
          now--;
          order.push(i);
          if (i === 1) throw new Error('failed');
        }),
      ),
    );
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(results.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
  });

  test('nobody has more than half of them, and whoever waits for more is passed by', async () => {
    const turns = new Turns(4);
    const [one, two, three] = ['a', 'a', 'a'].map((who) => holder(turns, who)) as [Held, Held, Held];
    const others = [holder(turns, 'b'), holder(turns, 'c')];
    expect(await Promise.all([one, two, three, ...others].map(({ began }) => began()))).toEqual([
      true,
      true,
      false,
      true,
      true,
    ]);
    const late = holder(turns, 'd');
    others[0]!.end();
    expect([await three.began(), await late.began()]).toEqual([false, true]);
    one.end();
    expect(await three.began()).toBe(true);
    for (const each of [two, three, late, ...others]) each.end();
    await Promise.all([one, two, three, late, ...others].map(({ done }) => done));
  });

  test('who gets none in time is told so, and takes none later', async () => {
    const turns = new Turns(2, 20);
    const one = holder(turns, 'a');
    const two = holder(turns, 'a');
    await expect(two.done).rejects.toMatchObject({ code: 'busy', retryable: true });
    one.end();
    await one.done;
    expect(await two.began()).toBe(false);
    const three = holder(turns, 'a');
    expect(await three.began()).toBe(true);
    three.end();
    await three.done;
  });

  type Held = ReturnType<typeof holder>;
});

describe('of uploads that never end', () => {
  const [a, b] = ['a', 'b'].map((letter) => letter.repeat(43)) as [string, string];
  let server: RunningServer;
  const slow: ClientRequest[] = [];

  beforeAll(async () => {
    const tokens = readTokens(`a/ ${a}\nb/ ${b}`, 'tokens');
    const local = {
      store: new MemoryStore(),
      prefix: '',
      encryptor,
      publicKeys: () => [],
      allowDelete: false,
    };
    const respond = createLocalApi({ ...local, report: () => {} });
    server = await startServer({ host: '127.0.0.1', port: 0, tokens, respond });
  });

  afterAll(async () => {
    for (const each of slow) each.destroy();
    await server.stop();
  });

  /** Announces more than it sends. */
  function begin(url: string, method: string, headers: Record<string, string>, first: string): ClientRequest {
    const started = request(url, { method, headers: { 'content-length': '1000000', ...headers } });
    started.on('error', () => {});
    started.write(first);
    slow.push(started);
    return started;
  }

  const send = (method: string, path: string, token: string, body: string, headers = {}) =>
    fetch(server.url + path, { method, body, headers: { authorization: `Bearer ${token}`, ...headers } });

  async function formOf(token: string): Promise<string> {
    const answer = await send('POST', '/v1/uploads', token, '{"name":"x"}', {
      'content-type': 'application/json',
    });
    return ((await answer.json()) as { url: string }).url;
  }

  test('what would take parts of hundreds of MiB is refused before it is sent', async () => {
    const headers = { authorization: `Bearer ${a}` };
    const url = `${server.url}/v1/objects/huge`;
    const huge = begin(url, 'PUT', { ...headers, 'content-length': String(150 * 2 ** 30 + 1) }, 'x');
    const [refused] = (await once(huge, 'response')) as [IncomingMessage];
    expect(refused.statusCode).toBe(413);
    expect(JSON.parse(Buffer.concat(await refused.toArray()).toString())).toMatchObject({
      code: 'too_large',
      hint: expect.stringContaining('sealdrop put'),
    });
    const largest = begin(url, 'PUT', { ...headers, 'content-length': String(150 * 2 ** 30) }, 'x');
    await expect(once(largest, 'response', { signal: AbortSignal.timeout(500) })).rejects.toThrow();
    largest.destroy();
  });

  test('those of one caller leave room for others; a caller who has too many is told after 10 s', async () => {
    for (let i = 0; i < 4; i++)
      begin(`${server.url}/v1/objects/slow${i}`, 'PUT', { authorization: `Bearer ${a}` }, 'x');
    const part = '--X\r\ncontent-disposition: form-data; name="file"\r\n\r\nx';
    for (let i = 0; i < 4; i++)
      begin(await formOf(a), 'POST', { 'content-type': 'multipart/form-data; boundary=X' }, part);
    await sleep(300);
    const began = Date.now();
    expect((await send('PUT', '/v1/objects/urgent', b, 'x')).status).toBe(201);
    const form = await fetch(await formOf(b), {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=X' },
      body: `${part}\r\n--X--\r\n`,
    });
    expect(form.status).toBe(204);
    expect(Date.now() - began).toBeLessThan(5_000);
    const refused = await send('PUT', '/v1/objects/fifth', a, 'x');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.json()).toMatchObject({ code: 'busy' });
    expect(Date.now() - began).toBeGreaterThan(9_000);
  }, 30_000);
});

test('a connection that never shakes hands is closed after 10 s', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealdrop-tls-'));
  const { certificate, key } = await selfSigned(folder);
  const tls = { cert: await readFile(certificate), key: await readFile(key) };
  const tokens = readTokens(`a/ ${'a'.repeat(43)}`, 'tokens');
  const server = await startServer({
    ...{ host: '127.0.0.1', port: 0, tls, tokens },
    respond: async () => ({ status: 204, headers: {} }),
  });
  const began = Date.now();
  const silent = connect(Number(new URL(server.url).port), '127.0.0.1');
  silent.on('error', () => {}).resume();
  await once(silent, 'close', { signal: AbortSignal.timeout(20_000) });
  expect(Date.now() - began).toBeGreaterThan(9_000);
  await server.stop();
  await rm(folder, { recursive: true });
}, 30_000);

describe('a form', () => {
  const type = 'multipart/form-data; boundary=bound';
  const disposition = (name: string) =>
    `content-disposition: form-data; name="${name}"; filename="x"\r\ncontent-type: a/b\r\n\r\n`;
  const field = `--bound\r\ncontent-disposition: form-data; name=key\r\n\r\nvalue\r\n`;
  const form = (content: Buffer | string, before = field, after = '\r\n--bound--\r\n') =>
    Buffer.concat([
      Buffer.from(`${before}--bound\r\n${disposition('file')}`),
      Buffer.from(content),
      Buffer.from(after),
    ]);
  // What looks like the end and is not.
  const tricky = Buffer.from('a\r\n--boun\r\n--bounD--\r\n\r\n-\r\n\r\n--bound'.slice(0, -1));

  test.each([1, 2, 7, 64, 65_536])('in pieces of %i bytes gives exactly its file', async (size) => {
    for (const content of [Buffer.alloc(0), tricky, pattern(5_000)]) {
      const { released, error } = await drain(fileOfForm(type, chunked(form(content), size)));
      expect(error).toBeUndefined();
      expect(released.equals(content)).toBe(true);
    }
  });

  test('that is cut off anywhere is refused', async () => {
    const whole = form(tricky);
    for (let end = 0; end < whole.length - 2; end++) {
      const { error } = await drain(fileOfForm(type, chunked(whole.subarray(0, end), 50)));
      expect({ end, code: (error as { code?: string } | undefined)?.code }).toEqual({
        end,
        code: 'invalid_request',
      });
    }
  });

  test.each([
    ['without a file', Buffer.from(`${field}--bound--\r\n`)],
    ['with a field after the file', form('x', field, `\r\n${field}--bound--`)],
    ['with endless headers', Buffer.from(`--bound\r\nx: ${'a'.repeat(20_000)}`)],
    ['with a field that is too long', Buffer.from(field.replace('value', 'v'.repeat(200_000)))],
    ['with too many fields', Buffer.from(field.repeat(60))],
    ['with another boundary', Buffer.from(form('x').toString().replaceAll('bound', 'other'))],
  ])('%s is refused', async (_, body) => {
    expect((await drain(fileOfForm(type, chunked(body, 1_000)))).error).toMatchObject({
      code: 'invalid_request',
    });
  });

  test.each([
    undefined,
    'application/json',
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/mixed; boundary=b',
  ])('of the type %s is of another type', async (other) => {
    const { error } = await drain(fileOfForm(other, chunked(form('x'), 10)));
    expect(error).toMatchObject({ code: 'unsupported_media_type' });
  });

  test.each(['multipart/form-data;boundary="bound"', 'Multipart/Form-Data; charset=utf-8; boundary=bound'])(
    'of the type %s is read',
    async (other) => {
      expect((await drain(fileOfForm(other, chunked(form('x'), 10)))).released.toString()).toBe('x');
    },
  );
});
