// `npm run bench`: what encryption costs, beside a plain copy and beside other programs, side by side in one run.
import { build, installAll, root } from '../scripts/setup.mjs';
import { CASES } from './cases/index.mjs';
import { openBuilds } from './harness/builds.mjs';
import { compare, comparisonLine } from './harness/comparisons.mjs';
import { openLab } from './harness/lab.mjs';
import { describeMachine, machineLine } from './harness/machine.mjs';
import { readOptions, USAGE } from './harness/options.mjs';
import { runRounds } from './harness/rounds.mjs';
import { rows, textTable } from './harness/table.mjs';

process.chdir(root);
try {
  await main(readOptions(process.argv.slice(2)));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

async function main(options) {
  if (options.help) return console.log(USAGE);
  const cases = named(options.cases);
  installAll();
  if (options.dist.length === 0) build();
  const builds = openBuilds(options.dist, root);
  const { helpers } = await import('../test/helpers/outside-jest.mjs');
  const lab = openLab({ builds, helpers: await helpers('bench') });
  const leave = () => void lab.close().finally(() => process.exit(130));
  process.once('SIGINT', leave).once('SIGTERM', leave);
  try {
    console.log(machineLine(describeMachine()));
    for (const each of cases) await runCase(each, { lab, options, builds });
  } finally {
    await lab.close();
  }
}

function named(names) {
  const unknown = names.find((name) => !Object.hasOwn(CASES, name));
  if (unknown !== undefined)
    throw new Error(`no case is named ${unknown}; there are: ${Object.keys(CASES).join(' ')}`);
  return (names.length === 0 ? Object.keys(CASES) : names).map((name) => CASES[name]);
}

async function runCase(each, context) {
  const { options, builds } = context;
  const repeat = options.repeat ?? each.repeat;
  for await (const contest of each.contests(context)) {
    const peers = contest.peers.filter(
      ({ name }) => options.peers?.some((start) => name.startsWith(start)) ?? true,
    );
    console.log(`\n${contest.name} (${repeat} rounds, medians)`);
    const runs = await runRounds({ peers }, repeat);
    console.log(textTable(rows(runs, each.columns)));
    for (const comparison of compare(contest, runs, builds)) console.log(comparisonLine(comparison));
  }
}
