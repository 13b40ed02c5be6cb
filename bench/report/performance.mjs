// docs/performance.md: its text stays, what stands between its marks is made anew from bench/results/.
import { readFileSync, writeFileSync } from 'node:fs';
import { CASES } from '../cases/index.mjs';
import { readResults } from '../harness/results.mjs';
import { drawCharts } from './charts.mjs';
import { caseSection, lambdaSection, machineSection } from './sections.mjs';

const FILE = 'docs/performance.md';

export function writeReport() {
  const results = readResults();
  const { put, get, memory } = results;
  const sections = {
    machine: Object.keys(results).length > 0 && (() => machineSection(results)),
    lambda: put && get && (() => lambdaSection(results)),
    'transfers-chart': put && get && (() => image('Seconds of each program', 'bench-transfers.svg')),
    'memory-chart':
      memory && (() => image('Resident memory over the time of a transfer', 'bench-memory.svg')),
    ...Object.fromEntries(
      Object.entries(CASES).map(([name, described]) => [
        name,
        results[name] && (() => caseSection(described, results[name])),
      ]),
    ),
  };
  const filled = readFileSync(FILE, 'utf8').replaceAll(
    /(<!-- bench (\S+) -->\n)[^]*?(<!-- end -->)/g,
    (_all, begin, name, end) => (sections[name] ? `${begin}\n${sections[name]()}\n\n${end}` : begin + end),
  );
  writeFileSync(FILE, filled);
  for (const [file, svg] of Object.entries(drawCharts(results))) writeFileSync(`docs/images/${file}`, svg);
}

const image = (what, file) => `![${what}](images/${file})`;
