/** A proxy in front of an S3 server that does to its requests what networks and servers do to them. */
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Fault {
  method?: string;
  /** In the path with its query, as it was sent: `partNumber=2`, `?uploads`. */
  url?: string | RegExp;
  /** How many of the requests that match are let through before. Default none. */
  skip?: number;
  /** How many are then hit. Default 1. */
  times?: number;
  /** Runs before anything else is done with the request, which came from this port. */
  before?: (port: number) => Promise<unknown>;
  /** Milliseconds before the request goes on. */
  delay?: number;
  /** The connection is cut when so many bytes of the request's body have gone on. */
  cutRequest?: number;
  /** The connection is cut when so many bytes of the answer's body have been handed over. */
  cutResponse?: number;
  /** Nothing more comes after so many bytes of the answer's body, and the connection stays. */
  stallResponse?: number;
  /** The request isn't passed on; this is the answer. */
  answer?: { status: number; body?: string; headers?: Record<string, string> };
  /** Runs when the request was carried out, before the answer is passed on. */
  after?: (port: number) => Promise<unknown>;
  /** The request is carried out, and the connection is cut in place of an answer. */
  loseAnswer?: boolean;
  /** The byte at this place of the request's body is changed. */
  corruptRequest?: number;
  /** The byte at this place of the answer's body is changed. */
  corruptResponse?: number;
  /** The ETag header of the answer: this one, or none. */
  etag?: string | null;
  /** An answer of 404 becomes this status, without a body: as from AWS, for whoever may not list. */
  notFoundAs?: number;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** What was asked, in order: `PUT /bucket/key?partNumber=1&...`. */
  readonly requests: readonly string[];
  /** The connections that are open now. */
  readonly connections: () => Promise<number>;
  /** Bytes that clients have sent and got so far, headers and all. */
  readonly transferred: () => number;
  /** Adds a fault; the first that matches and is not used up applies. */
  add(fault: Fault): void;
  /** Forgets all faults and requests. */
  reset(): void;
  close(): Promise<void>;
}

/** @param at the port; by default a free one */
export async function startFaultProxy(upstream: string, at = 0): Promise<FaultProxy> {
  const { hostname, port } = new URL(upstream);
  const agent = new Agent({ keepAlive: false });
  let faults: { fault: Fault; seen: number }[] = [];
  let requests: string[] = [];

  const faultFor = (incoming: IncomingMessage): Fault => {
    for (const entry of faults) {
      const { fault } = entry;
      if (!matches(fault, incoming)) continue;
      const turn = entry.seen++ - (fault.skip ?? 0);
      if (turn >= 0 && turn < (fault.times ?? 1)) return fault;
    }
    return {};
  };

  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    requests.push(`${incoming.method} ${incoming.url}`);
    const fault = faultFor(incoming);
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    await fault.before?.(incoming.socket.remotePort ?? 0);
    if (fault.delay !== undefined) await sleep(fault.delay);
    if (fault.answer) return answer(incoming, outgoing, fault.answer);
    const { method, url: path, headers } = incoming;
    // The Host header stays: the signature covers it.
    const onward = request({ hostname, port, method, path, headers, agent });
    onward.on('error', () => incoming.socket.destroy());
    outgoing.on('close', () => outgoing.writableFinished || onward.destroy());
    onward.on('response', (response) => {
      const carriedOut = fault.after?.(incoming.socket.remotePort ?? 0) ?? Promise.resolve();
      carriedOut.then(
        () => respond(fault, incoming, outgoing, response),
        () => incoming.socket.destroy(),
      );
    });
    const cut = () => {
      onward.destroy();
      incoming.socket.destroy();
    };
    incoming.pipe(altered(fault.corruptRequest, fault.cutRequest, cut)).pipe(onward);
  };

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  server.keepAliveTimeout = 60_000;
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests;
    },
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    transferred: () =>
      sockets.reduce((sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten, 0),
    add: (fault) => void faults.push({ fault, seen: 0 }),
    reset() {
      faults = [];
      requests = [];
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
}

function matches({ method, url }: Fault, incoming: IncomingMessage): boolean {
  if (method !== undefined && method !== incoming.method) return false;
  if (url === undefined) return true;
  return typeof url === 'string' ? incoming.url!.includes(url) : url.test(incoming.url!);
}

function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { status, body = '', headers = {} }: Answer,
): void {
  incoming.resume();
  outgoing.writeHead(status, {
    'content-type': 'application/xml',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  outgoing.end(incoming.method === 'HEAD' ? undefined : body);
}

type Answer = NonNullable<Fault['answer']>;

function respond(
  fault: Fault,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: IncomingMessage,
): void {
  response.on('error', () => outgoing.destroy());
  if (fault.loseAnswer === true) {
    // When it has been carried out to its end.
    response.resume().on('end', () => incoming.socket.destroy());
    return;
  }
  if (fault.notFoundAs !== undefined && response.statusCode === 404) {
    response.resume();
    outgoing.writeHead(fault.notFoundAs, { 'content-length': 0 }).end();
    return;
  }
  const headers = { ...response.headers };
  if (fault.etag === null) delete headers.etag;
  else if (fault.etag !== undefined) headers.etag = fault.etag;
  outgoing.writeHead(response.statusCode!, headers);
  const stall = fault.stallResponse;
  const end = stall === undefined ? () => outgoing.destroy() : () => response.pause();
  const body = altered(fault.corruptResponse, stall ?? fault.cutResponse, end);
  response.pipe(body).pipe(outgoing);
}

/** Passes bytes on, with one changed; hands over `limit` of them and calls `end`. */
function altered(corruptAt: number | undefined, limit: number | undefined, end: () => void): Transform {
  let position = 0;
  let ended = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (ended) return;
      const at = (corruptAt ?? -1) - position;
      if (at >= 0 && at < chunk.length) chunk[at]! ^= 1;
      const room = (limit ?? Infinity) - position;
      position += chunk.length;
      if (chunk.length < room) return done(null, chunk);
      ended = true;
      this.push(chunk.subarray(0, room));
      // Time for what was passed on to leave.
      setTimeout(end, 50);
    },
  });
}
