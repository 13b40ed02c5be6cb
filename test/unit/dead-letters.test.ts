/** Which messages are moved; the queue itself is tested with the command. */
import { describe, expect, test } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deadLetterOf, isSelected, redrive, type DeadLetter } from '../../src/gateway/dead-letters.js';
import type { MessageQueue, QueueMessage } from '../../src/operations.js';

const NOW = Date.now();

/** Hands out ten at a time, in order, and takes time out of the order of things. */
class MemoryQueue implements MessageQueue {
  readonly url = 'memory';
  readonly messages: (QueueMessage & { held?: boolean })[] = [];
  onSend: ((body: string) => void) | undefined;
  onRemove: (() => void) | undefined;
  /** Messages are handed out, and the answer is on its way. */
  onReceive: (() => void) | undefined;
  #next = 0;

  add(body: object, code?: string, sent = new Date(NOW - 60_000)): string {
    const id = `id-${this.#next++}`;
    const attributes: Record<string, string> = code === undefined ? {} : { code };
    this.messages.push({
      id,
      receipt: `r-${id}`,
      body: JSON.stringify(body),
      attributes,
      sent,
      receiveCount: 1,
    });
    return id;
  }
  async count() {
    return this.messages.length;
  }
  async receive(_seconds: number, signal?: AbortSignal) {
    const some = this.messages.filter(({ held }) => held !== true).slice(0, 10);
    for (const each of some) each.held = true;
    this.onReceive?.();
    await nextTurn();
    signal?.throwIfAborted();
    return some;
  }
  async release(receipts: readonly string[]) {
    for (const each of this.messages) if (receipts.includes(each.receipt)) each.held = false;
  }
  async remove(receipt: string) {
    this.onRemove?.();
    this.messages.splice(
      this.messages.findIndex((each) => each.receipt === receipt),
      1,
    );
  }
  async send(body: string) {
    this.onSend?.(body);
    this.add(JSON.parse(body) as object);
  }
}

const ANY = { ids: [] };
const options = { limit: 1_000, holdSeconds: 1, wanted: ANY, dryRun: false };

test('interrupted while an answer is on its way: what it holds is given back', async () => {
  const [from, to] = [new MemoryQueue(), new MemoryQueue()];
  for (let i = 0; i < 15; i++) from.add({ bucket: 'b', key: `k${i}` });
  const interrupt = new AbortController();
  let answers = 0;
  from.onReceive = () => ++answers === 2 && interrupt.abort(new Error('interrupted'));
  const onMoved = () => undefined;
  const moved = redrive({ from, to, ...options, signal: interrupt.signal, onMoved });
  await expect(moved).rejects.toThrow('interrupted');
  expect(to.messages).toHaveLength(10);
  expect(from.messages.map(({ held }) => held)).toEqual(Array.from({ length: 5 }, () => false));
});

test('a message that failed again meanwhile is moved once, even if clocks disagree', async () => {
  const [from, to] = [new MemoryQueue(), new MemoryQueue()];
  for (let i = 0; i < 3; i++) from.add({ bucket: 'b', key: `k${i}` }, 'foreign_key');
  // Back at once, with a time before this run began.
  to.onSend = (body) => from.add(JSON.parse(body) as object, 'foreign_key', new Date(NOW - 3_600_000));
  const moved: DeadLetter[] = [];
  await redrive({ ...options, from, to, onMoved: (letter) => moved.push(letter) });
  expect(moved).toHaveLength(3);
  expect(to.messages).toHaveLength(3);
  expect(from.messages.map(({ held }) => held)).toEqual([false, false, false]);
});

test('several notifications of one object that SQS moved are all moved', async () => {
  const [from, to] = [new MemoryQueue(), new MemoryQueue()];
  for (let i = 0; i < 3; i++) from.add({ bucket: 'b', key: 'k' });
  await redrive({ ...options, from, to, onMoved: () => undefined });
  expect(to.messages).toHaveLength(3);
  expect(from.messages).toEqual([]);
});

test('it is sent before it is removed: cut between the two, it is in both', async () => {
  const [from, to] = [new MemoryQueue(), new MemoryQueue()];
  for (let i = 0; i < 3; i++) from.add({ bucket: 'b', key: `k${i}` }, 'too_large');
  from.onRemove = () => {
    throw new Error('cut');
  };
  await expect(redrive({ ...options, from, to, onMoved: () => undefined })).rejects.toThrow('cut');
  expect([from.messages.length, to.messages.length]).toEqual([3, 1]);
  expect(from.messages.map(({ held }) => held)).toEqual([false, false, false]);
});

describe('a selection', () => {
  const letter: DeadLetter = {
    id: 'abc-1',
    code: 'too_large',
    objects: [{ bucket: 'b', key: 'x/y z' }],
    sent: new Date(),
    receiveCount: 1,
  };
  test.each([
    [{ ids: [] }, true],
    [{ ids: ['zz', 'abc'] }, true],
    [{ ids: ['zz'] }, false],
    [{ ids: [], code: 'too_large' }, true],
    [{ ids: [], code: 'too' }, false],
    [{ ids: [], key: 'x/y z' }, true],
    [{ ids: [], key: 'x/' }, true],
    [{ ids: [], key: 'x' }, false],
    [{ ids: ['abc'], code: 'too_large', key: 'y/' }, false],
  ])('%j takes it: %j', (wanted, taken) => expect(isSelected(letter, wanted)).toBe(taken));
});

test('of a message, nothing is kept but what it is about', () => {
  const body = {
    Records: [
      {
        eventName: 'ObjectCreated:Put',
        s3: {
          bucket: { name: 'b' },
          object: { key: 'a+b', eTag: 'd41d8cd98f00b204e9800998ecf8427e', versionId: 'v' },
        },
      },
      { eventName: 'ObjectRemoved:Delete', s3: { bucket: { name: 'b' }, object: { key: 'gone' } } },
    ],
  };
  const sent = new Date(NOW);
  const message = {
    id: 'i',
    receipt: 'r',
    body: JSON.stringify(body),
    attributes: {},
    sent,
    receiveCount: 4,
  };
  expect(deadLetterOf(message)).toEqual({
    id: 'i',
    code: 'exhausted',
    objects: [{ bucket: 'b', key: 'a b', version: 'v' }],
    sent,
    receiveCount: 4,
  });
});
