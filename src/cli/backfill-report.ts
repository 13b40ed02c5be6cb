/** What `backfill` says of runs, and of what became of their objects. */
import type { OutcomeReport } from '../contract.js';
import { reportsOf, Tally } from '../gateway/backfill.js';
import type { Run, RunCounts, RunInput, RunStatus } from '../operations.js';
import { printable } from '../printable.js';
import { awsSettings, type AwsOptions } from './aws.js';
import type { Environment } from './command.js';
import { REVOKES_NOT } from './commands/rewrap.js';
import { formatBytes, type Output } from './output.js';

export function sayStarted(output: Output, run: string, input: RunInput): void {
  const { prefix, dryRun } = input;
  output.result(
    { run, ...('bucket' in input && { bucket: input.bucket }), prefix, dryRun },
    `started${dryRun ? ', dry' : ''}: ${printable(placeOf(input))}\n${printable(run)}`,
  );
}

function placeOf(input: RunInput): string {
  if (!('bucket' in input)) return `the vault${input.prefix === '' ? '' : `, below ${input.prefix}`}`;
  const { bucket, prefix, manifest } = input;
  return manifest === undefined ? `s3://${bucket}/${prefix}` : `s3://${manifest.bucket}/${manifest.key}`;
}

export const progressOf = ({ total, done, failed }: RunCounts): string =>
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

export function sayStatus(output: Output, run: Run, counts: RunCounts | undefined): void {
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
  output.data(`  of       ${printable(placeOf(input))}${input.dryRun ? ' (dry run)' : ''}`);
  output.data(`  started  ${started.toISOString()}`);
  if (end !== undefined) output.data(`  ended    ${end.toISOString()}`);
}

export async function sayReport(
  environment: Environment,
  options: AwsOptions,
  output: Output,
  run: Run,
): Promise<void> {
  const tally = new Tally();
  for await (const report of reportsOf(run, openerOf(environment, options))) {
    tally.add(report);
    if (output.json) output.document(report);
    else if (report.outcome === 'failed' || report.outcome === 'gone') output.data(lineOf(report));
  }
  const { rewrapped = 0 } = tally.outcomes;
  const size =
    tally.bytes === 0 ? '' : ` (${formatBytes(tally.bytes)} ${rewrapped > 0 ? 'rewrapped' : 'stored'})`;
  output.note(`${tally.total} objects: ${tally.toString()}${size}`);
  if (rewrapped > 0) output.note(REVOKES_NOT);
  if (tally.failed > 0) environment.exitCode = 6;
}

function lineOf({ bucket, key, outcome, code, retryable }: OutcomeReport): string {
  const why = `${outcome}${code === undefined ? '' : ` ${code}`}`;
  return printable(`${why.padEnd(28)} ${bucket}/${key}${retryable === true ? ' (may work later)' : ''}`);
}

/** Reports are read as any store is. */
function openerOf({ parts, signal }: Environment, options: AwsOptions) {
  return async (bucket: string, key: string) => {
    const { store } = await parts.openVault({ kind: 's3', bucket, key }, 'read', awsSettings(options));
    return (await store.get(key, { signal })).body;
  };
}
