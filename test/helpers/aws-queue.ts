/** The queue of arrivals, in the hands of a test: what S3 sent is taken out and put back in another order. */
import { randomUUID } from 'node:crypto';
import { ListEventSourceMappingsCommand, UpdateEventSourceMappingCommand } from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import type { Gateway } from './aws-gateway.js';
import { until } from './aws-watch.js';

async function setMapping({ aws, outputs }: Gateway, Enabled: boolean): Promise<void> {
  const FunctionName = outputs.EncryptObjectFunction;
  const { EventSourceMappings = [] } = await aws.lambda.send(
    new ListEventSourceMappingsCommand({ FunctionName }),
  );
  for (const { UUID } of EventSourceMappings)
    await aws.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled }));
}

/** What S3 sends of `action`, in the order of sending, without anybody working on it. */
export async function eventsOf(
  gateway: Gateway,
  count: number,
  action: () => Promise<unknown>,
): Promise<string[]> {
  await setMapping(gateway, false);
  try {
    await action();
    return await take(gateway, count);
  } finally {
    await setMapping(gateway, true);
  }
}

async function take({ aws, outputs }: Gateway, count: number): Promise<string[]> {
  const { QueueUrl } = outputs;
  const bodies: string[] = [];
  await until(`${count} messages`, async () => {
    const { Messages = [] } = await aws.sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
    );
    for (const { Body, ReceiptHandle } of Messages) {
      bodies.push(Body!);
      await aws.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
    return bodies.length >= count ? true : undefined;
  });
  return bodies;
}

export async function send({ aws, outputs }: Gateway, bodies: readonly string[]): Promise<void> {
  for (const MessageBody of bodies)
    await aws.sqs.send(new SendMessageCommand({ QueueUrl: outputs.QueueUrl, MessageBody }));
}

/** All of them are there before anybody takes one: they come in one batch. */
export async function sendTogether(gateway: Gateway, bodies: readonly string[]): Promise<void> {
  await setMapping(gateway, false);
  try {
    await send(gateway, bodies);
  } finally {
    await setMapping(gateway, true);
  }
}

/** A call as the queue makes it, by somebody who only says that it comes from there. */
export const asBatch = (bodies: readonly string[]) => ({
  Records: bodies.map((body) => ({
    messageId: randomUUID(),
    receiptHandle: randomUUID(),
    body,
    attributes: { ApproximateReceiveCount: '1' },
    messageAttributes: {},
    eventSource: 'aws:sqs',
  })),
});

/** A notification as S3 writes it. */
export function s3Event(
  bucket: string,
  key: string,
  object: { versionId?: string; eTag?: string; sequencer?: string } = {},
): string {
  const encoded = encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/');
  const s3 = {
    s3SchemaVersion: '1.0',
    bucket: { name: bucket },
    object: { key: encoded, size: 1, ...object },
  };
  return JSON.stringify({
    Records: [{ eventVersion: '2.1', eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', s3 }],
  });
}
