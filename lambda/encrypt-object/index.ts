import { Logger } from '@aws-lambda-powertools/logger';
import { loadEncryption } from '../../src/compose-encryptor.js';
import { openGatewayParts } from '../../src/compose-gateway.js';
import type { EncryptObjectSettings } from '../../src/contract.js';
import { functionSettings } from '../../src/function-settings.js';
import { secretsManager } from '../../src/secrets/secrets-manager.js';
import { openS3Inbox } from '../../src/store/s3-inbox.js';
import { encryptObjectHandler } from './handler.js';
import { deadLetters, eventQueue } from './sqs.js';
import { telemetry } from './telemetry.js';

const settings = functionSettings<EncryptObjectSettings>();
await loadEncryption(settings);
const { deployment, inboxes, after } = settings;

export const handler = encryptObjectHandler({
  settings,
  parts: openGatewayParts(settings, {
    secrets: secretsManager(),
    inboxes,
    // What is deleted at the source must have been proven by the vault, whatever ETags it makes.
    ...(after === 'delete' && { checksum: 'signature' }),
  }),
  openInbox: (bucket) => openS3Inbox({ bucket, bucketOwner: settings.account }),
  queue: eventQueue(settings.queueUrl),
  sendDeadLetter: deadLetters(settings.deadLetterUrl),
  telemetry: telemetry(deployment, new Logger({ serviceName: `sealdrop-${deployment}` })),
});
