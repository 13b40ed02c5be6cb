/**
 * The command against a state machine that ministack runs. The function that it calls is one of this test's, so that
 * it fails on purpose; what the real one stores is tested where the whole is deployed.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  DescribeMapRunCommand,
  ListExecutionsCommand,
  ListMapRunsCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { backfillDefinition } from '../../lib/constructs/backfill-definition.js';
import { Box, documents, until } from '../helpers/cli.js';
import { makeFunction } from '../helpers/ministack-function.js';
import { awsEnvironment, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

/** What it was asked for is written into a file, a line each; how it fails is in the names. */
const FUNCTION = `
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
const log = process.env.CALLS;
const tried = (key) => existsSync(log) ? readFileSync(log, 'utf8').split('\\n').filter((l) => l && JSON.parse(l).key === key).length : 0;
export const handler = async ({ Items }) => Promise.all(Items.map(async (item) => {
  const { bucket, key, dryRun } = item;
  const before = tried(key);
  appendFileSync(log, JSON.stringify(item) + '\\n');
  if (key.endsWith('/')) return { bucket, key, outcome: 'ignored' };
  if (key.includes('slow')) await new Promise((done) => setTimeout(done, 3_000));
  if (key.includes('crash')) throw new Error('killed');
  if (key.includes('bad')) return { bucket, key, outcome: 'failed', code: 'key_not_storable', retryable: false };
  if (key.includes('down') || (key.includes('flaky') && before < 2))
    return { bucket, key, outcome: 'failed', code: 'store_unavailable', retryable: true };
  return { bucket, key, outcome: dryRun ? 'would_store' : before > 0 && !key.includes('flaky') ? 'duplicate' : 'stored', bytes: 3 };
}));
`;

const KEYS = [
  'a/1',
  'a/2 +%.csv',
  'a/日本語 😀',
  'a/folder/',
  'a/flaky',
  'b/bad.csv',
  'b/crash',
  'b/down',
  'b/x.txt',
];
const ETAGS = /[0-9a-f]{32}/;

let server: S3Server;
let sfn: SFNClient;
let folder: string;
let box: Box;
let machine: string;
let functionArn: string;

const definition = (maxConcurrency = 4) =>
  backfillDefinition({
    partition: 'aws',
    functionArn,
    reports: { bucket: 'reports', prefix: 'backfill' },
    itemsPerBatch: 10,
    maxConcurrency,
    inventory: false,
  });

async function makeMachine(name: string, states: object): Promise<string> {
  const { stateMachineArn } = await sfn.send(
    new CreateStateMachineCommand({
      name,
      definition: JSON.stringify(states),
      roleArn: 'arn:aws:iam::000000000000:role/any',
    }),
  );
  return stateMachineArn!;
}

interface Call {
  key: string;
  dryRun: boolean;
}
const calls = (): Call[] =>
  readFileSync(join(folder, 'calls'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Call);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealdrop-backfill-'));
  // Waits of state machines take no time.
  server = await startMinistack({ env: { SFN_WAIT_SCALE: '0' } });
  const { endpoint, region, credentials } = server;
  sfn = new SFNClient({ endpoint, region, credentials });
  functionArn = await makeFunction(server, 'encrypt', FUNCTION, { CALLS: join(folder, 'calls') });
  for (const bucket of ['inbox', 'reports']) await server.createBucket(bucket);
  for (const Key of KEYS)
    await server.client.send(new PutObjectCommand({ Bucket: 'inbox', Key, Body: Buffer.from('abc') }));
  machine = await makeMachine('backfill', definition());
  const stacks = new CloudFormationClient({ endpoint, region, credentials });
  const Outputs = {
    BackfillStateMachine: { Value: machine },
    Inboxes: { Value: JSON.stringify([{ bucket: 'inbox', prefix: '', suffix: '' }]) },
  };
  const Resources = { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } };
  await stacks.send(
    new CreateStackCommand({
      StackName: 'Sealdrop-test',
      TemplateBody: JSON.stringify({ Resources, Outputs }),
    }),
  );
  await until('the stack is there', async () => {
    const { Stacks } = await stacks.send(new DescribeStacksCommand({ StackName: 'Sealdrop-test' }));
    return Stacks?.[0]?.StackStatus === 'CREATE_COMPLETE';
  });
  stacks.destroy();
  box = new Box(awsEnvironment(server), {
    machine,
    endpoint,
    run: machine.replace('stateMachine', 'execution'),
  });
}, SETUP_TIME);

afterAll(async () => {
  sfn?.destroy();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = async (...args: string[]) => box.run(['backfill', ...args]);
const byKey = (lines: Record<string, unknown>[]) =>
  Object.fromEntries(lines.map(({ key, outcome, code }) => [key, code ?? outcome]));

test('a dry run asks for each object below the prefix and reports what would be stored', async () => {
  const result = await run(
    'start',
    '--deployment',
    'test',
    '--prefix',
    'a/',
    '--dry-run',
    '--wait',
    '--json',
  );
  expect(result).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/5 objects: (?=.*4 would store)(?=.*1 ignored).*\n$/),
  });
  const [started, ...reports] = documents(result);
  expect(started).toMatchObject({ bucket: 'inbox', prefix: 'a/', dryRun: true });
  expect(byKey(reports)).toEqual({
    'a/1': 'would_store',
    'a/2 +%.csv': 'would_store',
    'a/folder/': 'ignored',
    'a/flaky': 'would_store',
    'a/日本語 😀': 'would_store',
  });
  expect(new Set(calls().map(({ dryRun }) => dryRun))).toEqual(new Set([true]));
});

test('a run goes on past what fails, tries again what may work, and ends with a code for the rest', async () => {
  rmSync(join(folder, 'calls'));
  const { code, stdout, stderr } = await run('start', '--deployment', 'test', '--wait');
  expect(code).toBe(6);
  expect(stdout.toString()).toBe(
    [
      'failed key_not_storable      inbox/b/bad.csv',
      'failed function_failed       inbox/b/crash (may work later)',
      'failed store_unavailable     inbox/b/down (may work later)\n',
    ].join('\n'),
  );
  expect(stderr).toMatch(
    /^started: s3:\/\/inbox\/\narn:.*\n(\d+ of 9 looked at\n)?9 objects: (?=.*5 stored)(?=.*3 failed)(?=.*1 ignored).* \(15 B stored\)\n$/,
  );
  const times = (key: string) => calls().filter((call) => call.key === key).length;
  expect(
    Object.fromEntries(
      ['a/1', 'a/flaky', 'b/bad.csv', 'b/crash', 'b/down', 'a/folder/'].map((key) => [key, times(key)]),
    ),
  ).toEqual({ 'a/1': 1, 'a/flaky': 3, 'b/bad.csv': 1, 'b/crash': 2, 'b/down': 5, 'a/folder/': 1 });
});

test('status and report tell of the last run, or of the one that is named', async () => {
  const status = documents(await run('status', '--deployment', 'test', '--json'))[0]!;
  expect(status).toMatchObject({
    status: 'SUCCEEDED',
    total: 9,
    done: 9,
    failed: 0,
    bucket: 'inbox',
    dryRun: false,
  });
  const last = await run('report', '--deployment', 'test', '--json');
  expect(last.code).toBe(6);
  expect(documents(last)).toHaveLength(9);
  const named = await run('report', String(status.run), '--state-machine', machine, '--json');
  expect(named.stdout).toEqual(last.stdout);
  expect((await run('status', '--state-machine', machine)).stdout.toString()).toMatch(
    /^ended: 9 of 9 looked at\n  run      arn:.*\n  of       s3:\/\/inbox\/\n  started  .*Z\n  ended    .*Z\n$/,
  );
});

test('a second run stores nothing that is there already', async () => {
  const again = await run(
    'start',
    '--deployment',
    'test',
    '--prefix',
    'a/',
    '--wait',
    '--max-concurrency',
    '2',
    '--json',
  );
  const [started, ...reports] = documents(again);
  expect(byKey(reports)).toMatchObject({
    'a/1': 'duplicate',
    'a/2 +%.csv': 'duplicate',
    'a/日本語 😀': 'duplicate',
  });
  const { mapRuns } = await sfn.send(new ListMapRunsCommand({ executionArn: String(started!.run) }));
  const { mapRunArn } = mapRuns![0]!;
  expect(await sfn.send(new DescribeMapRunCommand({ mapRunArn }))).toMatchObject({ maxConcurrency: 2 });
});

test('an interruption ends the waiting, not the run', async () => {
  await server.client.send(
    new PutObjectCommand({ Bucket: 'inbox', Key: 's/slow', Body: Buffer.from('abc') }),
  );
  const { child, result } = box.start([...'backfill start --deployment test --prefix s/ --wait'.split(' ')]);
  await until('it is at work', () => calls().some(({ key }) => key === 's/slow'));
  child.kill('SIGINT');
  const { code, stderr } = await result;
  expect({ code, stderr }).toEqual({
    code: 130,
    stderr: expect.stringMatching(/\nthe run goes on: sealdrop backfill status[^\n]*\nerror: interrupted\n$/),
  });
  let status: unknown;
  await until('the run has ended', async () => {
    status = documents(await run('status', '--deployment', 'test', '--json'))[0]?.status;
    return status !== 'RUNNING';
  });
  expect(status).toBe('SUCCEEDED');
});

test('no run is given, and none keeps, the digest of an object', async () => {
  const { executions: parents = [] } = await sfn.send(
    new ListExecutionsCommand({ stateMachineArn: machine }),
  );
  let looked = 0;
  for (const { executionArn } of parents) {
    const { mapRuns = [] } = await sfn.send(new ListMapRunsCommand({ executionArn }));
    const children = await sfn.send(new ListExecutionsCommand({ mapRunArn: mapRuns[0]!.mapRunArn }));
    for (const { executionArn: arn } of [{ executionArn }, ...children.executions!]) {
      const { input, output } = await sfn.send(new DescribeExecutionCommand({ executionArn: arn }));
      expect(`${input} ${output}`).not.toMatch(/etag/i);
      expect(`${input} ${output}`).not.toMatch(ETAGS);
      looked++;
    }
  }
  expect(looked).toBeGreaterThan(15);
});

describe('what a child run is given in one batch, as AWS does', () => {
  async function batch(Items: object[]): Promise<unknown> {
    const { ItemProcessor } = (
      definition() as { States: { Listing: { ItemProcessor: { StartAt: string; States: object } } } }
    ).States.Listing;
    const { StartAt, States } = ItemProcessor;
    const stateMachineArn = await makeMachine(`batch-${Date.now()}`, { StartAt, States });
    const { executionArn } = await sfn.send(
      new StartExecutionCommand({ stateMachineArn, input: JSON.stringify({ Items }) }),
    );
    let output: string | undefined;
    await until('the batch is done', async () => {
      const described = await sfn.send(new DescribeExecutionCommand({ executionArn }));
      output = described.output;
      return described.status !== 'RUNNING';
    });
    return JSON.parse(output!);
  }
  const item = (key: string, more: object = {}) => ({
    bucket: 'inbox',
    key,
    prefix: '',
    suffix: '',
    dryRun: false,
    encoded: false,
    ...more,
  });

  test('goes to the function together, and only what may work later goes again', async () => {
    rmSync(join(folder, 'calls'));
    const reports = await batch(['n/1', 'n/flaky', 'n/bad', 'n/2'].map((key) => item(key)));
    expect(reports).toEqual([
      { bucket: 'inbox', key: 'n/1', outcome: 'stored', bytes: 3 },
      { bucket: 'inbox', key: 'n/bad', outcome: 'failed', code: 'key_not_storable', retryable: false },
      { bucket: 'inbox', key: 'n/2', outcome: 'stored', bytes: 3 },
      { bucket: 'inbox', key: 'n/flaky', outcome: 'stored', bytes: 3 },
    ]);
    expect(calls().map(({ key }) => key)).toEqual(['n/1', 'n/flaky', 'n/bad', 'n/2', 'n/flaky', 'n/flaky']);
  });

  test('leaves out what is outside of the filters', async () => {
    const filter = { prefix: 'in/', suffix: '.csv' };
    const keys = ['in/a.csv', 'in/b.txt', 'out/c.csv', 'in/d.csv/', 'csv', 'in/.csv'];
    const reports = (await batch(keys.map((key) => item(key, filter)))) as { key: string }[];
    expect(reports.map(({ key }) => key)).toEqual(['in/a.csv', 'in/.csv']);
    expect(await batch([item('out/only', filter)])).toEqual([]);
  });

  test('has its keys decoded where they come from an inventory, and not otherwise', async () => {
    const encoded = ['q/a+b', 'q/a%2Bb', 'q/100%25', 'q/%E6%97%A5%E6%9C%AC%20%F0%9F%98%80', 'q/%2541'];
    const decoded = (await batch(encoded.map((key) => item(key, { encoded: true })))) as { key: string }[];
    expect(decoded.map(({ key }) => key)).toEqual(['q/a b', 'q/a+b', 'q/100%', 'q/日本 😀', 'q/%41']);
    const raw = (await batch(encoded.map((key) => item(key)))) as { key: string }[];
    expect(raw.map(({ key }) => key)).toEqual(encoded);
  });

  test('is reported object by object where the function is killed', async () => {
    expect(await batch([item('k/1'), item('k/crash')])).toEqual(
      ['k/1', 'k/crash'].map((key) => ({
        bucket: 'inbox',
        key,
        outcome: 'failed',
        code: 'function_failed',
        retryable: true,
      })),
    );
  });
});

test('wrong use', () =>
  box.transcript(`
    $ sealdrop backfill start
    ! error: no deployment is named
    ! hint: name it: --deployment NAME (or SEALDROP_DEPLOYMENT), or use --state-machine ARN
    [2]
    $ sealdrop backfill start --deployment none
    ! error: there is no stack Sealdrop-none
    ! hint: check --deployment, and --region and --profile: they say where it is looked for
    [3]
    $ sealdrop backfill start --state-machine {machine}
    ! error: no bucket is named
    ! hint: name it: --bucket NAME
    [2]
    $ sealdrop backfill start --deployment test --bucket other
    ! error: that is none of the deployment’s inboxes
    ! hint: name one of them with --bucket and --prefix: s3://inbox/
    [2]
    $ sealdrop backfill start --deployment test --manifest ./manifest.json
    ! error: ./manifest.json names no manifest
    ! hint: it is s3://bucket/.../manifest.json, where S3 put the inventory
    [2]
    $ sealdrop backfill start --deployment test --manifest s3://inventories/manifest.json --wait 2>&1 | tail -2
    > error: the run ended as FAILED (InventoryNotConfigured)
    > hint: start it again when the cause is mended: what is stored already is not stored twice
    $ sealdrop backfill start --deployment test --rewrap
    ! error: the deployment does not rewrap: it has no private key
    ! hint: with rewrap in sealdrop.config.json it would (docs/operations.md); without: sealdrop rewrap, where the private key is
    [1]
    $ sealdrop backfill start --deployment test --rewrap --bucket inbox
    ! error: option '--rewrap' cannot be used with option '--bucket <name>'
    ! hint: see: sealdrop backfill start --help
    [2]
    $ sealdrop backfill report {run}:none --deployment test
    ! error: there is no run {run}:none
    ! hint: it is the ARN that backfill start printed; AWS keeps runs for 90 days
    [3]
    $ AWS_ENDPOINT_URL=http://127.0.0.1:9 sealdrop backfill status --deployment test
    ! error: the stack Sealdrop-test: AWS cannot be reached (ECONNREFUSED)
    ! hint: check the network, --region, and AWS_ENDPOINT_URL if it is set
    [1]
    $ AWS_REGION= sealdrop backfill status --deployment test
    ! error: no region is set for AWS
    ! hint: name it: --region REGION (or AWS_REGION, or in the profile)
    [2]
    $ AWS_ACCESS_KEY_ID= sealdrop backfill status --deployment test
    ! error: no credentials for AWS were found
    ! hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --profile NAME
    [4]
  `));
