import { Command, Option } from 'commander';
import type { Vault } from '../../config/settings.js';
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { assertNotInUse, removeWithInstruction } from '../../transfer/instruction-file.js';
import { readMetadata } from '../../transfer/metadata.js';
import { listTree } from '../../transfer/tree/get-tree.js';
import { folderPrefix } from '../../transfer/tree/names.js';
import { removeTree, versionOf } from '../../transfer/tree/remove-tree.js';
import { forEach, openOutput, type Environment } from '../command.js';
import { confirm } from '../confirm.js';
import { headOne, isAnythingBelow } from '../objects.js';
import * as shared from '../options.js';
import { formatBytes, type Output } from '../output.js';
import * as tree from '../tree-options.js';
import { TreeReporter } from '../tree-report.js';

interface RemoveOptions extends shared.StoreOptions, shared.OutputOptions, tree.TreeOptions {
  yes?: boolean;
  all?: boolean;
}

const EXAMPLES = `
Examples:
  sealdrop rm s3://lab/2026/results.csv --endpoint-url https://s3.v3.abci.ai
  sealdrop rm -r s3://lab/2026/tmp --dry-run
  sealdrop rm -r s3://lab/2026/tmp --include '*.tmp' --yes

With -r the address is that of a folder, with or without a slash at its end: never of what only begins as it does.
In a versioned bucket older versions stay, as with every S3 tool.
${tree.FILTER_HELP}`;

export function rmCommand(environment: Environment): Command {
  const command = new Command('rm')
    .description('remove objects from a vault')
    .argument('<object...>', 'addresses');
  tree
    .treeOptions(command, 'remove all that lies below an address')
    .addOption(new Option('-y, --yes', 'with -r: do not ask'))
    .addOption(new Option('--all', 'with -r: allow an address that is the whole vault'));
  return shared
    .outputOptions(shared.storeOptions(command))
    .addHelpText('after', EXAMPLES)
    .action(async (addresses: string[], options: RemoveOptions) => {
      const output = openOutput(environment, options);
      if (options.recursive !== true) tree.assertNoTreeOptions(options);
      await forEach(addresses, environment, output, async (address) => {
        const vault = await environment.parts.openVault(address, 'read', shared.storeSettings(options));
        try {
          if (options.recursive === true) await removeBelow(address, vault, { environment, options, output });
          else await removeOne(address, vault, { environment, output });
        } finally {
          vault.store.close();
        }
      });
    });
}

async function removeOne(
  address: string,
  { store, key }: Vault,
  { environment: { signal }, output }: { environment: Environment; output: Output },
): Promise<void> {
  if (key === '' || key.endsWith('/'))
    throw new SealdropError('usage', `${printable(address)} names no single object`, {
      hint: 'all that lies below it is removed with -r',
    });
  // S3 answers that it removed what was never there; a typing mistake should not pass for success.
  const { metadata } = await headOne(store, key, { command: 'rm', signal });
  await assertNotInUse(store, key, signal);
  // Our other formats have none: looking would be a request more.
  const { format = '' } = readMetadata(metadata);
  await (['esdk', 'plain'].includes(format)
    ? store.remove(key, { signal })
    : removeWithInstruction(store, key, { signal }));
  output.result({ address: store.address(key), removed: true }, `removed ${printable(store.address(key))}`);
}

async function removeBelow(
  address: string,
  { store, key, whole = key === '' }: Vault,
  context: { environment: Environment; options: RemoveOptions; output: Output },
): Promise<void> {
  const { environment, options, output } = context;
  const { signal } = environment;
  const prefix = folderPrefix(key);
  if (whole && options.all !== true && options.dryRun !== true)
    throw new SealdropError('usage', `${printable(address)} is the whole vault`, {
      hint: 'if that is meant: --all (and look first with --dry-run)',
    });
  const listed = { store, prefix, filter: tree.filterOf(options), signal };
  const sum = { objects: 0, bytes: 0 };
  const asks = options.dryRun !== true && options.yes !== true;
  const only = new Set<string>();
  for await (const { info } of listTree(listed)) {
    if (asks) only.add(versionOf(info));
    sum.objects++;
    sum.bytes += info.size;
  }
  const place = printable(store.address(prefix));
  // Where a filter leaves nothing, that is what was asked for.
  if (sum.objects === 0 && !(await isAnythingBelow(store, prefix, signal)))
    throw new SealdropError('object_not_found', `there is nothing to remove below ${place}`, {
      hint: 'see what there is: sealdrop ls; with -r the address is that of a folder',
    });
  const count = sum.objects === 1 ? '1 object' : `${sum.objects} objects`;
  const question = `remove ${count} (${formatBytes(sum.bytes)}) below ${place}?`;
  if (asks && sum.objects > 0 && !(await confirm(question, signal)))
    return output.note('nothing was removed');
  const reporter = new TreeReporter(environment, output, {
    done: 'removed',
    planned: 'would be removed',
    resumes: false,
  });
  const report = await removeTree({
    ...{ ...listed, dryRun: options.dryRun, width: options.files ?? tree.DEFAULT_FILES },
    ...(asks && { only }),
    onEvent: (event) => {
      const names = { address: store.address(event.key) };
      reporter.tell(event, names, () => ({ ...names, removed: true }));
    },
  });
  reporter.end(report);
}
