/** Downloads over connections of their own: what servers may answer, and when they may stop. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { HttpRequest } from '@smithy/core/protocols';
import { DirectGet, parseHead, type DirectGetOptions } from '../../src/store/direct-get.js';
import { collect, pattern } from '../helpers/bytes.js';

const MIB = 1024 * 1024;

let server: Server | undefined;
let client: DirectGet | undefined;
const sockets = new Set<Socket>();

afterEach(async () => {
  client?.destroy();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

/** Answers each request by `answer`, which gets its text; counts connections and requests. */
async function serve(
  answer: (socket: Socket, text: string, request: number) => unknown,
  options: Partial<DirectGetOptions> = {},
) {
  const seen = { connections: 0, requests: 0 };
  server = createServer((socket) => {
    seen.connections++;
    sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (!text.endsWith('\r\n\r\n')) return;
      const request = text;
      text = '';
      void answer(socket, request, ++seen.requests);
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = new DirectGet({ connectTimeout: 2000, idleTimeout: 2000, answerTimeout: 5000, ...options });
  const ask = async (more: Partial<HttpRequest> = {}, signal?: AbortSignal) => {
    const request = new HttpRequest({
      protocol: 'http:',
      hostname: '127.0.0.1',
      port,
      method: 'GET',
      path: '/bucket/key',
      headers: { host: `127.0.0.1:${port}`, range: 'bytes=1-2' },
      ...more,
    });
    return client!.get(request, signal);
  };
  return { seen, ask };
}

const head = (length: number, more = ''): string =>
  `HTTP/1.1 206 Partial Content\r\nETag: "e"\r\nContent-Length: ${length}\r\n${more}\r\n`;

const bodyOf = (response: { body?: unknown } | undefined) => response!.body as Readable;

/** What comes before a body's end, and the error that it ends with. */
async function readOut(body: Readable): Promise<{ bytes: Buffer; error: Error | undefined }> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of body as AsyncIterable<Buffer>) pieces.push(Buffer.from(piece));
    return { bytes: Buffer.concat(pieces), error: undefined };
  } catch (error) {
    return { bytes: Buffer.concat(pieces), error: error as Error };
  }
}

describe('an answer as it should be', () => {
  test('however it is cut', async () => {
    const bytes = pattern(300_001);
    const whole = Buffer.concat([Buffer.from(head(bytes.length)), bytes]);
    const { ask, seen } = await serve(async (socket, _, request) => {
      socket.setNoDelay(true);
      const cuts = [[], [1], [10, 11], [whole.length - bytes.length], [80, 70_000], [whole.length - 1]];
      let at = 0;
      for (const cut of [...cuts[request - 1]!, whole.length]) {
        socket.write(whole.subarray(at, cut));
        at = cut;
        await delay(5);
      }
    });
    for (let i = 0; i < 6; i++) {
      const response = await ask();
      expect(response).toMatchObject({ statusCode: 206, headers: { etag: '"e"' } });
      expect((await collect(bodyOf(response))).equals(bytes)).toBe(true);
    }
    // The next request takes the same connection.
    expect(seen).toEqual({ connections: 1, requests: 6 });
  });

  test('of nothing, and of a refusal', async () => {
    const refusal = 'HTTP/1.1 503 Slow Down\r\ncontent-length: 4\r\nconnection: close\r\n\r\n<E/>';
    const { ask, seen } = await serve((socket, _, request) =>
      socket.write(request === 1 ? head(0) : refusal),
    );
    expect(await collect(bodyOf(await ask()))).toHaveLength(0);
    const refused = await ask();
    expect(refused!.statusCode).toBe(503);
    expect((await collect(bodyOf(refused))).toString()).toBe('<E/>');
    await ask();
    expect(seen).toEqual({ connections: 2, requests: 3 });
  });

  test('the request as it is sent', async () => {
    let sent = '';
    const { ask } = await serve((socket, text) => {
      sent = text;
      socket.write(head(0));
    });
    await ask({
      query: { versionId: 'a b', 'x-id': 'GetObject' },
      headers: { Host: 'h', Range: 'bytes=0-' },
    });
    expect(sent).toBe(
      'GET /bucket/key?versionId=a%20b&x-id=GetObject HTTP/1.1\r\nHost: h\r\nRange: bytes=0-\r\nconnection: keep-alive\r\n\r\n',
    );
  });

  test.each<[string, Partial<HttpRequest>]>([
    ['path', { path: '/a b' }],
    ['path', { path: '/a\r\nx: y' }],
    ['header', { headers: { range: 'bytes=0-1\r\nx: y' } }],
    ['header', { headers: { 'a b': 'c' } }],
  ])('a %s that would be more than one is not sent', async (_, more) => {
    const { ask, seen } = await serve((socket) => socket.write(head(0)));
    await expect(ask(more)).rejects.toMatchObject({ name: 'TypeError' });
    expect(seen.requests).toBe(0);
  });

  test('whoever reads slowly holds the server back', async () => {
    const bytes = Buffer.alloc(64 * MIB, 7);
    let sent = 0;
    const { ask } = await serve(async (socket) => {
      socket.write(head(bytes.length));
      for (let at = 0; at < bytes.length; at += MIB) {
        if (!socket.write(bytes.subarray(at, at + MIB)))
          await new Promise((resolve) => socket.once('drain', resolve));
        sent = at;
      }
    });
    const body = bodyOf(await ask());
    await delay(300);
    // What lies in the sockets' buffers is the system's affair.
    expect(sent).toBeLessThan(16 * MIB);
    let total = 0;
    for await (const piece of body as AsyncIterable<Buffer>) total += piece.length;
    expect(total).toBe(bytes.length);
  });
});

describe('an answer that is left to the usual client', () => {
  const length = 'content-length: 1';
  test.each([
    ['another version', `HTTP/1.0 200 OK\r\n${length}`],
    ['no version', `ICY 200 OK\r\n${length}`],
    ['an interim answer', 'HTTP/1.1 100 Continue'],
    ['no status', `HTTP/1.1 OK\r\n${length}`],
    ['a status of four digits', `HTTP/1.1 2000 OK\r\n${length}`],
    ['nothing changed', `HTTP/1.1 304 Not Modified\r\n${length}`],
    ['no content', `HTTP/1.1 204 No Content\r\n${length}`],
    ['no length', 'HTTP/1.1 200 OK\r\nx: y'],
    ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked'],
    ['chunks and a length', `HTTP/1.1 200 OK\r\n${length}\r\nTransfer-Encoding : chunked`],
    ['a length and chunks', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n${length}`],
    ['two lengths', `HTTP/1.1 200 OK\r\n${length}\r\nContent-Length: 2`],
    ['the same length twice', `HTTP/1.1 200 OK\r\n${length}\r\n${length}`],
    ['two lengths in one', 'HTTP/1.1 200 OK\r\ncontent-length: 1, 1'],
    ['a length with a sign', 'HTTP/1.1 200 OK\r\ncontent-length: +1'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1'],
    ['a length in hexadecimal', 'HTTP/1.1 200 OK\r\ncontent-length: 0x1'],
    ['an empty length', 'HTTP/1.1 200 OK\r\ncontent-length:'],
    ['a length beyond what numbers hold', 'HTTP/1.1 200 OK\r\ncontent-length: 9999999999999999'],
    ['a folded field', `HTTP/1.1 200 OK\r\nx: y\r\n ${length}\r\n${length}`],
    ['a bare line feed', `HTTP/1.1 200 OK\r\nx: y\ntransfer-encoding: chunked\r\n${length}`],
    ['a bare carriage return', `HTTP/1.1 200 OK\r\nx: y\rz\r\n${length}`],
    ['a zero byte', `HTTP/1.1 200 OK\r\nx: \0\r\n${length}`],
    ['a field without a name', `HTTP/1.1 200 OK\r\n: x\r\n${length}`],
    ['a space behind a name', `HTTP/1.1 200 OK\r\n${length.replace(':', ' :')}`],
    ['too much', `HTTP/1.1 200 OK\r\n${length}\r\nx: ${'y'.repeat(17_000)}`],
  ])('%s', async (_, text) => {
    const { ask, seen } = await serve((socket) => socket.write(`${text}\r\n\r\nab`));
    expect(await ask()).toBeUndefined();
    expect(await ask()).toBeUndefined();
    // Of such a connection nothing more is believed.
    expect(seen).toEqual({ connections: 2, requests: 2 });
  });

  test('a head that goes on and on', async () => {
    const { ask } = await serve(async (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      for (let i = 0; i < 100 && !socket.destroyed; i++) {
        socket.write(`x${i}: ${'y'.repeat(1000)}\r\n`);
        await delay(1);
      }
    });
    expect(await ask()).toBeUndefined();
  });

  test('names that objects have anyway', () => {
    const answer = parseHead('HTTP/1.1 200 \r\n__proto__: a\r\nconstructor: b\r\nContent-Length: 0');
    expect(answer!.headers).toEqual(
      Object.fromEntries([
        ['__proto__', 'a'],
        ['constructor', 'b'],
        ['content-length', '0'],
      ]),
    );
    expect(Object.getPrototypeOf(answer!.headers)).toBe(Object.prototype);
  });
});

describe('a server that does not go on', () => {
  test('cut within the body', async () => {
    const { ask } = await serve((socket) => {
      socket.write(head(100_000));
      socket.end(pattern(70_000));
    });
    const { bytes, error } = await readOut(bodyOf(await ask()));
    expect(bytes.equals(pattern(70_000))).toBe(true);
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  test('cut within the head, and before it', async () => {
    const { ask } = await serve((socket, _, request) => socket.end(request === 1 ? 'HTTP/1.1 200' : ''));
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('more than it announced', async () => {
    const { ask, seen } = await serve((socket) => socket.write(head(3) + 'abcdef'));
    const { bytes, error } = await readOut(bodyOf(await ask()));
    expect([bytes.length, error]).toEqual([0, expect.objectContaining({ code: 'ECONNRESET' })]);
    await readOut(bodyOf(await ask()));
    expect(seen.connections).toBe(2);
  });

  test('bytes that nobody asked for do not become the next answer', async () => {
    const { ask, seen } = await serve(async (socket, _, request) => {
      socket.write(head(1) + 'a');
      await delay(20);
      if (request === 1) socket.write(head(1) + 'X');
    });
    expect((await collect(bodyOf(await ask()))).toString()).toBe('a');
    await delay(60);
    expect((await collect(bodyOf(await ask()))).toString()).toBe('a');
    expect(seen).toEqual({ connections: 2, requests: 2 });
  });

  test('a connection that was closed while nothing was asked is replaced', async () => {
    const { ask, seen } = await serve((socket, _, request) => {
      // The second comes over a connection that ends at that moment.
      if (request === 2) socket.destroy();
      else socket.write(head(1) + 'a');
    });
    expect((await collect(bodyOf(await ask()))).toString()).toBe('a');
    expect((await collect(bodyOf(await ask()))).toString()).toBe('a');
    expect(seen).toEqual({ connections: 2, requests: 3 });
  });

  test('silence', async () => {
    const { ask } = await serve(
      (socket, _, request) => {
        if (request === 2) socket.write(head(10) + 'abc');
      },
      { idleTimeout: 200 },
    );
    await expect(ask()).rejects.toMatchObject({ name: 'TimeoutError' });
    const { bytes, error } = await readOut(bodyOf(await ask()));
    expect([bytes.toString(), error]).toEqual(['abc', expect.objectContaining({ name: 'TimeoutError' })]);
  });

  test('drops', async () => {
    const { ask } = await serve(
      async (socket) => {
        for (const letter of head(1)) {
          await delay(20);
          if (socket.destroyed) return;
          socket.write(letter);
        }
      },
      { answerTimeout: 300 },
    );
    await expect(ask()).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('nobody there', async () => {
    const { ask } = await serve(() => undefined);
    await new Promise((resolve) => server!.close(resolve));
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    server = undefined;
  });
});

describe('whoever wants no more', () => {
  test('before it is asked, before it answers, and while it does', async () => {
    const { ask, seen } = await serve((socket, _, request) => {
      if (request === 2) socket.write(head(10) + 'abc');
    });
    await expect(ask({}, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen.requests).toBe(0);
    const waiting = new AbortController();
    setTimeout(() => waiting.abort(), 50);
    await expect(ask({}, waiting.signal)).rejects.toMatchObject({ name: 'AbortError' });
    const reading = new AbortController();
    const response = await ask({}, reading.signal);
    setTimeout(() => reading.abort(), 50);
    const { bytes, error } = await readOut(bodyOf(response));
    expect([bytes.toString(), error]).toEqual(['abc', expect.objectContaining({ name: 'AbortError' })]);
  });

  test('a body that is let go of takes its connection with it', async () => {
    const { ask, seen } = await serve((socket) => socket.write(head(10) + 'abc'));
    bodyOf(await ask()).destroy();
    const closed = [...sockets][0]!;
    if (!closed.destroyed) await new Promise((resolve) => closed.once('close', resolve));
    bodyOf(await ask()).destroy();
    expect(seen.connections).toBe(2);
  });
});
