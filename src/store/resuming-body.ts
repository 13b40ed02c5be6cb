import { Readable } from 'node:stream';
import { isSealdropError, SealdropError, interrupted } from '../errors.js';
import { printable } from '../printable.js';
import { delay } from './signals.js';

export interface ResumingOptions {
  readonly address: string;
  /** First byte of all. */
  readonly first: number;
  /** The byte behind the last. */
  readonly end: number;
  /** Milliseconds without a byte, while one is wanted, after which the connection counts as broken. */
  readonly idleTimeout: number;
  readonly signal: AbortSignal | undefined;
  /** Asks for the rest of the same object. Throws a retryable error where it is worth trying again. */
  readonly reopen: (position: number, signal: AbortSignal) => Promise<Readable>;
}

const MAX_FAILURES = 5;
/** So much in between makes a failure count as the first again. */
const PROGRESS = 1024 * 1024;

/** The bytes of a download that asks again, from where it broke, when its connection is cut or stands still. */
export class ResumingBody extends Readable {
  readonly #options: ResumingOptions;
  readonly #closing = new AbortController();
  #source: Readable | undefined;
  #position: number;
  #failures = 0;
  #openedAt: number;
  #wanted = false;
  #opening = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Readable, options: ResumingOptions) {
    super();
    this.#options = options;
    this.#position = options.first;
    this.#openedAt = options.first;
    options.signal?.addEventListener('abort', this.#abort, { once: true });
    this.#attach(source);
    if (options.signal?.aborted === true) this.#abort();
  }

  override _read(): void {
    this.#wanted = true;
    if (this.#position >= this.#options.end) this.#finish();
    else if (this.#source) {
      this.#arm();
      this.#source.resume();
    } else this.#reopen(undefined);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#closing.abort();
    this.#detach();
    done(error);
  }

  readonly #abort = (): void => {
    this.destroy(interrupted(this.#options.signal?.reason));
  };

  #attach(source: Readable): void {
    this.#source = source;
    this.#openedAt = this.#position;
    // Before the listener, which would make it flow.
    source.pause();
    source.on('data', (chunk: Buffer) => this.#take(source, chunk));
    source.on('error', (error) => this.#lost(source, error));
    source.on('close', () => this.#lost(source, undefined));
    source.on('end', () => this.#lost(source, undefined));
  }

  #take(source: Readable, chunk: Buffer): void {
    if (source !== this.#source) return;
    const room = this.#options.end - this.#position;
    // More than was announced: a server that doesn't do what it says. Nothing of it is passed on.
    const piece = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#position += piece.length;
    if (this.#position - this.#openedAt >= PROGRESS) this.#failures = 0;
    this.#arm();
    if (!this.push(piece)) {
      this.#wanted = false;
      this.#disarm();
      source.pause();
    }
    if (this.#position >= this.#options.end && source === this.#source) this.#finish();
  }

  #finish(): void {
    // Not destroyed: a response that has been read to its end gives its connection back.
    this.#disarm();
    this.#source?.resume();
    this.#source = undefined;
    this.push(null);
  }

  #lost(source: Readable, error: Error | undefined): void {
    if (source !== this.#source || this.destroyed) return;
    this.#detach();
    // While nothing is wanted it may have been cut for that very reason: it is asked for again when something is.
    if (this.#wanted) this.#reopen(error);
  }

  #reopen(cause: Error | undefined): void {
    if (this.#opening) return;
    this.#opening = true;
    this.#openAgain(cause).then(
      (source) => {
        this.#opening = false;
        if (this.destroyed) return void source.on('error', () => undefined).destroy();
        this.#attach(source);
        if (this.#wanted) this._read();
      },
      (error: unknown) => {
        this.#opening = false;
        this.destroy(error as Error);
      },
    );
  }

  async #openAgain(cause: unknown): Promise<Readable> {
    for (let last = cause; ;) {
      this.#failures++;
      if (this.#failures > MAX_FAILURES) throw isSealdropError(last) ? last : this.#cut(last);
      await delay(100 * 2 ** (this.#failures - 1), this.#closing.signal);
      try {
        return await this.#options.reopen(this.#position, this.#closing.signal);
      } catch (error) {
        if (!isSealdropError(error) || !error.retryable) throw error;
        last = error;
      }
    }
  }

  #cut(cause: unknown): SealdropError {
    const { address, first, end } = this.#options;
    const message = `${printable(address)}: the connection broke again and again, last after ${this.#position - first} of ${end - first} bytes`;
    return new SealdropError('endpoint_unreachable', message, { retryable: true, cause });
  }

  #arm(): void {
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#stalled(), this.#options.idleTimeout);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #stalled(): void {
    const source = this.#source;
    if (source) this.#lost(source, new Error(`no byte for ${this.#options.idleTimeout} ms`));
  }

  #detach(): void {
    this.#disarm();
    this.#source?.destroy();
    this.#source = undefined;
  }
}
