// Peers take turns: A B C, A B C, ... so that what else the machine does meets all of them alike.
import { MEASURES } from './measures.mjs';

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle) - 1]) / 2;
}

/** @returns what each run of each peer took, by the peer's name, in the order of the rounds */
export async function runRounds({ peers }, repeat, onRun = () => {}) {
  const runs = Object.fromEntries(peers.map(({ name }) => [name, []]));
  for (let round = 1; round <= repeat; round++)
    for (const { name, run } of peers) {
      const figures = await run({ round });
      runs[name].push(figures);
      onRun({ name, round, figures });
    }
  return runs;
}

/** The median of a measure over a peer's runs; undefined where they don't have it. */
export function medianOf(runs, measure) {
  const values = runs.map(MEASURES[measure].of).filter((value) => Number.isFinite(value));
  return values.length === 0 ? undefined : median(values);
}

/**
 * Of two peers, the median over the rounds of what their runs in that round were to each other: runs that followed one
 * another had the same machine.
 */
export function ratioOf(runs, { of, to, by }) {
  const value = MEASURES[by].of;
  const pairs = runs[of].map((figures, i) => [value(figures), value(runs[to][i])]);
  return median(pairs.map(([a, b]) => a / b));
}

/**
 * Of two peers, what the best runs of both were to each other. Of processor time others can only add to what a run took: the
 * least is the nearest to what it needs, also where the machine was busy.
 */
export function ratioOfBest(runs, { of, to, by }) {
  const { of: value, better } = MEASURES[by];
  const best = (peer) => Math[better === 'lower' ? 'min' : 'max'](...runs[peer].map(value));
  return best(of) / best(to);
}

export function differenceOf(runs, { of, to, by }) {
  const value = MEASURES[by].of;
  return median(runs[of].map((figures, i) => value(figures) - value(runs[to][i])));
}
