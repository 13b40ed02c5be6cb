/** How the encrypting function was called. */
import type { DirectEvent } from '../contract.js';
import { SealdropError } from '../errors.js';
import { fieldsOf, objectsOf, textOf, type ObjectCreated } from './object-created.js';

/** A message of a queue. */
export interface QueueMessage {
  readonly id: string;
  readonly receipt: string;
  readonly body: string;
  /** Times that it was handed out, this one included. */
  readonly received: number;
}

export interface DirectObject extends ObjectCreated {
  readonly dryRun: boolean;
}

export type Delivery =
  | { readonly kind: 'queue'; readonly messages: readonly QueueMessage[] }
  /** A rule of EventBridge that calls the function itself, or somebody who writes as it does. */
  | { readonly kind: 'event'; readonly objects: readonly ObjectCreated[] }
  /** `batch`: the answer is a list as well. */
  | { readonly kind: 'direct'; readonly objects: readonly DirectObject[]; readonly batch: boolean };

/**
 * What a call brings. Who may call the function may write anything: nothing here proves where it comes from.
 * @throws SealdropError `event_malformed`
 */
export function deliveryOf(event: unknown): Delivery {
  const fields = fieldsOf(event, 'an event');
  if (Array.isArray(fields.Records)) return { kind: 'queue', messages: fields.Records.map(messageOf) };
  if ('detail' in fields)
    // Anybody's word: no order follows from it.
    return { kind: 'event', objects: objectsOf(fields).map((each) => ({ ...each, sequencer: undefined })) };
  if (Array.isArray(fields.Items))
    return { kind: 'direct', objects: fields.Items.map(directOf), batch: true };
  return { kind: 'direct', objects: [directOf(fields)], batch: false };
}

function messageOf(value: unknown): QueueMessage {
  const record = fieldsOf(value, 'a record');
  const attributes = record.attributes === undefined ? {} : fieldsOf(record.attributes, 'attributes');
  const received = Number(attributes.ApproximateReceiveCount);
  return {
    id: textOf(record, 'messageId'),
    receipt: textOf(record, 'receiptHandle'),
    body: typeof record.body === 'string' ? record.body : '',
    received: Number.isInteger(received) && received > 0 ? received : 1,
  };
}

/** Its key is taken as it is. Which version: the one that is there. */
function directOf(value: unknown): DirectObject {
  const item: Partial<Record<keyof DirectEvent, unknown>> = fieldsOf(value, 'an item');
  const fields = item as Record<string, unknown>;
  // What was meant as a dry run must not be a real one.
  if (typeof (item.dryRun ?? false) !== 'boolean')
    throw new SealdropError('event_malformed', 'dryRun must be true or false');
  return {
    bucket: textOf(fields, 'bucket'),
    key: textOf(fields, 'key'),
    dryRun: item.dryRun === true,
    again: true,
  };
}
