import type { Duration } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { AfterStoring, EncryptingFormat, KeyNameSettings } from '../../src/contract.js';
import type { NetworkProps } from './function.js';
import type { InboxBucketProps } from './inbox-bucket.js';
import type { InboxProps } from './inboxes.js';
import type { VaultBucketProps } from './vault.js';

export interface EncryptionGatewayProps {
  /** Name of the secret with the public key set, or a bare public key in PEM. */
  readonly publicKeySetSecretName: string;
  /** Name of the secret with the vault's address and credentials for writing. Not with `vaultBucket`. */
  readonly vaultWriteSecretName?: string;
  /** A vault on AWS instead: a bucket that is there already, or an `EncryptedBucket`. */
  readonly vaultBucket?: VaultBucketProps;
  /** Name of a secret with the idempotency key. Default: one is made, which outlives the stack. */
  readonly idempotencySecretName?: string;
  /** Customer keys that the named secrets are encrypted with. The first also encrypts the one that is made. */
  readonly secretKeys?: readonly kms.IKey[];
  /**
   * Keys of KMS that the public key set names: objects are wrapped to them too. Another account's must allow the function's
   * role in its own policy; a `CseKey` of the same stack does by itself. For an alias in the set the key that it means.
   */
  readonly wrappingKeys?: readonly kms.IKey[];
  /** What logs, metrics and alarms call this gateway. Default: the path of the construct. */
  readonly deployment?: string;
  /** What is encrypted. Default: everything in a bucket of the gateway's own. */
  readonly inboxes?: readonly InboxProps[];
  /** The gateway's own bucket; made where an inbox names none. */
  readonly inboxBucket?: InboxBucketProps;
  /**
   * What is written. `s3ec` and `s3ec-v2`, the S3 Encryption Client's objects, are for one key: the public key set has one
   * that is active. Default: `esdk`.
   */
  readonly format?: EncryptingFormat;
  /** What becomes of a source that was stored and verified. `delete` needs versioned inboxes. Default: `keep`. */
  readonly afterStore?: AfterStoring;
  /** Names that messages carry for bare public keys. Default: the ABCI guide's. */
  readonly keyNames?: KeyNameSettings;
  /** MiB. Default: 1,769, one whole vCPU. */
  readonly memory?: number;
  /** Time limit of a run. Default: 15 minutes, the most that Lambda has. */
  readonly timeout?: Duration;
  /** Bytes above which an object is refused at once. Default: what fits the time limit at 12 MiB/s. */
  readonly maxObjectBytes?: number;
  /** Batches worked on at the same time, 2 to 1,000: protects the vault. Default: 10. */
  readonly maxConcurrency?: number;
  /** How long what failed waits for its second try, 1 second to 15 minutes; then twice as long each time. Default: 15 seconds. */
  readonly retryAfter?: Duration;
  /** How long a secret that was read is used. Default: 5 minutes. */
  readonly secretsTtl?: Duration;
  /**
   * Told when an alarm begins, and when it is over. Default: there are no alarms; `GatewayMonitoring` makes them for this and
   * other functions together.
   */
  readonly alarmTopic?: sns.ITopic;
  /** Default: 3 months. */
  readonly logRetention?: logs.RetentionDays;
  /** Default: Lambda's own network. */
  readonly network?: NetworkProps;
}
