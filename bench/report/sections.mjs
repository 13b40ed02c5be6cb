// What docs/performance.md says of each case, from its results.
import { MEASURES } from '../harness/measures.mjs';
import { machineLine } from '../harness/machine.mjs';
import { medianOf } from '../harness/rounds.mjs';
import { markdownTable, rows } from '../harness/table.mjs';
import { lambdaCosts } from './lambda-cost.mjs';

const NETWORK = 50e6;

/** The machine, contest by contest: only the load and the time differ. */
export function machineSection(results) {
  const machines = Object.values(results).flatMap((contests) => contests.map(({ machine }) => machine));
  const lines = new Set(
    machines.map((machine) => machineLine({ ...machine, load: 0 }).replace(/, load before.*/, '')),
  );
  const loads = machines.map(({ load }) => load);
  const days = [...new Set(machines.map(({ when }) => when.slice(0, 10)))].sort();
  return [
    ...[...lines].map((line) => `- ${line}`),
    `- ${days.join(', ')}; load of the minute before each contest ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`,
  ].join('\n');
}

export function caseSection({ title, about, columns }, contests) {
  return [`## ${title}`, about, ...contests.flatMap((contest) => contestParts(contest, columns))].join(
    '\n\n',
  );
}

function contestParts({ name, runs, comparisons }, columns) {
  const rounds = Math.max(...Object.values(runs).map((all) => all.length));
  const goals = comparisons.filter(({ guarded, reached }) => guarded !== true || reached !== undefined);
  return [
    `**${name}** (${rounds === 1 ? 'one round' : `medians of ${rounds} rounds`})`,
    markdownTable(rows(runs, columns)),
    ...(goals.length === 0 ? [] : [markdownTable([['', 'figure', 'goal'], ...goals.map(comparisonCells)])]),
  ];
}

function comparisonCells({ of, to, by, difference, value, atLeast, atMost, reached }) {
  const { label, digits, better } = MEASURES[by];
  const what =
    to === undefined
      ? `${label}, ${of}`
      : difference === true
        ? `${label} more, ${of} than ${to}`
        : `${label}, ${of} : ${to} (${better} is better)`;
  const goal = atLeast !== undefined ? `>= ${atLeast}` : atMost !== undefined ? `<= ${atMost}` : '';
  const verdict = reached === undefined ? '' : reached ? ', reached' : ', **missed**';
  return [what, value.toFixed(to === undefined ? digits : 2), goal + verdict];
}

/** From the processor time of an encrypted put and of reading the plaintext over TLS, each of the largest file. */
export function lambdaSection({ put, get }) {
  const cpuOf = (contests, peer) => medianOf(contests.at(-1).runs[peer], 'cpu');
  const cpu = cpuOf(put, 'sealdrop') + cpuOf(get, 'sealdrop plain');
  const limited = lambdaCosts(cpu, NETWORK);
  const table = lambdaCosts(cpu).map(({ megabytes, seconds, dollars }, i) => [
    `${megabytes} MB`,
    seconds.toFixed(1),
    dollars.toFixed(2),
    limited[i].seconds.toFixed(1),
    limited[i].dollars.toFixed(2),
  ]);
  const head = [
    'memory',
    's/GiB',
    'USD/TB',
    `s/GiB at ${NETWORK / 1e6} MB/s`,
    `USD/TB at ${NETWORK / 1e6} MB/s`,
  ];
  return `With ${cpu.toFixed(2)} seconds of a processor for a GiB (measured above: ${put.at(-1).name} and the plain ${get.at(-1).name}):\n\n${markdownTable([head, ...table])}`;
}
