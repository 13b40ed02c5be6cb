/** The queue that events come in, and the one where records go that can't ever work. */
import { ChangeMessageVisibilityCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { CODE_ATTRIBUTE } from '../../src/contract.js';
import type { EventQueue } from '../../src/gateway/batch.js';

/** Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html */
const MAX_SECONDS = 43_200;

/** Where the client's own settings say that SQS is: a VPC's end point, say. */
const queueClient = () => new SQSClient({ useQueueUrlAsEndpoint: false });

export function eventQueue(QueueUrl: string, client = queueClient()): EventQueue {
  return {
    // One by one: emulators know the right to do it for many at once by another name than AWS.
    async hold({ receipt: ReceiptHandle }, seconds) {
      const VisibilityTimeout = Math.min(MAX_SECONDS, Math.ceil(seconds));
      await client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }));
    },
    async postpone({ receipt: ReceiptHandle }, VisibilityTimeout) {
      await client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }));
    },
  };
}

/** Sends a record, its code as an attribute too, where it is read without reading the record. */
export function deadLetters(QueueUrl: string, client = queueClient()) {
  return async (letter: { readonly code: string }): Promise<void> => {
    await client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: JSON.stringify(letter),
        MessageAttributes: { [CODE_ATTRIBUTE]: { DataType: 'String', StringValue: letter.code } },
      }),
    );
  };
}
