/** All objects below a prefix, below another one. */
import type { ObjectStore } from '../../ports.js';
import { copy, type CopyJob } from '../rewrap/copy.js';
import { listTree, type GetTreeJob } from './get-tree.js';
import { runTree, type TreeReport, type TreeRunOptions } from './work.js';

export interface CopyTreeJob
  extends
    Omit<CopyJob, 'from' | 'to' | 'onProgress' | 'decryptor'>,
    Pick<GetTreeJob, 'filter'>,
    Omit<TreeRunOptions, 'signal'> {
  /** Prefixes are empty, or have a slash at their ends. */
  from: { store: ObjectStore; prefix: string };
  to: { store: ObjectStore; prefix: string };
  /** Undefined for a dry run. */
  decryptor: CopyJob['decryptor'] | undefined;
  signal: AbortSignal;
  /** Plaintext bytes since it was told last. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** @throws SealdropError what listing the source fails with, `interrupted` */
export async function copyTree(job: CopyTreeJob): Promise<TreeReport> {
  const { from, to, decryptor, filter, signal } = job;
  const listed = { ...from, signal, ...(filter && { filter }) };
  return runTree(
    listTree(listed),
    job,
    ({ info, path }) => ({ path, key: info.key }),
    async ({ info: { key, size }, path, instruction }) => {
      if (instruction === true) return { path, key, outcome: 'left_out', why: 'instruction_file' };
      // What consoles make to show a folder; no message of anybody's is empty.
      if (size === 0 && (path === '' || path.endsWith('/')))
        return { path, key, outcome: 'left_out', why: 'folder_marker' };
      if (decryptor === undefined) return { path, key, outcome: 'planned', bytes: size };
      let told = 0;
      const copied = await copy({
        ...{
          ...job,
          decryptor,
          from: { store: from.store, key },
          to: { store: to.store, key: to.prefix + path },
        },
        onProgress: (bytes) => {
          job.onBytes?.(bytes - told);
          told = bytes;
        },
      });
      return { path, key, outcome: 'done', bytes: copied.plaintextSize, copied };
    },
  );
}
