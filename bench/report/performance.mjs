// docs/performance.md: its text stays, what stands between its marks is made anew from bench/results/.
import { readFileSync, writeFileSync } from 'node:fs';
import { CASES } from '../cases/index.mjs';
import { readResults } from '../harness/results.mjs';
import { drawCharts } from './charts.mjs';
import { caseSection, lambdaSection, machineSection } from './sections.mjs';

const FILE = 'docs/performance.md';

export function writeReport() {
  const results = readResults();
  const sections = {
    machine: () => machineSection(results),
    lambda: () => lambdaSection(results),
    ...Object.fromEntries(
      Object.entries(CASES).map(([name, described]) => [name, () => caseSection(described, results[name])]),
    ),
  };
  const filled = readFileSync(FILE, 'utf8').replaceAll(
    /(<!-- bench (\S+) -->\n)[^]*?(<!-- end -->)/g,
    (_all, begin, name, end) => `${begin}\n${sections[name]()}\n\n${end}`,
  );
  writeFileSync(FILE, filled);
  for (const [file, svg] of Object.entries(drawCharts(results))) writeFileSync(`docs/images/${file}`, svg);
}
