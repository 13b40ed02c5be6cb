/** The reports of a run, as Step Functions documents the files that it writes. */
import { describe, expect, test } from '@jest/globals';
import { Readable } from 'node:stream';
import type { OutcomeReport } from '../../src/contract.js';
import { reportsOf, Tally } from '../../src/gateway/backfill.js';
import type { Run } from '../../src/operations.js';

const run = (output: unknown, more: Partial<Run> = {}): Run => ({
  id: 'arn:run',
  status: 'SUCCEEDED',
  started: new Date(0),
  input: { bucket: 'inbox', prefix: '', suffix: '', dryRun: false },
  output: JSON.stringify(output),
  ...more,
});

/** In pieces of one byte: lines and characters are cut everywhere. */
const files = (content: Record<string, string>) => async (bucket: string, key: string) => {
  const text = content[`${bucket}/${key}`];
  if (text === undefined) throw new Error(`nothing at ${bucket}/${key}`);
  return Readable.from(
    [...Buffer.from(text)].map((byte) => Buffer.from([byte])),
    { objectMode: false },
  );
};

async function all(...args: Parameters<typeof reportsOf>): Promise<OutcomeReport[]> {
  const found = [];
  for await (const report of reportsOf(...args)) found.push(report);
  return found;
}

const stored = (key: string): OutcomeReport => ({ bucket: 'inbox', key, outcome: 'stored', bytes: 3 });
const failed = (key: string): OutcomeReport => ({
  bucket: 'inbox',
  key,
  outcome: 'failed',
  code: 'function_failed',
  retryable: true,
});

const WRITTEN = {
  MapRunArn: 'arn:aws:states:eu-west-1:111122223333:mapRun:backfill/Listing:1',
  ResultWriterDetails: { Bucket: 'reports', Key: 'backfill/1/manifest.json' },
};
const manifest = (ResultFiles: object) =>
  JSON.stringify({ DestinationBucket: 'reports', MapRunArn: WRITTEN.MapRunArn, ResultFiles });

describe('reports in files', () => {
  test('are read from all that the manifest names, line by line', async () => {
    // A line separator of Unicode ends no line of JSON.
    const odd = stored('a\u2028b 日本 "q"');
    const open = files({
      'reports/backfill/1/manifest.json': manifest({
        FAILED: [],
        PENDING: [],
        SUCCEEDED: [
          { Key: 'backfill/1/SUCCEEDED_0.jsonl', Size: 1 },
          { Key: 'backfill/1/SUCCEEDED_1.jsonl', Size: 1 },
        ],
      }),
      'reports/backfill/1/SUCCEEDED_0.jsonl': `${JSON.stringify(odd)}\n${JSON.stringify(stored('b'))}\n`,
      'reports/backfill/1/SUCCEEDED_1.jsonl': JSON.stringify(stored('c')),
    });
    expect(await all(run(WRITTEN), open)).toEqual([odd, stored('b'), stored('c')]);
  });

  test('of child runs that failed as such: each of their objects has failed', async () => {
    const child = (Input: object) =>
      JSON.stringify({
        ExecutionArn: 'arn:child',
        Input: JSON.stringify(Input),
        Error: 'States.Runtime',
        Status: 'FAILED',
      });
    const item = (key: string, encoded = false) => ({
      bucket: 'inbox',
      key,
      prefix: '',
      suffix: '',
      dryRun: false,
      encoded,
    });
    const open = files({
      'reports/backfill/1/manifest.json': manifest({
        FAILED: [{ Key: 'FAILED_0.jsonl' }],
        PENDING: [{ Key: 'PENDING_0.jsonl' }],
        SUCCEEDED: [],
      }),
      'reports/FAILED_0.jsonl': `${child({ Items: [item('a+b'), item('a+b%2B', true)] })}\n`,
      'reports/PENDING_0.jsonl': child(item('c')),
    });
    expect(await all(run(WRITTEN), open)).toEqual(['a+b', 'a b+', 'c'].map(failed));
  });
});

test('reports without files are in the output, batch by batch', async () => {
  const nothing = files({});
  const output = [[stored('a'), stored('b')], [], null, [stored('c')]];
  expect(await all(run(output), nothing)).toEqual(['a', 'b', 'c'].map(stored));
});

test.each<[Run['status'], string | undefined, string, boolean]>([
  ['RUNNING', undefined, 'the run has not ended yet', true],
  ['FAILED', 'States.ItemReaderFailed', 'the run ended as FAILED (States.ItemReaderFailed)', false],
  ['ABORTED', undefined, 'the run ended as ABORTED', false],
])('a run that is %s has none', async (status, error, message, retryable) => {
  const without = { ...run(undefined, { status }), output: undefined, error } as unknown as Run;
  await expect(all(without, files({}))).rejects.toMatchObject({ code: 'run_failed', message, retryable });
});

test('where a run says in words why it ended, they are told; what a function threw is not', async () => {
  const ended = (cause: string) =>
    all({ ...run(undefined, { status: 'FAILED' }), output: undefined, error: 'E', cause }, files({}));
  await expect(ended('the set \u001b opens nothing')).rejects.toMatchObject({
    message: 'the run ended as FAILED (E): the set \\u{1b} opens nothing',
  });
  await expect(ended('{"errorMessage":"x"}')).rejects.toMatchObject({
    message: 'the run ended as FAILED (E)',
  });
});

test('the tally counts outcomes, and bytes of what was stored now', () => {
  const tally = new Tally();
  expect(tally.toString()).toBe('nothing was there');
  for (const report of [
    stored('a'),
    stored('b'),
    failed('c'),
    { ...stored('d'), outcome: 'duplicate' as const },
  ])
    tally.add(report);
  expect(tally).toMatchObject({ total: 4, bytes: 6, failed: 1 });
  expect(tally.toString()).toBe('2 stored, 1 failed, 1 duplicate');
});
