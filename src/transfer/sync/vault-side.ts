/** The vault's side of a sync: the objects below a prefix. */
import { isSealdropError, SealdropError } from '../../errors.js';
import type { ObjectInfo, ObjectStore } from '../../ports.js';
import { printable } from '../../printable.js';
import { keyProblem } from '../../vault-key.js';
import { removeWithInstruction } from '../instruction-file.js';
import type { TreeFilter } from '../tree/filter.js';
import { listTree } from '../tree/get-tree.js';
import { DIRECTORY_MARKER } from '../tree/names.js';
import type { Entry } from './sync.js';

export interface VaultEntry extends Entry {
  readonly info: ObjectInfo;
}

export interface VaultPlace {
  readonly store: ObjectStore;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
}

/** Objects in order; markers of folders and instruction files are no content. */
export async function* vaultEntries(
  place: VaultPlace,
  options: { filter: TreeFilter; signal: AbortSignal },
): AsyncGenerator<VaultEntry> {
  for await (const { info, path, instruction } of listTree({ ...place, ...options })) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const isMarker = instruction === true || name === DIRECTORY_MARKER || (name === '' && info.size === 0);
    if (!isMarker) yield { path, regular: true, info };
  }
}

/**
 * Removes an object that is still the one that was listed, as far as the store keeps conditions, or a look before tells.
 * @throws SealdropError `source_changed`
 */
export async function removeObject(
  { store, prefix }: VaultPlace,
  { path, info }: VaultEntry,
  signal: AbortSignal,
): Promise<void> {
  const key = prefix + path;
  // Servers that tidy keys up would remove another object.
  const problem = keyProblem(path);
  if (problem !== undefined)
    throw new SealdropError('key_not_storable', `${printable(key)} is left alone: ${problem}`);
  await removeWithInstruction(store, key, { ifMatch: info.etag, signal }).catch((cause: unknown) => {
    if (!isSealdropError(cause) || cause.code !== 'precondition_failed') throw cause;
    const address = printable(store.address(key));
    throw new SealdropError('source_changed', `${address} is another by now: it is left alone`, { cause });
  });
}
