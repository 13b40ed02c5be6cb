/** What whoever encrypts may do: the whole of it, and nothing that opens what was encrypted. */
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { AfterStoring, EncryptingSettings } from '../../src/contract.js';
import type { Grant } from './acknowledge.js';
import { readSecrets, useKeys } from './access.js';
import { CseKey, WRAPPING_ACTIONS } from './cse-key.js';
import type { SealdropFunction } from './function.js';
import type { Inbox } from './inboxes.js';
import { vaultAccess, vaultSecrets, type Vault } from './vault.js';

export interface EncryptingAccess {
  readonly settings: Pick<EncryptingSettings, 'publicKeySet' | 'idempotency'>;
  readonly vault: Vault;
  readonly secretKeys: readonly kms.IKey[];
  readonly wrappingKeys: readonly kms.IKey[];
}

/** Its secrets, its wrapping keys and its way into the vault. */
export function allowVaultWriting(
  made: SealdropFunction,
  { settings, vault, secretKeys, wrappingKeys }: EncryptingAccess,
): void {
  allowWrapping(made, wrappingKeys);
  made.grant(
    ...readSecrets(made, [settings.publicKeySet, settings.idempotency, ...vaultSecrets(vault)], secretKeys),
    ...vaultAccess(made, vault, 'write'),
  );
}

/** Never kms:Decrypt: what it wrapped, it cannot unwrap. */
export function allowWrapping(made: SealdropFunction, keys: readonly kms.IKey[]): void {
  if (keys.length === 0) return;
  made.grant({ actions: WRAPPING_ACTIONS, resources: keys.map((key) => key.keyArn) });
  for (const key of keys) if (key instanceof CseKey) key.nameEncrypter(made.role);
}

/** Reading the inbox, and marking or removing what was read. */
export function inboxAccess(scope: Construct, inboxes: readonly Inbox[], after: AfterStoring): Grant[] {
  const objects = inboxes.map(({ bucket, settings }) =>
    bucket.arnForObjects(`${settings.prefix}*${settings.suffix}`),
  );
  const keys = inboxes.flatMap(({ encryptionKey }) => encryptionKey ?? []);
  return [
    {
      actions: [
        's3:GetObject',
        's3:GetObjectVersion',
        's3:GetObjectTagging',
        's3:GetObjectVersionTagging',
        's3:PutObjectTagging',
        's3:PutObjectVersionTagging',
        ...(after === 'delete' ? ['s3:DeleteObjectVersion'] : []),
      ],
      resources: objects,
      pattern: 'Whatever passes the filters of the inbox, in any folder.',
    },
    // Without it a source that is gone would be refused instead of absent.
    { actions: ['s3:ListBucket'], resources: inboxes.map(({ bucket }) => bucket.bucketArn) },
    ...useKeys(scope, 's3', keys),
  ];
}

/** Working off the queue, and ending what cannot work on the other one. */
export function queueAccess(queues: { queue: sqs.IQueue; deadLetterQueue: sqs.IQueue }): Grant[] {
  return [
    {
      actions: [
        'sqs:ReceiveMessage',
        'sqs:DeleteMessage',
        'sqs:ChangeMessageVisibility',
        'sqs:GetQueueAttributes',
      ],
      resources: [queues.queue.queueArn],
    },
    { actions: ['sqs:SendMessage'], resources: [queues.deadLetterQueue.queueArn] },
  ];
}
