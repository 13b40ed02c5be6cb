/**
 * GET requests for many bytes, over connections of their own.
 *
 * Node's client makes an event, a buffer and a walk through its parser of every TLS record (16 KiB), which is half of what a
 * download costs. Here a record is copied once, and what comes in one turn of the event loop is handed over together.
 * Answers that are not as plain as those of S3 to such a request are left to Node's client.
 *
 * Source: RFC 9112 (HTTP/1.1).
 */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { buildQueryString, HttpResponse, type HttpRequest } from '@smithy/core/protocols';

export interface DirectGetOptions {
  /** Whom to trust. Default: Node's own list. */
  readonly secureContext?: SecureContext | undefined;
  /** Milliseconds to connect; without a byte; and until an answer begins, drop by drop. */
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  readonly answerTimeout: number;
}

/** Of the status line and the header fields: as much as Node's own client takes. */
const MOST_HEAD = 16 * 1024;
/** What is handed over at once, at most. */
const PIECE = 64 * 1024;
/** What is read at once, at most. */
const READ = 64 * 1024;
/** Connections that are kept for the next request, of one origin. */
const MOST_IDLE = 32;

interface Origin {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
}

export class DirectGet {
  readonly #options: DirectGetOptions;
  readonly #all = new Set<Connection>();
  readonly #idle = new Map<string, Connection[]>();

  constructor(options: DirectGetOptions) {
    this.#options = options;
  }

  /**
   * The answer to a signed request; undefined where it is none that this client reads, so that the usual one has to ask.
   * Its body ends with an error where it ends before it is complete.
   * @throws Error `AbortError`, `TimeoutError`, and what Node's sockets throw: before an answer has begun
   */
  async get(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse | undefined> {
    const origin = originOf(request);
    const text = textOf(request);
    for (;;) {
      if (signal?.aborted === true) throw abortError();
      const kept = this.#kept(origin);
      const connection = kept ?? this.#connect(origin);
      try {
        return await connection.ask(text, signal);
      } catch (error) {
        if (error instanceof UnusualAnswer) return undefined;
        // The server had closed it meanwhile.
        const closed = kept !== undefined && !connection.answered && !isOwn(error as Error);
        if (!closed) throw error;
      }
    }
  }

  /** Ends every connection. */
  destroy(): void {
    for (const connection of this.#all) connection.destroy();
  }

  #connect(origin: Origin): Connection {
    const connection = new Connection(origin, this.#options, {
      free: () => {
        const idle = this.#idle.get(nameOf(origin)) ?? [];
        this.#idle.set(nameOf(origin), idle);
        if (idle.length < MOST_IDLE) idle.push(connection);
        else connection.destroy();
      },
      closed: () => {
        this.#all.delete(connection);
        const idle = this.#idle.get(nameOf(origin)) ?? [];
        const at = idle.indexOf(connection);
        if (at >= 0) idle.splice(at, 1);
      },
    });
    this.#all.add(connection);
    return connection;
  }

  #kept(origin: Origin): Connection | undefined {
    return this.#idle.get(nameOf(origin))?.pop();
  }
}

/** What is no answer of this module's kind. */
class UnusualAnswer extends Error {}

interface Pending {
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: Error) => void;
  readonly done: () => void;
}

class Connection {
  /** Whether a byte has come since it was asked. */
  answered = false;
  readonly #socket: Socket;
  readonly #events: { free: () => void; closed: () => void };
  readonly #answerTimeout: number;
  #failure: Error | undefined;
  #pending: Pending | undefined;
  #head: Buffer = EMPTY;
  #body: Body | undefined;
  #keep = false;

  constructor(origin: Origin, options: DirectGetOptions, events: { free: () => void; closed: () => void }) {
    const { connectTimeout, idleTimeout, answerTimeout, secureContext } = options;
    this.#events = events;
    this.#answerTimeout = answerTimeout;
    // Its own, not all connections' one: not every system has filled it only when it says so.
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ),
      callback: (bytes: number, buffer: Uint8Array) => this.#read(Buffer.from(buffer.buffer, 0, bytes)),
    };
    const { host, port } = origin;
    const place = { host, port, onread };
    const trust = { servername: isIP(host) === 0 ? host : '', secureContext };
    this.#socket = origin.secure ? connectTls({ ...place, ...trust }) : connectTcp(place);
    this.#socket.setNoDelay(true).setKeepAlive(true, 1000).setTimeout(idleTimeout);
    const connecting = setTimeout(() => {
      this.destroy(timeoutError(`no connection within ${connectTimeout} ms`));
    }, connectTimeout);
    this.#socket
      .on(origin.secure ? 'secureConnect' : 'connect', () => clearTimeout(connecting))
      .on('timeout', () => this.destroy(timeoutError(`no byte for ${idleTimeout} ms`)))
      .on('error', (error) => (this.#failure ??= error))
      .on('end', () => this.destroy())
      .on('close', () => {
        clearTimeout(connecting);
        this.#ended();
      })
      // Nothing flows but what `onread` gets; its end does.
      .resume();
  }

  destroy(error?: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
  }

  async ask(text: string, signal: AbortSignal | undefined): Promise<HttpResponse> {
    this.answered = false;
    const abort = () => this.destroy(abortError());
    signal?.addEventListener('abort', abort, { once: true });
    const slow = timeoutError(`no answer within ${this.#answerTimeout} ms`);
    const timer = setTimeout(() => this.destroy(slow), this.#answerTimeout);
    try {
      return await new Promise((resolve, reject) => {
        const done = () => signal?.removeEventListener('abort', abort);
        this.#pending = { resolve, reject, done };
        this.#socket.ref();
        if (this.#socket.destroyed) this.#ended();
        else this.#socket.write(text, 'latin1');
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns false to be given no more for now */
  #read(bytes: Buffer): boolean {
    this.answered = true;
    if (this.#body !== undefined) return this.#body.receive(bytes);
    // Nobody asked for it; or it came behind what was asked for.
    if (this.#pending === undefined) this.destroy();
    else this.#readHead(bytes);
    return true;
  }

  #readHead(bytes: Buffer): void {
    this.#head = Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0 ? this.#head.length > MOST_HEAD : end > MOST_HEAD) return this.destroy(new UnusualAnswer());
    if (end < 0) return;
    const head = parseHead(this.#head.toString('latin1', 0, end));
    if (head === undefined) return this.destroy(new UnusualAnswer());
    const rest = this.#head.subarray(end + 4);
    this.#head = EMPTY;
    this.#keep = head.keep;
    const body = new Body(head.length, {
      paused: () => void this.#socket.pause(),
      wanted: () => void this.#socket.resume(),
      complete: () => this.#finished(),
      // To the end nobody reads it: the connection is in the middle of something.
      left: () => this.destroy(),
    });
    this.#body = body;
    const { statusCode, headers } = head;
    this.#pending!.resolve(new HttpResponse({ statusCode, headers, body }));
    body.receive(rest);
  }

  #finished(): void {
    this.#pending?.done();
    this.#pending = undefined;
    this.#body = undefined;
    if (!this.#keep || this.#socket.destroyed) return this.destroy();
    // It may have stood still while nobody wanted more.
    this.#socket.resume();
    this.#socket.unref();
    this.#events.free();
  }

  #ended(): void {
    this.#events.closed();
    const error = this.#failure ?? closedError();
    this.#pending?.done();
    this.#pending?.reject(error);
    this.#pending = undefined;
    this.#body?.destroy(error);
    this.#body = undefined;
  }
}

interface BodyEvents {
  readonly paused: () => void;
  readonly wanted: () => void;
  readonly complete: () => void;
  readonly left: () => void;
}

/** So many bytes, no more and no less. */
class Body extends Readable {
  readonly #events: BodyEvents;
  #left: number;
  #piece: Buffer | undefined;
  #filled = 0;
  #flushing = false;

  constructor(length: number, events: BodyEvents) {
    super();
    this.#left = length;
    this.#events = events;
    // Whoever reads it is told; it may fail before anybody does.
    this.on('error', () => undefined);
  }

  override _read(): void {
    if (this.#left > 0) this.#events.wanted();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#left > 0) this.#events.left();
    done(error);
  }

  /** @returns false to be given no more for now */
  receive(bytes: Buffer): boolean {
    if (this.destroyed) return false;
    if (bytes.length > this.#left) {
      // Bytes of no answer: whatever they are, nothing of that connection is believed any more.
      this.destroy(closedError());
      return false;
    }
    let wanted = true;
    for (let at = 0; at < bytes.length;) {
      this.#piece ??= Buffer.allocUnsafeSlow(Math.min(PIECE, this.#left));
      const copied = bytes.copy(this.#piece, this.#filled, at);
      this.#filled += copied;
      this.#left -= copied;
      at += copied;
      if (this.#filled === this.#piece.length) wanted = this.#flush();
    }
    if (this.#left === 0) {
      this.#flush();
      this.#events.complete();
      this.push(null);
      // The connection is not this body's any more.
      return true;
    }
    if (this.#filled > 0 && !this.#flushing) {
      this.#flushing = true;
      setImmediate(() => {
        this.#flushing = false;
        if (!this.destroyed && !this.#flush()) this.#events.paused();
      });
    }
    return wanted;
  }

  #flush(): boolean {
    const piece = this.#piece?.subarray(0, this.#filled);
    if (piece === undefined || piece.length === 0) return true;
    this.#piece = undefined;
    this.#filled = 0;
    return this.push(piece);
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

interface Head {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly length: number;
  readonly keep: boolean;
}

const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

/** Undefined where it is not of the one kind that is read here: HTTP/1.1, with a body whose length is announced. */
export function parseHead(text: string): Head | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.1 ([2-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(first)?.[1];
  if (status === undefined || status === '204' || status === '304') return undefined;
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const before = fields.get(name.toLowerCase());
    // Two lengths, also alike, are a sign of somebody's games.
    if (before !== undefined && name.toLowerCase() === 'content-length') return undefined;
    fields.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  const length = fields.get('content-length');
  if (length === undefined || !/^\d{1,15}$/.test(length) || fields.has('transfer-encoding')) return undefined;
  const keep = !/(^|[\s,])close([\s,]|$)/i.test(fields.get('connection') ?? '');
  return {
    statusCode: Number(status),
    headers: Object.fromEntries(fields),
    length: Number(length),
    keep,
  };
}

function originOf({ protocol, hostname, port }: HttpRequest): Origin {
  const secure = protocol === 'https:';
  return { secure, host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port ?? (secure ? 443 : 80) };
}

const nameOf = ({ secure, host, port }: Origin): string => `${secure} ${host} ${port}`;

function textOf({ path, query, headers }: HttpRequest): string {
  const wanted = buildQueryString(query);
  const target = wanted === '' ? path : `${path}?${wanted}`;
  if (/[^\x21-\x7e]/.test(target)) throw new TypeError('the path of a request holds what none may');
  let text = `GET ${target} HTTP/1.1\r\n`;
  for (const [name, value] of Object.entries({ ...headers, connection: 'keep-alive' })) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    text += `${name}: ${value}\r\n`;
  }
  return `${text}\r\n`;
}

/** What came from here and not from the connection. */
const isOwn = ({ name }: Error): boolean => name === 'AbortError' || name === 'TimeoutError';

const abortError = (): Error => Object.assign(new Error('aborted'), { name: 'AbortError' });

const timeoutError = (message: string): Error =>
  Object.assign(new Error(message), { name: 'TimeoutError', code: 'ETIMEDOUT' });

/** As Node's client says it. */
const closedError = (): Error => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
