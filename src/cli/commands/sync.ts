import { realpath, stat } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseAddress } from '../../address.js';
import type { Vault } from '../../config/settings.js';
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { isWithin, realTarget } from '../../real-path.js';
import { syncDown } from '../../transfer/sync/down.js';
import { indexPath } from '../../transfer/sync/index-file.js';
import { sync, type DeletionLimit, type Direction, type Entry } from '../../transfer/sync/sync.js';
import { syncUp } from '../../transfer/sync/up.js';
import { folderPrefix } from '../../transfer/tree/names.js';
import { LINK_RULES, type LinkRule } from '../../transfer/tree/walk.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import type { Output } from '../output.js';
import { ownFiles } from '../own-files.js';
import { LEAVE_OUT, warnOfPrivateKey } from '../private-key-warning.js';
import { startTreeProgress, type TreeProgress } from '../progress.js';
import { readSyncKey } from '../sync-key.js';
import { SyncReport } from '../sync-report.js';
import { assertOutsideVaults } from '../targets.js';
import { assertTakes, newVaultFor } from '../../transfer/unbound-format.js';
import { DEFAULT_FILES, FILTER_HELP, filterOf, filterOptions, type TreeOptions } from '../tree-options.js';

interface SyncOptions
  extends
    shared.EncryptOptions,
    shared.InstructionOptions,
    shared.DecryptOptions,
    Omit<shared.StoreOptions, 'checksum'>,
    shared.OutputOptions,
    shared.BindingOptions,
    Pick<TreeOptions, 'include' | 'exclude' | 'files' | 'dryRun'> {
  delete?: boolean;
  maxDelete?: DeletionLimit;
  /** Of the content: not how a store checks parts. */
  checksum?: boolean;
  syncKey?: string;
  /** False: none is kept; undefined: at the usual place. */
  index?: string | false;
  symlinks: LinkRule;
  force?: boolean;
}

const EXAMPLES = `
Examples:
  sealdrop sync results/ s3://lab/2026/ --public-key public_key.pem --endpoint-url https://s3.v3.abci.ai
  sealdrop sync results/ lab:2026/ --delete --dry-run
  sealdrop sync s3://lab/2026/ copy/ --private-key private_key.pem --endpoint-url https://s3.v3.abci.ai

Makes what lies below the target like what lies below the source: the contents of a folder and the keys below a prefix.
What is the same is told by sizes, times and an index of this machine, without reading anything; with --checksum by a
digest that only the sync key makes. Without --delete nothing is removed. Removal stops where the source is empty, where
anything failed, and at --max-delete. To look first: --dry-run.`;

const TENTH: DeletionLimit = { share: 0.1 };

export function syncCommand(environment: Environment): Command {
  const command = filterOptions(
    new Command('sync')
      .description('make a vault like a folder, or a folder like a vault')
      .argument('<source>', 'a folder, or s3://bucket/prefix/, file:///directory/, NAME:prefix/')
      .argument('<target>', 'the other'),
  )
    .addOption(new Option('--delete', 'remove from the target what the source doesn’t have'))
    .addOption(
      new Option(
        '--max-delete <n>',
        'refuse to remove more: a number, or a share as 50% (default: 10%)',
      ).argParser(parseLimit),
    )
    .addOption(new Option('--checksum', 'compare by content; needs --sync-key'))
    .addOption(
      new Option('--sync-key <file>', 'key for it: sealdrop keygen --sync-key FILE').env('SEALDROP_SYNC_KEY'),
    )
    .addOption(new Option('--index <file>', 'where this machine remembers what it synced'))
    .addOption(new Option('--no-index', 'remember nothing'))
    .addOption(
      new Option('--symlinks <rule>', 'what to do with symbolic links of a source')
        .choices(LINK_RULES)
        .default('skip'),
    )
    .addOption(
      new Option('--files <n>', `files at the same time (default: ${DEFAULT_FILES})`).argParser(
        shared.positive,
      ),
    )
    .addOption(new Option('--dry-run', 'say what would be done, and do nothing'))
    .addOption(new Option('--force', 'write files named sealdrop.config.json, too'));
  shared.bindingOptions(shared.bothWaysOptions(shared.syncFormatOptions(command)));
  return shared
    .outputOptions(shared.storeOptions(command))
    .addHelpText('after', EXAMPLES + '\n' + FILTER_HELP)
    .action(async (source: string, target: string, options: SyncOptions) => {
      const output = openOutput(environment, options);
      const context = { options, environment, output };
      const [from, to] = [isFolder(source), isFolder(target)];
      if (from === to)
        throw new SealdropError(
          'usage',
          `sync needs a folder and a vault, and these are two ${from ? 'folders' : 'vaults'}`,
          {
            hint: 'a vault is s3://bucket/prefix/, file:///directory/ or the NAME: of one; anything else is a folder',
          },
        );
      assertOptions(options);
      await (from ? up(source, target, context) : down(source, target, context));
    });
}

/** The place itself is what may become a vault, not what it lies in. */
const asPlace = (address: string): string =>
  parseAddress(address).kind === 'file' && !address.endsWith('/') ? `${address}/` : address;

/** A bare path is a folder here, whatever put would make of it. */
function isFolder(text: string): boolean {
  const address = parseAddress(text);
  if (address.kind === 'stdio') throw new SealdropError('usage', 'sync takes no standard input or output');
  return address.kind === 'file' && !address.named;
}

function assertOptions({ checksum, syncKey, maxDelete, delete: remove }: SyncOptions): void {
  if (checksum === true && syncKey === undefined)
    throw new SealdropError('usage', '--checksum needs a sync key', {
      hint: 'sealdrop keygen --sync-key FILE makes one; every machine that syncs this tree needs the same',
    });
  if (maxDelete !== undefined && remove !== true)
    throw new SealdropError('usage', '--max-delete goes with --delete');
}

function parseLimit(text: string): DeletionLimit {
  const match = /^(\d{1,9})(%?)$/.exec(text);
  const value = Number(match?.[1]);
  if (match === null || (match[2] === '%' && value > 100))
    throw new InvalidArgumentError('It must be a number, or a share from 0% to 100%.');
  return match[2] === '%' ? { share: value / 100 } : { count: value };
}

interface SyncContext {
  options: SyncOptions;
  environment: Environment;
  output: Output;
}

async function up(source: string, target: string, context: SyncContext): Promise<void> {
  const { options, environment, output } = context;
  const { parts, signal } = environment;
  const root = await realFolder(source);
  const syncKey = await syncKeyOf(options);
  const encryptor = await parts.openEncryptor(shared.encryptSettings(options, target));
  // A dry run makes no vault.
  const use = options.dryRun === true ? 'plan' : 'write';
  const settings = { ...storeSettingsOf(options), ...newVaultFor(encryptor) };
  const vault = await parts.openVault(asPlace(target), use, settings);
  assertTakes(vault, encryptor);
  await assertApart(root, vault);
  if (vault.created) output.note(`made a new vault: ${printable(vault.store.address(''))}`);
  const progress = startTreeProgress(output);
  const direction = syncUp({
    ...{
      root,
      encryptor,
      signal,
      context: options.context,
      filter: filterOf(options),
      links: options.symlinks,
    },
    vault: placeOf(vault),
    ...(syncKey && { syncKey }),
    onBytes: (bytes) => progress.moved(bytes),
  });
  const onStored = (path: string) => warnOfPrivateKey(path, output, LEAVE_OUT);
  await run(direction, { ...context, root, vault, progress, done: 'stored', onStored });
}

async function down(source: string, target: string, context: SyncContext): Promise<void> {
  const { options, environment, output } = context;
  const { parts, signal } = environment;
  const syncKey = await syncKeyOf(options);
  const decryptor = await parts.openDecryptor(shared.decryptSettings(options));
  await assertOutsideVaults(target, parts);
  const root = await realTarget(target);
  const vault = await parts.openVault(asPlace(source), 'read', storeSettingsOf(options));
  await assertApart(root, vault);
  const progress = startTreeProgress(output);
  const { moved, unbound, context: required, force } = options;
  const direction = syncDown({
    ...{ root, decryptor, signal, filter: filterOf(options), ...boundOf(vault) },
    ...{ moved, unbound, context: required, force },
    ...(force !== true && { protect: ownFiles(options, environment) }),
    vault: placeOf(vault),
    ...(syncKey && { syncKey }),
    onBytes: (bytes) => progress.moved(bytes),
  });
  await run(direction, { ...context, root, vault, progress, done: 'written' });
}

const storeSettingsOf = ({ checksum: _, ...options }: SyncOptions) => shared.storeSettings(options);

const boundOf = ({ binding, allowed }: Vault) => ({ binding, allowed });

const placeOf = ({ store, key }: Vault) => ({ store, prefix: folderPrefix(key) });

async function syncKeyOf({ checksum, syncKey }: SyncOptions) {
  return checksum === true && syncKey !== undefined ? readSyncKey(syncKey) : undefined;
}

/** @throws SealdropError `source_not_found`, `usage` */
async function realFolder(path: string): Promise<string> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new SealdropError('source_not_found', `there is no folder ${printable(path)}`, { cause });
  });
  if (!stats.isDirectory()) throw new SealdropError('usage', `${printable(path)} is no folder`);
  return realpath(path);
}

/** @throws SealdropError `usage` where one lies in the other */
async function assertApart(folder: string, { store, key }: Vault): Promise<void> {
  const vault = store.address(key);
  const directory = directoryOf(vault);
  if (directory === undefined) return;
  if (!(await isWithin(folder, directory)) && !(await isWithin(directory, folder))) return;
  throw new SealdropError('usage', `${printable(folder)} and ${printable(vault)} overlap`, {
    hint: 'ciphertext would be encrypted again: name places that lie apart',
  });
}

/** Of a vault that is one. */
function directoryOf(vault: string): string | undefined {
  const address = parseAddress(vault);
  return address.kind === 'file' ? address.path : undefined;
}

/** @throws SealdropError `usage` where it would be synced itself */
async function indexOf({ index }: SyncOptions, root: string, place: string): Promise<string | undefined> {
  if (index === false) return undefined;
  const path = index ?? indexPath(root, place);
  for (const folder of [root, directoryOf(place)])
    if (folder !== undefined && (await isWithin(path, folder)))
      throw new SealdropError('usage', `the index ${printable(path)} would lie in what is synced`, {
        hint: 'name a place elsewhere with --index FILE, or keep none: --no-index',
      });
  return path;
}

interface RunContext extends SyncContext {
  root: string;
  vault: Vault;
  progress: TreeProgress;
  /** Word for a transfer. */
  done: string;
  /** Of an upload: for each path that is stored, or would be. */
  onStored?: (path: string) => void;
}

async function run<A extends Entry, B extends Entry>(
  direction: Direction<A, B>,
  context: RunContext,
): Promise<void> {
  const { options, environment, output, root, vault, progress } = context;
  const { signal } = environment;
  const tally = new SyncReport({
    environment,
    output,
    done: context.done,
    dryRun: options.dryRun === true,
    removes: options.delete === true,
  });
  try {
    const index = await indexOf(options, root, vault.store.address(folderPrefix(vault.key)));
    const events = sync({
      ...{ direction, signal, width: options.files ?? DEFAULT_FILES },
      ...(index !== undefined && { index, mayLoseIndex: options.index === undefined }),
      ...(options.delete === true && { deletion: options.maxDelete ?? TENTH }),
      ...(options.dryRun === true && { dryRun: true }),
      onTransfer: (bytes) => progress.expect(bytes),
      onIndexLost: (error) => output.warn(`${(error as Error).message}; the next sync asks the store more`),
    });
    for await (const event of events) {
      if (event.outcome === 'transferred') progress.fileDone();
      if (event.outcome === 'transferred' || event.outcome === 'would_transfer')
        context.onStored?.(event.path);
      tally.tell(event);
    }
    progress.stop();
    tally.end();
  } catch (error) {
    progress.stop();
    // What was done before it stays done.
    if (tally.told) tally.end();
    if (signal.aborted && options.dryRun !== true) output.note('the same command goes on from there');
    throw error;
  } finally {
    vault.store.close();
  }
}
