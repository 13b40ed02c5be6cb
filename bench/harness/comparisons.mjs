// What is said of a contest besides its figures: ratios and differences of two peers, or a peer's own figure, with the goal
// that each has.
import { MEASURES } from './measures.mjs';
import { differenceOf, medianOf, ratioOf, ratioOfBest } from './rounds.mjs';

/**
 * @param comparison `of` a peer, `to` another (absent: the peer's own figure), `by` a measure, `difference` in place of the ratio,
 * `atLeast` or `atMost` the goal, `guarded` whether CI holds it against the baseline: by the best runs
 */
function judge(runs, comparison) {
  const { of, to, by, difference = false, atLeast, atMost } = comparison;
  const value =
    to === undefined
      ? medianOf(runs[of], by)
      : difference
        ? differenceOf(runs, comparison)
        : ratioOf(runs, comparison);
  const reached =
    atLeast !== undefined ? value >= atLeast : atMost !== undefined ? value <= atMost : undefined;
  return {
    ...comparison,
    value,
    ...(comparison.guarded === true && { best: ratioOfBest(runs, comparison) }),
    ...(reached !== undefined && { reached }),
  };
}

/** A comparison holds for every build that is measured: `sealdrop@other` is to be compared as `sealdrop` is. */
function ofEachBuild(comparison, names, builds) {
  return builds.map(({ named }) => {
    const other = (name) => (names.includes(named(name)) ? named(name) : name);
    const { of, to } = comparison;
    return { ...comparison, of: other(of), ...(to !== undefined && { to: other(to) }) };
  });
}

function ofBuilds(contest, builds) {
  const [first, ...others] = builds;
  return others.flatMap(({ named }) =>
    ['speed', 'cpu', 'peak'].map((by) => ({ of: named('sealdrop'), to: first.named('sealdrop'), by })),
  );
}

export function compare(contest, runs, builds) {
  const names = Object.keys(runs);
  const wanted = [
    ...contest.comparisons.flatMap((each) => ofEachBuild(each, names, builds)),
    ...ofBuilds(contest, builds),
  ];
  const seen = new Set();
  return wanted
    .filter(({ of, to }) => names.includes(of) && (to === undefined || names.includes(to)))
    .filter((each) => isNew(seen, [each.of, each.to, each.by, each.difference].join('|')))
    .filter(({ of, by }) => medianOf(runs[of], by) !== undefined)
    .map((each) => judge(runs, each));
}

function isNew(seen, key) {
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

export function comparisonLine({ of, to, by, difference, value, atLeast, atMost, reached }) {
  const { label, better } = MEASURES[by];
  const what =
    to === undefined
      ? `${label} of ${of}`
      : difference
        ? `${label} of ${of} beyond ${to}`
        : `${label} of ${of} to ${to} (${better} is better)`;
  const goal = atLeast !== undefined ? `>= ${atLeast}` : atMost !== undefined ? `<= ${atMost}` : '';
  const verdict = reached === undefined ? '' : `  ${reached ? 'reached' : 'MISSED'}: ${goal}`;
  return `${value.toFixed(to === undefined ? MEASURES[by].digits : 2).padStart(8)}  ${what}${verdict}`;
}
