import { Command, InvalidArgumentError, Option } from 'commander';
import type { Recipients, Rewrapping, Vault } from '../../config/settings.js';
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { DoneFile } from '../../transfer/rewrap/done-file.js';
import { assertKeepsConditions } from '../../transfer/rewrap/keeps-conditions.js';
import { Rehearsal } from '../../transfer/rewrap/opener.js';
import { listTree } from '../../transfer/tree/get-tree.js';
import { folderPrefix } from '../../transfer/tree/names.js';
import {
  rewrapEntry,
  rewrapTree,
  type RewrapEntryJob,
  type RewrapEvent,
} from '../../transfer/tree/rewrap-tree.js';
import { openOutput, type Environment } from '../command.js';
import { confirm } from '../confirm.js';
import * as shared from '../options.js';
import { formatBytes, type Output } from '../output.js';
import { startTreeProgress } from '../progress.js';
import {
  headersOf,
  isKms,
  modeOf,
  openRewrapKeys,
  recipientsOf,
  type RewrapKeyOptions,
} from '../rewrap-keys.js';
import * as tree from '../tree-options.js';
import { TreeReporter } from '../tree-report.js';

interface RewrapOptions
  extends
    RewrapKeyOptions,
    shared.DecryptOptions,
    shared.StoreOptions,
    shared.OutputOptions,
    shared.BindingOptions,
    tree.TreeOptions {
  rebind?: string;
  resume?: string;
  unconditional?: boolean;
  deleteVersions?: boolean;
  yes?: boolean;
}

const EXAMPLES = `
Examples:
  sealdrop rewrap -r s3://lab/2026/ --to new_public.pem --private-key old_private.pem --private-key new_private.pem
  sealdrop rewrap -r lab: --to recovery.pem --add --dry-run
  sealdrop rewrap -r lab: --to left.pem --remove --public-key team.pem --resume rewrap.jsonl
  sealdrop rewrap -r s3://lab/archive/ --rebind 2026/ --to public_key.pem --private-key private_key.pem

Each object is opened and encrypted again in one stream, with a new data key, and takes the place of the very object
that was read. Of an object of the S3 Encryption Client only the wrapped key is replaced; its body stays in the store.
What somebody else writes meanwhile stays. It does not revoke: older versions, backups and headers that were saved
before still open with the old key (docs/rewrap.md).`;

/** Of two, the first would be locked out in silence. */
function once(value: string, previous: string | undefined): string {
  if (previous === undefined) return value;
  throw new InvalidArgumentError('It is given twice: for several keys name a key set of them.');
}

export function rewrapCommand(environment: Environment): Command {
  const command = new Command('rewrap')
    .description('encrypt objects of a vault to other keys, in their places')
    .argument('<source>', 's3://bucket/key, file:///directory/key, or NAME:key of a configured vault')
    .requiredOption('--to <keyset>', 'key set, or public key, that the objects shall be for', once)
    .addOption(new Option('--add', 'besides those that they are for now').conflicts('remove'))
    .addOption(new Option('--remove', 'all that they are for now but these'))
    .addOption(
      new Option(
        '--rebind <prefix>',
        'what the keys began with before another tool moved them: bind them anew',
      ),
    )
    .addOption(new Option('--again', 'also what says that it is for these keys already'))
    .addOption(
      new Option('--unconditional', 'though the store keeps no conditions on writes: nobody else may write'),
    )
    .addOption(new Option('--resume <file>', 'note there what is done, and go on from it'))
    .addOption(new Option('--delete-versions', 'remove older versions of what is rewrapped, for good'))
    .addOption(new Option('-y, --yes', 'with --delete-versions: do not ask'));
  tree.treeOptions(command, 'take all that lies below the address');
  shared.bindingOptions(shared.bothWaysOptions(command));
  shared.transferOptions(shared.storeOptions(command));
  return shared
    .outputOptions(command)
    .addHelpText('after', EXAMPLES + '\n' + tree.FILTER_HELP)
    .action(async (source: string, options: RewrapOptions) => {
      const output = openOutput(environment, options);
      // A resume file and a dry run are good for one object too.
      if (options.recursive !== true) tree.assertNoTreeOptions({ ...options, dryRun: false, resume: false });
      const recipients = await openRewrapKeys(options, environment);
      const opened =
        options.dryRun === true
          ? undefined
          : await environment.parts.openRewrapping(shared.decryptSettings(options));
      const vault = await environment.parts.openVault(source, 'read', shared.storeSettings(options));
      try {
        await run(source, vault, { options, environment, output, recipients, opened });
      } finally {
        vault.store.close();
      }
    });
}

interface RewrapContext {
  options: RewrapOptions;
  environment: Environment;
  output: Output;
  recipients: Recipients;
  /** Absent in a dry run. */
  opened: Rewrapping | undefined;
}

async function run(source: string, vault: Vault, context: RewrapContext): Promise<void> {
  const { options, environment, output, recipients, opened } = context;
  const decryptor = opened?.decryptor;
  const { signal } = environment;
  const { store, key, binding, allowed } = vault;
  const onUnopened = unopened(context);
  const below = options.recursive === true ? folderPrefix(key) : undefined;
  await assertThere(source, vault, below, signal);
  if (decryptor !== undefined && !(await prepare(vault, context, onUnopened))) return;
  const done =
    options.resume === undefined || decryptor === undefined
      ? undefined
      : await DoneFile.open(options.resume, {
          store: store.address(''),
          mode: modeOf(options) + (options.rebind === undefined ? '' : ` rebind ${options.rebind}`),
          to: recipients.to.map(({ fingerprint }) => fingerprint),
        });
  const job: RewrapEntryJob = {
    ...{ store, binding, allowed, decryptor, signal, done },
    ...{ moved: options.moved, unbound: options.unbound, context: options.context },
    inspector: await environment.parts.openInspector(),
    recipients: recipientsOf(recipients, options, decryptor, onUnopened),
    headers: headersOf(recipients, options, opened, onUnopened),
    // With -r it is a folder, with or without a slash at its end, as the address is.
    rebind:
      below === undefined || options.rebind === undefined ? options.rebind : folderPrefix(options.rebind),
    unconditional: options.unconditional,
    deleteVersions: options.deleteVersions,
  };
  try {
    if (below === undefined) await rewrapOne(key, job, context);
    else await rewrapBelow(below, job, context);
  } finally {
    if (signal.aborted) output.note('what was rewrapped stays; the same command goes on from there');
    await done?.close();
  }
}

/** Before anything is written, or asked. */
async function assertThere(
  source: string,
  { store, key }: Vault,
  below: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (below === undefined) {
    if (key === '' || key.endsWith('/'))
      throw new SealdropError('usage', `${printable(source)} names no single object`, {
        hint: 'all that lies below it is taken with -r',
      });
    await store.head(key, { signal });
    return;
  }
  for await (const _info of store.list(below, { signal })) return;
  throw new SealdropError('object_not_found', `there is nothing below ${printable(store.address(below))}`, {
    hint: 'see what there is: sealdrop ls; with -r the address is that of a folder',
  });
}

/** What has to be known before the first object is replaced. @returns false where somebody said no */
async function prepare(
  { store, key }: Vault,
  context: RewrapContext,
  onUnopened: () => void,
): Promise<boolean> {
  const { options, environment, output, recipients, opened } = context;
  const { signal } = environment;
  // Whom else an object will be for is known when it is read.
  const { to, encryptorFor } = recipients;
  // Nor whether KMS opens what is for it: that may depend on the object's context.
  const isKnown = modeOf(options) === 'set' && !to.some(isKms);
  if (isKnown && (await new Rehearsal(opened!.decryptor).openerOf(encryptorFor(to), {})) === undefined)
    onUnopened();
  const question = 'remove all older versions of what is rewrapped for good?';
  if (options.deleteVersions === true && options.yes !== true && !(await confirm(question, signal))) {
    output.note('nothing was done');
    return false;
  }
  const folder = key.slice(0, key.lastIndexOf('/') + 1);
  if (options.unconditional !== true) await assertKeepsConditions(store, folder, signal);
  return true;
}

/** Says it once. What it returns throws `key_required` where older versions, which open, would go for what may not. */
function unopened({ options, output }: RewrapContext): () => void {
  let told = false;
  return () => {
    if (options.deleteVersions === true)
      throw new SealdropError(
        'key_required',
        'no private key given opens what would be made: the older versions stay',
        { hint: 'give one that does besides, --private-key FILE, or leave --delete-versions out' },
      );
    if (!told)
      output.note(
        'no private key given opens what will be made: its framing is checked, and what it says of itself',
      );
    told = true;
  };
}

const describe = ({ rewrapped, versionsRemoved }: RewrapEvent): object => {
  const { plaintextSize, bound } = rewrapped ?? {};
  if (rewrapped?.outcome !== 'rewrapped') return { plaintextSize, bound };
  const { size, etag, version, unguarded, recipients, proof: verified } = rewrapped;
  const checked = 'checked' in rewrapped ? rewrapped.checked : undefined;
  return {
    ...{ plaintextSize, size, etag, version, checked, verified, unguarded, bound, versionsRemoved },
    recipients: recipients.map(({ namespace, name, fingerprint }) => ({ namespace, name, fingerprint })),
  };
};

export const REVOKES_NOT =
  'this does not revoke: older versions, backups and headers that were saved before still open with the old key';

async function rewrapOne(key: string, job: RewrapEntryJob, context: RewrapContext): Promise<void> {
  const { output, options } = context;
  const event = await rewrapEntry({ key, etag: '', size: 0 }, '', job);
  const address = job.store.address(key);
  const said = { done: 'rewrapped', present: 'there already', planned: 'would be rewrapped' }[
    event.outcome as 'done' | 'present' | 'planned'
  ];
  const removed = event.versionsRemoved ? `, ${versions(event.versionsRemoved)} removed` : '';
  output.result(
    { outcome: event.outcome, address, key, ...describe(event) },
    `${said}: ${printable(address)} (${formatBytes(event.bytes ?? 0)}${removed})`,
  );
  if (event.rewrapped?.bound === 'unbound')
    output.warn('the message names no key, so the store could have put another in its place');
  if (event.outcome === 'done' && modeOf(options) !== 'add') output.note(REVOKES_NOT);
}

const versions = (n: number): string => (n === 1 ? '1 older version' : `${n} older versions`);

async function rewrapBelow(prefix: string, job: RewrapEntryJob, context: RewrapContext): Promise<void> {
  const { options, environment, output } = context;
  const { store } = job;
  const listed = { store, prefix, filter: tree.filterOf(options), signal: environment.signal };
  const reporter = new TreeReporter(environment, output, {
    done: 'rewrapped',
    planned: 'would be rewrapped',
    resumes: false,
  });
  const progress = startTreeProgress(output);
  const counting = progress.shown ? countObjects(listed, progress) : Promise.resolve();
  let removed = 0;
  try {
    const report = await rewrapTree({
      ...{ ...job, ...listed, width: options.files ?? tree.DEFAULT_FILES },
      onBytes: (bytes) => progress.moved(bytes),
      onEvent: (event) => {
        if (event.outcome !== 'left_out') progress.fileDone();
        removed += event.versionsRemoved ?? 0;
        const names = { address: store.address(event.key) };
        reporter.tell(event, names, () => ({ ...names, key: event.key, ...describe(event) }));
      },
    });
    progress.stop();
    reporter.end(report);
    if (removed > 0) output.note(`${versions(removed)} removed`);
    if (report.done > 0 && modeOf(options) !== 'add') output.note(REVOKES_NOT);
  } finally {
    progress.stop();
    await counting;
  }
}

async function countObjects(
  listed: Parameters<typeof listTree>[0],
  progress: ReturnType<typeof startTreeProgress>,
): Promise<void> {
  try {
    for await (const { info } of listTree(listed)) progress.expect(info.size);
  } catch {
    // Whatever is wrong there, the one who rewraps it says so.
  }
}
