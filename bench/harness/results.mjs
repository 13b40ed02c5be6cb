// What was measured, one file a case: docs/performance.md is made of these.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = 'bench/results';

export function saveResults(name, result) {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${name}.json`), `${laidOut(result, 4)}\n`);
}

/** @returns an object of results by the case's name */
export function readResults() {
  if (!existsSync(FOLDER)) return {};
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
  return Object.fromEntries(
    files.map((file) => [
      file.slice(0, -'.json'.length),
      JSON.parse(readFileSync(join(FOLDER, file), 'utf8')),
    ]),
  );
}

/** Digits that mean nothing are left out. */
const rounded = (_key, value) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;

/** JSON with a line for each thing that is so deep, so that a run is one. */
function laidOut(value, depth, indent = '') {
  if (depth === 0 || typeof value !== 'object' || value === null) return JSON.stringify(value, rounded);
  const inner = `${indent} `;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const parts = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .map(([name, each]) => {
      const label = Array.isArray(value) ? '' : `${JSON.stringify(name)}: `;
      return inner + label + laidOut(each, depth - 1, inner);
    });
  return `${open}\n${parts.join(',\n')}\n${indent}${close}`;
}
