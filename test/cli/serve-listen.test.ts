import { afterAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { Box, documents, secret, until, type Running } from '../helpers/cli.js';
import { addKeys } from '../helpers/cli-vault.js';
import { selfSigned } from '../helpers/certificate.js';
import { request } from 'node:https';

const token = secret('a token', randomBytes(24).toString('hex'));
const running: Running[] = [];
afterAll(() => running.forEach(({ child }) => child.kill('SIGKILL')));

function newBox(): Box {
  const box = new Box();
  addKeys(box);
  box.write('tokens', `lab/ ${token}\n`);
  chmodSync(box.path('tokens'), 0o600);
  return box;
}

const ARGS = [
  'serve',
  '--listen',
  '127.0.0.1:0',
  '--vault',
  'vault',
  '--public-key',
  'public_key.pem',
  '--token-file',
  'tokens',
];

async function serve(
  box: Box,
  ...more: string[]
): Promise<{ url: string; started: Running; said: () => string }> {
  const started = box.start([...ARGS, ...more]);
  running.push(started);
  let said = '';
  started.child.stderr!.on('data', (data: Buffer) => (said += data.toString()));
  await until('it serves', () => said.includes('interrupt to end'));
  return { url: /serving (https?:\/\/[^/]+)/.exec(said)![1]!, started, said: () => said };
}

describe('what is wrong is said before anything is served or made', () => {
  test('with the token file', async () => {
    const box = newBox();
    box.write('exposed', `lab/ ${token}\n`);
    chmodSync(box.path('exposed'), 0o644);
    box.write('bare', `${token}\n`);
    box.write('open', `lab ${token}\n`);
    box.write('weak', 'lab/ password\n');
    box.write('empty', '# nobody yet\n');
    for (const name of ['bare', 'open', 'weak', 'empty']) chmodSync(box.path(name), 0o600);
    mkdirSync(box.path('folder'), { mode: 0o700 });
    const serve_ = 'sealdrop serve --listen 127.0.0.1:0 --vault vault --public-key public_key.pem';
    const hint = 'a line is PREFIX/ TOKEN, such as lab/ and what this prints: openssl rand -base64 32';
    await box.transcript(`
      $ ${serve_}
      ! error: --token-file is missing: the API is never open
      ! hint: name a file with lines PREFIX/ TOKEN
      [2]
      $ ${serve_} --token-file none
      ! error: there is no token file none
      ! hint: make it: (umask 077; echo "lab/ $(openssl rand -base64 32)" > FILE)
      [3]
      $ ${serve_} --token-file exposed
      ! error: everybody on this machine may read exposed
      ! hint: keep it to yourself: chmod 600 exposed; and make new tokens
      [2]
      $ ${serve_} --token-file folder
      ! error: the token file folder is no file of tokens
      [2]
      $ ${serve_} --token-file bare
      ! error: bare, line 1 is not a prefix and a token
      ! hint: ${hint}
      [2]
      $ ${serve_} --token-file open
      ! error: open, line 1: the prefix cannot be one: it does not end in a slash
      ! hint: ${hint}
      [2]
      $ ${serve_} --token-file weak
      ! error: weak, line 1: the token is shorter than 22 characters
      ! hint: ${hint}
      [2]
      $ ${serve_} --token-file empty
      ! error: empty has no token
      ! hint: ${hint}
      [2]
    `);
    expect(box.has('vault')).toBe(false);
  });

  test('with the options', async () => {
    const box = newBox();
    const at = (address: string) =>
      `sealdrop serve --listen ${address} --token-file tokens --vault vault --public-key public_key.pem`;
    await box.transcript(`
      $ ${at('8080')}
      ! error: --listen 8080 is not an address
      ! hint: it is HOST:PORT, such as 127.0.0.1:8080
      [2]
      $ ${at('127.0.0.1:70000')}
      ! error: --listen 127.0.0.1:70000 is not an address
      ! hint: it is HOST:PORT, such as 127.0.0.1:8080
      [2]
      $ ${at('0.0.0.0:8080')}
      ! error: tokens and plaintext would go over the network in the clear: 0.0.0.0 is not this machine alone
      ! hint: name --tls-cert and --tls-key, listen on 127.0.0.1, or say --behind-proxy where a proxy speaks TLS
      [2]
      $ ${at('[::]:8080')}
      ! error: tokens and plaintext would go over the network in the clear: :: is not this machine alone
      ! hint: name --tls-cert and --tls-key, listen on 127.0.0.1, or say --behind-proxy where a proxy speaks TLS
      [2]
      $ ${at('127.0.0.1:0')} --tls-cert cert.pem
      ! error: --tls-cert and --tls-key go together
      [2]
      $ ${at('127.0.0.1:0')} --tls-cert cert.pem --tls-key key.pem
      ! error: cannot read cert.pem: ENOENT
      [2]
      $ ${at('127.0.0.1:0')} --decrypt-with private_key.pem
      ! error: --decrypt-with and --decrypt-prefix go together
      [2]
      $ ${at('127.0.0.1:0')} --decrypt-with private_key.pem --decrypt-prefix lab
      ! error: --decrypt-prefix lab: it does not end in a slash
      [2]
      $ ${at('127.0.0.1:0')} --public-url https://x/y?z
      ! error: --public-url is not a URL like https://host
      [2]
      $ ${at('127.0.0.1:0')} --once
      ! error: --once ends, and --listen does not: they do not go together
      [2]
      $ sealdrop serve --listen 127.0.0.1:0 --token-file tokens --public-key public_key.pem
      ! error: --vault is missing
      ! hint: name it, or try everything at once with --defaults
      [2]
      $ sealdrop serve --allow-delete --inbox inbox --vault vault --public-key public_key.pem
      ! error: --allow-delete goes with --listen
      [2]
    `);
  });

  test('with secrets that lie where ciphertext is kept', async () => {
    const box = newBox();
    box.write('vault/.sealdrop-vault', '{"version":1,"binding":"required"}\n');
    box.write('vault/tokens', `lab/ ${token}\n`);
    chmodSync(box.path('vault/tokens'), 0o600);
    await box.transcript(`
      $ sealdrop serve --listen 127.0.0.1:0 --token-file vault/tokens --vault vault --public-key public_key.pem
      ! error: the key vault/tokens lies in vault/
      ! hint: keys belong neither where plaintext arrives nor where ciphertext is kept: move it elsewhere
      [2]
    `);
  });

  test('with a port that is in use', async () => {
    const box = newBox();
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    box.names.port = String((other.address() as AddressInfo).port);
    await box.transcript(`
      $ sealdrop serve --quiet --listen 127.0.0.1:{port} --token-file tokens --vault vault --public-key public_key.pem
      ! error: cannot listen on 127.0.0.1:{port}: EADDRINUSE
      ! hint: another program listens there: name another port
      [1]
    `);
    other.close();
  });
});

test('serves without an inbox, until it is interrupted, and writes a line for each request', async () => {
  const box = newBox();
  const { url, started, said } = await serve(box);
  const headers = { authorization: `Bearer ${token}` };
  expect((await fetch(`${url}/v1/health`)).status).toBe(200);
  expect((await fetch(`${url}/v1/objects/a%20b`, { method: 'PUT', headers, body: 'hello' })).status).toBe(
    201,
  );
  expect((await fetch(`${url}/v1/objects/a%20b`, { method: 'DELETE', headers })).status).toBe(405);
  expect((await fetch(`${url}/v1/decrypt/a%20b`, { method: 'POST', headers })).status).toBe(404);
  expect((await fetch(`${url}/v1/objects?prefix=%1b%5B31m`, { headers })).status).toBe(200);
  expect((await fetch(`${url}/v1/objects/%1b%5B31m`, { headers })).status).toBe(404);
  expect(box.files('vault').filter((name) => !name.includes('.sealdrop'))).toEqual(['lab/a b']);
  started.child.kill('SIGINT');
  const { code } = await started.result;
  expect(code).toBe(0);
  const lines = said().split('\n');
  for (const line of [
    /^200 GET \/v1\/health \(\d+ ms\)$/,
    /^201 PUT lab\/a b by lab\/ \(\d+ ms\)$/,
    /^405 none \(\d+ ms\)$/,
    /^stopped$/,
  ])
    expect(lines.filter((each) => line.test(each))).toHaveLength(1);
  expect(said()).toContain('404 GET lab/\\u{1b}[31m by lab/');
  expect(said()).not.toContain('\x1b');
});

test('serves beside an inbox', async () => {
  const box = newBox();
  box.write('inbox/from-folder', 'x');
  const { url, started } = await serve(
    box,
    '--inbox',
    'inbox',
    '--settle',
    '1',
    '--json',
    '--idempotency-key',
    'idempotency.key',
  );
  const headers = { authorization: `Bearer ${token}` };
  await fetch(`${url}/v1/objects/from-api`, { method: 'PUT', headers, body: 'x' });
  await until('both are stored', () => box.has('vault/from-folder') && box.has('vault/lab/from-api'));
  await until('it is said', () => started.stdout().toString().includes('"outcome":"stored"'));
  started.child.kill('SIGTERM');
  const result = await started.result;
  expect(result.code).toBe(0);
  expect(documents(result)).toEqual(
    expect.arrayContaining([
      {
        request: expect.objectContaining({
          method: 'PUT',
          key: 'lab/from-api',
          status: 201,
          principal: 'lab/',
        }),
      },
      expect.objectContaining({ outcome: 'stored', name: 'from-folder' }),
    ]),
  );
});

test('does not replace what came through the API by an older file, started again', async () => {
  const box = newBox();
  box.write('inbox/lab/a', 'old');
  const options = ['--inbox', 'inbox', '--settle', '1', '--json', '--idempotency-key', 'idempotency.key'];
  const first = await serve(box, ...options);
  await until('the file is stored', () => first.started.stdout().toString().includes('"stored"'));
  const headers = { authorization: `Bearer ${token}` };
  await fetch(`${first.url}/v1/objects/a`, { method: 'PUT', headers, body: 'newer' });
  const put = box.read('vault/lab/a');
  first.started.child.kill('SIGTERM');
  await first.started.result;
  const { started } = await serve(box, ...options);
  await until('it is judged', () => started.stdout().toString().includes('lab/a'));
  started.child.kill('SIGTERM');
  expect(documents(await started.result)).toEqual([
    expect.objectContaining({ outcome: 'stale', name: 'lab/a', vaultKey: 'lab/a' }),
  ]);
  expect(box.read('vault/lab/a')).toEqual(put);
});

test('serves https, and hands out URLs of the place that clients know', async () => {
  const box = newBox();
  mkdirSync(box.path('tls'));
  const { certificate, key } = await selfSigned(box.path('tls'));
  const { url, started } = await serve(box, '--tls-cert', certificate, '--tls-key', key, '--allow-delete');
  expect(url).toMatch(/^https:/);
  const send = (method: string, path: string) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, host: 'api.lab.test:8443' };
      const sent = request(`${url}${path}`, { method, headers, rejectUnauthorized: false }, (answer) => {
        let body = '';
        answer.on('data', (data: Buffer) => (body += data.toString()));
        answer.on('end', () => resolve({ status: answer.statusCode!, body }));
      });
      sent.on('error', reject).end(method === 'PUT' ? 'hello' : undefined);
    });
  expect((await send('PUT', '/v1/objects/a')).status).toBe(201);
  const { body } = await send('GET', '/v1/objects/a');
  expect(JSON.parse(body)).toMatchObject({
    url: expect.stringMatching(/^https:\/\/api\.lab\.test:8443\/v1\/ciphertext\//),
  });
  expect((await send('DELETE', '/v1/objects/a')).status).toBe(204);
  started.child.kill('SIGTERM');
  expect((await started.result).code).toBe(0);
});

test('hands out URLs of a proxy in front, whatever name is asked for', async () => {
  const box = newBox();
  const { url, started } = await serve(box, '--public-url', 'https://sealdrop.lab.test');
  expect(url).toBe('https://sealdrop.lab.test');
  started.child.kill('SIGTERM');
  expect((await started.result).code).toBe(0);
});
