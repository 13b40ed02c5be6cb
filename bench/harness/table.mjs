import { MEASURES } from './measures.mjs';
import { medianOf } from './rounds.mjs';

/** A row a peer: medians of what its runs have, with the least and the most of its seconds. */
export function rows(runs, columns) {
  const measures = columns.filter((name) =>
    Object.values(runs).some((all) => medianOf(all, name) !== undefined),
  );
  const head = ['', ...measures.map((name) => MEASURES[name].label)];
  const body = Object.entries(runs).map(([peer, all]) => [
    peer,
    ...measures.map((name) => {
      const value = medianOf(all, name);
      return value === undefined ? '' : value.toFixed(MEASURES[name].digits);
    }),
  ]);
  return [head, ...body];
}

export function textTable(table) {
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  return table
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
    )
    .join('\n');
}

export function markdownTable([head, ...body]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    `|${head.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`,
    ...body.map(line),
  ].join('\n');
}
