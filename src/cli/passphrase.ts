import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { SealdropError } from '../errors.js';
import type { AskPassphrase } from '../key-sets.js';
import { printable } from '../printable.js';
import { Secret } from '../secret.js';

/** A file, or a file descriptor that whoever started the command opened: its first line is the passphrase. */
export type PassphraseSource = string | number;

export interface PassphraseOptions {
  passphraseFile?: string;
  passphraseFd?: number;
}

export const sourceOf = ({ passphraseFile, passphraseFd }: PassphraseOptions): PassphraseSource | undefined =>
  passphraseFd ?? passphraseFile;

/** Each passphrase is asked for once, and a descriptor can be read once. */
export function onceFor(options: PassphraseOptions): AskPassphrase {
  const answers = new Map<string, ReturnType<AskPassphrase>>();
  const source = sourceOf(options);
  return (what) => {
    const id = source === undefined ? what : '';
    const answer = answers.get(id) ?? askPassphrase(what, source);
    answers.set(id, answer);
    return answer;
  };
}

/** A passphrase from its source, or typed at a terminal without being shown. */
async function askPassphrase(
  what: string,
  source: PassphraseSource | undefined,
): Promise<Secret | undefined> {
  if (source !== undefined) return readPassphrase(source);
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return new Secret(await promptHidden(`passphrase of ${printable(what)}: `));
}

/** A new passphrase, typed twice. */
export async function askNewPassphrase(source: PassphraseSource | undefined): Promise<Secret> {
  const first = await askPassphrase('the new private key', source);
  if (first === undefined)
    throw new SealdropError('key_passphrase', 'there is no terminal to type the passphrase at', {
      hint: 'name a file that holds it: --passphrase-file FILE',
    });
  if (first.reveal() === '') throw new SealdropError('key_passphrase', 'the passphrase is empty');
  if (source === undefined && (await promptHidden('the same again: ')) !== first.reveal())
    throw new SealdropError('key_passphrase', 'the two passphrases differ');
  return first;
}

async function readPassphrase(source: PassphraseSource): Promise<Secret> {
  const called = typeof source === 'number' ? `file descriptor ${source}` : `file ${printable(source)}`;
  const text = await readText(source).catch((cause: unknown) => {
    throw new SealdropError('key_file_not_found', `cannot read the passphrase ${called}`, {
      cause,
      hint:
        typeof source === 'number'
          ? 'open it for the command: sealdrop ... --passphrase-fd 3 3< FILE'
          : 'it holds the passphrase in its first line',
    });
  });
  return new Secret(text.replace(/\r?\n[^]*$/, ''));
}

/** Nobody's passphrase is as long; what is named may go on without end. */
const MAX_BYTES = 65_536;

async function readText(source: PassphraseSource): Promise<string> {
  const from = typeof source === 'number' ? { fd: source, autoClose: false } : {};
  const pieces: Buffer[] = [];
  const stream = createReadStream(typeof source === 'number' ? '' : source, { ...from, end: MAX_BYTES });
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

async function promptHidden(question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      const interrupted = () => reject(new SealdropError('interrupted', 'interrupted'));
      reader.once('SIGINT', interrupted).once('close', interrupted).once('line', resolve);
      // A signal ends the input, which the reader does not notice.
      process.stdin.once('close', interrupted);
      // Asked only now that the terminal shows nothing of what is typed.
      process.stderr.write(question);
    });
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}
