/** A store in memory, for tests and for users of the library. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { SealdropError, interrupted, throwIfAborted } from '../errors.js';
import type {
  ByteSource,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
  RemoveOptions,
  Replaced,
  ReplaceOptions,
  WriteCondition,
} from '../ports.js';
import { printable } from '../printable.js';
import { pull } from './pull.js';
import { resolveRange } from './ranges.js';

const CHUNK = 64 * 1024;

interface Entry {
  readonly bytes: Buffer;
  readonly info: ObjectInfo;
}

export class MemoryStore implements ObjectStore {
  readonly kind = 'memory';
  readonly #entries = new Map<string, Entry>();

  address(key: string): string {
    return `memory:///${key}`;
  }

  assertStorable(): void {}

  async head(key: string, options: { signal?: AbortSignal } = {}): Promise<ObjectInfo> {
    throwIfAborted(options.signal);
    return this.#entry(key).info;
  }

  async get(key: string, options: GetOptions = {}): Promise<{ info: ObjectInfo; body: Readable }> {
    throwIfAborted(options.signal);
    const { bytes, info } = this.#entry(key);
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag) throw this.#failed(key);
    const { first, last } = resolveRange(options.range, info.size, this.address(key));
    const body = Readable.from(slices(bytes.subarray(first, last + 1), options.signal), {
      objectMode: false,
    });
    return { info, body };
  }

  async put(key: string, source: ByteSource, options: PutOptions = {}): Promise<PutResult> {
    const { size, signal, condition, metadata } = options;
    const pieces: Uint8Array[] = [];
    // Copied: a source may use its buffers again.
    for await (const piece of pull(source, { address: this.address(key), size, signal }))
      pieces.push(Uint8Array.from(piece));
    throwIfAborted(signal);
    this.#assertCondition(key, condition);
    const bytes = Buffer.concat(pieces);
    const etag = md5(bytes);
    const info = { key, size: bytes.length, etag, modified: new Date(), metadata: { ...metadata } };
    this.#entries.set(key, { bytes, info });
    return { etag, size: bytes.length, checked: 'size' };
  }

  async replaceMetadata(key: string, options: ReplaceOptions): Promise<Replaced> {
    const { ifMatch, ifMetadata, metadata, signal } = options;
    throwIfAborted(signal);
    this.#assertCondition(key, { ifMatch });
    const { bytes, info } = this.#entry(key);
    if (ifMetadata !== undefined && !isDeepStrictEqual({ ...ifMetadata }, info.metadata))
      throw this.#failed(key);
    const etag = randomBytes(16).toString('hex');
    const replaced = { ...info, etag, modified: new Date(), metadata: { ...metadata } };
    this.#entries.set(key, { bytes, info: replaced });
    return replaced;
  }

  async remove(key: string, options: RemoveOptions = {}): Promise<void> {
    throwIfAborted(options.signal);
    const { ifMatch } = options;
    if (ifMatch !== undefined && this.#entries.has(key)) this.#assertCondition(key, { ifMatch });
    this.#entries.delete(key);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix));
    keys.sort(byBytes);
    for (const key of keys) {
      if (options.after !== undefined && byBytes(key, options.after) <= 0) continue;
      throwIfAborted(options.signal);
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      const { metadata: _, ...info } = entry.info;
      yield info;
    }
  }

  async unfinished(): Promise<[]> {
    return [];
  }

  async checksums(key: string) {
    return [{ kind: 'md5' as const, value: md5(this.#entry(key).bytes) }];
  }

  close(): void {}

  #entry(key: string): Entry {
    const entry = this.#entries.get(key);
    if (entry === undefined)
      throw new SealdropError('object_not_found', `there is no object ${printable(this.address(key))}`);
    return entry;
  }

  #assertCondition(key: string, condition: WriteCondition | undefined): void {
    if (condition === undefined) return;
    const current = this.#entries.get(key)?.info.etag;
    const expected = 'ifMatch' in condition ? condition.ifMatch : undefined;
    if (current !== expected) throw this.#failed(key);
  }

  #failed(key: string): SealdropError {
    return new SealdropError(
      'precondition_failed',
      `${printable(this.address(key))} is not what it was expected to be`,
    );
  }
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function* slices(bytes: Buffer, signal: AbortSignal | undefined): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK) {
    if (signal?.aborted === true) throw interrupted(signal.reason);
    yield Buffer.from(bytes.subarray(at, at + CHUNK));
  }
}
