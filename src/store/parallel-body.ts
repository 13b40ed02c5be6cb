import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import type { Parallelism } from './parallelism.js';

/** Bytes of an object that one request asks for. */
export const SEGMENT_SIZE = 8 * 1024 * 1024;

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
}

interface Segment {
  readonly pieces: Buffer[];
  bytes: number;
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

  /** The pieces as they came: through the stream's own buffer they would be joined, which copies them. */
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
      const range = { first: this.#next, last: Math.min(this.#next + SEGMENT_SIZE, end) - 1 };
      this.#next = range.last + 1;
      const segment = this.#add();
      open(range, this.#closing.signal).then(
        (body) => this.#follow(segment, body),
        (error: unknown) => this.destroy(error as Error),
      );
    }
  }

  #add(): Segment {
    const segment = { pieces: [], bytes: 0, ended: false };
    this.#segments.push(segment);
    return segment;
  }

  #follow(segment: Segment, body: Readable): void {
    if (this.destroyed) return void body.on('error', () => undefined).destroy();
    this.#bodies.add(body);
    body.on('data', (piece: Buffer) => {
      segment.pieces.push(piece);
      segment.bytes += piece.length;
      this.#pump();
    });
    body.on('end', () => {
      segment.ended = true;
      this.#options.parallelism.ended(segment.bytes);
      this.#pump();
    });
    body.on('error', (error) => this.destroy(error));
    body.on('close', () => this.#bodies.delete(body));
  }

  /** The next piece; undefined where it has not come yet, or there is none any more. */
  #take(): Buffer | undefined {
    for (let segment; (segment = this.#segments[0]);) {
      const piece = segment.pieces.shift();
      if (piece !== undefined) {
        this.#given += piece.length;
        if (this.#given >= LOOKED_AT) this.#fill();
        return piece;
      }
      if (!segment.ended) return undefined;
      this.#segments.shift();
      this.#fill();
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
