// `npm run bench`: what encryption costs, beside a plain copy and beside other programs, side by side in one run.
import { build, installAll, root } from '../scripts/setup.mjs';
import { CASES, QUICK } from './cases/index.mjs';
import { fallen, guardedRatios, readBaseline, writeBaseline } from './harness/baseline.mjs';
import { openBuilds } from './harness/builds.mjs';
import { runContest } from './harness/contest.mjs';
import { openLab } from './harness/lab.mjs';
import { describeMachine, machineLine } from './harness/machine.mjs';
import { readOptions, USAGE } from './harness/options.mjs';
import { saveResults } from './harness/results.mjs';
import { takesPart } from './peers/transfers.mjs';
import { writeReport } from './report/performance.mjs';

process.chdir(root);
try {
  await main(readOptions(process.argv.slice(2)));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

async function main(options) {
  if (options.help) return console.log(USAGE);
  if (options.report) return writeReport();
  const names = chosen(options);
  installAll();
  if (options.dist.length === 0) build();
  const builds = openBuilds(options.dist, root);
  const { helpers } = await import('../test/helpers/outside-jest.mjs');
  const lab = openLab({ builds, helpers: await helpers('bench') });
  const leave = () => void lab.close().finally(() => process.exit(130));
  process.once('SIGINT', leave).once('SIGTERM', leave);
  const machine = describeMachine();
  console.log(machineLine(machine));
  try {
    const all = [];
    for (const name of names) {
      const results = await runCase(CASES[name], { lab, options, builds });
      all.push(...results);
      if (options.save) saveResults(name, results);
    }
    if (options.writeBaseline) writeBaseline(all, machine);
    else if (options.quick) judge(all);
  } finally {
    await lab.close();
  }
  if (options.save) writeReport();
}

function chosen({ cases, quick }) {
  const unknown = cases.find((name) => !Object.hasOwn(CASES, name));
  if (unknown !== undefined)
    throw new Error(`no case is named ${unknown}; there are: ${Object.keys(CASES).join(' ')}`);
  if (quick && cases.length > 0) throw new Error('--quick measures what it always does: name no cases');
  if (cases.length > 0) return cases;
  return quick ? QUICK : Object.keys(CASES).filter((name) => CASES[name].onRequest !== true);
}

async function runCase(each, context) {
  const { options, builds } = context;
  const repeat = options.repeat ?? (options.quick ? each.quickRepeat : each.repeat);
  const results = [];
  for await (const contest of each.contests(context)) {
    const peers = contest.peers.filter(({ name }) => takesPart(options, name));
    const settings = { repeat, columns: each.columns, builds };
    const run = () => runContest({ ...contest, peers }, settings);
    results.push(options.quick && !options.writeBaseline ? await twiceIfFallen(run) : await run());
  }
  return results;
}

/** A ratio that fell is measured once more before it counts: something else may have had the machine. */
async function twiceIfFallen(run) {
  const first = await run();
  const found = guardedRatios([first]);
  const baseline = Object.entries(readBaseline()).filter(([key]) => Object.hasOwn(found, key));
  const lines = fallen(found, Object.fromEntries(baseline));
  if (lines.length === 0) return first;
  for (const line of lines) console.log(`once more: ${line}`);
  return run();
}

function judge(results) {
  const lines = fallen(guardedRatios(results), readBaseline());
  console.log(lines.length === 0 ? '\nno ratio fell by a fifth' : '');
  for (const line of lines) console.error(`error: ${line}`);
  if (lines.length > 0) process.exitCode = 1;
}
