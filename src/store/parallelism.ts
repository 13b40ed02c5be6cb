/** How many requests for parts of one object are under way at the same time. */

const MIB = 1024 * 1024;
/** Bytes that the parts of all transfers with one store may take, where nobody says it. */
export const DEFAULT_MEMORY = 96 * MIB;
/** At the beginning, of uploads and of downloads: one connection to a store near by is as much as a process can take. */
const START = { upload: 3, download: 1 };
export const MOST = 32;
/** What one step adds has to bring more than measurements differ by. */
const STEP = 1.5;
const GAIN = 1.25;
/** Milliseconds: shorter, and what is measured is chance. */
const WINDOW = 250;
/** Windows after which it is tried again whether more bring more. */
const REST = 20;
/** Windows at the beginning that say nothing: everything is faster when it has run for a while. */
const WARMING_UP = 2;

export interface ParallelismOptions {
  /** So many, always. */
  readonly wanted?: number | undefined;
  readonly direction: keyof typeof START;
  /** Bytes that the parts under way, and the one that is being filled, may take now; two parts are the least. */
  readonly memory: () => number;
  readonly partSize: number;
}

/**
 * Begins with a few and goes up while that makes the whole faster and there is memory for it: a distant store gives each
 * connection so much and no more, and one near by has enough to do with a few.
 */
export class Parallelism {
  #limit: number;
  readonly #options: ParallelismOptions;
  /** The last limit that paid, and bytes per millisecond under it. */
  #proven: { limit: number; rate: number } | undefined;
  #resting = WARMING_UP;
  #window = { from: 0, parts: 0, bytes: 0, waited: false };

  constructor(options: ParallelismOptions) {
    this.#options = options;
    this.#limit = options.wanted ?? START[options.direction];
    this.#begin(performance.now());
  }

  /** How many there may be now. */
  get limit(): number {
    return Math.min(this.#limit, this.#most);
  }

  get #most(): number {
    const { wanted, memory, partSize } = this.#options;
    return wanted ?? Math.min(Math.max(Math.floor(memory() / partSize) - 1, 1), MOST);
  }

  /** One more was there, and had to wait for another to end: the requests are what takes the time. */
  waited(): void {
    this.#window.waited = true;
  }

  /** One with so many bytes has ended. */
  ended(bytes: number, now = performance.now()): void {
    const window = this.#window;
    window.parts++;
    window.bytes += bytes;
    const time = now - window.from;
    if (window.parts < this.limit || time < WINDOW) return;
    if (window.waited) this.#judge(window.bytes / time);
    this.#begin(now);
  }

  #judge(rate: number): void {
    const before = this.#proven;
    if (this.#resting > 0) {
      this.#resting--;
      return;
    }
    if (before !== undefined && this.limit > before.limit && rate < GAIN * before.rate) {
      this.#limit = before.limit;
      this.#proven = undefined;
      this.#resting = REST;
      return;
    }
    this.#proven = { limit: this.limit, rate };
    this.#limit = Math.min(Math.ceil(this.limit * STEP), this.#most);
  }

  #begin(now: number): void {
    this.#window = { from: now, parts: 0, bytes: 0, waited: false };
  }
}
