/** The local gateway for a bucket: what lands in it is told by a webhook, and found by reading its list now and then. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectInfo } from '../ports.js';
import type { InboxGateway, Report } from './inbox-gateway.js';
import { objectsOf, type ObjectCreated } from './object-created.js';
import type { TimeBudget } from './time-budget.js';

const WORKERS = 2;
const RESCAN_MS = 300_000;
const RETRY_MS = 2_000;
const LAST_RETRY_MS = 300_000;
/** Told and not dealt with; whoever tells more keeps it for later. */
const MAX_WAITING = 10_000;

export interface BucketGatewayOptions {
  gateway: InboxGateway;
  bucket: string;
  /** All objects of the inbox. */
  list: (signal: AbortSignal) => AsyncIterable<ObjectInfo>;
  /** A list that could not be read; it is read again later. */
  unreadable: (error: unknown) => void;
  /** How often the list is read. Default five minutes. */
  rescanMs?: number;
  /** Before the second try; doubled each time, up to five minutes. Default 2 seconds. */
  retryMs?: number;
}

export class BucketGateway {
  readonly #options: BucketGatewayOptions;
  readonly #waiting = new Map<string, ObjectCreated>();
  /** Being worked on, or resting until the next try. */
  readonly #taken = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** By key, what it was when it was dealt with, so that a list that is read again costs no request for each. */
  readonly #done = new Map<string, string>();
  #last: Report | undefined;
  readonly counts = { done: 0, failed: 0 };

  constructor(options: BucketGatewayOptions) {
    this.#options = options;
  }

  /** The last that failed for good. */
  get lastError(): unknown {
    return this.#last?.error;
  }

  /**
   * What a webhook with a valid token says.
   * @returns how many objects are taken, or undefined where there is no room: to be told again later
   * @throws SealdropError `event_malformed`
   */
  notify(message: unknown): number | undefined {
    const objects = objectsOf(message);
    if (this.#waiting.size + objects.length > MAX_WAITING) return undefined;
    for (const object of objects) this.#waiting.set(idOf(object), object);
    return objects.length;
  }

  /** Deals with what is there, and ends. @throws SealdropError what reading the list can fail with */
  async runOnce(signal: AbortSignal): Promise<void> {
    await this.#scan(signal);
    await Promise.all(Array.from({ length: WORKERS }, () => this.#work(signal, true)));
  }

  /** Until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const workers = Array.from({ length: WORKERS }, () => this.#work(signal, false));
    await Promise.all([this.#rescan(signal), ...workers]);
  }

  async #rescan(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#scan(signal).catch((error: unknown) => {
        if (!signal.aborted) this.#options.unreadable(error);
      });
      await sleep(this.#options.rescanMs ?? RESCAN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #scan(signal: AbortSignal): Promise<void> {
    const { bucket, list } = this.#options;
    const unlisted = new Set(this.#done.keys());
    for await (const { key, etag } of list(signal)) {
      unlisted.delete(key);
      const object = { bucket, key, etag };
      const id = idOf(object);
      // A webhook has told of it meanwhile, and more; or it is on its way.
      if (this.#done.get(key) !== etag && !this.#waiting.has(id) && !this.#taken.has(id))
        this.#waiting.set(id, object);
    }
    // What comes back is new, and what does not takes no room.
    for (const key of unlisted) this.#done.delete(key);
  }

  async #work(signal: AbortSignal, once: boolean): Promise<void> {
    while (!signal.aborted) {
      const next = this.#next();
      if (next === undefined) {
        if (once && this.#waiting.size === 0) return;
        await sleep(100, undefined, { signal }).catch(() => undefined);
        continue;
      }
      const [id, object] = next;
      this.#waiting.delete(id);
      this.#taken.add(id);
      const tryAgain = await this.#take(id, object, signal, once);
      if (!tryAgain) this.#taken.delete(id);
    }
  }

  #next(): [string, ObjectCreated] | undefined {
    for (const waiting of this.#waiting) if (!this.#taken.has(waiting[0])) return waiting;
    return undefined;
  }

  /** @returns whether it is tried again: it rests until then */
  async #take(id: string, object: ObjectCreated, signal: AbortSignal, once: boolean): Promise<boolean> {
    const { gateway } = this.#options;
    const report = await gateway.take(object, { budget: unlimited(signal) });
    if (signal.aborted) return false;
    if (report.outcome === 'failed' && report.retryable === true && !once) {
      this.#retryLater(id, object, signal);
      return true;
    }
    this.#failures.delete(id);
    // It may come back with the same content.
    if (report.outcome === 'gone' || report.outcome === 'superseded') this.#done.delete(object.key);
    else if (object.etag !== undefined) this.#done.set(object.key, object.etag);
    if (report.outcome !== 'failed') {
      this.counts.done++;
      return false;
    }
    this.counts.failed++;
    this.#last = report;
    if (report.retryable !== true) await gateway.markFailed(object, report.code ?? 'internal');
    return false;
  }

  #retryLater(id: string, object: ObjectCreated, signal: AbortSignal): void {
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    const delay = Math.min(LAST_RETRY_MS, (this.#options.retryMs ?? RETRY_MS) * 2 ** (failures - 1));
    void sleep(delay, undefined, { signal }).then(
      () => {
        this.#taken.delete(id);
        if (!this.#waiting.has(id)) this.#waiting.set(id, object);
      },
      () => undefined,
    );
  }
}

/** A list knows no versions, a webhook may: an ETag is what both have. */
const idOf = ({ key, etag, version }: ObjectCreated): string => JSON.stringify([key, etag ?? version ?? '']);

/** Nothing here ends but by the signal. */
const unlimited = (signal: AbortSignal): TimeBudget => ({
  signal,
  enough: () => true,
  admit: () => undefined,
  end: () => undefined,
});
