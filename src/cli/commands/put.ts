import { basename, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { parseAddress } from '../../address.js';
import type { Vault } from '../../config/settings.js';
import { SealdropError } from '../../errors.js';
import type { Encryptor } from '../../ports.js';
import { printable, shellQuoted } from '../../printable.js';
import { objectContext } from '../../transfer/context.js';
import { ManifestWriter, type ManifestEntry } from '../../transfer/manifest.js';
import { counted } from '../../transfer/put.js';
import { putResumably } from '../../transfer/resume/put.js';
import type { ResumedPutReport } from '../../transfer/resume/run.js';
import { openFileSource, streamSource, type Source } from '../../transfer/source.js';
import { streamTarget } from '../../transfer/target.js';
import { forEach, openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import { formatBytes, type Output } from '../output.js';
import { warnOfPrivateKey } from '../private-key-warning.js';
import { startProgress } from '../progress.js';
import { putTrees } from '../put-tree.js';
import { noResumeOption, resumeFrom, sayOfResuming, sentNow } from '../resuming.js';
import { assertDistinct } from '../targets.js';
import { assertCarries, assertTakes, newVaultFor } from '../../transfer/unbound-format.js';
import * as tree from '../tree-options.js';

interface PutOptions
  extends
    shared.EncryptOptions,
    shared.InstructionOptions,
    shared.StoreOptions,
    shared.OutputOptions,
    tree.PutTreeOptions {
  context: Record<string, string>;
  overwrite: boolean;
  expectedSize?: number;
  preserve?: boolean;
  manifest?: string;
}

const EXAMPLES = `
Examples:
  sealdrop put results.csv s3://lab/2026/ --public-key public_key.pem --endpoint-url https://s3.v3.abci.ai
  tar c data | sealdrop put - s3://lab/data.tar --public-key public_key.pem --expected-size 40GiB
  sealdrop put notes.txt file:///mnt/share/vault/notes.txt --public-key public_key.pem
  sealdrop put notes.txt - --public-key public_key.pem > notes.encrypted
  sealdrop put -r experiments s3://lab/2026/ --public-key public_key.pem --exclude '*.tmp'

With -r the target is a place, with or without a slash at its end. A directory keeps its name there, as with cp -r:
"put -r data s3://lab/x" stores data/a as x/data/a. Named with a slash at its end, or as ., it doesn't, as with rsync:
"put -r data/ s3://lab/x" stores it as x/a.
${tree.FILTER_HELP}`;

export function putCommand(environment: Environment): Command {
  const command = new Command('put')
    .description('encrypt files into a vault')
    .usage('[options] <source...> <target>')
    .argument(
      '<names...>',
      'files, with -r directories too, or - for standard input; last the target: s3://bucket/key, file:///directory/key, or - for standard output',
    )
    .addOption(new Option('--no-overwrite', 'refuse to replace an object'))
    .addOption(
      new Option(
        '--manifest <file>',
        'add what is stored to a list that finds deletion and rollback (verify)',
      ),
    )
    .addOption(
      new Option('--expected-size <bytes>', 'of standard input; needed above 150GiB').argParser(
        shared.parseBytes,
      ),
    );
  shared.contextOption(
    command,
    'pair to keep, readable and authenticated, with the message; may be repeated',
  );
  tree.treeOptions(command, 'take directories with all that is in them');
  tree.localTreeOptions(noResumeOption(tree.resumeOption(command)));
  tree.preserveOption(command, 'keep modification times and permissions');
  shared.encryptOptions(shared.instructionOption(shared.formatOption(command)));
  shared.transferOptions(shared.storeOptions(command));
  return shared
    .outputOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], options: PutOptions) => {
      const sources = names.slice(0, -1);
      const target = names.at(-1)!;
      const output = openOutput(environment, { ...options, contentOnStdout: target === '-' });
      assertSources(sources, target);
      const context = { options, environment, output };
      if (options.recursive === true)
        return withManifest(options, async (manifest) =>
          putRecursively(sources, target, { ...context, manifest }),
        );
      tree.assertNoTreeOptions(options);
      const encryptor = await openEncryptor(target, options, environment);
      if (target === '-' && options.manifest !== undefined)
        throw new SealdropError('usage', 'a manifest is of what is stored in a vault');
      if (target === '-') return encryptToOutput(sources[0]!, { encryptor, options, output });
      // A new vault is made only for something that can be put into it.
      if (!(await anyReadable(sources))) return forEach(sources, environment, output, mustBeReadable);
      await assertPlaceOfNewVault(sources, target, environment);
      const settings = { ...shared.storeSettings(options), ...newVaultFor(encryptor) };
      const vault = await environment.parts.openVault(target, 'write', settings);
      if (vault.created) output.note(`made a new vault: ${printable(vault.store.address(''))}`);
      try {
        assertTakes(vault, encryptor);
        assertPlace(vault.key, sources, target);
        await withManifest(options, async (manifest) =>
          forEach(sources, environment, output, (source) =>
            putOne(source, { ...context, vault, encryptor, manifest }),
          ),
        );
      } finally {
        vault.store.close();
      }
    });
}

async function putRecursively(
  names: readonly string[],
  target: string,
  {
    options,
    environment,
    output,
    manifest,
  }: Pick<PutContext, 'options' | 'environment' | 'output' | 'manifest'>,
): Promise<void> {
  if (target === '-' || names.includes('-'))
    throw new SealdropError('usage', 'standard input and output take one file: leave -r out');
  const encryptor = await openEncryptor(target, options, environment);
  const address = parseAddress(target);
  // The place itself is what may become a vault, not what it lies in.
  const place = address.kind === 'file' && !target.endsWith('/') ? `${target}/` : target;
  await putTrees(names, {
    ...{ encryptor, options, environment, output },
    ...(manifest && { manifest }),
    openVault: async () => {
      // A dry run makes no vault.
      const use = options.dryRun === true ? 'plan' : 'write';
      const settings = { ...shared.storeSettings(options), ...newVaultFor(encryptor) };
      const vault = await environment.parts.openVault(place, use, settings);
      assertTakes(vault, encryptor);
      if (vault.created) output.note(`made a new vault: ${printable(vault.store.address(''))}`);
      return vault;
    },
  });
}

async function openEncryptor(
  target: string,
  options: PutOptions,
  { parts }: Environment,
): Promise<Encryptor> {
  const encryptor = await parts.openEncryptor(shared.encryptSettings(options, target));
  assertCarries(encryptor, options);
  return encryptor;
}

function assertSources(sources: readonly string[], target: string): void {
  if (sources.length === 0)
    throw new SealdropError('usage', `the target is missing after ${printable(target)}`, {
      hint: 'sealdrop put SOURCE TARGET, where TARGET is s3://bucket/key or file:///directory/key',
    });
  const address = sources.find((source) => /^(s3|file):\/\//.test(source));
  if (address !== undefined)
    throw new SealdropError('usage', `${printable(address)} is no file: the sources of put are files here`, {
      hint: 'sealdrop put SOURCE TARGET, with the vault last; objects are taken out with sealdrop get',
    });
  if (target === '-' && sources.length > 1)
    throw new SealdropError('usage', 'standard output takes one message: name one source');
  if (sources.filter((source) => source === '-').length > 1)
    throw new SealdropError('usage', 'standard input can be read once: name - once');
}

/** What the address alone tells, before a directory is made a vault for it. */
async function assertPlaceOfNewVault(
  sources: readonly string[],
  target: string,
  { parts }: Environment,
): Promise<void> {
  const address = parseAddress(target);
  if (address.kind !== 'file' || (await parts.vaultAround(address.path)) !== undefined) return;
  assertPlace(address.path.endsWith('/') ? '' : 'key', sources, target);
}

function assertPlace(key: string, sources: readonly string[], target: string): void {
  const isPlace = key === '' || key.endsWith('/');
  if (!isPlace && sources.length > 1)
    throw new SealdropError(
      'usage',
      `${sources.length} sources need a place for many: ${printable(target)}/`,
    );
  const names = sources.map((source) => basename(resolve(source)));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new SealdropError('usage', `two sources would be stored as ${printable(key + twice)}`, {
      hint: 'one would replace the other: put them into different places',
    });
  if (isPlace && sources.includes('-'))
    throw new SealdropError('usage', 'standard input has no name: name the whole key in the target');
}

async function anyReadable(sources: readonly string[]): Promise<boolean> {
  for (const source of sources) {
    const readable = await mustBeReadable(source).then(
      () => true,
      () => false,
    );
    if (readable) return true;
  }
  return false;
}

async function mustBeReadable(name: string): Promise<void> {
  if (name !== '-') await (await openFileSource(name)).close();
}

interface PutContext {
  vault: Vault;
  encryptor: Encryptor;
  options: PutOptions;
  environment: Environment;
  output: Output;
  manifest?: ManifestWriter | undefined;
}

/** The manifest is there, and one of ours, before anything is stored. */
async function withManifest(
  { manifest }: PutOptions,
  act: (manifest: ManifestWriter | undefined) => Promise<void>,
): Promise<void> {
  if (manifest === undefined) return act(undefined);
  const writer = await ManifestWriter.open(manifest);
  try {
    await act(writer);
  } finally {
    await writer.close();
  }
}

async function putOne(
  name: string,
  { vault, encryptor, options, environment, output, manifest }: PutContext,
): Promise<void> {
  const { store } = vault;
  const key = vault.key === '' || vault.key.endsWith('/') ? vault.key + basename(resolve(name)) : vault.key;
  const source = await openSource(name);
  if (name !== '-') await assertDistinct(name, store.address(key));
  const start = () => {
    const started = startProgress(output, printable(basename(name)));
    if (source.size !== undefined) started.total(source.size);
    return started;
  };
  let progress = start();
  try {
    const job = {
      source,
      store,
      key,
      encryptor,
      context: options.context,
      expectedSize: options.expectedSize,
      overwrite: options.overwrite,
      preserve: options.preserve,
      record: manifest && (async (entry: ManifestEntry) => manifest.add(entry)),
      signal: environment.signal,
      onProgress: (bytes: number) => progress.done(bytes),
    };
    const report = await putResumably(job, {
      from: resumeFrom(options, environment),
      onEvent: (event) => {
        // A line among those of the bar would be written over.
        progress.stop();
        sayOfResuming(event, abortOf(store.address(key)), output);
        if (event.kind !== 'kept') progress = start();
      },
    });
    progress.stop();
    warnOfPrivateKey(name, output);
    say(name, report, { vault, encryptor, output });
  } finally {
    progress.stop();
  }
}

async function openSource(name: string): Promise<Source> {
  return name === '-' ? streamSource(process.stdin) : openFileSource(name);
}

const abortOf = (address: string): string =>
  `sealdrop uploads abort ${shellQuoted(address)} --key --older-than 0`;

function say(
  name: string,
  report: ResumedPutReport,
  { vault, encryptor, output }: Pick<PutContext, 'vault' | 'encryptor' | 'output'>,
): void {
  const address = vault.store.address(report.key);
  output.result(
    {
      source: name,
      address,
      key: report.key,
      plaintextSize: report.plaintextSize,
      size: report.size,
      etag: report.etag,
      version: report.version,
      checked: report.checked,
      resumed: report.resumed,
      recipients: describeRecipients(encryptor),
      unfinishedUploads: report.unfinished,
    },
    `${printable(name)} -> ${printable(address)} (${formatBytes(report.plaintextSize)}${sentNow(report)})`,
  );
  for (const { id, started } of report.unfinished)
    output.warn(
      `an unfinished upload of ${printable(address)} lies at the store${started ? ` since ${started.toISOString()}` : ''} (upload id ${printable(id)})`,
      `it takes room until it is aborted, unless somebody is storing it just now: ${abortOf(address)} (docs/stores.md, "Unfinished uploads")`,
    );
}

async function encryptToOutput(
  name: string,
  { encryptor, options, output }: Pick<PutContext, 'encryptor' | 'options' | 'output'>,
): Promise<void> {
  const source = await openSource(name);
  const target = streamTarget(process.stdout);
  let plaintextSize = 0;
  let size = 0;
  try {
    const plaintext = counted(source.read(), (bytes) => (plaintextSize = bytes));
    for await (const piece of encryptor.encrypt(plaintext, objectContext(undefined, options.context))) {
      await target.write(piece);
      size += piece.length;
    }
  } finally {
    await source.close();
  }
  const recipients = describeRecipients(encryptor);
  output.result(
    { source: name, target: '-', plaintextSize, size, recipients },
    `${printable(name)} -> standard output (${formatBytes(plaintextSize)})`,
  );
}

function describeRecipients({ recipients }: Encryptor): object[] {
  return recipients.map(({ namespace, name, fingerprint }) => ({ namespace, name, fingerprint }));
}
