/** An object at its store, of which parts are asked for. */
import type { Readable } from 'node:stream';
import { isSealdropError, SealdropError, type ErrorCode } from '../errors.js';
import type { ObjectInfo, ObjectStore, StoredObject } from '../ports.js';
import { printable } from '../printable.js';
import { partsOf } from './object-parts.js';

/** Of an object that nothing is known of: more than the header of any usual message has. */
const BEGINNING = 64 * 1024;

export interface FoundObject extends StoredObject {
  readonly info: ObjectInfo;
}

interface Signal {
  signal?: AbortSignal | undefined;
}

/**
 * One request, for its first bytes, which says besides what the object is. Whatever is asked for later is of the same one.
 * @throws SealdropError what the store throws
 */
export async function openStored(store: ObjectStore, key: string, { signal }: Signal): Promise<FoundObject> {
  const { info, beginning } = await beginningOf(store, key, { signal });
  const beside = partsOf(store, info, signal);
  let instruction: ReturnType<typeof beside.instruction> | undefined;
  return {
    ...beside,
    instruction: async () => (instruction ??= beside.instruction()),
    info,
    beginning,
    async *fetch(first, last) {
      if (first < beginning.length) yield beginning.subarray(first, last + 1);
      const from = Math.max(first, beginning.length);
      if (from <= last) yield* fetchPart(store, info, { first: from, last, signal });
    },
  };
}

async function beginningOf(store: ObjectStore, key: string, { signal }: Signal) {
  const range = { first: 0, last: BEGINNING - 1 };
  try {
    const { info, body } = await store.get(key, { range, signal });
    const bytes = Math.min(info.size, BEGINNING);
    return { info, beginning: await gather(exactly(body, bytes, store.address(key)), bytes) };
  } catch (error) {
    if (!isSealdropError(error) || error.code !== 'store_refused') throw error;
    // Of nothing there is no part.
    const info = await store.head(key, { signal });
    if (info.size > 0) throw error;
    return { info, beginning: Buffer.alloc(0) };
  }
}

async function* fetchPart(
  store: ObjectStore,
  { key, etag, size }: ObjectInfo,
  { first, last, signal }: { first: number; last: number } & Signal,
): AsyncGenerator<Uint8Array> {
  const address = store.address(key);
  const { info, body } = await store
    .get(key, { range: { first, last }, ifMatch: etag, signal })
    .catch((error: unknown) => {
      throw isReplaced(error) ? replacedMeanwhile(address, error) : error;
    });
  try {
    // Stores that pass over If-Match would go on with another object's bytes.
    if (info.etag !== etag || info.size !== size) throw replacedMeanwhile(address);
    yield* exactly(body, last + 1 - first, address);
  } catch (error) {
    throw isReplaced(error) ? replacedMeanwhile(address, error) : error;
  } finally {
    body.destroy();
  }
}

/** @throws SealdropError `store_refused` where more or fewer come */
async function* exactly(body: Readable, bytes: number, address: string): AsyncGenerator<Uint8Array> {
  let left = bytes;
  try {
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      left -= piece.length;
      if (left < 0) break;
      yield piece;
    }
  } finally {
    body.destroy();
  }
  if (left === 0) return;
  throw new SealdropError(
    'store_refused',
    `${printable(address)}: the store sent ${left < 0 ? 'more' : 'fewer'} bytes than it was asked for`,
  );
}

async function gather(pieces: AsyncIterable<Uint8Array>, bytes: number): Promise<Buffer> {
  const all = Buffer.allocUnsafe(bytes);
  let at = 0;
  for await (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const REPLACED: readonly ErrorCode[] = ['precondition_failed', 'object_not_found'];

const isReplaced = (error: unknown): boolean => isSealdropError(error) && REPLACED.includes(error.code);

export function replacedMeanwhile(address: string, cause?: unknown): SealdropError {
  return new SealdropError('source_changed', `${printable(address)} was replaced while it was read`, {
    cause,
    retryable: true,
    hint: 'the same command again reads what is there now',
  });
}
