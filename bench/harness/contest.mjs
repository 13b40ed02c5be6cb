// One contest from its first round to its comparisons.
import { compare, comparisonLine } from './comparisons.mjs';
import { runRounds } from './rounds.mjs';
import { describeMachine } from './machine.mjs';
import { rows, textTable } from './table.mjs';

/** @returns what is kept of it: `name`, `machine` (its load is that of just before), `runs`, `comparisons` */
export async function runContest(contest, { repeat, columns, builds }) {
  const machine = describeMachine();
  console.log(`\n${contest.name} (${repeat} ${repeat === 1 ? 'round' : 'rounds, medians'})`);
  const runs = await runRounds(contest, repeat);
  const comparisons = compare(contest, runs, builds);
  console.log(textTable(rows(runs, columns)));
  for (const comparison of comparisons) console.log(comparisonLine(comparison));
  return { name: contest.name, machine, runs, comparisons };
}
