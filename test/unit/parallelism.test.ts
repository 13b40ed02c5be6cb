/** How many requests there are at the same time, and a download by several of them. */
import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn, setTimeout as later } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { ParallelBody, SEGMENT_SIZE, type SegmentRange } from '../../src/store/parallel-body.js';
import { Parallelism, type ParallelismOptions } from '../../src/store/parallelism.js';
import { collect, pattern } from '../helpers/bytes.js';

const MIB = 1024 * 1024;

const PART = 8 * MIB;

interface Speed {
  /** Bytes a millisecond that a connection carries, and all of them. */
  readonly perConnection: number;
  readonly together: number;
  /** What the process can take. */
  readonly process?: number;
}

/** Parts to or from a store of that speed: the limit after each of them. */
function run(options: Partial<ParallelismOptions>, parts: number, { process = 400_000, ...speed }: Speed) {
  let rate = 0;
  const load = () => rate / process;
  const direction = options.direction ?? 'upload';
  const parallelism = new Parallelism({
    direction,
    memory: () => 512 * MIB,
    partSize: PART,
    load,
    ...options,
  });
  let now = performance.now();
  const limits = [parallelism.limit];
  for (let i = 0; i < parts; i++) {
    rate = Math.min(parallelism.limit * speed.perConnection, speed.together, process);
    parallelism.waited();
    if (direction === 'upload') parallelism.sent(PART, (now += PART / rate));
    else for (let left = PART; left > 0; left -= MIB) parallelism.received(MIB, (now += MIB / rate));
    limits.push(parallelism.limit);
  }
  return limits;
}

describe.each<['upload' | 'download', number]>([
  ['upload', 5],
  ['download', 4],
])('parallelism of an %s', (direction, start) => {
  test('grows while that brings more, and no further', () => {
    const limits = run({ direction }, 400, { perConnection: 30_000, together: 300_000 });
    expect(limits[0]).toBe(start);
    const last = limits.slice(-100);
    expect(Math.min(...last)).toBeGreaterThanOrEqual(9);
    expect(Math.max(...limits)).toBeLessThanOrEqual(26);
  });

  test('stays where it begins when the process has no time for more', () => {
    const limits = run({ direction }, 400, { perConnection: 1e9, together: 1e9 });
    expect(new Set(limits)).toEqual(new Set([start]));
  });

  test('goes back to where it began when more bring nothing', () => {
    const limits = run({ direction }, 400, { perConnection: 1e9, together: 50_000 });
    expect(limits.filter((limit) => limit > start).length).toBeLessThan(limits.length / 4);
    expect(limits.at(-1)).toBe(start);
  });

  test('reaches what a distant store gives in its first second', () => {
    const limits = run({ direction }, 100, { perConnection: 10_000, together: 120_000 });
    // A second of the slowest of them.
    expect(limits.findIndex((limit) => limit >= 12)).toBeLessThan(8);
    expect(Math.min(...limits.slice(-50))).toBeGreaterThanOrEqual(12);
  });

  test('does not grow where nothing has had to wait', () => {
    const parallelism = new Parallelism({
      direction,
      memory: () => 512 * MIB,
      partSize: PART,
      load: () => 0.1,
    });
    let now = performance.now();
    for (let i = 0; i < 100; i++)
      if (direction === 'upload') parallelism.sent(PART, (now += 100));
      else parallelism.received(PART, (now += 100));
    expect(parallelism.limit).toBe(start);
  });

  test.each([
    [1, 8 * MIB, 1],
    [64 * MIB, 8 * MIB, 4],
    [96 * MIB, 8 * MIB, 7],
    [96 * MIB, 512 * MIB, 1],
    [40 * MIB, 8 * MIB, 1],
    [1024 * 1024 * MIB, 8 * MIB, 32],
  ])('%i bytes of memory, parts of %i: at most %i', (memory, partSize, most) => {
    const limits = run({ direction, memory: () => memory, partSize }, 300, {
      perConnection: 1000,
      together: 1e9,
    });
    expect(Math.max(...limits)).toBe(most);
  });

  test('what was named is kept', () => {
    const limits = run({ direction, wanted: 3, memory: () => 1 }, 100, {
      perConnection: 1000,
      together: 1e9,
    });
    expect(new Set(limits)).toEqual(new Set([3]));
  });
});

test('the load is that of the event loop', async () => {
  const parallelism = new Parallelism({ direction: 'upload', memory: () => 512 * MIB, partSize: PART });
  const window = async (work: () => Promise<void>) => {
    for (let i = 0; i < 60; i++) await work();
    parallelism.waited();
    for (let i = 0; i < 6; i++) parallelism.sent(PART);
  };
  const busy = async () => {
    for (const until = performance.now() + 5; performance.now() < until;);
    await turn();
  };
  for (let i = 0; i < 4; i++) await window(busy);
  expect(parallelism.limit).toBe(5);
  await window(async () => later(5));
  expect(parallelism.limit).toBeGreaterThan(5);
});

describe('a download by several requests', () => {
  const SIZE = 4 * SEGMENT_SIZE + 12_345;
  const bytes = pattern(SIZE);
  const slice = ({ first, last }: SegmentRange) => bytes.subarray(first, last + 1);
  const pieces = function* (range: SegmentRange, size = 65_000) {
    const all = slice(range);
    for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
  };
  const readable = (range: SegmentRange) => Readable.from(pieces(range), { objectMode: false });
  const FIRST = { first: 0, last: SEGMENT_SIZE - 1 };

  function body(open: (range: SegmentRange, signal: AbortSignal) => Promise<Readable>, wanted = 3) {
    const parallelism = new Parallelism({
      direction: 'download',
      wanted,
      memory: () => 0,
      partSize: SEGMENT_SIZE,
    });
    const begun = { body: readable(FIRST), end: SEGMENT_SIZE };
    return new ParallelBody({ begun, end: SIZE, parallelism, open });
  }

  test.each([
    [1, false],
    [2, true],
    [3, false],
    [16, true],
  ])(
    'gives the bytes in their order, %i at a time, piped: %s, whichever comes first',
    async (wanted, piped) => {
      const asked: SegmentRange[] = [];
      let under = 0;
      let most = 1;
      const open = async (range: SegmentRange) => {
        asked.push(range);
        most = Math.max(most, ++under + (asked.length < 4 ? 1 : 0));
        // The later ones answer sooner.
        for (let i = 0; i < 400 - 100 * asked.length; i++) await turn();
        return readable(range).on('end', () => under--);
      };
      const stream = body(open, wanted);
      expect((await collect(piped ? stream.pipe(new PassThrough()) : stream)).equals(bytes)).toBe(true);
      // One behind the other, of a segment's size; near the end smaller ones, so that all have something to do until then.
      const firsts = [SEGMENT_SIZE, ...asked.map(({ last }) => last + 1)];
      expect(asked.map(({ first }) => first)).toEqual(firsts.slice(0, -1));
      expect(firsts.at(-1)).toBe(SIZE);
      for (const { first, last } of asked.slice(0, -1)) {
        expect(last + 1 - first).toBeLessThanOrEqual(SEGMENT_SIZE);
        expect(last + 1 - first).toBe(
          Math.min(SEGMENT_SIZE, Math.max(2 * MIB, Math.ceil((SIZE - first) / wanted))),
        );
      }
      expect(most).toBeLessThanOrEqual(wanted + 1);
    },
  );

  test('who looks at the beginning alone causes no other request', async () => {
    let asked = 0;
    const stream = body(async (range) => (asked++, readable(range)));
    let read = 0;
    for await (const piece of stream) if ((read += piece.length) > 500_000) break;
    for (let i = 0; i < 100; i++) await turn();
    expect(asked).toBe(0);
    expect(stream.destroyed).toBe(true);
  });

  test('who reads slowly holds all of them back', async () => {
    let asked = 0;
    const stream = body(async (range) => ((asked = range.last), readable(range)));
    let read = 0;
    for await (const piece of stream) {
      read += piece.length;
      // The one that is read, and two behind it.
      expect(asked).toBeLessThanOrEqual(read + 3 * SEGMENT_SIZE);
      for (let i = 0; i < 3; i++) await turn();
    }
    expect(read).toBe(SIZE);
  });

  test.each(['opening', 'reading'])(
    'an error in %s a later one ends it, and lets go of the others',
    async (when) => {
      const failure = new Error('no more');
      const bodies: Readable[] = [];
      const signals: AbortSignal[] = [];
      const open = async (range: SegmentRange, signal: AbortSignal) => {
        signals.push(signal);
        if (signals.length === 3) {
          if (when === 'opening') throw failure;
          return new Readable({ read: () => undefined }).destroy(failure);
        }
        const opened = readable(range);
        bodies.push(opened);
        return opened;
      };
      await expect(collect(body(open))).rejects.toBe(failure);
      expect(bodies.every(({ destroyed }) => destroyed)).toBe(true);
      expect(signals.every(({ aborted }) => aborted)).toBe(true);
    },
  );

  test('a body that comes after it was let go of is let go of too', async () => {
    const late: Readable[] = [];
    let answer: () => void = () => undefined;
    const stream = body(async (range) => {
      await new Promise<void>((resolve) => (answer = resolve));
      const opened = readable(range);
      late.push(opened);
      return opened;
    });
    let read = 0;
    for await (const piece of stream) if ((read += piece.length) > 2 * MIB) break;
    answer();
    for (let i = 0; i < 10; i++) await turn();
    expect(late.length).toBeGreaterThan(0);
    expect(late.every(({ destroyed }) => destroyed)).toBe(true);
  });
});
