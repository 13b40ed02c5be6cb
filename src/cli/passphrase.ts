import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { Secret } from '../secret.js';

/** A passphrase from a file (its first line), or typed at a terminal without being shown. */
export async function askPassphrase(what: string, file: string | undefined): Promise<Secret | undefined> {
  if (file !== undefined) return readPassphrase(file);
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return new Secret(await promptHidden(`passphrase of ${printable(what)}: `));
}

/** A new passphrase, typed twice. */
export async function askNewPassphrase(file: string | undefined): Promise<Secret> {
  const first =
    file === undefined ? await askPassphrase('the new private key', undefined) : await readPassphrase(file);
  if (first === undefined)
    throw new SealdropError('key_passphrase', 'there is no terminal to type the passphrase at', {
      hint: 'name a file that holds it: --passphrase-file FILE',
    });
  if (first.reveal() === '') throw new SealdropError('key_passphrase', 'the passphrase is empty');
  if (file === undefined && (await promptHidden('the same again: ')) !== first.reveal())
    throw new SealdropError('key_passphrase', 'the two passphrases differ');
  return first;
}

async function readPassphrase(file: string): Promise<Secret> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SealdropError('key_file_not_found', `cannot read the passphrase file ${printable(file)}`, {
      cause,
      hint: 'it holds the passphrase in its first line',
    });
  });
  return new Secret(text.replace(/\r?\n[^]*$/, ''));
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
