/** Looks at what there is, before anything is done about it. */
import { isSealdropError, SealdropError } from '../errors.js';
import type { ObjectInfo, ObjectStore } from '../ports.js';

/** Whether any key begins with a prefix. @throws SealdropError what listing fails with */
export async function isAnythingBelow(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const _info of store.list(prefix, { signal })) return true;
  return false;
}

/**
 * The one object of a key.
 * @param command says of which `-r` is the way, where objects lie below the key
 * @throws SealdropError what `head` throws
 */
export async function headOne(
  store: ObjectStore,
  key: string,
  { command, signal }: { command: string; signal: AbortSignal },
): Promise<ObjectInfo> {
  return store.head(key, { signal }).catch(async (error: unknown) => {
    throw await withFolderHint(error, store, key, { command, signal });
  });
}

/** The same error, with `-r` as the way out where objects lie below a key that there is not. */
export async function withFolderHint(
  error: unknown,
  store: ObjectStore,
  key: string,
  { command, signal }: { command: string; signal: AbortSignal },
): Promise<unknown> {
  if (!isSealdropError(error) || error.code !== 'object_not_found') return error;
  // Whoever may not list is told what was found before.
  if (!(await isAnythingBelow(store, `${key}/`, signal).catch(() => false))) return error;
  const hint = `it is a folder, with objects below it: sealdrop ${command} -r takes them all`;
  return new SealdropError(error.code, error.message, { cause: error, hint });
}
