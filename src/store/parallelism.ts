/** How many requests for parts of one object are under way at the same time. */
import { performance } from 'node:perf_hooks';

const MIB = 1024 * 1024;
/** Bytes that the parts of all transfers with one store may take, where nobody says it. */
export const DEFAULT_MEMORY = 96 * MIB;
/** Of it, what goes to reading, encryption and writing; and what each connection has besides its part, to send or receive. */
const REST_OF_TRANSFER = 16 * MIB;
const REST_OF_CONNECTION = MIB;
/** At the beginning: with these a process has about as much to do with a store near by as it can. */
const START = { upload: 5, download: 4 };
export const MOST = 32;
/** What one step adds has to bring more than measurements differ by. */
const STEP = 1.5;
const GAIN = 1.25;
/** Shares of the time in which the process was busy: it has no use for more; and it waits for the connections, whatever it has done. */
const BUSY = 0.85;
const IDLE = 0.6;
/** The largest step. */
const LEAP = 4;
/** Milliseconds: shorter, and what is measured is chance. */
const WINDOW = 250;
/** Windows after which it is tried again whether more bring more. */
const PAUSE = 20;
/** Windows at the beginning that say nothing: everything is faster when it has run for a while. */
const WARMING_UP = 2;

export interface ParallelismOptions {
  /** So many, always. */
  readonly wanted?: number | undefined;
  readonly direction: keyof typeof START;
  /** Bytes that the parts under way, and the one that is being filled, may take now; two parts are the least. */
  readonly memory: () => number;
  readonly partSize: number;
  /** The share of the time since it was asked last in which this process was busy. Default: the event loop's. */
  readonly load?: () => number;
}

function loadOfLoop(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const { utilization } = performance.eventLoopUtilization(before);
    before = performance.eventLoopUtilization();
    return utilization;
  };
}

/**
 * Begins with a few and goes up while that makes the whole faster and there is memory for it: a distant store gives each
 * connection so much and no more, and one near by has enough to do with a few.
 */
export class Parallelism {
  #limit: number;
  readonly #options: ParallelismOptions;
  readonly #load: () => number;
  /** The last limit that paid, and bytes per millisecond under it. */
  #proven: { limit: number; rate: number } | undefined;
  #resting = WARMING_UP;
  #hasFailed = false;
  #window = { from: 0, parts: 0, bytes: 0, waited: false };

  constructor(options: ParallelismOptions) {
    this.#options = options;
    this.#load = options.load ?? loadOfLoop();
    this.#limit = options.wanted ?? START[options.direction];
    this.#begin(performance.now());
  }

  /** How many there may be now. */
  get limit(): number {
    return Math.min(this.#limit, this.#most);
  }

  get #most(): number {
    const { wanted, memory, partSize } = this.#options;
    const parts = (memory() - REST_OF_TRANSFER) / (partSize + REST_OF_CONNECTION);
    return wanted ?? Math.min(Math.max(Math.floor(parts) - 1, 1), MOST);
  }

  /** One more was there, and had to wait for another to end: the requests are what takes the time. */
  waited(): void {
    this.#window.waited = true;
  }

  /** One with so many bytes was sent. */
  sent(bytes: number, now = performance.now()): void {
    this.#window.parts++;
    this.#window.bytes += bytes;
    // Before each has ended once, nothing is known of what is on its way.
    if (this.#window.parts >= this.limit) this.#look(now);
  }

  /** So many bytes of one were received. */
  received(bytes: number, now = performance.now()): void {
    // What came before it is the way there and back.
    if (this.#window.bytes === 0) this.#window.from = now;
    this.#window.bytes += bytes;
    this.#look(now);
  }

  #look(now: number): void {
    const { from, bytes, waited } = this.#window;
    const time = now - from;
    if (time < WINDOW) return;
    const load = this.#load();
    if (waited) this.#judge(bytes / time, load);
    this.#begin(now);
  }

  #judge(rate: number, load: number): void {
    const before = this.#proven;
    if (this.#resting > 0 && (load > IDLE || this.#hasFailed)) {
      this.#resting--;
      return;
    }
    if (before !== undefined && this.limit > before.limit && rate < GAIN * before.rate) {
      this.#limit = before.limit;
      this.#proven = undefined;
      this.#resting = PAUSE;
      this.#hasFailed = true;
      return;
    }
    if (load > BUSY) return;
    this.#proven = { limit: this.limit, rate };
    const step = Math.min(Math.max(BUSY / load, STEP), LEAP);
    this.#limit = Math.min(Math.ceil(this.limit * step), this.#most);
  }

  #begin(now: number): void {
    this.#window = { from: now, parts: 0, bytes: 0, waited: false };
  }
}
