/** What became of what was dropped: seen from outside, with a time limit on every wait. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeLogGroupsCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetObjectTaggingCommand } from '@aws-sdk/client-s3';
import { DeleteMessageCommand, GetQueueAttributesCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { CODE_ATTRIBUTE, STATUS_TAG, type DeadLetter } from '../../src/contract.js';
import type { ObjectInfo } from '../../src/ports.js';
import type { Gateway } from './aws-gateway.js';
import { VAULT_PREFIX } from './aws-vault.js';

/** Milliseconds that a thing may take which works at the first try. */
const PATIENCE = 120_000;

/** Asks until there is an answer. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  patience = PATIENCE,
): Promise<T> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(100)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`waited ${patience / 1000} seconds in vain: ${what}`);
}

/** The vault object, or undefined. Its key without the vault's prefix. */
export async function lookInVault({ vault }: Gateway, key: string): Promise<ObjectInfo | undefined> {
  return vault.store.head(VAULT_PREFIX + key).catch((error: unknown) => {
    if ((error as { code?: string }).code === 'object_not_found') return undefined;
    throw error;
  });
}

export const stored = (gateway: Gateway, key: string, patience?: number): Promise<ObjectInfo> =>
  until(`${key} in the vault`, () => lookInVault(gateway, key), patience);

const COUNTS = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const;

/** Waits until nothing is queued, and nothing worked on. */
export async function queueEmpty(gateway: Gateway, patience?: number): Promise<void> {
  const { aws, outputs } = gateway;
  const question = new GetQueueAttributesCommand({ QueueUrl: outputs.QueueUrl, AttributeNames: ['All'] });
  let quiet = 0;
  const ask = async () => {
    const { Attributes: counts = {} } = await aws.sqs.send(question);
    quiet = COUNTS.every((name) => counts[name] === '0') ? quiet + 1 : 0;
    // Events are sent a moment after the objects are there.
    return quiet >= 10 ? true : undefined;
  };
  await until('an empty queue', ask, patience).catch(async (error: unknown) => {
    throw new Error(`${(error as Error).message}; the last that failed:\n${await lastFailures(gateway)}`);
  });
}

async function lastFailures(gateway: Gateway): Promise<string> {
  const lines = (await linesSoFar(gateway)).filter((line) => /"level":"(WARN|ERROR)"|Error/.test(line));
  return lines.slice(-8).join('\n');
}

export interface Dead {
  /** Attribute of the message; what SQS moved itself has none. */
  readonly code: string | undefined;
  readonly body: string;
  readonly letter: Partial<DeadLetter>;
}

/** Takes what is in the dead-letter queue out of it. */
export async function takeDead({ aws, outputs }: Gateway): Promise<Dead[]> {
  const QueueUrl = outputs.DeadLetterQueueUrl;
  const taken: Dead[] = [];
  for (;;) {
    const { Messages = [] } = await aws.sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
    );
    if (Messages.length === 0) return taken;
    for (const { Body = '', MessageAttributes = {}, ReceiptHandle } of Messages) {
      const code = MessageAttributes[CODE_ATTRIBUTE]?.StringValue;
      taken.push({ code, body: Body, letter: JSON.parse(Body) as Partial<DeadLetter> });
      await aws.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
}

/** The status tag of an inbox object. */
export async function statusOf(
  { aws, inbox }: Gateway,
  key: string,
  bucket = inbox,
): Promise<string | undefined> {
  const { TagSet = [] } = await aws.s3.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: key }));
  return TagSet.find(({ Key }) => Key === STATUS_TAG)?.Value;
}

/** All that the functions wrote, line by line: logs, and metrics, which are lines of the log too. */
export async function logLines(gateway: Gateway): Promise<string[]> {
  // ministack hands on what comes late with the next call to the same process.
  const calls = Array.from({ length: 12 }, () => gateway.invoke({ Items: [] }).catch(() => undefined));
  await Promise.all(calls);
  return linesSoFar(gateway);
}

/** The same, without the last ones of a process that was not called again. */
export async function linesSoFar({ aws }: Gateway): Promise<string[]> {
  const { logGroups = [] } = await aws.logs.send(new DescribeLogGroupsCommand({}));
  const lines: string[] = [];
  for (const { logGroupName } of logGroups) {
    let nextToken: string | undefined;
    do {
      const page = await aws.logs.send(new FilterLogEventsCommand({ logGroupName, nextToken }));
      lines.push(...(page.events ?? []).map(({ message = '' }) => message));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
  }
  return lines;
}
