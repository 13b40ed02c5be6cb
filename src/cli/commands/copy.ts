import { basename } from 'node:path/posix';
import { Command, Option } from 'commander';
import { parseAddress } from '../../address.js';
import type { Vault } from '../../config/settings.js';
import { SealdropError } from '../../errors.js';
import type { Decryptor, Encryptor } from '../../ports.js';
import { printable } from '../../printable.js';
import { isWithin } from '../../real-path.js';
import { copy, type CopyReport } from '../../transfer/rewrap/copy.js';
import { Rehearsal } from '../../transfer/rewrap/opener.js';
import { copyTree } from '../../transfer/tree/copy-tree.js';
import { folderPrefix } from '../../transfer/tree/names.js';
import { openOutput, type Environment } from '../command.js';
import { headOne, isAnythingBelow } from '../objects.js';
import * as shared from '../options.js';
import { formatBytes, type Output } from '../output.js';
import { startTreeProgress } from '../progress.js';
import * as tree from '../tree-options.js';
import { TreeReporter } from '../tree-report.js';

interface CopyOptions
  extends
    shared.EncryptOptions,
    shared.DecryptOptions,
    shared.StoreOptions,
    shared.OutputOptions,
    shared.BindingOptions,
    tree.TreeOptions {
  overwrite: boolean;
}

const EXAMPLES = (name: string) => `
Examples:
  sealdrop ${name} s3://lab/2026/results.csv s3://lab/archive/ --public-key public_key.pem --private-key private_key.pem
  sealdrop ${name} -r lab:2026/ archive:2026/

A message is bound to its key, so it is opened and encrypted again under the new one, in one stream; nothing of it is
written anywhere else. With -r all that lies below the source goes below the target: 2026/a becomes archive/a.`;

const WORDS = {
  cp: { about: 'copy objects within a vault or to another one', done: 'copied' },
  mv: { about: 'move objects within a vault or to another one', done: 'moved' },
};

export const cpCommand = (environment: Environment): Command => command('cp', environment);
export const mvCommand = (environment: Environment): Command => command('mv', environment);

function command(name: keyof typeof WORDS, environment: Environment): Command {
  const made = new Command(name)
    .description(WORDS[name].about)
    .argument('<source>', 's3://bucket/key, file:///directory/key, or NAME:key of a configured vault')
    .argument('<target>', 'the same; a slash at its end takes the name of the source')
    .addOption(new Option('--no-overwrite', 'refuse to replace an object'));
  tree.treeOptions(made, 'take all that lies below the source');
  shared.bindingOptions(shared.bothWaysOptions(made));
  shared.transferOptions(shared.storeOptions(made));
  return shared
    .outputOptions(made)
    .addHelpText('after', EXAMPLES(name) + '\n' + tree.FILTER_HELP)
    .action(async (source: string, target: string, options: CopyOptions) => {
      const output = openOutput(environment, options);
      if (options.recursive !== true) tree.assertNoTreeOptions(options);
      await assertNoFile(source, environment, 'files go into a vault with sealdrop put');
      await assertNoFile(target, environment, 'objects are taken out into files with sealdrop get');
      const { parts } = environment;
      const encryptor = await parts.openEncryptor(shared.encryptSettings(options));
      const decryptor = await parts.openDecryptor(shared.decryptSettings(options));
      const from = await parts.openVault(source, 'read', shared.storeSettings(options));
      try {
        await assertThere(source, from, { name, recursive: options.recursive, signal: environment.signal });
        const to = await openTarget(target, options, environment);
        try {
          const places = { source, target, from, to };
          const context = { name, options, environment, output, encryptor, decryptor };
          await assertApart(places, options.recursive === true);
          if (to.created) output.note(`made a new vault: ${printable(to.store.address(''))}`);
          await (options.recursive === true ? copyBelow(places, context) : copyOne(places, context));
        } finally {
          to.store.close();
        }
      } finally {
        from.store.close();
      }
    });
}

/**
 * A bare path is a key only where it lies in a vault.
 * @throws SealdropError `usage`
 */
async function assertNoFile(name: string, { parts, config }: Environment, hint: string): Promise<void> {
  const address = parseAddress(name);
  // A vault's name without its colon is told as such.
  if (address.kind !== 'file' || address.named || config?.config.vaults.has(address.path) === true) return;
  if ((await parts.vaultAround(address.path)) !== undefined) return;
  throw new SealdropError('usage', `${printable(name)} does not lie in a vault`, { hint });
}

interface Places {
  source: string;
  target: string;
  from: Vault;
  to: Vault;
}

interface CopyContext {
  name: keyof typeof WORDS;
  options: CopyOptions;
  environment: Environment;
  output: Output;
  encryptor: Encryptor;
  decryptor: Decryptor;
}

async function openTarget(target: string, options: CopyOptions, { parts }: Environment): Promise<Vault> {
  const address = parseAddress(target);
  const recursive = options.recursive === true;
  // Below it many go: the place itself is what may become a vault, not what it lies in.
  const place = recursive && address.kind === 'file' && !target.endsWith('/') ? `${target}/` : target;
  return parts.openVault(place, options.dryRun === true ? 'plan' : 'write', shared.storeSettings(options));
}

/** Before a new vault is made for it. */
async function assertThere(
  source: string,
  { store, key }: Vault,
  { name, recursive, signal }: { name: string; recursive?: boolean | undefined; signal: AbortSignal },
): Promise<void> {
  if (recursive !== true) {
    if (key === '' || key.endsWith('/'))
      throw new SealdropError('usage', `${printable(source)} names no single object`, {
        hint: 'all that lies below it is taken with -r',
      });
    await headOne(store, key, { command: name, signal });
    return;
  }
  const prefix = folderPrefix(key);
  if (await isAnythingBelow(store, prefix, signal)) return;
  throw new SealdropError('object_not_found', `there is nothing below ${printable(store.address(prefix))}`, {
    hint: 'see what there is: sealdrop ls; with -r the address is that of a folder',
  });
}

/** @throws SealdropError `same_file`, `usage` */
async function assertApart(places: Places, recursive: boolean): Promise<void> {
  assertApartByName(places, recursive);
  const { from, to } = places;
  await assertApartOnDisk(
    from.store.address(recursive ? folderPrefix(from.key) : from.key),
    to.store.address(recursive ? folderPrefix(to.key) : targetKey(from, to)),
  );
}

/** @throws SealdropError `same_file`, `usage` */
function assertApartByName({ source, target, from, to }: Places, recursive: boolean): void {
  if (from.store.address('') !== to.store.address('')) return;
  const [a, b] = [parseAddress(source), parseAddress(target)];
  // Buckets of one name at two endpoints, as far as anybody can tell.
  const mayDiffer = a.kind === 'named' && b.kind === 'named' && a.vault !== b.vault;
  if (!recursive) {
    if (from.key === targetKey(from, to) && !mayDiffer)
      throw new SealdropError('same_file', `${printable(source)} is source and target at once`);
    return;
  }
  const [above, below] = [folderPrefix(from.key), folderPrefix(to.key)];
  const overlap = above.startsWith(below) || below.startsWith(above);
  if (!overlap || (mayDiffer && above === below)) return;
  throw new SealdropError('usage', `${printable(source)} and ${printable(target)} overlap`, {
    hint: 'what was copied would be copied again: name places that lie apart',
  });
}

/** By where paths lead: a link within a vault makes one object two. */
async function assertApartOnDisk(source: string, target: string): Promise<void> {
  const [a, b] = [parseAddress(source), parseAddress(target)];
  if (a.kind !== 'file' || b.kind !== 'file') return;
  if (!(await isWithin(a.path, b.path)) && !(await isWithin(b.path, a.path))) return;
  throw new SealdropError(
    'same_file',
    `${printable(source)} and ${printable(target)} are one place, or one lies in the other`,
    {
      hint: 'links are followed: name places that lie apart',
    },
  );
}

const targetKey = (from: Vault, to: Vault): string =>
  to.key === '' || to.key.endsWith('/') ? to.key + basename(from.key) : to.key;

async function jobOf({ from }: Places, context: CopyContext) {
  const { name, options, environment, encryptor, decryptor, output } = context;
  const rehearsal = new Rehearsal(decryptor);
  let told = false;
  const openerFor = async (pairs: Readonly<Record<string, string>>) => {
    const opener = await rehearsal.openerOf(encryptor, pairs);
    if (opener === undefined && !told)
      output.note(
        'no private key given opens what will be made: its framing is checked, and what it says of itself',
      );
    told ||= opener === undefined;
    return opener;
  };
  const { moved, unbound, context: required, overwrite } = options;
  return {
    ...{ encryptor, openerFor, inspector: await environment.parts.openInspector(), overwrite },
    ...{ binding: from.binding, allowed: from.allowed, moved, unbound, context: required },
    move: name === 'mv',
    signal: environment.signal,
  };
}

const describe = ({ plaintextSize, size, etag, version, checked, proof, bound, recipients }: CopyReport) => ({
  ...{ plaintextSize, size, etag, version, checked, verified: proof, bound },
  recipients: recipients.map(({ namespace, name, fingerprint }) => ({ namespace, name, fingerprint })),
});

async function copyOne(places: Places, context: CopyContext): Promise<void> {
  const { from, to } = places;
  const { output, decryptor, name } = context;
  const key = targetKey(from, to);
  const report = await copy({
    ...{ ...(await jobOf(places, context)), decryptor },
    ...{ from: { store: from.store, key: from.key }, to: { store: to.store, key } },
  });
  const [source, address] = [from.store.address(from.key), to.store.address(key)];
  const { done } = WORDS[name];
  output.result(
    { outcome: done, source, address, key, ...describe(report) },
    `${done}: ${printable(source)} -> ${printable(address)} (${formatBytes(report.plaintextSize)})`,
  );
  if (report.bound === 'unbound')
    output.warn('the source named no key, so the store could have put another in its place');
}

async function copyBelow(places: Places, context: CopyContext): Promise<void> {
  const { from, to } = places;
  const { name, options, environment, output, decryptor } = context;
  const { done } = WORDS[name];
  const words = { done, planned: `would be ${done}`, resumes: false };
  const reporter = new TreeReporter(environment, output, words);
  const progress = startTreeProgress(output);
  const target = folderPrefix(to.key);
  try {
    const report = await copyTree({
      ...{ ...(await jobOf(places, context)), width: options.files ?? tree.DEFAULT_FILES },
      decryptor: options.dryRun === true ? undefined : decryptor,
      from: { store: from.store, prefix: folderPrefix(from.key) },
      to: { store: to.store, prefix: target },
      filter: tree.filterOf(options),
      onBytes: (bytes) => progress.moved(bytes),
      onEvent: (event) => {
        if (event.outcome !== 'left_out') progress.fileDone();
        const key = target + event.path;
        const names = { source: from.store.address(event.key), address: to.store.address(key) };
        reporter.tell(event, names, () => ({ ...names, key, ...describe(event.copied!) }));
      },
    });
    progress.stop();
    reporter.end(report);
  } finally {
    progress.stop();
    if (environment.signal.aborted) output.note(`what was ${done} stays ${done}`);
  }
}
