import type { ObjectStore, PlaintextRange, ReadPolicy, UnverifiedRanges } from '../ports.js';
import { checkBinding, type Binding } from './context.js';
import type { OpenReport } from './get.js';
import { partsOf } from './object-parts.js';
import type { Target } from './target.js';

export interface GetRangeJob extends Binding {
  store: ObjectStore;
  key: string;
  range: PlaintextRange;
  ranges: UnverifiedRanges;
  target: Target;
  allowed?: ReadPolicy | undefined;
  signal?: AbortSignal;
}

/**
 * A part of an s3ec object's content, which nothing authenticates, by a request for that part alone.
 * @throws SealdropError what `UnverifiedRanges.open` throws, `wrong_object`, and what store and target throw
 */
export async function getRangeUnverified(job: GetRangeJob): Promise<OpenReport> {
  const { store, key, ranges, target, signal } = job;
  try {
    const object = await store.head(key, { signal });
    const range = await ranges.open(partsOf(store, object, signal), job.range, job.allowed);
    const bound = checkBinding(range.info, key, job);
    const { body } = await store.get(key, { range: range.fetch, ifMatch: object.etag, signal });
    let plaintextSize = 0;
    try {
      for await (const piece of range.decryptUnverified(body)) {
        await target.write(piece);
        plaintextSize += piece.length;
      }
    } finally {
      body.destroy();
    }
    await target.commit();
    return { info: { ...range.info, unauthenticated: true }, bound, plaintextSize };
  } catch (error) {
    await target.discard();
    throw error;
  }
}
