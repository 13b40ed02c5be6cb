/** What a notification says of an object, whatever it came by. Where its store is, it never says. */
import { SealdropError } from '../errors.js';
import type { InboxVersion } from '../ports.js';
import { isSequencer } from './source-token.js';

export interface ObjectCreated extends InboxVersion {
  readonly bucket: string;
  /** As the store has it: decoded by the rule of whatever brought it. */
  readonly key: string;
  /** Only from what is proven to come from the store. */
  readonly sequencer?: string | undefined;
  /** When it came, as the notification says. */
  readonly time?: Date | undefined;
  /** It failed, or was handled, before: its status tag may be there. */
  readonly again?: boolean | undefined;
}

type Fields = Record<string, unknown>;

/**
 * What one message says: S3's own notification, EventBridge's, or a dead letter that was moved back.
 * @returns none for what is no new object: `s3:TestEvent`, removals
 * @throws SealdropError `event_malformed`
 */
export function objectsOf(message: unknown): ObjectCreated[] {
  const body = fieldsOf(message, 'a message');
  if (body.Event === 's3:TestEvent') return [];
  if (Array.isArray(body.Records)) return body.Records.flatMap((record) => ofS3(record));
  if ('detail' in body) return ofEventBridge(body);
  return [ofDeadLetter(body)];
}

/** Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
function ofS3(value: unknown): ObjectCreated[] {
  const record = fieldsOf(value, 'a record');
  const name = textOf(record, 'eventName');
  // MinIO writes `s3:ObjectCreated:Put`, S3 `ObjectCreated:Put`.
  if (!/^(s3:)?ObjectCreated:/.test(name)) return [];
  const s3 = fieldsOf(record.s3, 's3');
  const object = fieldsOf(s3.object, 's3.object');
  return [
    {
      bucket: textOf(fieldsOf(s3.bucket, 's3.bucket'), 'name'),
      key: decodeKey(textOf(object, 'key')),
      ...versionOf(object.versionId),
      etag: etagOf(object.eTag),
      sequencer: sequencerOf(object.sequencer),
      time: timeOf(record.eventTime),
    },
  ];
}

/** Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html */
function ofEventBridge(body: Fields): ObjectCreated[] {
  if (body.source !== 'aws.s3' || body['detail-type'] !== 'Object Created') return [];
  const detail = fieldsOf(body.detail, 'detail');
  const object = fieldsOf(detail.object, 'detail.object');
  return [
    {
      bucket: textOf(fieldsOf(detail.bucket, 'detail.bucket'), 'name'),
      key: textOf(object, 'key'),
      ...versionOf(object['version-id']),
      etag: etagOf(object.etag),
      sequencer: sequencerOf(object.sequencer),
      time: timeOf(body.time),
    },
  ];
}

/** Whoever may send to the queue could have written it: it names an object, and orders nothing. */
function ofDeadLetter(body: Fields): ObjectCreated {
  return {
    bucket: textOf(body, 'bucket'),
    key: textOf(body, 'key'),
    ...versionOf(body.versionId),
    again: true,
  };
}

/** Form encoding: a plus is a space, the rest is percent-encoded UTF-8. */
function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    throw malformed('the key of a record is not encoded as S3 does');
  }
}

export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw malformed(`${what} must be an object`);
}

export function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  throw malformed(`${name} must be a text`);
}

/** Objects from before their bucket had versions have the version `null`, under which their content may change. */
function versionOf(value: unknown): { version?: string } {
  return typeof value === 'string' && value !== '' && value !== 'null' ? { version: value } : {};
}

const etagOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value.replace(/^"(.*)"$/, '$1') : undefined;

const sequencerOf = (value: unknown): string | undefined => (isSequencer(value) ? value : undefined);

const timeOf = (value: unknown): Date | undefined =>
  typeof value === 'string' && Number.isFinite(Date.parse(value)) ? new Date(value) : undefined;

function malformed(message: string): SealdropError {
  return new SealdropError('event_malformed', `this is no notification of a new object: ${message}`);
}
