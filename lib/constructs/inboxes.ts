import { Token } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type { InboxSettings } from '../../src/contract.js';
import { assertLiteral, hasUnstorablePart } from './access.js';

export interface InboxProps {
  /** A bucket of the same account and region that is there already. Default: the gateway's own bucket. */
  readonly bucket?: s3.IBucket;
  /**
   * Whether `bucket` is versioned, which cannot be seen of a bucket that is there already. Default: no. The gateway's
   * own bucket always is.
   */
  readonly versioned?: boolean;
  /** Customer key that `bucket` is encrypted with. Default: the one it was imported with. */
  readonly encryptionKey?: kms.IKey;
  /** Only keys that begin so are taken. Default: all. */
  readonly prefix?: string;
  /** Only keys that end so are taken. Default: all. */
  readonly suffix?: string;
  /**
   * Vault key, below the vault's prefix: `{key}`, `{rest}` (the key without the inbox's prefix) and `{bucket}` stand
   * for parts of the source. Default: `{key}`.
   */
  readonly vaultKeyTemplate?: string;
  /** Escape keys that stores would keep under another name (`a//b`), instead of refusing them. Default: no. */
  readonly encode?: boolean;
  /**
   * How arrivals become known: S3's own notifications, or EventBridge, which other tools may listen to as well.
   * Default: `s3`.
   */
  readonly events?: 's3' | 'eventbridge';
}

export interface Inbox {
  readonly bucket: s3.IBucket;
  readonly encryptionKey: kms.IKey | undefined;
  readonly events: 's3' | 'eventbridge';
  readonly settings: InboxSettings;
}

/**
 * Fills in what was left out, with `ownBucket` for whoever names no bucket.
 * @throws where two inboxes could take the same object, or write the same vault key
 */
export function settleInboxes(props: readonly InboxProps[], ownBucket: () => s3.IBucket): Inbox[] {
  const inboxes = props.map((each) => settle(each, ownBucket));
  if (inboxes.length === 0) throw new Error('a gateway has at least one inbox');
  for (const [i, one] of inboxes.entries())
    for (const other of inboxes.slice(i + 1)) assertApart(one.settings, other.settings);
  return inboxes;
}

function settle(props: InboxProps, ownBucket: () => s3.IBucket): Inbox {
  const { prefix = '', suffix = '', vaultKeyTemplate: template = '{key}', encode = false } = props;
  const { events = 's3' } = props;
  for (const [name, filter] of Object.entries({ prefix, suffix })) {
    assertLiteral(`the inbox's ${name}`, filter);
    if (events === 's3') assertMatches(name, filter);
  }
  assertTemplate(template, encode);
  const bucket = props.bucket ?? ownBucket();
  return {
    bucket,
    encryptionKey: props.encryptionKey ?? bucket.encryptionKey,
    events,
    settings: {
      bucket: bucket.bucketName,
      prefix,
      suffix,
      template,
      encode,
      versioned: props.bucket === undefined || props.versioned === true,
    },
  };
}

/**
 * S3 wants all others encoded, and says nothing of a filter that never matches.
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
 */
function assertMatches(name: string, filter: string): void {
  if (!/^[\w/!.'()-]*$/.test(filter))
    throw new Error(
      `the inbox's ${name} ${JSON.stringify(filter)} is not of letters, digits and /!_.'()- alone: for others take events "eventbridge"`,
    );
}

function assertTemplate(template: string, encode: boolean): void {
  const rest = template.replaceAll(/\{(key|rest|bucket)\}/g, '');
  if (/[{}]/.test(rest))
    throw new Error(`vaultKeyTemplate ${JSON.stringify(template)} knows {key}, {rest} and {bucket} alone`);
  if (!/\{(key|rest)\}/.test(template))
    throw new Error(
      `vaultKeyTemplate ${JSON.stringify(template)} gives every object the same vault key: {key} or {rest} belongs in it`,
    );
  if (!encode && hasUnstorablePart(template))
    throw new Error(
      `vaultKeyTemplate ${JSON.stringify(template)} has an empty, . or .. part: no key of it can be stored`,
    );
}

function assertApart(one: InboxSettings, other: InboxSettings): void {
  if (one.bucket === other.bucket && overlap(one.prefix, other.prefix))
    throw new Error(`inboxes overlap: ${place(one)} and ${place(other)} would take the same objects`);
  if (overlap(...vaultPrefixes(one, other)))
    throw new Error(
      `inboxes ${place(one)} and ${place(other)} could write the same vault key: give each a vaultKeyTemplate that begins with a different plain word`,
    );
}

/** What their vault keys begin with, as it is written: where only one escapes, its part that needs no escape. */
function vaultPrefixes(one: InboxSettings, other: InboxSettings): [string, string] {
  const prefixes = [one, other].map((each) =>
    each.encode && one.encode !== other.encode ? plainFolder(vaultPrefix(each)) : vaultPrefix(each),
  );
  return prefixes as [string, string];
}

/** The whole segments at the beginning that are the same when they are escaped. */
function plainFolder(prefix: string): string {
  const segments = prefix.split('/').slice(0, -1);
  const at = segments.findIndex(
    (segment) => /^\.{0,2}$|[%\0]/.test(segment) || Buffer.byteLength(segment) > 255,
  );
  return (at < 0 ? segments : segments.slice(0, at)).map((segment) => `${segment}/`).join('');
}

/** Whether one begins with the other: whether one key could lie below both. */
export function overlap(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

/** What every vault key of an inbox begins with, as far as it is certain. */
export function vaultPrefix({ template, prefix, bucket }: InboxSettings): string {
  const known = template.replace(/^\{bucket\}(?=\/)/, () => bucket);
  const at = known.search(/\{(key|rest|bucket)\}/);
  const literal = known.slice(0, at);
  return known.startsWith('{key}', at) ? literal + prefix : literal;
}

export const place = ({ bucket, prefix }: InboxSettings) =>
  `${Token.isUnresolved(bucket) ? '(own bucket)' : bucket}/${prefix}`;
