/** The options of `sealdrop serve`, but for those of the API. */
import { Option, type Command } from 'commander';
import type { ApiOptions } from './api-options.js';
import type * as shared from './options.js';

/** What `--defaults` uses here. */
export const DEFAULTS = {
  inbox: 'inbox',
  vault: 'vault',
  keys: 'keys',
  publicKey: 'keys/public_key.pem',
  privateKey: 'keys/private_key.pem',
  idempotencyKey: 'keys/idempotency.key',
};

export interface ServeOptions
  extends
    shared.EncryptOptions,
    shared.StoreOptions,
    shared.OutputOptions,
    ApiOptions,
    Omit<BucketOptions, 'after'> {
  inbox?: string;
  vault?: string;
  once?: boolean;
  defaults?: boolean;
  after: 'keep' | 'move' | 'delete';
  moveTo?: string;
  settle: number;
  keysTtl: number;
  idempotencyKey?: string;
}

export interface BucketOptions {
  inboxEndpointUrl?: string;
  inboxRegion?: string;
  inboxProfile?: string;
  webhookTokenFile?: string;
  endpointUrl?: string;
  caBundle?: string;
  after: string;
}

export function bucketOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--inbox-endpoint-url <url>', 'store of an inbox s3://bucket/prefix/').env(
        'SEALDROP_INBOX_ENDPOINT_URL',
      ),
    )
    .addOption(new Option('--inbox-region <name>', 'its region'))
    .addOption(new Option('--inbox-profile <name>', 'profile of the AWS configuration files for it'))
    .addOption(
      new Option('--webhook-token-file <file>', 'token of MinIO for POST /v1/events (with --listen)'),
    );
}
