/** Whether a store keeps the condition that an object is replaced under, which some say and don't do. */
import { randomBytes } from 'node:crypto';
import { isSealdropError, SealdropError } from '../../errors.js';
import type { ObjectStore } from '../../ports.js';
import { printable } from '../../printable.js';

/** No object has it: it is no digest of any bytes that somebody knows. */
const NO_ETAG = '00000000000000000000000000000000';

/**
 * Tried on a key of its own. A store that keeps conditions refuses the write, and nothing is left there; one that doesn't
 * has an object there then, which is removed.
 * @param prefix that the credentials may write below; empty, or with a slash at its end
 * @throws SealdropError `condition_not_kept`, and what the store fails with
 */
export async function assertKeepsConditions(
  store: ObjectStore,
  prefix: string,
  signal?: AbortSignal,
): Promise<void> {
  // A directory's writers know of each other; what a directory can't do is in docs/rewrap.md.
  if (store.kind !== 's3') return;
  const key = `${prefix}sealdrop-probe-${randomBytes(8).toString('hex')}`;
  const isRefused = async () =>
    store
      .put(key, once(), {
        condition: { ifMatch: NO_ETAG },
        guarded: true,
        inParts: true,
        ...(signal && { signal }),
      })
      .then(
        () => false,
        (error: unknown) => {
          if (isSealdropError(error) && error.code === 'precondition_failed') return true;
          throw hinted(error);
        },
      );
  if (await isRefused()) return;
  // Written in spite of the condition, or only because nothing was there.
  const kept = await isRefused().finally(async () => removed(store, key));
  if (!kept)
    throw hinted(
      new SealdropError(
        'condition_not_kept',
        `the store of ${printable(store.address(prefix))} passes over conditions on writes: what somebody else writes meanwhile would be overwritten`,
      ),
    );
}

async function removed(store: ObjectStore, key: string): Promise<void> {
  const versions = [];
  try {
    for await (const version of store.versions?.list(key) ?? []) versions.push(version);
  } catch {
    // A store without versions has the object alone.
  }
  if (versions.length === 0) await store.remove(key).catch(() => undefined);
  for (const version of versions) await store.versions!.remove(version).catch(() => undefined);
}

async function* once(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('this object tries whether conditions on writes are kept; it can be removed\n');
}

function hinted(error: unknown): unknown {
  if (!isSealdropError(error) || error.code !== 'condition_not_kept') return error;
  return new SealdropError(error.code, error.message, {
    cause: error,
    hint: 'if nobody else writes there now: --unconditional, which looks right before instead',
  });
}
