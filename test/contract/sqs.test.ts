import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadLetters, eventQueue } from '../../lambda/encrypt-object/sqs.js';
import type { QueueMessage } from '../../src/gateway/delivery.js';
import { isWanted, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

const wanted = isWanted('ministack') ? describe : describe.skip;

wanted('the queues of the encrypting function', () => {
  let server: S3Server;
  let client: SQSClient;
  let url: string;
  let counter = 0;

  beforeAll(async () => {
    server = await startMinistack();
    const { endpoint, region, credentials } = server;
    client = new SQSClient({ endpoint, region, credentials });
  }, SETUP_TIME);
  afterAll(async () => {
    client?.destroy();
    await server?.stop();
  });
  beforeEach(async () => {
    url = await queueNamed(`queue-${++counter}`);
  });

  async function queueNamed(QueueName: string): Promise<string> {
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName }));
    return QueueUrl!;
  }
  const send = async (MessageBody: string) =>
    client.send(new SendMessageCommand({ QueueUrl: url, MessageBody }));
  async function receive(from = url, VisibilityTimeout = 60) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        ...{ QueueUrl: from, MaxNumberOfMessages: 10, VisibilityTimeout },
        MessageAttributeNames: ['All'],
      }),
    );
    return Messages;
  }
  async function messages(VisibilityTimeout?: number): Promise<QueueMessage[]> {
    const found = await receive(url, VisibilityTimeout);
    return found.map((one) => ({
      id: one.MessageId!,
      receipt: one.ReceiptHandle!,
      body: one.Body!,
      received: 1,
    }));
  }

  test('knows the messages that it handed out, and keeps them', async () => {
    for (const body of ['a', 'b', 'c']) await send(body);
    const found = await messages(1);
    for (const message of found) await eventQueue(url, client).hold(message, 30);
    await sleep(1_500);
    expect(await receive()).toEqual([]);
  });

  test('does not know what it never handed out, or what is another queue’s', async () => {
    await send('a');
    const [ours] = await messages();
    const other = await queueNamed(`other-${counter}`);
    await client.send(new SendMessageCommand({ QueueUrl: other, MessageBody: 'b' }));
    const [theirs] = await receive(other);
    const forged = [
      { ...ours!, id: 'made-up', receipt: 'made-up' },
      { ...ours!, id: 'empty', receipt: '' },
      { ...ours!, id: 'theirs', receipt: theirs!.ReceiptHandle! },
    ];
    for (const message of forged) await expect(eventQueue(url, client).hold(message, 30)).rejects.toThrow();
    await eventQueue(url, client).hold(ours!, 30);
  });

  test('does not know a message that was dealt with', async () => {
    await send('a');
    const [ours] = await messages();
    await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: ours!.receipt }));
    await expect(eventQueue(url, client).hold(ours!, 30)).rejects.toThrow();
  });

  test('a postponed message comes again when its time is over', async () => {
    await send('a');
    const [ours] = await messages();
    await eventQueue(url, client).postpone(ours!, 1);
    await sleep(1_500);
    expect(await messages()).toMatchObject([{ id: ours!.id }]);
  });

  test('a dead letter has its code as an attribute too', async () => {
    await deadLetters(url, client)({ bucket: 'inbox', key: 'a b', code: 'too_large' } as never);
    const [letter] = await receive();
    expect(JSON.parse(letter!.Body!)).toEqual({ bucket: 'inbox', key: 'a b', code: 'too_large' });
    expect(letter!.MessageAttributes?.code?.StringValue).toBe('too_large');
  });
});
