import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { parseAddress } from '../../address.js';
import { OUTPUTS, type OutcomeReport } from '../../contract.js';
import { interrupted, SealdropError } from '../../errors.js';
import { reportsOf, Tally } from '../../gateway/backfill.js';
import type { BackfillInput, BackfillRuns, Operations, Run, RunCounts, RunStatus } from '../../operations.js';
import { printable } from '../../printable.js';
import { inboxFor, type InboxFilter } from '../backfill-inbox.js';
import {
  awsOptions,
  awsSettings,
  outputNamed,
  outputsOf,
  sameDeployment,
  withOperations,
  type AwsOptions,
} from '../aws.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import { formatBytes, type Output } from '../output.js';

interface BackfillOptions extends AwsOptions, shared.OutputOptions {
  stateMachine?: string;
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

Encrypts what lay in a deployment's inbox before the deployment was there. Running it again is safe: what is in the
vault already is not stored twice.`;

const START_EXAMPLES = `
Examples:
  sealdrop backfill start --deployment prod --prefix 2026/ --dry-run --wait
  sealdrop backfill start --deployment prod --max-concurrency 5
  sealdrop backfill start --deployment prod --manifest s3://inventories/inbox/daily/2026-11-20T01-00Z/manifest.json

The bucket is listed, or taken from an inventory of S3 (CSV, current versions) where there are very many objects.
A dry run looks at each object and at the vault, and stores nothing.`;

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
  return awsOptions(command).addOption(
    new Option('--state-machine <arn>', 'the state machine, in place of the deployment’s'),
  );
}

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
        const input = inputOf(options, inboxFor(inboxes, options));
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
          output.note(`what became of each object: ${sameDeployment('sealdrop backfill report', options)}`);
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
): Promise<{ runs: BackfillRuns; inboxes: InboxFilter[] }> {
  if (options.stateMachine !== undefined) return { runs: operations.runs(options.stateMachine), inboxes: [] };
  const outputs = await outputsOf(operations, options, INSTEAD, signal);
  return {
    runs: operations.runs(outputNamed(outputs, OUTPUTS.backfill)),
    inboxes: JSON.parse(outputNamed(outputs, OUTPUTS.inboxes)) as InboxFilter[],
  };
}

function inputOf(options: StartOptions, { bucket, prefix, suffix }: InboxFilter): BackfillInput {
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
  runs: BackfillRuns,
  id: string | undefined,
  options: BackfillOptions,
  signal: AbortSignal,
): Promise<Run> {
  const found = id ?? (await runs.latest(signal));
  if (found !== undefined) return runs.describe(found, signal);
  throw new SealdropError('run_not_found', 'no run was started yet', {
    hint: `start one: ${sameDeployment('sealdrop backfill start', options)}`,
  });
}

async function limit(runs: BackfillRuns, id: string, calls: number, signal: AbortSignal): Promise<void> {
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
  runs: BackfillRuns,
  id: string,
  options: BackfillOptions,
  output: Output,
  signal: AbortSignal,
): Promise<Run> {
  const look = sameDeployment('sealdrop backfill status', options);
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

function sayStarted(output: Output, run: string, { bucket, prefix, dryRun, manifest }: BackfillInput): void {
  const what =
    manifest === undefined ? `s3://${bucket}/${prefix}` : `s3://${manifest.bucket}/${manifest.key}`;
  output.result(
    { run, bucket, prefix, dryRun },
    `started${dryRun ? ', dry' : ''}: ${printable(what)}\n${printable(run)}`,
  );
}

const progressOf = ({ total, done, failed }: RunCounts): string =>
  `${done} of ${total} looked at${failed === 0 ? '' : `, ${failed} failed`}`;

/** A run that ended has looked at every object; whether it stored them, its report says. */
const STATES: Record<RunStatus, string> = {
  RUNNING: 'running',
  SUCCEEDED: 'ended',
  FAILED: 'broken off',
  TIMED_OUT: 'out of time',
  ABORTED: 'stopped',
  PENDING_REDRIVE: 'to be redriven',
};

function sayStatus(output: Output, run: Run, counts: RunCounts | undefined): void {
  const { id, status, started, ended: end, input } = run;
  if (output.json)
    return output.document({
      run: id,
      status,
      started: started.toISOString(),
      ended: end?.toISOString(),
      ...input,
      ...counts,
    });
  output.data(`${STATES[status]}${counts === undefined ? '' : `: ${progressOf(counts)}`}`);
  output.data(`  run      ${printable(id)}`);
  output.data(
    `  of       s3://${printable(`${input.bucket}/${input.prefix}`)}${input.dryRun ? ' (dry run)' : ''}`,
  );
  output.data(`  started  ${started.toISOString()}`);
  if (end !== undefined) output.data(`  ended    ${end.toISOString()}`);
}

async function sayReport(
  environment: Environment,
  options: BackfillOptions,
  output: Output,
  run: Run,
): Promise<void> {
  const tally = new Tally();
  for await (const report of reportsOf(run, openerOf(environment, options))) {
    tally.add(report);
    if (output.json) output.document(report);
    else if (report.outcome === 'failed' || report.outcome === 'gone') output.data(lineOf(report));
  }
  const size = tally.bytes === 0 ? '' : ` (${formatBytes(tally.bytes)} stored)`;
  output.note(`${tally.total} objects: ${tally.toString()}${size}`);
  if (tally.failed > 0) environment.exitCode = 6;
}

function lineOf({ bucket, key, outcome, code, retryable }: OutcomeReport): string {
  const why = `${outcome}${code === undefined ? '' : ` ${code}`}`;
  return printable(`${why.padEnd(28)} ${bucket}/${key}${retryable === true ? ' (may work later)' : ''}`);
}

/** Reports are read as any store is. */
function openerOf({ parts, signal }: Environment, options: BackfillOptions) {
  return async (bucket: string, key: string) => {
    const { store } = await parts.openVault({ kind: 's3', bucket, key }, 'read', awsSettings(options));
    return (await store.get(key, { signal })).body;
  };
}
