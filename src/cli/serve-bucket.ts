/** `sealdrop serve --inbox s3://bucket/prefix/`: a bucket at an S3-compatible store as the inbox. */
import type { Address } from '../address.js';
import type { Vault } from '../config/settings.js';
import { exitCodeOf, SealdropError } from '../errors.js';
import { BucketGateway } from '../gateway/bucket.js';
import { InboxGateway, type Report } from '../gateway/inbox-gateway.js';
import type { EncryptingSide } from '../gateway/inbox-object.js';
import { assertApartFromVault } from '../gateway/inboxes.js';
import { printable } from '../printable.js';
import type { Environment } from './command.js';
import { formatBytes, type Output } from './output.js';
import type { BucketOptions } from './serve-options.js';

export type BucketAddress = Address & { kind: 's3' };

/** @throws SealdropError `usage` */
export async function openBucketGateway(
  { bucket, key: prefix }: BucketAddress,
  options: BucketOptions,
  side: EncryptingSide & { vault: Vault },
  environment: Environment,
  output: Output,
): Promise<BucketGateway> {
  if (options.after !== 'keep')
    throw new SealdropError('usage', `--after ${options.after} is for folders`, {
      hint: 'let a lifecycle rule of the bucket expire what was stored',
    });
  const settings = { bucket, prefix, suffix: '', template: '{rest}', encode: false, versioned: false };
  assertApart(settings, side.vault, options);
  const opened = await environment.parts.openInboxBucket(bucket, {
    endpointUrl: options.inboxEndpointUrl,
    region: options.inboxRegion,
    profile: options.inboxProfile,
    caBundle: options.caBundle,
  });
  const gateway = new InboxGateway({
    settings: { inboxes: [settings], after: 'keep' },
    parts: { current: async () => side, refresh: async () => side },
    openInbox: () => opened.inbox,
    // Said and tagged; there is no queue to keep it in.
    reject: async () => undefined,
    report: (report) => reportObject(report, output),
  });
  return new BucketGateway({
    gateway,
    bucket,
    list: (signal) => opened.list(prefix, signal),
    unreadable: (error) => output.error(error),
  });
}

/** By names: an alias of the same endpoint is not seen. */
function assertApart(
  settings: Parameters<typeof assertApartFromVault>[0][number],
  { store, key }: Vault,
  { endpointUrl, inboxEndpointUrl }: BucketOptions,
): void {
  if (store.kind !== 's3' || (endpointUrl ?? '') !== (inboxEndpointUrl ?? '')) return;
  const bucket = /^s3:\/\/([^/]+)\//.exec(store.address(''))?.[1] ?? '';
  assertApartFromVault([settings], { bucket, prefix: key });
}

function reportObject({ error, ms, ...report }: Report, output: Output): void {
  const { bucket, key, outcome, bytes } = report;
  const size = bytes === undefined ? '' : `, ${formatBytes(bytes)}`;
  if (outcome === 'failed') output.error(error, { ...report, ms });
  else output.result({ ...report, ms }, `${outcome} ${printable(`s3://${bucket}/${key}`)} (${ms} ms${size})`);
}

/** Until it is interrupted, or with `once` until all that is there was dealt with. */
export async function runBucket(
  gateway: BucketGateway,
  once: boolean,
  environment: Environment,
  output: Output,
): Promise<void> {
  const { signal } = environment;
  if (!once) {
    output.note('interrupt to end (Ctrl-C)');
    return gateway.run(signal);
  }
  await gateway.runOnce(signal);
  signal.throwIfAborted();
  const { done, failed } = gateway.counts;
  output.note(`${done} dealt with, ${failed} failed`);
  if (failed > 0)
    environment.exitCode = exitCodeOf(
      done > 0 ? new SealdropError('partial', 'some failed') : gateway.lastError,
    );
}
