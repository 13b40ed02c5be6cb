import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { ROUTES } from '../../src/contract.js';
import { writePair } from '../helpers/keys.js';
import { walkApi, type WalkAnswer, type WalkRequest } from '../helpers/api-walk.js';
import { runToEnd, start, type Running } from '../helpers/serve.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let minio: S3Server;
let bucket: string;
let folder: string;
let running: Running;
let base: string;
const token = randomBytes(24).toString('hex');
const other = randomBytes(24).toString('hex');
const keys = mkdtempSync(join(tmpdir(), 'sealdrop-api-keys-'));

beforeAll(async () => {
  minio = await startMinio();
  writePair(keys);
}, SETUP_TIME);
afterAll(async () => {
  await minio.stop();
  rmSync(keys, { recursive: true });
});

beforeEach(async () => {
  bucket = await minio.createBucket(`api-${randomBytes(4).toString('hex')}`);
  folder = mkdtempSync(join(tmpdir(), 'sealdrop-api-'));
  writeFileSync(join(folder, 'tokens'), `lab/ ${token}\nother/ ${other}\n`, { mode: 0o600 });
  running = start(
    [
      ...['serve', '--listen', '127.0.0.1:0', '--token-file', 'tokens', '--vault', `s3://${bucket}/vault/`],
      ...['--public-key', join(keys, 'public_key.pem'), '--endpoint-url', minio.endpoint, '--allow-delete'],
      ...['--decrypt-with', join(keys, 'private_key.pem'), '--decrypt-prefix', 'lab/'],
    ],
    {
      cwd: folder,
      env: {
        AWS_ACCESS_KEY_ID: minio.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: minio.credentials.secretAccessKey,
      },
    },
  );
  await running.says(/serving http:[^ ]*\/v1\//);
  base = /serving (http:\/\/[^/]+)\/v1\//.exec(running.output())![1]!;
});
afterEach(async () => {
  if (running.child.exitCode === null) await running.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** By Node's own client: it sends paths as they are, where fetch takes dots out of them. */
function send({ method, path, headers, body }: WalkRequest, bearer: string | undefined): Promise<WalkAnswer> {
  return new Promise((resolve, reject) => {
    const credentials = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
    const { hostname, port } = new URL(base);
    const sent = request(
      { hostname, port, method, path, headers: { ...headers, ...credentials } },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode!,
            headers: answer.headers as never,
            body: Buffer.concat(pieces),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
const asLab = (method: string, path: string, more: Partial<WalkRequest> = {}) =>
  send({ method, path, ...more }, token);

/** Decrypts with the command, as a client with the private key would. */
async function open(ciphertext: Buffer, vaultKey: string): Promise<Buffer> {
  const target = join(folder, 'opened');
  writeFileSync(join(folder, 'message'), ciphertext);
  const args = ['get', 'message', target, '--private-key', join(keys, 'private_key.pem'), '--moved'];
  args.push('--context', `sealdrop:key=${vaultKey}`);
  expect(await runToEnd(args, { cwd: folder })).toMatchObject({ code: 0 });
  return readFileSync(target);
}

async function vaultKeys(): Promise<string[]> {
  const { Contents = [] } = await minio.client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key }) => Key!);
}

const routes = ROUTES.map(({ method, path }) => `${method} ${path}`);

test('a client walks the whole API as its document describes it, on MinIO', async () => {
  const visits = await walkApi({
    send: (sent, as) => send(sent, as === 'caller' ? token : undefined),
    routes,
    open,
  });
  expect(visits.length).toBeGreaterThan(40);
  expect((await vaultKeys()).every((key) => key.startsWith('vault/lab/'))).toBe(true);
  expect(running.output()).not.toContain(token);
});

describe('large bodies', () => {
  const content = randomBytes(30 * 1024 * 1024);

  test('are put as a stream, without a limit, and come out byte for byte', async () => {
    const put = await asLab('PUT', '/v1/objects/large', { body: content });
    expect(put.status).toBe(201);
    const { url, vaultKey } = JSON.parse((await asLab('GET', '/v1/objects/large')).body.toString());
    expect(vaultKey).toBe('vault/lab/large');
    const message = Buffer.from(await (await fetch(url)).arrayBuffer());
    expect((await open(message, vaultKey)).equals(content)).toBe(true);
    const part = await fetch(url, { headers: { range: 'bytes=1000-1999' } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(message.subarray(1000, 2000))).toBe(true);
    expect((await asLab('POST', '/v1/decrypt/large')).status).toBe(413);
  });

  test('that break off leave nothing', async () => {
    const { hostname, port } = new URL(base);
    const socket = connect(Number(port), hostname);
    socket.write(
      `PUT /v1/objects/broken HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-length: ${content.length}\r\n\r\n`,
    );
    socket.write(content.subarray(0, 12_000_000), () => setTimeout(() => socket.destroy(), 300));
    await running.says('503 PUT lab/broken');
    expect(await vaultKeys()).toEqual([]);
    const { Uploads = [] } = await minio.client.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: 'vault/lab/broken' }),
    );
    expect(Uploads).toEqual([]);
  });

  test('of strangers are not read: the answer comes first', async () => {
    const answer = await send({ method: 'PUT', path: '/v1/objects/x', body: content, headers: {} }, 'wrong');
    expect(answer.status).toBe(401);
    expect(answer.headers['connection']).toBe('close');
    const asked = await send(
      { method: 'PUT', path: '/v1/objects/x', headers: { expect: '100-continue', 'content-length': '9' } },
      'wrong',
    ).catch((error: Error) => error);
    expect(asked).toMatchObject({ status: 401 });
  });
});

describe('forms', () => {
  const ask = async () =>
    JSON.parse(
      (
        await asLab('POST', '/v1/uploads', {
          headers: { 'content-type': 'application/json' },
          body: Buffer.from('{"name":"form.bin","size":20000}'),
        })
      ).body.toString(),
    ) as { id: string; url: string; key: string };
  const head = '--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n';
  const type = { 'content-type': 'multipart/form-data; boundary=b' };
  const content = randomBytes(20_000).toString('base64').slice(0, 20_000);

  test.each([
    ['cut off in the file', `${head}${content}`],
    ['cut off in the delimiter', `${head}${content}\r\n--`],
    [
      'with another field after the file',
      `${head}${content}\r\n--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n1\r\n--b--`,
    ],
    ['with one byte too many', `${head}${content}x\r\n--b--\r\n`],
    ['with one byte too few', `${head}${content.slice(1)}\r\n--b--\r\n`],
    ['without a file', '--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n'],
  ])('%s store nothing, and the upload failed', async (_, body) => {
    const { id, url } = await ask();
    const answer = await fetch(url, { method: 'POST', headers: type, body });
    expect([400, 413]).toContain(answer.status);
    expect(await vaultKeys()).toEqual([]);
    const status = JSON.parse((await asLab('GET', `/v1/uploads/${id}`)).body.toString());
    expect(status).toMatchObject({
      id,
      status: 'failed',
      code: expect.stringMatching(/^(invalid_request|too_large)$/),
    });
    const seen = await send({ method: 'GET', path: `/v1/uploads/${id}` }, other);
    expect(seen.status).toBe(404);
  });

  test('that are whole are stored, with fields before the file or without', async () => {
    const { url, key } = await ask();
    const field = '--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n1\r\n';
    const body = `preamble\r\n${field}${head}${content}\r\n--b--\r\n`;
    expect((await fetch(url, { method: 'POST', headers: type, body })).status).toBe(204);
    expect(await vaultKeys()).toEqual([`vault/lab/${key}`]);
  });

  test('whose permission was changed are refused', async () => {
    const { url } = await ask();
    for (const forged of [
      url.slice(0, -1),
      `${url}x`,
      url.replace('/v1/forms/', '/v1/forms/x'),
      url.replace(/\.[^.]+$/, '.'),
    ]) {
      const answer = await fetch(forged, {
        method: 'POST',
        headers: type,
        body: `${head}${content}\r\n--b--`,
      });
      expect({ forged: forged.slice(-9), status: answer.status }).toEqual({
        forged: forged.slice(-9),
        status: 403,
      });
    }
    expect((await fetch(url.replace('/v1/forms/', '/v1/ciphertext/'))).status).toBe(403);
  });
});

describe('the server', () => {
  test.each([
    [
      'both lengths',
      'PUT /v1/objects/x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'two lengths',
      'PUT /v1/objects/x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n',
      400,
    ],
    ['a bare line feed', 'GET /v1/health HTTP/1.1\nhost: x\n\n', 400],
    ['no host', 'GET /v1/health HTTP/1.1\r\n\r\n', 400],
    ['headers of 64 KiB', `GET /v1/health HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(65_536)}\r\n\r\n`, 431],
    ['another form of target', 'GET http://x/v1/health HTTP/1.1\r\nhost: x\r\n\r\n', 400],
  ])('refuses %s', async (_, raw, status) => {
    const { hostname, port } = new URL(base);
    const answer = await new Promise<string>((resolve) => {
      let said = '';
      const socket = connect(Number(port), hostname, () => socket.write(raw));
      socket.on('data', (data) => (said += data.toString()));
      socket.on('error', () => resolve(said)).on('close', () => resolve(said));
      setTimeout(() => socket.end(), 500);
    });
    expect(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])).toBe(status);
  });

  test('ends when it is told to, after the requests under way', async () => {
    const { hostname, port } = new URL(base);
    const body = randomBytes(6_000_000);
    const put = new Promise<number>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, 'content-length': body.length };
      const sent = request({ hostname, port, method: 'PUT', path: '/v1/objects/late', headers }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode!));
      });
      sent.on('error', reject);
      sent.write(body.subarray(0, 3_000_000));
      setTimeout(() => running.child.kill('SIGTERM'), 300);
      setTimeout(() => sent.end(body.subarray(3_000_000)), 900);
    });
    expect(await put).toBe(201);
    expect(await running.ended()).toBe(0);
    expect(await vaultKeys()).toEqual(['vault/lab/late']);
    await expect(fetch(`${base}/v1/health`)).rejects.toThrow();
  });
});
