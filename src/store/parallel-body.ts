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
  #wanted = false;

  constructor(options: ParallelBodyOptions) {
    super();
    this.#options = options;
    this.#next = options.begun.end;
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

  #give(piece: Buffer): void {
    this.#given += piece.length;
    if (this.#given >= LOOKED_AT) this.#fill();
    this.#wanted = this.push(piece);
  }

  #pump(): void {
    while (this.#wanted && !this.destroyed) {
      const segment = this.#segments[0];
      if (segment === undefined) {
        this.#wanted = false;
        this.push(null);
      } else if (segment.pieces.length > 0) this.#give(segment.pieces.shift()!);
      else if (segment.ended) {
        this.#segments.shift();
        this.#fill();
      } else return;
    }
  }
}
