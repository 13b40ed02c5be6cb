/** `get -r` */
import { join } from 'node:path';
import type { Vault } from '../config/settings.js';
import { SealdropError } from '../errors.js';
import type { Decryptor } from '../ports.js';
import { printable } from '../printable.js';
import type { OpenReport } from '../transfer/get.js';
import { getTree, listTree } from '../transfer/tree/get-tree.js';
import { folderPrefix } from '../transfer/tree/names.js';
import { TreeRoot } from '../transfer/tree/tree-root.js';
import type { Environment } from './command.js';
import { isAnythingBelow } from './objects.js';
import type { BindingOptions } from './options.js';
import type { Output } from './output.js';
import { ownFiles, type FileOptions } from './own-files.js';
import { startTreeProgress, type TreeProgress } from './progress.js';
import { DEFAULT_FILES, filterOf, type TransferTreeOptions } from './tree-options.js';
import { TreeReporter } from './tree-report.js';

export interface GetTreeContext {
  vault: Vault;
  decryptor: Decryptor;
  options: TransferTreeOptions &
    BindingOptions &
    FileOptions & { overwrite: boolean; preserve?: boolean; force?: boolean };
  environment: Environment;
  output: Output;
  /** What `--json` says of a message. */
  describe: (report: OpenReport) => object;
}

/** @throws SealdropError `object_not_found` where nothing lies there, what listing fails with, `interrupted` */
export async function getTrees(target: string, context: GetTreeContext): Promise<void> {
  const { vault, decryptor, options, environment, output, describe } = context;
  const { store, binding, allowed } = vault;
  const { signal } = environment;
  const listed = { store, prefix: folderPrefix(vault.key), filter: filterOf(options), signal };
  // Before a folder is made for it. Whatever a filter leaves of it.
  if (!(await isAnythingBelow(store, listed.prefix, signal)))
    throw new SealdropError(
      'object_not_found',
      `there is nothing below ${printable(store.address(listed.prefix))}`,
      {
        hint: 'see what there is: sealdrop ls; with -r the address is that of a folder',
      },
    );
  const root =
    options.dryRun === true
      ? undefined
      : await TreeRoot.open(target, {
          overwrite: options.overwrite,
          sweep: options.resume,
          ...(options.force !== true && { protect: ownFiles(options, environment) }),
        });
  const reporter = new TreeReporter(environment, output, {
    done: 'written',
    planned: 'would be written',
    resumes: true,
  });
  const progress = startTreeProgress(output);
  const counting = progress.shown ? countObjects(listed, progress) : Promise.resolve();
  try {
    const report = await getTree({
      ...{ ...listed, root, decryptor, binding, allowed, width: options.files ?? DEFAULT_FILES },
      moved: options.moved,
      unbound: options.unbound,
      context: options.context,
      preserve: options.preserve,
      resume: options.resume,
      force: options.force,
      onBytes: (bytes) => progress.moved(bytes),
      onEvent: (event) => {
        if (event.outcome !== 'left_out') progress.fileDone();
        const names = { source: store.address(event.key), target: join(target, event.path) };
        reporter.tell(event, names, () => ({ ...names, ...(event.opened && describe(event.opened)) }));
      },
    });
    progress.stop();
    reporter.end(report);
  } finally {
    progress.stop();
    if (signal.aborted)
      output.note('what was written stays; the same command with --resume goes on from there');
    await counting;
  }
}

type Listed = Parameters<typeof listTree>[0];

async function countObjects(listed: Listed, progress: TreeProgress): Promise<void> {
  try {
    for await (const { info, instruction } of listTree(listed))
      if (instruction !== true) progress.expect(info.size);
  } catch {
    // Whatever is wrong there, the one who reads it says so.
  }
}
