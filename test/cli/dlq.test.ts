/** The command against queues of ministack. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { Box, documents, until } from '../helpers/cli.js';
import { awsEnvironment, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

const ETAG = 'd41d8cd98f00b204e9800998ecf8427e';

let server: S3Server;
let sqs: SQSClient;
let box: Box;
let main: string;
let dead: string;

beforeAll(async () => {
  server = await startMinistack();
  const { endpoint, region, credentials } = server;
  sqs = new SQSClient({ endpoint, region, credentials });
  const make = async (QueueName: string) => (await sqs.send(new CreateQueueCommand({ QueueName }))).QueueUrl!;
  main = await make('work');
  dead = await make('dead');
  const stacks = new CloudFormationClient({ endpoint, region, credentials });
  const Outputs = { QueueUrl: { Value: main }, DeadLetterQueueUrl: { Value: dead } };
  const Resources = { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } };
  const StackName = 'Sealdrop-lab';
  await stacks.send(
    new CreateStackCommand({ StackName, TemplateBody: JSON.stringify({ Resources, Outputs }) }),
  );
  await until('the stack is there', async () => {
    const { Stacks } = await stacks.send(new DescribeStacksCommand({ StackName }));
    return Stacks?.[0]?.StackStatus === 'CREATE_COMPLETE';
  });
  stacks.destroy();
  box = new Box({ ...awsEnvironment(server), SEALDROP_DEPLOYMENT: 'lab' }, { work: main, dead });
}, SETUP_TIME);

afterAll(async () => {
  sqs?.destroy();
  await server?.stop();
});

beforeEach(async () => {
  for (const QueueUrl of [main, dead]) await sqs.send(new PurgeQueueCommand({ QueueUrl }));
});

/** As the encrypting function leaves it. */
async function failed(code: string, key: string, more: object = {}): Promise<string> {
  const { MessageId } = await sqs.send(
    new SendMessageCommand({
      QueueUrl: dead,
      MessageBody: JSON.stringify({ bucket: 'inbox', key, code, ...more }),
      MessageAttributes: { code: { DataType: 'String', StringValue: code } },
    }),
  );
  return MessageId!;
}

/** As S3 sends it, with what a single-part object's ETag is: the MD5 of its content. */
const event = (key: string) =>
  JSON.stringify({
    Records: [
      {
        eventName: 'ObjectCreated:Put',
        s3: {
          bucket: { name: 'inbox' },
          object: { key, size: 0, eTag: ETAG, sequencer: '0055AED6DCD90281E5' },
        },
      },
    ],
  });

async function exhausted(key: string): Promise<string> {
  const { MessageId } = await sqs.send(new SendMessageCommand({ QueueUrl: dead, MessageBody: event(key) }));
  return MessageId!;
}

async function drain(QueueUrl: string): Promise<{ body: string; code: string | undefined }[]> {
  const found = [];
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
    );
    if (Messages.length === 0) return found;
    for (const { Body, MessageAttributes, ReceiptHandle } of Messages) {
      found.push({ body: Body!, code: MessageAttributes?.code?.StringValue });
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
}

const dlq = async (...args: string[]) => box.run(['dlq', ...args]);

test('list shows what each message is about and why it is there, and gives all of them back', async () => {
  const ids = [
    await failed('key_not_storable', 'a//b', { versionId: 'v1' }),
    await exhausted('caf%C3%A9+1%2B1.csv'),
    (await sqs.send(new SendMessageCommand({ QueueUrl: dead, MessageBody: 'no JSON' }))).MessageId!,
  ];
  for (let i = 0; i < 2; i++) {
    const result = await dlq('list', '--json');
    expect(result).toMatchObject({ code: 0, stderr: `looked at 3 of about 3 messages in ${dead}\n` });
    const found = new Map(documents(result).map((each) => [each.id, each]));
    expect([...found.keys()].sort()).toEqual([...ids].sort());
    expect(ids.map((id) => [found.get(id)!.code, found.get(id)!.objects])).toEqual([
      ['key_not_storable', [{ bucket: 'inbox', key: 'a//b', version: 'v1' }]],
      ['exhausted', [{ bucket: 'inbox', key: 'café 1+1.csv' }]],
      ['exhausted', []],
    ]);
  }
  const text = (await dlq('list')).stdout.toString().split('\n').sort();
  expect(text.join('\n')).toMatch(
    /^\n +\d+ s exhausted {12}[\w-]{36} \(not to be read\)\n|inbox\/café 1\+1\.csv/,
  );
  expect(await drain(dead)).toHaveLength(3);
});

test('list takes a filter and a limit', async () => {
  for (let i = 0; i < 25; i++) await failed(i % 5 === 0 ? 'too_large' : 'foreign_key', `x/${i}`);
  expect(documents(await dlq('list', '--json', '--code', 'too_large'))).toHaveLength(5);
  expect(documents(await dlq('list', '--json', '--key', 'x/7'))).toHaveLength(1);
  expect(documents(await dlq('list', '--json', '--key', 'x/'))).toHaveLength(25);
  const few = await dlq('list', '--json', '--max', '3');
  expect(documents(few)).toHaveLength(3);
  expect(few.stderr).toBe(`looked at 3 of about 25 messages in ${dead}\n`);
});

test('list tells of what is not given up yet', async () => {
  await failed('too_large', 'a');
  await sqs.send(new SendMessageCommand({ QueueUrl: main, MessageBody: event('b') }));
  const { stderr } = await dlq('list');
  expect(stderr).toBe(
    `looked at 1 of about 1 message in ${dead}\nabout 1 message not given up: tried again by the deployment\n`,
  );
  await drain(main);
});

test('show tells all but the digests in it', async () => {
  const id = await exhausted('a+b');
  const { code, stdout } = await dlq('show', id.slice(0, 8));
  expect(code).toBe(0);
  expect(stdout.toString()).toMatch(
    new RegExp(
      `^${id}\\n  code      exhausted\\n  bucket    inbox\\n  key       a b\\n  sent      .*Z \\(\\d+ s ago\\)\\n  received  1 times\\n$`,
    ),
  );
  for (const args of [
    ['show', id, '--json'],
    ['list'],
    ['list', '--json'],
    ['redrive', '--dry-run', '--json'],
  ]) {
    const { stdout: out, stderr } = await dlq(...args);
    expect(`${out.toString()}${stderr}`).not.toContain(ETAG);
    expect(out.toString()).toContain(id);
  }
  expect(await dlq('show', 'ffffffff-none')).toMatchObject({ code: 3 });
});

test('redrive names both queues, moves bodies as they are, without the code, and loses none', async () => {
  await failed('store_unavailable', 'a');
  await exhausted('b');
  const dry = await dlq('redrive', '--dry-run');
  expect(dry.stderr).toBe(`about 2 messages in ${dead}\nwhat is chosen goes to ${main}\n2 would be moved\n`);
  expect(await drain(main)).toEqual([]);
  const done = await dlq('redrive', '--yes', '--json');
  expect(done.code).toBe(0);
  expect(documents(done)).toHaveLength(2);
  expect(documents(done)[0]).toMatchObject({ moved: true, to: main });
  expect(new Set(await drain(main))).toEqual(
    new Set([
      { body: event('b'), code: undefined },
      { body: JSON.stringify({ bucket: 'inbox', key: 'a', code: 'store_unavailable' }), code: undefined },
    ]),
  );
  expect(await drain(dead)).toEqual([]);
});

test('redrive of some leaves the others, visible at once', async () => {
  const first = await failed('foreign_key', 'x/1');
  await failed('too_large', 'x/2');
  await failed('too_large', 'y/3');
  for (let i = 0; i < 12; i++) await failed('store_unavailable', `z/${i}`);
  expect((await dlq('redrive', '--yes', '--code', 'too_large', '--key', 'x/')).code).toBe(0);
  expect((await dlq('redrive', '--yes', first.slice(0, 10))).code).toBe(0);
  const none = await dlq('redrive', '--yes', '--code', 'too_larg');
  expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining('is one of these\nhint: ') });
  const keys = (await drain(main)).map(({ body }) => (JSON.parse(body) as { key: string }).key);
  expect(keys.sort()).toEqual(['x/1', 'x/2']);
  expect(await drain(dead)).toHaveLength(13);
});

test('what fails again while redrive runs is moved once', async () => {
  for (let i = 0; i < 12; i++) await failed('foreign_key', `k/${i}`);
  let back = 0;
  let running = true;
  const fails = (async () => {
    while (running)
      for (const { body } of await drain(main)) {
        back++;
        await failed('foreign_key', (JSON.parse(body) as { key: string }).key);
      }
  })();
  const { stderr } = await dlq('redrive', '--yes');
  running = false;
  await fails;
  expect(stderr).toMatch(/\n12 moved\n$/);
  expect(back + (await drain(main)).length).toBe(12);
});

test('a queue that cannot be sent to: nothing leaves the dead-letter queue', async () => {
  await failed('store_unavailable', 'a');
  const result = await dlq('redrive', '--yes', '--to-url', `${main}-none`, '--queue-url', dead);
  expect(result).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/error: the queue .*-none: AWS refuses this \(QueueDoesNotExist\)/),
  });
  expect(await drain(dead)).toHaveLength(1);
});

test('interrupted: what was not moved is given back', async () => {
  for (let i = 0; i < 200; i++) await failed('foreign_key', `k/${i}`);
  const running = box.start(['dlq', 'redrive', '--yes']);
  await until('some are moved', () => running.stdout().toString().split('\n').length > 5);
  running.child.kill('SIGINT');
  expect((await running.result).code).toBe(130);
  const moved = await drain(main);
  const left = await drain(dead);
  expect(moved.length).toBeGreaterThan(3);
  expect(left.length).toBeGreaterThan(0);
  expect(moved.length + left.length).toBe(200);
});

test('at a terminal it asks, and takes no for an answer', async () => {
  await failed('too_large', 'a');
  const no = await box.terminal(['dlq', 'redrive', '--code', 'too_large'], [{ wait: '[y/N]', send: '\n' }]);
  expect(no.screen).toContain('move those with code too_large? [y/N]');
  expect(no.screen).toContain('nothing was moved');
  expect(await drain(main)).toEqual([]);
  const yes = await box.terminal(['dlq', 'redrive'], [{ wait: 'move all of them? [y/N]', send: 'y\n' }]);
  expect(yes.screen).toContain('1 moved');
  expect(await drain(main)).toHaveLength(1);
});

test('without a terminal it wants --yes; a queue that isn’t there', () =>
  box.transcript(`
    $ sealdrop dlq redrive
    ! about 0 messages in {dead}
    ! what is chosen goes to {work}
    ! error: this has to be confirmed, and there is no terminal to ask at
    ! hint: give --yes, or --dry-run to see what would be done
    [2]
    $ sealdrop dlq list --queue-url {dead}-none
    ! error: the queue {dead}-none: AWS refuses this (QueueDoesNotExist)
    ! hint: check --region, --profile and AWS_ENDPOINT_URL: they say which AWS is asked
    [1]
    $ sealdrop dlq list
    ! looked at 0 of about 0 messages in {dead}
    $ SEALDROP_DEPLOYMENT= sealdrop dlq list
    ! error: no deployment is named
    ! hint: name it: --deployment NAME (or SEALDROP_DEPLOYMENT), or use --queue-url URL
    [2]
  `));
