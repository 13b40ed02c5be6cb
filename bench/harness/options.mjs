// What the command line says. Everything has a default, so that `npm run bench` alone is the full run.
import { parseArgs } from 'node:util';

export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;
const UNITS = { '': 1, kib: 1024, mib: MIB, gib: GIB };

export const USAGE = `usage: npm run bench -- [CASE...] [options]

  --size BYTES         as 256MiB; may be repeated
  --files N            of a tree of small files
  --repeat N           rounds; in each, every peer has its turn
  --quick              what CI measures: the ratios of bench/baseline.json, in under 3 minutes
  --write-baseline     with --quick: these are the ratios from now on
  --dist [NAME=]DIR    a build to measure in place of this one's; repeated, they take turns
  --peers NAME,NAME    only peers whose name begins so
  --cores N,N          the processors that peers run on
  --memory BYTES       that a transfer's buffers may take
  --minutes N          of a soak
  --save               keep the figures in bench/results/, and write docs/performance.md from all of those
  --report             write docs/performance.md from what was kept, and measure nothing`;

const OPTIONS = {
  size: { type: 'string', multiple: true },
  files: { type: 'string' },
  repeat: { type: 'string' },
  quick: { type: 'boolean' },
  'write-baseline': { type: 'boolean' },
  dist: { type: 'string', multiple: true },
  peers: { type: 'string' },
  cores: { type: 'string' },
  memory: { type: 'string' },
  minutes: { type: 'string' },
  save: { type: 'boolean' },
  report: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
};

export function readOptions(argv) {
  const { values, positionals } = parseArgs({ args: argv, options: OPTIONS, allowPositionals: true });
  const number = (name) => (values[name] === undefined ? undefined : wholeNumber(name, values[name]));
  return {
    cases: positionals,
    sizes: values.size?.map(parseBytes),
    files: number('files'),
    repeat: number('repeat'),
    quick: values.quick ?? false,
    writeBaseline: values['write-baseline'] ?? false,
    dist: values.dist ?? [],
    peers: values.peers?.split(','),
    cores: values.cores?.split(',').map((core) => wholeNumber('cores', core)),
    memory: values.memory,
    minutes: number('minutes'),
    save: values.save ?? false,
    report: values.report ?? false,
    help: values.help ?? false,
  };
}

function wholeNumber(name, text) {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} is a number, and not ${text}`);
  return Number(text);
}

export function parseBytes(text) {
  const [, digits, unit] = /^(\d+)([kmg]ib)?$/i.exec(text) ?? [];
  if (digits === undefined) throw new Error(`a size is like 256MiB, and not ${text}`);
  return Number(digits) * UNITS[(unit ?? '').toLowerCase()];
}

export function formatBytes(bytes) {
  const [name, unit] = Object.entries({ GiB: GIB, MiB: MIB, KiB: 1024 }).find(
    ([, size]) => bytes >= size && bytes % size === 0,
  ) ?? ['B', 1];
  return `${bytes / unit} ${name}`;
}
