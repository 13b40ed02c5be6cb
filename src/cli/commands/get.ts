import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command, Option } from 'commander';
import { parseAddress } from '../../address.js';
import type { Vault } from '../../config/settings.js';
import { SealdropError } from '../../errors.js';
import type { Decryptor, Ranges } from '../../ports.js';
import { printable } from '../../printable.js';
import type { Binding } from '../../transfer/context.js';
import { get, openMessage, type OpenReport } from '../../transfer/get.js';
import type { RangeReport } from '../../transfer/get-range.js';
import { getKept, type KeptEvent } from '../../transfer/kept/get-kept.js';
import { KeptFile } from '../../transfer/kept/kept-file.js';
import { openFileTarget, streamTarget, type Target } from '../../transfer/target.js';
import { isConfig } from '../../transfer/tree/names.js';
import { forEach, openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import { formatBytes, type Output } from '../output.js';
import { assertNotOwn, ownFiles } from '../own-files.js';
import {
  assertNamesObject,
  assertNoRangeOptions,
  openParts,
  rangeOption,
  type RangeOptions,
} from '../get-part.js';
import { getTrees } from '../get-tree.js';
import { sayOfKept, sayOfResumedGet } from '../keeping.js';
import { noResumeOption, resumeFrom } from '../resuming.js';
import { headOne } from '../objects.js';
import { startProgress } from '../progress.js';
import { assertDistinct, assertOutsideVaults } from '../targets.js';
import * as tree from '../tree-options.js';

interface OpenOptions
  extends shared.DecryptOptions, shared.StoreOptions, shared.OutputOptions, shared.BindingOptions {}

interface CatOptions extends OpenOptions, RangeOptions {}

interface GetOptions extends OpenOptions, RangeOptions, tree.TransferTreeOptions {
  overwrite: boolean;
  preserve?: boolean;
  force?: boolean;
}

const GET_EXAMPLES = `
Examples:
  sealdrop get s3://lab/2026/results.csv results.csv --private-key private_key.pem --endpoint-url https://s3.v3.abci.ai
  sealdrop get file:///mnt/share/vault/notes.txt . --private-key private_key.pem
  sealdrop get - notes.txt --private-key private_key.pem < notes.encrypted
  sealdrop get s3://lab/data.bin part.bin --private-key private_key.pem --range 1048576-2097151
  sealdrop get -r s3://lab/2026/experiments experiments --private-key private_key.pem

With -r the source is a folder, with or without a slash at its end, and what is in it goes right into the target.
Nothing is written outside of the target, whatever the keys are.
${tree.FILTER_HELP}`;

const CAT_EXAMPLES = `
Examples:
  sealdrop cat s3://lab/data.tar --private-key private_key.pem | tar x
  sealdrop cat s3://lab/2026/results.csv --private-key private_key.pem --quiet | head
  sealdrop cat s3://lab/2026/results.csv --private-key private_key.pem --range -100

Objects of the S3 Encryption Client have one tag at their end: they are kept in a private temporary file until it was
checked. What comes out of others is authenticated piece by piece. If the end is missing or damaged, the exit code says
so (5): look at it before you trust that you have all.`;

export function getCommand(environment: Environment): Command {
  const command = new Command('get')
    .description('decrypt an object into a file; the file appears when everything was checked')
    .argument('<source>', 's3://bucket/key, file:///directory/key, a message file, or - for standard input')
    .argument('[target]', 'file or directory, or - for standard output', '.')
    .addOption(new Option('--no-overwrite', 'refuse to replace a file'))
    .addOption(new Option('--force', 'write a file of the name sealdrop.config.json'));
  tree.treeOptions(command, 'take all that lies below the source');
  noResumeOption(tree.resumeOption(command));
  tree.preserveOption(command, 'give files the times and permissions that put --preserve kept');
  rangeOption(command).addOption(
    new Option('--release-unverified', 'with --range: parts of s3ec objects, which nothing authenticates'),
  );
  return openOptions(command)
    .addHelpText('after', GET_EXAMPLES)
    .action(async (source: string, target: string, options: GetOptions) => {
      const output = openOutput(environment, { ...options, contentOnStdout: target === '-' });
      assertHere(target);
      const { recursive, range, preserve } = options;
      if (recursive === true) return getRecursively(source, target, { environment, options, output });
      tree.assertNoTreeOptions(options);
      assertNoRangeOptions(options);
      let path = target;
      const resumable = resumeFrom(options, environment);
      const openTarget: OpenTarget = async (key, vault, size = -1) => {
        path = await targetPath(target, key);
        if (path === '-') return streamTarget(process.stdout);
        if (vault) await assertDistinct(path, vault.store.address(key));
        await assertOutsideVaults(path, environment.parts);
        if (options.force !== true) {
          assertNoConfig(path);
          await assertNotOwn(path, ownFiles(options, environment));
        }
        const { overwrite } = options;
        const kept = size >= resumable ? await KeptFile.open(path, { overwrite }) : undefined;
        if (kept === undefined) await KeptFile.clear(path, { overwrite });
        return kept ?? openFileTarget(path, { overwrite });
      };
      const open =
        range === undefined
          ? await openWholes(options, { environment, output, preserve })
          : await openParts(range, options, { environment, output, command: 'get' });
      const { report, size } = await open(source, openTarget);
      const name = printable(source);
      const where = path === '-' ? 'standard output' : printable(path);
      const text = `${name} -> ${where} (${sizeNote(report)})${bindingNote(source, report)}`;
      const document = { source, target: path, size, ...describe(report) };
      output.result(document, text);
    });
}

async function getRecursively(
  source: string,
  target: string,
  { environment, options, output }: Omit<OpenContext, 'decryptor'> & { options: GetOptions },
): Promise<void> {
  const decryptor = await openDecryptor(environment, options);
  if (target === '-' || source === '-')
    throw new SealdropError('usage', 'standard input and output take one file: leave -r out');
  await assertOutsideVaults(target, environment.parts);
  const vault = await environment.parts.openVault(source, 'read', shared.storeSettings(options));
  try {
    await getTrees(target, { vault, decryptor, options, environment, output, describe });
  } finally {
    vault.store.close();
  }
}

/** It would configure the command where it lies. */
function assertNoConfig(path: string): void {
  if (isConfig(basename(path)))
    throw new SealdropError('target_unwritable', `${printable(path)} would be a configuration`, {
      hint: 'look at what is in it first; --force writes it',
    });
}

export function catCommand(environment: Environment): Command {
  const command = new Command('cat')
    .description('decrypt objects to standard output')
    .argument('<source...>', 's3://bucket/key, file:///directory/key, message files, or - for standard input')
    .addOption(
      new Option(
        '--release-unverified',
        'let content of s3ec objects out as it comes, before its one tag at the end was checked',
      ),
    );
  rangeOption(command);
  return openOptions(command)
    .addHelpText('after', CAT_EXAMPLES)
    .action(async (sources: string[], options: CatOptions) => {
      const output = openOutput(environment, { ...options, contentOnStdout: true });
      const { range, releaseUnverified } = options;
      const open =
        range === undefined
          ? await openWholes(options, { environment, output, releaseUnverified })
          : await openParts(range, options, { environment, output, command: 'cat' });
      const openTarget = () => Promise.resolve(streamTarget(process.stdout));
      await forEach(sources, environment, output, async (source) => {
        const { report, size } = await open(source, openTarget);
        const note = bindingNote(source, report);
        if (output.json) output.document({ source, target: '-', size, ...describe(report) });
        else if (note !== '') output.note(`${printable(source)}${note}`);
      });
    });
}

type Opened = { report: OpenReport & Partial<Pick<RangeReport, 'range'>>; size?: number };
/** @param size as stored, of a whole object */
type OpenTarget = (key: string, vault?: Vault, size?: number) => Promise<Target>;

async function openWholes(
  options: OpenOptions,
  call: Pick<OpenContext, 'environment' | 'output' | 'preserve' | 'releaseUnverified'>,
): Promise<(source: string, openTarget: OpenTarget) => Promise<Opened>> {
  const reading = await call.environment.parts.openReading(shared.decryptSettings(options));
  return (source, openTarget) => openOne(source, openTarget, { ...call, ...reading, options });
}

function openOptions(command: Command): Command {
  shared.decryptOptions(shared.readingOptions(command));
  shared.bindingOptions(command);
  return shared.outputOptions(shared.fetchOptions(shared.storeOptions(command)));
}

function openDecryptor({ parts }: Environment, options: OpenOptions): Promise<Decryptor> {
  return parts.openDecryptor(shared.decryptSettings(options));
}

interface OpenContext {
  environment: Environment;
  options: OpenOptions;
  decryptor: Decryptor;
  ranges?: Ranges;
  output: Output;
  preserve?: boolean;
  releaseUnverified?: boolean | undefined;
}

async function openOne(
  name: string,
  openTarget: OpenTarget,
  { environment, options, decryptor, ranges, output, preserve, releaseUnverified }: OpenContext,
): Promise<Opened> {
  const { signal, parts } = environment;
  const rules: Omit<Binding, 'binding'> = {
    moved: options.moved,
    unbound: options.unbound,
    context: options.context,
  };
  if (parseAddress(name).kind === 'stdio') {
    const target = await openTarget('-');
    // Standard input names no key: there is nothing that a bound message could be compared with.
    const free = { ...rules, moved: true, binding: 'allow' as const };
    return { report: await openMessage(process.stdin, { decryptor, target, signal, preserve, ...free }) };
  }
  const vault = await parts.openVault(name, 'read', shared.storeSettings(options));
  const progress = startProgress(output, printable(basename(name)));
  let size: number | undefined;
  try {
    const { store, key, binding, allowed } = vault;
    assertNamesObject(name, key);
    // Looked for before anything is made at the target.
    const found = await headOne(store, key, { command: 'get', signal });
    progress.total((size = found.size));
    const target = await openTarget(key, vault, ranges && size);
    const job = {
      ...{ store, key, decryptor, target, signal, preserve, binding, ...rules },
      ...{ allowed, releaseUnverified, onProgress: (bytes: number) => progress.done(bytes) },
    };
    if (ranges === undefined || !(target instanceof KeptFile)) return { report: await get(job), size };
    try {
      const onEvent = (event: KeptEvent) => sayOfResumedGet(event, output);
      return { report: await getKept({ ...job, target, ranges, onEvent }), size };
    } catch (error) {
      progress.stop();
      sayOfKept(target, output);
      throw error;
    }
  } finally {
    progress.stop();
    vault.store.close();
  }
}

/** Plaintext goes to files and pipes. */
function assertHere(target: string): void {
  const address = parseAddress(target);
  if (address.kind === 'stdio' || (address.kind === 'file' && !address.named)) return;
  throw new SealdropError(
    'usage',
    `${printable(target)} is no file: get writes plaintext, and into no vault`,
    {
      hint: 'sealdrop get SOURCE TARGET, where TARGET is a path or -; files go into a vault with sealdrop put',
    },
  );
}

/** The file meant by a target, which may be a directory. */
async function targetPath(target: string, key: string): Promise<string> {
  if (target === '-') return target;
  const directory = target.endsWith('/') || (await isDirectory(target));
  if (!directory) return target;
  if (key === '-')
    throw new SealdropError('usage', 'standard input has no name: name the file in the target');
  return join(target, basename(key));
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

function describe({ info, bound, plaintextSize, range }: Opened['report']): object {
  const { format, suite, signed, unauthenticated, context, description } = info;
  return { plaintextSize, range, bound, format, suite, signed, unauthenticated, context, description };
}

function sizeNote({ plaintextSize, range }: Opened['report']): string {
  const bytes = formatBytes(plaintextSize);
  return range === undefined ? bytes : `${bytes}, bytes ${range.first} to ${range.last}`;
}

function bindingNote(source: string, { bound, info }: OpenReport): string {
  if (info.format === 'plain') return ' (plain: nothing authenticates it)';
  if (info.unauthenticated === true) return ' (nothing authenticates this content)';
  if (info.format === 's3ec') return ' (unbound: objects of the S3 Encryption Client name no key)';
  const made = printable(info.context['sealdrop:key'] ?? '');
  if (bound === 'moved') return ` (made for the key ${made})`;
  // What comes through a pipe comes from no store.
  if (bound === 'bound' || source === '-') return '';
  return ' (unbound: the message names no key, so the store could have put another in its place)';
}
