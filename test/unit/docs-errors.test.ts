import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { exitCodeOf, SealdropError, type ErrorCode } from '../../src/errors.js';

const source = readFileSync('src/errors.ts', 'utf8');
const codes = [...source.matchAll(/^ {2}(\w+): '\w+',$/gm)].map((match) => match[1] as ErrorCode);
const rows = new Map(
  [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| +(\d+) +\|[^|]*\|([^|]*)\|$/gm)].map((row) => [
    Number(row[1]),
    row[2]!.replaceAll('`', '').trim().split(/\s+/),
  ]),
);

test('docs/errors.md lists every code under the exit code that it has, and no other', () => {
  expect(codes.length).toBeGreaterThan(40);
  const documented = [...rows].flatMap(([exit, names]) => names.filter(Boolean).map((name) => [name, exit]));
  const actual = codes
    .map((code) => [code, exitCodeOf(new SealdropError(code, ''))])
    .filter(([code]) => code !== 'partial');
  expect(new Map(documented as [string, number][])).toEqual(new Map(actual as [string, number][]));
});

test('an error that is none of ours is a plain failure', () => {
  expect(exitCodeOf(new Error('x'))).toBe(1);
});
