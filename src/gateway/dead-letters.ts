/**
 * What could not be encrypted: looking at the dead-letter queue, and moving messages back. SQS lists no queue: messages
 * are received, so that nobody else gets them for a while, and given back afterwards.
 */
import { CODE_ATTRIBUTE } from '../contract.js';
import { throwIfAborted } from '../errors.js';
import type { MessageQueue, QueueMessage } from '../operations.js';
import { objectsOf } from './object-created.js';

export interface DeadObject {
  readonly bucket: string;
  readonly key: string;
  readonly version?: string;
}

export interface DeadLetter {
  readonly id: string;
  /** Why: a code of docs/errors.md, or `exhausted` where SQS moved it after too many tries. */
  readonly code: string;
  /** Mostly one. None where the message makes no sense. */
  readonly objects: readonly DeadObject[];
  /** What the function said could be done. */
  readonly hint?: string;
  /** When it was first sent to a queue. */
  readonly sent: Date;
  readonly receiveCount: number;
}

export interface Walk {
  /** Messages at most. */
  readonly limit: number;
  /** How long nobody else is given them, if this process dies. */
  readonly holdSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Selection {
  /** Beginnings of ids. Empty: any. */
  readonly ids: readonly string[];
  readonly code?: string | undefined;
  /** A key, or what keys begin with where it ends in a slash. */
  readonly key?: string | undefined;
}

/** The code of what SQS moved here itself. */
const EXHAUSTED = 'exhausted';

/**
 * Milliseconds. An answer that is on its way when somebody interrupts holds messages that only it names: it is waited
 * for, as otherwise nobody gets them before their time runs out.
 */
const ANSWER_TIME = 3_000;

/** In a row: one alone may be chance. */
const EMPTY_ANSWERS = 2;

/**
 * Calls `act` for each message that is found; it says whether the message was removed. All others are given back at
 * the end, however it ends.
 */
export async function walk(
  queue: MessageQueue,
  { limit, holdSeconds, signal }: Walk,
  act: (message: QueueMessage) => Promise<boolean> | boolean,
): Promise<void> {
  const held = new Map<string, string>();
  const seen = new Set<string>();
  const patient = signal && afterwards(signal, ANSWER_TIME);
  try {
    for (let empty = 0; empty < EMPTY_ANSWERS && seen.size < limit;) {
      throwIfAborted(signal);
      const messages = await queue.receive(holdSeconds, patient);
      for (const { id, receipt } of messages) held.set(id, receipt);
      const fresh = messages.filter(({ id }) => !seen.has(id)).slice(0, limit - seen.size);
      empty = fresh.length === 0 ? empty + 1 : 0;
      for (const message of fresh) {
        throwIfAborted(signal);
        seen.add(message.id);
        if (await act(message)) held.delete(message.id);
      }
    }
  } finally {
    await queue.release([...held.values()]);
  }
}

function afterwards(signal: AbortSignal, milliseconds: number): AbortSignal {
  const late = new AbortController();
  const abort = () => setTimeout(() => late.abort(signal.reason), milliseconds).unref();
  signal.addEventListener('abort', abort, { once: true });
  return late.signal;
}

/** Which objects a message is about, and why it is here. Nothing else of it: S3's events hold digests of plaintext. */
export function deadLetterOf({ id, body, attributes, sent, receiveCount }: QueueMessage): DeadLetter {
  return {
    id,
    code: attributes[CODE_ATTRIBUTE] ?? EXHAUSTED,
    ...readBody(body),
    sent,
    receiveCount,
  };
}

function readBody(body: string): Pick<DeadLetter, 'objects' | 'hint'> {
  try {
    const letter: unknown = JSON.parse(body);
    const objects = objectsOf(letter).map(({ bucket, key, version }) => ({
      bucket,
      key,
      ...(version !== undefined && { version }),
    }));
    const { hint } = letter as { hint?: unknown };
    return { objects, ...(typeof hint === 'string' && { hint }) };
  } catch {
    return { objects: [] };
  }
}

export function isSelected({ id, code, objects }: DeadLetter, wanted: Selection): boolean {
  const { ids, code: wantedCode, key: wantedKey } = wanted;
  if (ids.length > 0 && !ids.some((each) => id.startsWith(each))) return false;
  if (wantedCode !== undefined && code !== wantedCode) return false;
  if (wantedKey === undefined) return true;
  return objects.some(
    ({ key }) => key === wantedKey || (wantedKey.endsWith('/') && key.startsWith(wantedKey)),
  );
}

export interface Redrive extends Walk {
  readonly from: MessageQueue;
  readonly to: MessageQueue;
  readonly wanted: Selection;
  /** Say what would be moved, and move nothing. */
  readonly dryRun: boolean;
  /** Called when a message was moved, or would be. */
  readonly onMoved: (letter: DeadLetter) => void;
}

/**
 * Moves messages back to where they are worked on. Each is sent before it is removed: a run that dies between the two
 * leaves it in both queues, and what is encrypted twice is stored once.
 */
export async function redrive({ from, to, wanted, dryRun, onMoved, ...options }: Redrive): Promise<void> {
  const began = new Date();
  const done = new Set<string>();
  await walk(from, options, async (message) => {
    const letter = deadLetterOf(message);
    const about = JSON.stringify(letter.objects);
    // What came back while this runs has failed again: once is enough. Clocks may differ, so time alone won't tell.
    const isBack = letter.sent > began || (letter.code !== EXHAUSTED && done.has(about));
    if (isBack || !isSelected(letter, wanted)) return false;
    done.add(about);
    if (!dryRun) {
      await to.send(message.body);
      await from.remove(message.receipt);
    }
    onMoved(letter);
    return !dryRun;
  });
}
