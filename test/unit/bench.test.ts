/** What benchmarks say of their figures, and when CI fails on them. */
import { describe, expect, test } from '@jest/globals';
import { fallen } from '../../bench/harness/baseline.mjs';
import { ratioOf, ratioOfBest, runRounds } from '../../bench/harness/rounds.mjs';

const runs = {
  ours: [1, 2, 30].map((cpu) => ({ cpu, bytes: 2 ** 30, seconds: 1 })),
  theirs: [2, 4, 15].map((cpu) => ({ cpu, bytes: 2 ** 30, seconds: 2 })),
};
const pair = { of: 'ours', to: 'theirs' };

describe('ratios', () => {
  test('peers take turns, round by round', async () => {
    const order: string[] = [];
    const peer = (name: string) => ({
      name,
      run: async ({ round }: { round: number }) => (order.push(`${name}${round}`), { round }),
    });
    expect(await runRounds({ peers: [peer('a'), peer('b')] }, 2)).toEqual({
      a: [{ round: 1 }, { round: 2 }],
      b: [{ round: 1 }, { round: 2 }],
    });
    expect(order).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  test('are the median of what the runs of a round were to each other', () => {
    expect(ratioOf(runs, { ...pair, by: 'cpu' })).toBe(0.5);
    expect(ratioOf(runs, { ...pair, by: 'speed' })).toBe(2);
  });

  test('are guarded by the best run of either side', () => {
    expect(ratioOfBest(runs, { of: 'theirs', to: 'ours', by: 'cpu' })).toBe(2);
    expect(ratioOfBest(runs, { of: 'theirs', to: 'ours', by: 'speed' })).toBe(0.5);
  });
});

describe('the baseline', () => {
  const found = (value: number, by = 'speed') => ({ 'put: it': { by, value } });

  test.each([
    ['speed', 0.81],
    ['speed', 3],
    ['cpu', 1.24],
    ['cpu', 0.1],
  ])('%s of %d to 1 is no fall', (by, value) => {
    expect(fallen(found(value, by), { 'put: it': 1 })).toEqual([]);
  });

  test.each([
    ['speed', 0.79],
    ['cpu', 1.26],
  ])('%s of %d to 1 is one, told with both numbers', (by, value) => {
    expect(fallen(found(value, by), { 'put: it': 1 })).toEqual([
      `put: it: ${value.toFixed(2)}, and 1.00 in bench/baseline.json`,
    ]);
  });

  test('a ratio that either side lacks is one', () => {
    expect(fallen({}, { 'put: it': 1 })).toEqual(['put: it: was not measured']);
    expect(fallen(found(1), {})).toEqual([expect.stringContaining('--write-baseline')]);
  });
});
