/** How many requests there are at the same time, and a download by several of them. */
import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { ParallelBody, SEGMENT_SIZE, type SegmentRange } from '../../src/store/parallel-body.js';
import { Parallelism } from '../../src/store/parallelism.js';
import { collect, pattern } from '../helpers/bytes.js';

const MIB = 1024 * 1024;

/** Parts of 8 MiB to a store that gives `perConnection` bytes a millisecond to each, and `together` to all. */
function run(parallelism: Parallelism, parts: number, speed: { perConnection: number; together: number }) {
  let now = performance.now();
  const limits: number[] = [];
  for (let i = 0; i < parts; i++) {
    const rate = Math.min(parallelism.limit * speed.perConnection, speed.together);
    now += (8 * MIB) / rate;
    parallelism.waited();
    parallelism.ended(8 * MIB, now);
    limits.push(parallelism.limit);
  }
  return limits;
}

const of = (options: object = {}) =>
  new Parallelism({ direction: 'upload', memory: () => 512 * MIB, partSize: 8 * MIB, ...options });

describe('parallelism', () => {
  test('grows while that brings more, and no further', () => {
    const limits = run(of(), 400, { perConnection: 30_000, together: 300_000 });
    expect(limits[0]).toBe(3);
    const last = limits.slice(-100);
    expect(Math.min(...last)).toBeGreaterThanOrEqual(9);
    expect(Math.max(...limits)).toBeLessThanOrEqual(21);
  });

  test('stays where it begins when more bring nothing', () => {
    const limits = run(of(), 400, { perConnection: 1e9, together: 1_000_000 });
    expect(limits.filter((limit) => limit > 3).length).toBeLessThan(limits.length / 10);
    expect(Math.max(...limits)).toBe(5);
  });

  test('a download begins with one, stays with it where that is enough, and reaches what a distant store gives', () => {
    const near = run(of({ direction: 'download' }), 400, { perConnection: 1e9, together: 1_000_000 });
    expect(near.filter((limit) => limit > 1).length).toBeLessThan(near.length / 10);
    const far = run(of({ direction: 'download' }), 400, { perConnection: 30_000, together: 120_000 });
    expect(far.findIndex((limit) => limit >= 4)).toBeLessThan(12);
    expect(Math.min(...far.slice(-100))).toBeGreaterThanOrEqual(4);
  });

  test('does not grow where no part has had to wait', () => {
    const parallelism = of();
    let now = performance.now();
    for (let i = 0; i < 100; i++) parallelism.ended(8 * MIB, (now += 100));
    expect(parallelism.limit).toBe(3);
  });

  test.each([
    [16 * MIB, 8 * MIB, 1],
    [1, 8 * MIB, 1],
    [96 * MIB, 8 * MIB, 11],
    [96 * MIB, 512 * MIB, 1],
    [40 * MIB, 8 * MIB, 4],
    [1024 * 1024 * MIB, 8 * MIB, 32],
  ])('%i bytes of memory, parts of %i: at most %i, and the one that is filled', (memory, partSize, most) => {
    const parallelism = new Parallelism({ direction: 'upload', memory: () => memory, partSize });
    const limits = run(parallelism, 300, { perConnection: 1000, together: 1e9 });
    expect(Math.max(...limits)).toBe(most);
  });

  test('what was named is kept', () => {
    const parallelism = of({ wanted: 3, memory: () => 1 });
    expect(new Set(run(parallelism, 100, { perConnection: 1000, together: 1e9 }))).toEqual(new Set([3]));
  });
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
      expect(asked.map(({ first }) => first)).toEqual([1, 2, 3, 4].map((i) => i * SEGMENT_SIZE));
      expect(asked.at(-1)!.last).toBe(SIZE - 1);
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
    let opened = 0;
    const stream = body(async (range) => (opened++, readable(range)));
    let read = 0;
    for await (const piece of stream) {
      read += piece.length;
      // The one that is read, and two behind it.
      expect(opened).toBeLessThanOrEqual(Math.floor(read / SEGMENT_SIZE) + 2);
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
        if (range.first === 3 * SEGMENT_SIZE) {
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
