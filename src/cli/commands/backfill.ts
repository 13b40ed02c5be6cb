import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { parseAddress } from '../../address.js';
import { OUTPUTS } from '../../contract.js';
import { interrupted, SealdropError } from '../../errors.js';
import type { MapRuns, Operations, Run, RunInput, StackOutputs } from '../../operations.js';
import { printable } from '../../printable.js';
import { inboxFor, type InboxFilter } from '../backfill-inbox.js';
import { progressOf, sayReport, sayStarted, sayStatus } from '../backfill-report.js';
import {
  awsOptions,
  outputNamed,
  outputsOf,
  sameDeployment,
  withOperations,
  type AwsOptions,
} from '../aws.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import type { Output } from '../output.js';

interface BackfillOptions extends AwsOptions, shared.OutputOptions {
  stateMachine?: string;
  rewrap?: boolean;
}

interface StartOptions extends BackfillOptions {
  bucket?: string;
  prefix?: string;
  manifest?: string;
  dryRun?: boolean;
  maxConcurrency?: number;
  wait?: boolean;
}

const INSTEAD = '--state-machine ARN';
const POLL_TIME = 2_000;
const BEGIN_TIME = 60_000;

const EXAMPLES = `
Examples:
  sealdrop backfill start --deployment prod --dry-run --wait
  sealdrop backfill start --deployment prod
  sealdrop backfill start --deployment prod --rewrap

Encrypts what lay in a deployment's inbox before the deployment was there. Running it again is safe: what is in the
vault already is not stored twice. With --rewrap it encrypts what lies in the vault to the keys that the deployment has
now, where the deployment may decrypt.`;

const START_EXAMPLES = `
Examples:
  sealdrop backfill start --deployment prod --prefix 2026/ --dry-run --wait
  sealdrop backfill start --deployment prod --max-concurrency 5
  sealdrop backfill start --deployment prod --manifest s3://inventories/inbox/daily/2026-11-20T01-00Z/manifest.json
  sealdrop backfill start --deployment prod --rewrap --prefix 2025/ --wait

The bucket is listed, or taken from an inventory of S3 (CSV, current versions) where there are very many objects.
A dry run looks at each object and at the vault, and stores nothing. With --rewrap the prefix is one of the vault, and
objects that are for the deployment's keys already are left alone. It does not revoke: older versions, backups and
headers that were saved before still open with the old key (docs/rewrap.md).`;

const STATUS_EXAMPLES = `
Examples:
  sealdrop backfill status --deployment prod

Without the ARN of a run: the one that was started last.`;

const REPORT_EXAMPLES = `
Examples:
  sealdrop backfill report --deployment prod
  sealdrop backfill report --deployment prod --json > report.jsonl

Prints what failed; with --json a line for every object. Without the ARN of a run: the one that was started last.`;

export function backfillCommand(environment: Environment): Command {
  return new Command('backfill')
    .description('encrypt what lies in an inbox on AWS already')
    .helpCommand(false)
    .addHelpText('after', EXAMPLES)
    .addCommand(startCommand(environment))
    .addCommand(statusCommand(environment))
    .addCommand(reportCommand(environment));
}

function runOptions(command: Command): Command {
  return awsOptions(command)
    .addOption(new Option('--state-machine <arn>', 'the state machine, in place of the deployment’s'))
    .addOption(
      new Option(
        '--rewrap',
        'not of the inbox: of the vault, to the keys that the deployment has now',
      ).conflicts(['bucket', 'manifest']),
    );
}

/** Of the same kind and deployment, for a hint. */
const sameRuns = (what: 'start' | 'status' | 'report', options: BackfillOptions): string =>
  sameDeployment(`sealdrop backfill ${what}`, options) + (options.rewrap === true ? ' --rewrap' : '');

function startCommand(environment: Environment): Command {
  const command = runOptions(new Command('start').description('start a run'))
    .addOption(new Option('--bucket <name>', 'which inbox, where the deployment has several'))
    .addOption(new Option('--prefix <text>', 'only keys that begin so'))
    .addOption(
      new Option('--manifest <address>', 'take the keys from an inventory: s3://bucket/.../manifest.json'),
    )
    .addOption(new Option('--dry-run', 'store nothing'))
    .addOption(
      new Option('--max-concurrency <n>', 'calls at the same time, in place of the deployment’s').argParser(
        shared.positive,
      ),
    )
    .addOption(new Option('--wait', 'wait for its end, then print the report'));
  return shared
    .outputOptions(command)
    .addHelpText('after', START_EXAMPLES)
    .action(async (options: StartOptions) => {
      const output = openOutput(environment, options);
      await withOperations(environment, options, async (operations) => {
        const { signal } = environment;
        const { runs, inboxes } = await openRuns(operations, options, signal);
        const input = options.rewrap === true ? vaultInput(options) : inboxInput(options, inboxes);
        const id = await runs.start(input, signal);
        sayStarted(output, id, input);
        if (options.maxConcurrency !== undefined) await limit(runs, id, options.maxConcurrency, signal);
        if (options.wait !== true) return;
        await sayReport(environment, options, output, await ended(runs, id, options, output, signal));
      });
    });
}

function statusCommand(environment: Environment): Command {
  const command = runOptions(
    new Command('status').description('tell how far a run is').argument('[run]', 'ARN of the run'),
  );
  return shared
    .outputOptions(command)
    .addHelpText('after', STATUS_EXAMPLES)
    .action(async (id: string | undefined, options: BackfillOptions) => {
      const output = openOutput(environment, options);
      await withOperations(environment, options, async (operations) => {
        const { signal } = environment;
        const { runs } = await openRuns(operations, options, signal);
        const run = await findRun(runs, id, options, signal);
        sayStatus(output, run, await runs.counts(run.id, signal));
        if (run.status !== 'RUNNING' && !output.json)
          output.note(`what became of each object: ${sameRuns('report', options)}`);
      });
    });
}

function reportCommand(environment: Environment): Command {
  const command = runOptions(
    new Command('report').description('tell what became of the objects').argument('[run]', 'ARN of the run'),
  );
  return shared
    .outputOptions(command)
    .addHelpText('after', REPORT_EXAMPLES)
    .action(async (id: string | undefined, options: BackfillOptions) => {
      const output = openOutput(environment, options);
      await withOperations(environment, options, async (operations) => {
        const { signal } = environment;
        const { runs } = await openRuns(operations, options, signal);
        await sayReport(environment, options, output, await findRun(runs, id, options, signal));
      });
    });
}

async function openRuns(
  operations: Operations,
  options: StartOptions,
  signal: AbortSignal,
): Promise<{ runs: MapRuns; inboxes: InboxFilter[] }> {
  if (options.stateMachine !== undefined) return { runs: operations.runs(options.stateMachine), inboxes: [] };
  const outputs = await outputsOf(operations, options, INSTEAD, signal);
  if (options.rewrap === true) return { runs: operations.runs(rewrapMachine(outputs)), inboxes: [] };
  return {
    runs: operations.runs(outputNamed(outputs, OUTPUTS.backfill)),
    inboxes: JSON.parse(outputNamed(outputs, OUTPUTS.inboxes)) as InboxFilter[],
  };
}

function rewrapMachine(outputs: StackOutputs): string {
  const machine = outputs[OUTPUTS.rewrap];
  if (machine !== undefined) return machine;
  throw new SealdropError('aws_refused', 'the deployment does not rewrap: it has no private key', {
    hint: 'with rewrap in sealdrop.config.json it would (docs/operations.md); without: sealdrop rewrap, where the private key is',
  });
}

const vaultInput = ({ prefix = '', dryRun = false }: StartOptions): RunInput => ({ prefix, dryRun });

function inboxInput(options: StartOptions, inboxes: readonly InboxFilter[]): RunInput {
  const { bucket, prefix, suffix } = inboxFor(inboxes, options);
  const input = { bucket, prefix: options.prefix ?? prefix, suffix, dryRun: options.dryRun === true };
  if (options.manifest === undefined) return input;
  const address = parseAddress(options.manifest);
  if (address.kind !== 's3' || address.key === '')
    throw new SealdropError('usage', `${printable(options.manifest)} names no manifest`, {
      hint: 'it is s3://bucket/.../manifest.json, where S3 put the inventory',
    });
  return { ...input, manifest: { bucket: address.bucket, key: address.key } };
}

async function findRun(
  runs: MapRuns,
  id: string | undefined,
  options: BackfillOptions,
  signal: AbortSignal,
): Promise<Run> {
  const found = id ?? (await runs.latest(signal));
  if (found !== undefined) return runs.describe(found, signal);
  throw new SealdropError('run_not_found', 'no run was started yet', {
    hint: `start one: ${sameRuns('start', options)}`,
  });
}

async function limit(runs: MapRuns, id: string, calls: number, signal: AbortSignal): Promise<void> {
  for (const until = Date.now() + BEGIN_TIME; Date.now() < until; await pause(POLL_TIME / 4, signal)) {
    if (await runs.limit(id, calls, signal)) return;
    if ((await runs.describe(id, signal)).status !== 'RUNNING') return;
  }
  throw new SealdropError('aws_unavailable', 'the run has not begun within a minute; its limit was not set', {
    hint: 'it goes on with the deployment’s own limit; to stop it: aws stepfunctions stop-execution',
  });
}

/** Waits until a run has ended, and says how far it is while it changes. */
async function ended(
  runs: MapRuns,
  id: string,
  options: BackfillOptions,
  output: Output,
  signal: AbortSignal,
): Promise<Run> {
  const look = sameRuns('status', options);
  signal.addEventListener('abort', () => output.note(`the run goes on: ${look}`), { once: true });
  for (let said = ''; ; await pause(POLL_TIME, signal)) {
    const run = await runs.describe(id, signal);
    if (run.status !== 'RUNNING') return run;
    const counts = await runs.counts(id, signal);
    const progress = counts === undefined ? '' : progressOf(counts);
    if (progress !== said) output.note(progress);
    said = progress;
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch((cause: unknown) => {
    throw interrupted(cause);
  });
}
