/** A server for the API on this machine: Node's own, with limits. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { SealdropError, systemCode } from '../../errors.js';
import { printable } from '../../printable.js';
import type { ApiRequest, ApiResponse } from '../api/http.js';
import { problemResponse } from '../api/problem.js';
import { requestOf, send } from './node-request.js';
import type { Tokens } from './tokens.js';

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 15_000,
  // Bodies may take as long as they go on; they are watched while they are read.
  requestTimeout: 0,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
  insecureHTTPParser: false,
  requireHostHeader: true,
};
/** Milliseconds: who has none yet takes a connection from others. */
const HANDSHAKE = 10_000;
const MAX_CONNECTIONS = 256;
const MAX_REQUESTS_PER_CONNECTION = 1_000;
/** Milliseconds that nothing moves on a connection; a vault may take that long to join an object's parts. */
const SILENCE = 600_000;
/** Milliseconds that requests under way have to end when the server shall. */
const GRACE = 20_000;

export interface ServerOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Where clients find it, if not where it listens. */
  readonly publicUrl?: string;
  readonly tokens: Tokens;
  readonly respond: (request: ApiRequest) => Promise<ApiResponse>;
}

export interface RunningServer {
  readonly url: string;
  /** Takes no more connections, lets requests end for a while, and breaks off what remains. */
  stop(): Promise<void>;
}

/** @throws SealdropError `listen_failed` */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const active = new Set<AbortController>();
  const listener: RequestListener = (message, response) => {
    serve(message, response, { ...options, active }).catch(() => response.destroy());
  };
  const server =
    options.tls === undefined
      ? createServer(LIMITS, listener)
      : createTlsServer(
          { ...LIMITS, ...options.tls, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE },
          listener,
        );
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
  server.timeout = SILENCE;
  // Answered when the body is asked for, so that nobody sends one in vain.
  server.on('checkContinue', listener);
  const port = await listen(server, options);
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const url = `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`;
  return { url: options.publicUrl ?? url, stop: () => stop(server, active) };
}

async function listen(server: Server, { host, port }: ServerOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(listenError(host, port, cause)));
    server.listen({ host, port }, resolve);
  });
  return (server.address() as AddressInfo).port;
}

function listenError(host: string, port: number, cause: unknown): SealdropError {
  const code = systemCode(cause) ?? 'unknown error';
  return new SealdropError('listen_failed', `cannot listen on ${printable(host)}:${port}: ${code}`, {
    cause,
    hint: code === 'EADDRINUSE' ? 'another program listens there: name another port' : 'check the address',
  });
}

interface Serving extends ServerOptions {
  /** Of the requests under way. */
  readonly active: Set<AbortController>;
}

/** Rejects where the client is gone, or an answer broke off: to cut the connection is all that can be said then. */
async function serve(message: IncomingMessage, response: ServerResponse, options: Serving): Promise<void> {
  const gone = new AbortController();
  options.active.add(gone);
  response.once('close', () => {
    options.active.delete(gone);
    gone.abort();
  });
  const request = requestOf(message, response, {
    base: options.publicUrl ?? baseOf(message, options),
    signal: gone.signal,
    authenticate: () => options.tokens.authenticate(message.headers.authorization),
  });
  const answer = await options.respond(request).catch((error: unknown) => problemResponse(error));
  if (!response.destroyed) await send(message, response, answer);
}

/** By the name that the client used: it is told to nobody else. */
function baseOf(message: IncomingMessage, { tls, host }: Serving): string {
  const named = message.headers.host ?? '';
  const safe = /^[\w.-]+(:\d{1,5})?$|^\[[\da-f:.]+\](:\d{1,5})?$/i.test(named) ? named : host;
  return `${tls === undefined ? 'http' : 'https'}://${safe}`;
}

async function stop(server: Server, active: ReadonlySet<AbortController>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => {
    for (const request of active) request.abort();
    server.closeAllConnections();
  }, GRACE);
  await closed;
  clearTimeout(timer);
}
