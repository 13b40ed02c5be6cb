/** Node's requests and answers as those of the API. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SealdropError } from '../../errors.js';
import type { ApiRequest, ApiResponse } from '../api/http.js';

/** Milliseconds that a client may stand still in the middle of a body. */
const IDLE = 60_000;
/** After so many milliseconds a body must have come at this rate at least, in bytes a second. */
const GRACE = 30_000;
const MIN_RATE = 1024;
/** What is read of a body that nobody wants, so that its sender gets to see the answer. */
const MAX_LEFT_BYTES = 16 * 1024 * 1024;
const MAX_LEFT_TIME = 2_000;

export interface Target {
  /** Decoded exactly once; undefined where that is not possible. */
  readonly path: string | undefined;
  readonly query: URLSearchParams;
}

/** A request target in origin form, as clients send it; any other is refused. */
export function parseTarget(target: string): Target {
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  const query = new URLSearchParams(at < 0 ? '' : target.slice(at + 1));
  if (!/^\/[!-~]*$/.test(path) || path.includes('#')) return { path: undefined, query };
  try {
    return { path: decodeURIComponent(path), query };
  } catch {
    return { path: undefined, query };
  }
}

export interface RequestContext {
  readonly base: string;
  readonly signal: AbortSignal;
  readonly authenticate: ApiRequest['authenticate'];
}

export function requestOf(
  message: IncomingMessage,
  response: ServerResponse,
  context: RequestContext,
): ApiRequest {
  const { path, query } = parseTarget(message.url ?? '');
  const length = message.headers['content-length'];
  const chunked = message.headers['transfer-encoding'] !== undefined;
  return {
    method: message.method ?? '',
    path,
    query,
    headers: Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : value,
      ]),
    ),
    body: {
      // Node's parser has checked that it is a number, and that there are not both.
      ...(!chunked && { size: Number(length ?? 0) }),
      read: () => bodyOf(message, response),
    },
    ...context,
  };
}

async function* bodyOf(message: IncomingMessage, response: ServerResponse): AsyncGenerator<Uint8Array> {
  if (message.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
  // Whoever stops reading leaves the connection as it is: the answer goes over it.
  const pieces = message.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  let waited = 0;
  let bytes = 0;
  try {
    for (;;) {
      const began = Date.now();
      const next = await inTime(pieces.next(), message);
      if (next.done === true) return;
      // Of the client's time alone: that of the vault does not count.
      waited += Date.now() - began;
      bytes += next.value.length;
      if (waited > GRACE && bytes < (waited / 1000) * MIN_RATE) throw gone('the body comes too slowly');
      yield next.value;
    }
  } finally {
    await pieces.return?.();
  }
}

async function inTime<T>(piece: Promise<T>, message: IncomingMessage): Promise<T> {
  const timer = setTimeout(() => message.destroy(), IDLE);
  try {
    return await piece;
  } catch (cause) {
    throw gone('the client went away', cause);
  } finally {
    clearTimeout(timer);
  }
}

function gone(message: string, cause?: unknown): SealdropError {
  return new SealdropError('interrupted', message, { cause });
}

/** Sends an answer to its end. Rejects where the client is gone, or the vault breaks off in the middle. */
export async function send(
  message: IncomingMessage,
  response: ServerResponse,
  answer: ApiResponse,
): Promise<void> {
  const { status, headers, body } = answer;
  const left = !message.complete && hasBody(message);
  const length = lengthOf(answer);
  response.writeHead(status, {
    ...headers,
    ...(length !== undefined && { 'content-length': length }),
    ...(left && { connection: 'close' }),
  });
  if (body instanceof Readable) return pipeline(body, response);
  if (body !== undefined && message.method !== 'HEAD') response.write(body);
  if (left) await discard(message);
  await new Promise<void>((resolve) => response.end(resolve));
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Of a body that is at hand; that of a stream is in the headers. */
function lengthOf({ status, headers, body = '' }: ApiResponse): number | undefined {
  if (status === 204 || body instanceof Readable || headers['content-length'] !== undefined) return undefined;
  return Buffer.byteLength(body);
}

/** Somebody who is still sending would otherwise see a broken connection in place of the answer. */
async function discard(message: IncomingMessage): Promise<void> {
  let bytes = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, MAX_LEFT_TIME);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    message.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > MAX_LEFT_BYTES) done();
    });
    message.once('close', done).once('end', done).once('error', done);
  });
  message.destroy();
}
