import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type Message,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { MessageQueue, QueueMessage } from '../operations.js';
import { awsError } from './errors.js';

/** Long polling asks all of SQS's servers, not a sample of them. Seconds. */
const WAIT = 1;
/** Of a batch. */
const MAX_BATCH = 10;

export function sqsQueue(client: SQSClient, url: string): MessageQueue {
  const asked = async <T>(request: Promise<T>): Promise<T> =>
    request.catch((error: unknown) => Promise.reject(awsError(error, `the queue ${url}`)));
  const QueueUrl = url;
  return {
    url,
    async count(abortSignal) {
      const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
      const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...names] });
      const { Attributes = {} } = await asked(client.send(command, { abortSignal }));
      return names.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
    },
    async receive(seconds, abortSignal) {
      const command = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: MAX_BATCH,
        VisibilityTimeout: seconds,
        WaitTimeSeconds: WAIT,
        MessageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount'],
        MessageAttributeNames: ['All'],
      });
      const { Messages = [] } = await asked(client.send(command, { abortSignal }));
      return Messages.map(described);
    },
    async release(receipts) {
      for (let at = 0; at < receipts.length; at += MAX_BATCH) {
        const Entries = receipts
          .slice(at, at + MAX_BATCH)
          .map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle, VisibilityTimeout: 0 }));
        await asked(client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })));
      }
    },
    async remove(ReceiptHandle) {
      await asked(client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })));
    },
    async send(MessageBody) {
      await asked(client.send(new SendMessageCommand({ QueueUrl, MessageBody })));
    },
  };
}

function described({
  MessageId,
  ReceiptHandle,
  Body,
  Attributes = {},
  MessageAttributes = {},
}: Message): QueueMessage {
  return {
    id: MessageId!,
    receipt: ReceiptHandle!,
    body: Body ?? '',
    attributes: Object.fromEntries(
      Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue ?? '']),
    ),
    sent: new Date(Number(Attributes.SentTimestamp)),
    receiveCount: Number(Attributes.ApproximateReceiveCount),
  };
}
