// The ratios that CI holds against those of the commit that wrote them. Ratios of processor time, by the best run of
// either side: they stay the same on a busy machine, where those of time don't.
import { readFileSync, writeFileSync } from 'node:fs';
import { MEASURES } from './measures.mjs';

const FILE = 'bench/baseline.json';
/** A ratio may be worse by this. */
const SLACK = 1 / 5;

const keyOf = (contest, { of, to, by }) => `${contest}: ${by} of ${of} to ${to}`;

export const readBaseline = () => JSON.parse(readFileSync(FILE, 'utf8')).ratios;

/** @param results of contests: `name`, `comparisons` with their values */
export function guardedRatios(results) {
  return Object.fromEntries(
    results.flatMap(({ name, comparisons }) =>
      comparisons
        .filter(({ guarded }) => guarded === true)
        .map((comparison) => [keyOf(name, comparison), { by: comparison.by, value: comparison.best }]),
    ),
  );
}

export function writeBaseline(results, machine) {
  const ratios = Object.entries(guardedRatios(results)).map(([key, { value }]) => [
    key,
    Number(value.toFixed(3)),
  ]);
  writeFileSync(FILE, JSON.stringify({ machine, ratios: Object.fromEntries(ratios) }, null, 2) + '\n');
}

/** @returns a line for each that fell, and for each that either side lacks */
export function fallen(found, baseline) {
  const keys = new Set([...Object.keys(found), ...Object.keys(baseline)]);
  return [...keys].flatMap((key) => {
    if (baseline[key] === undefined)
      return [`${key}: not in ${FILE}: npm run bench -- --quick --write-baseline`];
    if (found[key] === undefined) return [`${key}: was not measured`];
    const { by, value } = found[key];
    return isWorse(MEASURES[by].better, value, baseline[key])
      ? [`${key}: ${value.toFixed(2)}, and ${baseline[key].toFixed(2)} in ${FILE}`]
      : [];
  });
}

const isWorse = (better, value, before) =>
  better === 'higher' ? value < before * (1 - SLACK) : value > before / (1 - SLACK);
