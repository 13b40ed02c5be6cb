/** The command's one voice: data on standard output, all else on standard error, one line an event. */
import { isSealdropError, SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import type { OutputOptions } from './options.js';

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;

  constructor(options: OutputOptions) {
    this.json = options.json === true;
    this.quiet = options.quiet === true;
  }

  /** What the user asked for. */
  data(line: string): void {
    process.stdout.write(`${line}\n`);
  }

  /** A result: one line of JSON with `--json`, otherwise `text` on standard error. */
  result(document: object, text: string): void {
    if (this.json) this.data(JSON.stringify(document));
    else this.note(text);
  }

  note(text: string): void {
    if (!this.quiet) process.stderr.write(`${text}\n`);
  }

  warn(text: string, hint?: string): void {
    this.note(`warning: ${text}${hint === undefined ? '' : `\nhint: ${hint}`}`);
  }

  error(error: unknown, about: object = {}): void {
    const known = asSealdropError(error);
    const { code, message, hint, retryable } = known;
    if (this.json) this.data(JSON.stringify({ ...about, error: { code, message, hint, retryable } }));
    if (code === 'output_closed') return;
    process.stderr.write(`error: ${message}\n`);
    if (hint !== undefined) process.stderr.write(`hint: ${hint}\n`);
    if (process.env['SEALDROP_DEBUG'] !== undefined) process.stderr.write(`${known.stack ?? ''}\n`);
  }
}

/** Anything that is no SealdropError is a bug of ours; it is said in one line all the same. */
function asSealdropError(error: unknown): SealdropError {
  if (isSealdropError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SealdropError('internal', printable(message.split('\n')[0] ?? 'unknown error'), {
    cause: error,
    hint: 'this is a fault of sealdrop: run again with SEALDROP_DEBUG=1 and report what it prints',
  });
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `12.3 MiB` */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
