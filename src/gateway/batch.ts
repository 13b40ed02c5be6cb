/** The messages that a queue hands over at once: each stands for itself. */
import { BACK_OFF } from '../contract.js';
import { isSealdropError } from '../errors.js';
import type { QueueMessage } from './delivery.js';
import type { InboxGateway, Report } from './inbox-gateway.js';
import { objectsOf, type ObjectCreated } from './object-created.js';
import type { TimeBudget } from './time-budget.js';

export interface EventQueue {
  /**
   * Keeps a message from others for so many seconds.
   * @throws where the queue has not handed it out, or cannot be asked
   */
  hold(message: QueueMessage, seconds: number): Promise<void>;
  /** Lets a message be handed out again after so many seconds. */
  postpone(message: QueueMessage, seconds: number): Promise<void>;
}

export interface BatchOptions {
  gateway: InboxGateway;
  queue: EventQueue;
  budget: TimeBudget;
  /** Seconds that messages are kept from others while they are worked on. */
  holdSeconds: number;
  /** Seconds before the second try. */
  retryAfterSeconds?: number | undefined;
  /** A message that the queue does not confirm. */
  unconfirmed: (message: QueueMessage, error: unknown) => void;
  /** A message that is no event at all. */
  unreadable: (message: QueueMessage, error: unknown) => Promise<void>;
}

/** Objects in memory at the same time: each takes a few parts of an upload. */
const WORKERS = 2;

/**
 * Takes all that the messages say. What fails for good is recorded elsewhere and counts as done.
 * @returns the ids of the messages to be handed out again; they are postponed
 */
export async function takeBatch(messages: readonly QueueMessage[], options: BatchOptions): Promise<string[]> {
  const { budget } = options;
  const known = await confirmed(messages, options);
  const waiting = [...messages];
  const failed: QueueMessage[] = [];
  const work = async () => {
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
      const done = budget.enough() && (await takeMessage(message, known.has(message), options));
      if (!done) failed.push(message);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  await postponeAll(failed, options);
  return failed.map(({ id }) => id);
}

/**
 * The messages that the queue says are its own; not their ids, which any other may have too. Anybody who may call the
 * function can write one: what it says of the order of objects is not believed, and it leaves no record.
 */
async function confirmed(
  messages: readonly QueueMessage[],
  { queue, holdSeconds, unconfirmed }: BatchOptions,
): Promise<ReadonlySet<QueueMessage>> {
  const known = new Set<QueueMessage>();
  const confirm = async (message: QueueMessage) =>
    queue.hold(message, holdSeconds).then(
      () => void known.add(message),
      (error: unknown) => unconfirmed(message, error),
    );
  await Promise.all(messages.map(confirm));
  return known;
}

/** @returns whether nothing of the message is left to do */
async function takeMessage(message: QueueMessage, known: boolean, options: BatchOptions): Promise<boolean> {
  const { gateway, budget, unreadable } = options;
  const { objects, malformed } = read(message);
  let done = malformed === undefined || known;
  try {
    for (const object of objects) {
      const ours = known ? object : { ...object, sequencer: undefined };
      const report = await gateway.take(ours, { budget });
      const { outcome, retryable } = report;
      if (outcome !== 'failed') continue;
      // What only claims to be of the queue leaves no record there.
      if (retryable === true || !known) done = false;
      else await recordFailure(gateway, ours, report);
    }
    if (done && malformed !== undefined) await unreadable(message, malformed);
    return done;
  } catch {
    return false;
  }
}

export async function recordFailure(
  gateway: InboxGateway,
  object: ObjectCreated,
  { code = '', error }: Report,
): Promise<void> {
  await gateway.giveUp(object, code, isSealdropError(error) ? error.hint : undefined);
  await gateway.markFailed(object, code);
}

/** What can be read of a message, and what is wrong with the rest: one bad record takes no other with it. */
function read({ body }: QueueMessage): { objects: ObjectCreated[]; malformed?: unknown } {
  const objects: ObjectCreated[] = [];
  let malformed: unknown;
  for (const part of partsOf(body)) {
    try {
      objects.push(...objectsOf(part));
    } catch (error) {
      malformed ??= error;
    }
  }
  return { objects, malformed };
}

/** A message as messages of one record each. What is not JSON is left to be refused. */
function partsOf(body: string): unknown[] {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return [undefined];
  }
  const { Records } = Object(message) as { Records?: unknown };
  return Array.isArray(Records) ? Records.map((record) => ({ Records: [record] as unknown[] })) : [message];
}

/** All of the messages, whatever was wrong: later each time. */
export async function postponeAll(
  messages: readonly QueueMessage[],
  { queue, retryAfterSeconds }: Pick<BatchOptions, 'queue' | 'retryAfterSeconds'>,
): Promise<void> {
  const postpone = async (message: QueueMessage) =>
    queue.postpone(message, backOff(message.received, retryAfterSeconds));
  // One that can't be postponed is handed out when its time is over.
  await Promise.allSettled(messages.map(postpone));
}

/** Seconds until the next try. */
export function backOff(received: number, firstSeconds: number = BACK_OFF.firstSeconds): number {
  return Math.min(BACK_OFF.lastSeconds, Math.ceil(firstSeconds * 2 ** Math.min(received - 1, 20)));
}
