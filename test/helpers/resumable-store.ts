/** A store in memory whose uploads can be gone on with, and which remembers every byte that was ever sent to it. */
import { createHash, randomUUID } from 'node:crypto';
import { interrupted, SealdropError } from '../../src/errors.js';
import {
  UPLOAD_ENTRY,
  type ListedPart,
  type OutgoingPart,
  type PutOptions,
  type PutResult,
  type ResumableUpload,
  type ResumableUploads,
  type SentPart,
} from '../../src/ports.js';
import { MemoryStore } from '../../src/store/memory.js';
import { collect } from './bytes.js';

export interface Upload {
  readonly key: string;
  readonly metadata: PutOptions['metadata'];
  readonly parts: Map<number, Buffer>;
}

/** Bytes as they went out, whether they arrived or not. */
export interface Sent {
  readonly upload: string;
  readonly number: number;
  readonly body: Buffer;
}

export type Step = 'begin' | 'parts' | 'send' | 'complete' | 'discard';

export interface Hooks {
  /** Runs before and after each request; what it throws is the request's failure. */
  on?: (step: Step, when: 'before' | 'after', number?: number) => Promise<void> | void;
}

const etagOf = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

export class ResumableStore extends MemoryStore {
  readonly uploading = new Map<string, Upload>();
  /** Of all stores that were forked from each other. */
  readonly wire: Sent[];
  readonly discarded: string[] = [];
  readonly #partSize: number;
  readonly #parallel: number;
  readonly #objects = new Map<string, { bytes: Buffer; metadata: PutOptions['metadata'] }>();
  hooks: Hooks = {};
  terms = 'as ever';
  where = 'here';

  constructor({ partSize, parallel = 2 }: { partSize: number; parallel?: number }, wire: Sent[] = []) {
    super();
    this.#partSize = partSize;
    this.#parallel = parallel;
    this.wire = wire;
  }

  /** As it is now. */
  async fork(): Promise<ResumableStore> {
    const other = new ResumableStore({ partSize: this.#partSize, parallel: this.#parallel }, this.wire);
    for (const [id, upload] of this.uploading)
      other.uploading.set(id, { ...upload, parts: new Map(upload.parts) });
    for (const [key, { bytes, metadata }] of this.#objects) await other.#become(key, bytes, { metadata });
    return other;
  }

  async stored(key: string): Promise<Buffer> {
    return collect((await this.get(key)).body);
  }

  readonly resumable: ResumableUploads = {
    plan: async () => ({
      partSize: this.#partSize,
      parallel: this.#parallel,
      place: this.where,
      terms: this.terms,
    }),
    begin: async (key, options) => {
      await this.hooks.on?.('begin', 'before');
      const id = randomUUID();
      this.uploading.set(id, { key, metadata: options.metadata, parts: new Map() });
      await this.hooks.on?.('begin', 'after');
      return this.#upload(key, id, options);
    },
    reopen: async (key, { id }, options) => this.#upload(key, id, options),
  };

  #upload(key: string, id: string, options: PutOptions): ResumableUpload {
    const taken = new Map<number, SentPart>();
    const found = () => {
      const upload = this.uploading.get(id);
      if (upload?.key === key) return upload;
      throw new SealdropError('object_not_found', 'there is no such object (NoSuchUpload)');
    };
    const sendOne = async (part: OutgoingPart, onSent: (part: SentPart) => Promise<void>) => {
      await this.hooks.on?.('send', 'before', part.number);
      const body = Buffer.from(part.body);
      this.wire.push({ upload: id, number: part.number, body });
      found().parts.set(part.number, body);
      await this.hooks.on?.('send', 'after', part.number);
      const sent = { number: part.number, size: body.length, etag: etagOf(body), checked: 'size' as const };
      taken.set(part.number, sent);
      await onSent(sent);
    };
    return {
      id,
      agreed: 'size',
      parts: async (): Promise<ListedPart[] | undefined> => {
        await this.hooks.on?.('parts', 'before');
        const parts = this.uploading.get(id)?.parts;
        return (
          parts && [...parts].map(([number, body]) => ({ number, size: body.length, etag: etagOf(body) }))
        );
      },
      take: (sent) => sent.forEach((part) => taken.set(part.number, part)),
      send: async (parts, _plan, onSent) => {
        const running = new Set<Promise<void>>();
        let failure: { error: unknown } | undefined;
        try {
          for await (const part of parts) {
            if (failure !== undefined) break;
            const run: Promise<void> = sendOne(part, onSent)
              .catch((error: unknown) => void (failure ??= { error }))
              .finally(() => {
                running.delete(run);
                part.release();
              });
            running.add(run);
            if (running.size >= this.#parallel) await Promise.race(running);
            if (options.signal?.aborted === true) throw interrupted();
          }
        } catch (error) {
          failure ??= { error };
        }
        await Promise.all(running);
        if (failure !== undefined) throw failure.error;
      },
      complete: async () => {
        await this.hooks.on?.('complete', 'before');
        const { parts } = found();
        const all = [...taken.values()].sort((a, b) => a.number - b.number);
        const bodies = all.map(({ number, etag }, index) => {
          const body = parts.get(number);
          if (number !== index + 1 || body === undefined || etagOf(body) !== etag)
            throw new SealdropError('store_refused', 'InvalidPart');
          return body;
        });
        const result = await this.#become(key, Buffer.concat(bodies), options);
        this.uploading.delete(id);
        await this.hooks.on?.('complete', 'after');
        return { ...result, upload: id };
      },
      became: async (size) => {
        const object = this.#objects.get(key);
        const entry = options.metadata?.[UPLOAD_ENTRY];
        if (object?.bytes.length !== size || object.metadata?.[UPLOAD_ENTRY] !== entry) return undefined;
        return { etag: (await this.head(key)).etag, size, checked: 'size', upload: id };
      },
      discard: async (error) => {
        await this.hooks.on?.('discard', 'before');
        this.uploading.delete(id);
        this.discarded.push(id);
        return error;
      },
    };
  }

  async #become(key: string, bytes: Buffer, options: PutOptions): Promise<PutResult> {
    const { metadata, condition } = options;
    const once = async function* () {
      yield bytes;
    };
    const result = await this.put(key, once(), { metadata, condition });
    this.#objects.set(key, { bytes, metadata });
    return result;
  }
}
