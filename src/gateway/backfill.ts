/**
 * What became of the objects of a backfill's run: a report for each. Step Functions writes them into files, as
 * https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html says, named by a manifest.
 */
import type { Readable } from 'node:stream';
import type { OutcomeReport } from '../contract.js';
import { SealdropError } from '../errors.js';
import type { Run } from '../operations.js';
import { printable } from '../printable.js';

/** Reads an object of the bucket that the reports lie in. */
export type OpenReport = (bucket: string, key: string) => Promise<Readable>;

interface Manifest {
  DestinationBucket: string;
  ResultFiles: Record<'SUCCEEDED' | 'FAILED' | 'PENDING', { Key: string }[] | undefined>;
}

/** A child run that failed as a whole: its input says which objects it was about. */
interface FailedChild {
  Input: string;
}

type Item = Pick<OutcomeReport, 'bucket' | 'key'> & { encoded?: boolean };

/** @throws SealdropError `run_failed` where the run has no reports, besides what `open` throws */
export async function* reportsOf(run: Run, open: OpenReport): AsyncGenerator<OutcomeReport> {
  if (run.status !== 'SUCCEEDED' || run.output === undefined) throw withoutReports(run);
  const output: unknown = JSON.parse(run.output);
  // Small results may come without files.
  if (Array.isArray(output)) yield* (output as unknown[]).flat().filter(isReport);
  else yield* writtenReports(output, open);
}

async function* writtenReports(output: unknown, open: OpenReport): AsyncGenerator<OutcomeReport> {
  const { ResultWriterDetails: place } = output as { ResultWriterDetails: { Bucket: string; Key: string } };
  const manifest = JSON.parse(await textOf(await open(place.Bucket, place.Key))) as Manifest;
  const { DestinationBucket: bucket, ResultFiles: files } = manifest;
  for (const { Key } of files.SUCCEEDED ?? [])
    for await (const line of linesOf(await open(bucket, Key))) {
      const report: unknown = JSON.parse(line);
      if (isReport(report)) yield report;
    }
  for (const { Key } of [...(files.FAILED ?? []), ...(files.PENDING ?? [])])
    for await (const line of linesOf(await open(bucket, Key)))
      yield* failuresOf(JSON.parse(line) as FailedChild);
}

function failuresOf({ Input }: FailedChild): OutcomeReport[] {
  const input = JSON.parse(Input) as Item & { Items?: Item[] };
  return (input.Items ?? [input]).map(({ bucket, key, encoded }) => ({
    bucket,
    key: encoded === true ? decodeInventoryKey(key) : key,
    outcome: 'failed',
    code: 'function_failed',
    retryable: true,
  }));
}

/**
 * A key of an inventory in CSV: "URL-encoded", where a plus is a space, as in AWS's own example for such keys
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html). The state machine decodes alike.
 */
function decodeInventoryKey(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}

function isReport(value: unknown): value is OutcomeReport {
  return typeof value === 'object' && value !== null && 'outcome' in value;
}

function withoutReports({ status, error, cause }: Run): SealdropError {
  if (status === 'RUNNING')
    return new SealdropError('run_failed', 'the run has not ended yet', {
      retryable: true,
      hint: 'see: sealdrop backfill status',
    });
  return new SealdropError(
    'run_failed',
    `the run ended as ${status}${error === undefined ? '' : ` (${error})`}${inWords(cause)}`,
    { hint: 'start it again when the cause is mended: what is stored already is not stored twice' },
  );
}

/** Of a function that threw, it is what the function's log has, in JSON. */
const inWords = (cause = ''): string =>
  cause === '' || cause.startsWith('{') ? '' : `: ${printable(cause)}`;

async function textOf(body: Readable): Promise<string> {
  return (await body.setEncoding('utf8').toArray()).join('');
}

/** Not Node's reader of lines: it also ends them at U+2028, which JSON may hold. */
async function* linesOf(body: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of body.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop()!;
    yield* lines.filter((line) => line.trim() !== '');
  }
  if (rest.trim() !== '') yield rest;
}

const said = (outcome: string): string =>
  outcome === 'present' ? 'there already' : outcome.replace('_', ' ');

/** Objects by outcome, as `{stored: 3}`, and the bytes that were stored or rewrapped. */
export class Tally {
  readonly outcomes: Record<string, number> = {};
  total = 0;
  bytes = 0;

  add({ outcome, bytes = 0 }: OutcomeReport): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    this.total++;
    if (outcome === 'stored' || outcome === 'rewrapped') this.bytes += bytes;
  }

  get failed(): number {
    return this.outcomes.failed ?? 0;
  }

  /** `3 stored, 1 failed` */
  toString(): string {
    const parts = Object.entries(this.outcomes).map(([outcome, n]) => `${n} ${said(outcome)}`);
    return parts.length === 0 ? 'nothing was there' : parts.join(', ');
  }
}
