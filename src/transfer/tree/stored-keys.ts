import type { ObjectInfo, ObjectStore } from '../../ports.js';

/**
 * What a listing says of keys that are asked for in its order: one listing, and one entry of it held. A store that
 * doesn't list in order seems to hold less than it does.
 */
export class StoredKeys {
  readonly #listing: AsyncIterator<ObjectInfo>;
  #next: ObjectInfo | undefined;
  #ended = false;

  constructor(store: ObjectStore, prefix: string, signal?: AbortSignal) {
    this.#listing = store.list(prefix, { signal })[Symbol.asyncIterator]();
  }

  async find(key: string): Promise<ObjectInfo | undefined> {
    const wanted = Buffer.from(key);
    while (
      !this.#ended &&
      (this.#next === undefined || Buffer.compare(Buffer.from(this.#next.key), wanted) < 0)
    ) {
      const next = await this.#listing.next();
      if (next.done === true) this.#ended = true;
      this.#next = next.done === true ? undefined : next.value;
    }
    return this.#next?.key === key ? this.#next : undefined;
  }

  async close(): Promise<void> {
    await this.#listing.return?.();
  }
}
