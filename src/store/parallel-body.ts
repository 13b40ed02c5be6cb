import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import { giveBack } from '../give-back.js';
import type { Parallelism } from './parallelism.js';

/** Bytes of an object that one request asks for. */
export const SEGMENT_SIZE = 8 * 1024 * 1024;

const LEAST_SEGMENT = 2 * 1024 * 1024;

/** Less is not handed over while more is on its way: a TLS record is not worth the steps that each piece takes. */
const LEAST = 64 * 1024;
/** More would be much to be looked at and not wanted. */
const MOST = 256 * 1024;

/** Pieces whose memory is given back with one call. */
const TOGETHER = 16;

/** Who reads no more wanted to look at the beginning alone, or was refused by it. */
const LOOKED_AT = 1024 * 1024;

export interface SegmentRange {
  /** First byte and last byte, both included, as in HTTP. */
  readonly first: number;
  readonly last: number;
}

export interface ParallelBodyOptions {
  /** The beginning of what is wanted, which was asked for already. */
  readonly begun: { readonly body: Readable; readonly end: number };
  /** The byte behind the last of all. */
  readonly end: number;
  readonly parallelism: Parallelism;
  readonly open: (range: SegmentRange, signal: AbortSignal) => Promise<Readable>;
  /** The body is iterated, and a piece is good only until the next is asked for. Default false. */
  readonly transient?: boolean | undefined;
}

/** Its bytes lie in one buffer: what came from the connection is let go of at once. */
interface Segment {
  readonly buffer: Buffer;
  come: number;
  given: number;
  ended: boolean;
}

/**
 * A download by several requests at the same time, its bytes in their order. No more than what `parallelism` allows is
 * under way or kept, so that whoever reads slowly holds all of them back.
 */
export class ParallelBody extends Readable {
  readonly #options: ParallelBodyOptions;
  readonly #closing = new AbortController();
  readonly #bodies = new Set<Readable>();
  /** In the order of their bytes; the first is the one that is read. */
  readonly #segments: Segment[] = [];
  /** The one that was read before it. */
  #past: Buffer | undefined;
  /** To be used again. */
  readonly #free: Buffer[] = [];
  #next: number;
  #given = 0;
  #wake: (() => void) | undefined;
  #wanted = false;

  constructor(options: ParallelBodyOptions) {
    super();
    this.#options = options;
    this.#next = options.begun.end;
    // One per request.
    setMaxListeners(0, this.#closing.signal);
    // Whoever reads is told; nobody may be reading just now.
    this.on('error', () => undefined);
    this.#follow(this.#add(), options.begun.body);
  }

  override _read(): void {
    this.#wanted = true;
    this.#pump();
    if (this.#wanted) this.#options.parallelism.waited();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#closing.abort();
    for (const body of this.#bodies) body.destroy();
    this.#segments.length = 0;
    done(error);
    this.#wake?.();
  }

  /** Not through the stream's own buffer, which would join the pieces. */
  override async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const piece = this.#take();
        if (piece !== undefined) yield piece;
        else if (this.errored) throw this.errored;
        else if (this.destroyed) throw new Error('the download was let go of');
        else if (this.#segments.length === 0) return;
        else await this.#more();
      }
    } finally {
      this.destroy();
    }
  }

  async #more(): Promise<void> {
    this.#options.parallelism.waited();
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #fill(): void {
    const { end, parallelism, open } = this.#options;
    while (this.#segments.length < parallelism.limit && this.#next < end) {
      const range = { first: this.#next, last: Math.min(this.#next + this.#nextSize(), end) - 1 };
      this.#next = range.last + 1;
      const segment = this.#add();
      open(range, this.#closing.signal).then(
        (body) => this.#follow(segment, body),
        (error: unknown) => this.destroy(error as Error),
      );
    }
  }

  /** Near the end less, so that all connections have something to do until then. */
  #nextSize(): number {
    const { end, parallelism } = this.#options;
    const share = Math.ceil((end - this.#next) / parallelism.limit);
    return Math.min(Math.max(share, LEAST_SEGMENT), SEGMENT_SIZE);
  }

  #add(): Segment {
    // Pages of it that are never written take no memory.
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(SEGMENT_SIZE);
    const segment = { buffer, come: 0, given: 0, ended: false };
    this.#segments.push(segment);
    return segment;
  }

  #follow(segment: Segment, body: Readable): void {
    if (this.destroyed) return void body.on('error', () => undefined).destroy();
    this.#bodies.add(body);
    let past: Buffer[] = [];
    body.on('data', (piece: Buffer) => {
      segment.buffer.set(piece, segment.come);
      segment.come += piece.length;
      this.#options.parallelism.received(piece.length);
      // Not this one: whatever reads the connection may be in the middle of it.
      if (past.length === TOGETHER) {
        giveBack(...past);
        past = [];
      }
      past.push(piece);
      this.#pump();
    });
    body.on('end', () => {
      segment.ended = true;
      this.#pump();
    });
    body.on('error', (error) => this.destroy(error));
    body.on('close', () => this.#bodies.delete(body));
  }

  /** The next piece; undefined where it has not come yet, or there is none any more. */
  #take(): Buffer | undefined {
    if (this.#past !== undefined && this.#options.transient === true) this.#free.push(this.#past);
    this.#past = undefined;
    for (let segment; (segment = this.#segments[0]);) {
      const { buffer, come, given, ended } = segment;
      if (!ended && come - given < LEAST) return undefined;
      const piece = buffer.subarray(given, Math.min(come, given + MOST));
      segment.given += piece.length;
      this.#given += piece.length;
      const isOver = ended && segment.given === come;
      if (isOver) this.#past = this.#segments.shift()?.buffer;
      if (isOver || this.#given >= LOOKED_AT) this.#fill();
      if (piece.length > 0) return piece;
    }
    return undefined;
  }

  #pump(): void {
    this.#wake?.();
    while (this.#wanted && !this.destroyed) {
      const piece = this.#take();
      if (piece !== undefined) this.#wanted = this.push(piece);
      else if (this.#segments.length > 0) return;
      else {
        this.#wanted = false;
        this.push(null);
      }
    }
  }
}
