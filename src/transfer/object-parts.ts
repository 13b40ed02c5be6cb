import type { ObjectInfo, ObjectParts, ObjectStore } from '../ports.js';
import { readInstruction } from './instruction-file.js';

/** What lies beside the body of an object that was just read from `store`. */
export function partsOf(
  store: ObjectStore,
  { key, size, metadata = {} }: ObjectInfo,
  signal?: AbortSignal,
): ObjectParts {
  return {
    metadata,
    size,
    instruction: async () => (await readInstruction(store, key, signal))?.bytes,
  };
}
