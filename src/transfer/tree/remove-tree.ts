import { SealdropError } from '../../errors.js';
import type { ObjectInfo } from '../../ports.js';
import { printable } from '../../printable.js';
import { keyProblem } from '../../vault-key.js';
import { listTree, type GetTreeJob } from './get-tree.js';
import { runTree, type TreeReport, type TreeRunOptions } from './work.js';

export interface RemoveTreeJob
  extends Pick<GetTreeJob, 'store' | 'prefix' | 'filter' | 'signal'>, Omit<TreeRunOptions, 'signal'> {
  dryRun?: boolean;
  /** Remove these alone, by `versionOf`: what somebody was shown, and agreed to. */
  only?: ReadonlySet<string>;
}

/** Tells an object from another that takes its place. */
export const versionOf = ({ key, etag }: ObjectInfo): string => `${etag} ${key}`;

/** Removes what lies below a prefix. @throws SealdropError what listing the vault fails with, `interrupted` */
export async function removeTree(job: RemoveTreeJob): Promise<TreeReport> {
  const { store, signal, dryRun, only } = job;
  return runTree(
    listTree(job),
    job,
    ({ info, path }) => ({ path, key: info.key }),
    async ({ info, path, instruction }) => {
      const { key, size, etag } = info;
      // Servers that tidy keys up would remove another object.
      const problem = keyProblem(path);
      if (problem !== undefined)
        throw new SealdropError('key_not_storable', `${printable(key)} is left alone: ${problem}`);
      if (only?.has(versionOf(info)) === false)
        throw new SealdropError(
          'source_changed',
          `${printable(key)} came after the question: it is left alone`,
        );
      // One that came meanwhile belongs to an object that is there.
      const options = { signal, ...(instruction === true && { ifMatch: etag }) };
      if (dryRun !== true) await store.remove(key, options);
      return { path, key, outcome: dryRun === true ? 'planned' : 'done', bytes: size };
    },
  );
}
