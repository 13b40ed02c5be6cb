import { Command, InvalidArgumentError, Option } from 'commander';
import type { Vault } from '../../config/settings.js';
import type { UnfinishedUpload, UploadKeeping } from '../../ports.js';
import { printable } from '../../printable.js';
import { forgetUpload } from '../../transfer/resume/put.js';
import { forEach, openOutput, type Environment } from '../command.js';
import { confirm } from '../confirm.js';
import * as shared from '../options.js';
import type { Output } from '../output.js';

interface UploadsOptions extends shared.StoreOptions, shared.OutputOptions {
  key?: boolean;
}

interface AbortOptions extends UploadsOptions {
  /** Milliseconds. */
  olderThan: number;
  yes?: boolean;
  dryRun?: boolean;
}

const DAY = 86_400_000;

const LIST_EXAMPLES = `
Examples:
  sealdrop uploads list s3://lab/2026/ --endpoint-url https://s3.v3.abci.ai`;

const ABORT_EXAMPLES = `
Examples:
  sealdrop uploads abort s3://lab --older-than 7d --dry-run
  sealdrop uploads abort s3://lab/data.tar --key --yes`;

const ABOUT = `

An upload in parts that was broken off (the machine went down, the process was killed) takes room at the store until it
is aborted, and no listing of objects shows it. MinIO tells of them by their whole key alone, never by a prefix: there
name the key. Aborting one that is still running makes that one fail. What this machine keeps of a put, to go on with
it, goes too.`;

export function uploadsCommand(environment: Environment): Command {
  return new Command('uploads')
    .description('find and remove what broken-off uploads left at a store')
    .helpCommand(false)
    .addHelpText('after', LIST_EXAMPLES + ABORT_EXAMPLES.replace('\nExamples:', '') + ABOUT)
    .addCommand(listCommand(environment))
    .addCommand(abortCommand(environment));
}

function uploadsOptions(command: Command, examples: string): Command {
  command
    .argument('<vault>', 's3://bucket/prefix')
    .addOption(new Option('--key', 'the address is a whole key, and no prefix'));
  return shared.outputOptions(shared.storeOptions(command)).addHelpText('after', examples + ABOUT);
}

function listCommand(environment: Environment): Command {
  return uploadsOptions(new Command('list').description('list unfinished uploads'), LIST_EXAMPLES).action(
    async (address: string, options: UploadsOptions) => {
      const output = openOutput(environment, options);
      await withUploads(address, { environment, options, output }, async (found, { store }) => {
        for (const { key, id, started } of found) {
          const document = { key, address: store.address(key), id, started: started?.toISOString() };
          if (output.json) output.document(document);
          else output.data(`${timeOf(started)} ${printable(id)} ${printable(key)}`);
        }
      });
    },
  );
}

function abortCommand(environment: Environment): Command {
  const command = uploadsOptions(
    new Command('abort').description('remove unfinished uploads'),
    ABORT_EXAMPLES,
  )
    .addOption(
      new Option('--older-than <time>', 'leave those that were begun later: 90m, 12h, 7d, or 0')
        .argParser(parseAge)
        .default(DAY, '1d'),
    )
    .addOption(new Option('-y, --yes', 'do not ask'))
    .addOption(new Option('--dry-run', 'say which would be removed, and remove none'));
  return command.action(async (address: string, options: AbortOptions) => {
    const output = openOutput(environment, options);
    await withUploads(address, { environment, options, output }, async (found, vault, uploads) => {
      const old = found.filter(({ started }) => isOlder(started, options.olderThan));
      const left = found.length - old.length;
      if (left > 0) output.note(`${left === 1 ? '1 is' : `${left} are`} not that old, or of no known age`);
      if (old.length === 0) return;
      const question = `abort ${old.length === 1 ? '1 upload' : `${old.length} uploads`} below ${printable(address)}?`;
      const asked = options.dryRun !== true && options.yes !== true;
      if (asked && !(await confirm(question, environment.signal))) return output.note('nothing was aborted');
      await forEach(old, environment, output, async (upload) => {
        const aborted = options.dryRun === true ? undefined : await uploads.abort(upload, environment);
        if (aborted !== undefined) await forgetUpload(vault.store, upload);
        say(upload, aborted, vault, output);
      });
    });
  });
}

/** @param aborted false where it was gone already, undefined in a dry run */
function say(upload: UnfinishedUpload, aborted: boolean | undefined, { store }: Vault, output: Output): void {
  const { key, id, started } = upload;
  const address = store.address(key);
  const what = aborted === undefined ? 'would be aborted' : aborted ? 'aborted' : 'was gone';
  output.result(
    { key, address, id, started: started?.toISOString(), aborted: aborted === true },
    `${what}: ${printable(address)} of ${timeOf(started)} (upload id ${printable(id)})`,
  );
}

async function withUploads(
  address: string,
  {
    environment: { parts, signal },
    options,
    output,
  }: { environment: Environment; options: UploadsOptions; output: Output },
  act: (found: UnfinishedUpload[], vault: Vault, uploads: UploadKeeping) => Promise<void>,
): Promise<void> {
  const vault = await parts.openVault(address, 'read', shared.storeSettings(options));
  const { store, key } = vault;
  try {
    if (store.uploads === undefined)
      return output.note(
        'a directory has no unfinished uploads: what was broken off is removed by the next one',
      );
    const found: UnfinishedUpload[] = [];
    for await (const upload of store.uploads.list(key, { signal }))
      if (options.key !== true || upload.key === key) found.push(upload);
    if (found.length === 0)
      output.note(
        `no unfinished upload ${options.key === true ? 'of' : 'below'} ${printable(store.address(key))}` +
          (options.key === true ? '' : ' (some stores, as MinIO, tell of them by their whole key alone)'),
      );
    await act(found, vault, store.uploads);
  } finally {
    store.close();
  }
}

const isOlder = (started: Date | undefined, age: number): boolean =>
  age === 0 || (started !== undefined && Date.now() - started.getTime() >= age);

const timeOf = (started: Date | undefined): string =>
  started?.toISOString().slice(0, 19).replace('T', ' ') ?? 'an unknown time';

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: DAY } as const;

function parseAge(value: string): number {
  const match = /^(?:0|(\d{1,6})([smhd]))$/.exec(value);
  if (!match) throw new InvalidArgumentError('It must be a time, as 90m, 12h or 7d, or 0.');
  return Number(match[1] ?? 0) * UNITS[(match[2] ?? 's') as keyof typeof UNITS];
}
