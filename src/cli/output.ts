/** The command's one voice: data on standard output, all else on standard error, one line an event. */
import { isSealdropError, SealdropError } from '../errors.js';
import { printable, printableJson } from '../printable.js';
import { streamFailure } from '../transfer/target.js';
import type { OutputOptions } from './options.js';

export interface VoiceOptions extends OutputOptions {
  /** Standard output carries content: what `--json` prints goes to standard error, in place of the text. */
  contentOnStdout?: boolean;
}

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly contentOnStdout: boolean;

  constructor(options: VoiceOptions) {
    this.json = options.json === true;
    this.quiet = options.quiet === true;
    this.contentOnStdout = options.contentOnStdout === true;
  }

  /** What the user asked for. */
  data(line: string): void {
    process.stdout.write(`${line}\n`);
  }

  /** A line of JSON. */
  document(document: object): void {
    (this.contentOnStdout ? process.stderr : process.stdout).write(`${printableJson(document)}\n`);
  }

  /** A result: one line of JSON with `--json`, otherwise `text` on standard error. */
  result(document: object, text: string): void {
    if (this.json) this.document(document);
    else this.note(text);
  }

  note(text: string): void {
    if (this.quiet || (this.json && this.contentOnStdout)) return;
    process.stderr.write(`${text}\n`);
  }

  warn(text: string, hint?: string): void {
    this.note(`warning: ${text}${hint === undefined ? '' : `\nhint: ${hint}`}`);
  }

  /** @param name what it is about, where the message itself may not say it */
  error(error: unknown, about: object = {}, name = ''): void {
    const known = asSealdropError(error);
    const { code, message, hint, retryable } = known;
    if (code === 'output_closed') return;
    if (this.json) this.document({ ...about, error: { code, message, hint, retryable } });
    if (this.json && this.contentOnStdout) return;
    // Whatever got into it: names of other people's keys, the arguments themselves.
    const of = message.includes(name) ? '' : `${name}: `;
    process.stderr.write(`error: ${printable(of + message)}\n`);
    if (hint !== undefined) process.stderr.write(`hint: ${printable(hint)}\n`);
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

/** Results that nobody could write are no success. @throws SealdropError `output_closed`, `disk_full` */
export async function assertWritten(stream: NodeJS.WriteStream): Promise<void> {
  // Not every kind of stream remembers its errors; each refuses to go on after one.
  const error = await new Promise<Error | null | undefined>((taken) => stream.write('', taken));
  if (error) throw streamFailure(error);
}
