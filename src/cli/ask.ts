/** Questions at the terminal. */
import { createInterface } from 'node:readline/promises';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';

export interface Question {
  readonly text: string;
  /** The answer that an empty line stands for. */
  readonly usual?: string;
  readonly choices?: readonly string[];
  /** Whether nothing is an answer. */
  readonly optional?: boolean;
  /** What is wrong with an answer; it is said, and asked again. */
  readonly check?: (answer: string) => string | undefined;
}

export const isTerminal = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true;

/**
 * Asks until there is an answer. To be called at a terminal only.
 * @throws SealdropError `interrupted`, `usage` where the input ends
 */
export async function ask(question: Question, signal: AbortSignal): Promise<string> {
  const { text, usual, choices, optional = false, check } = question;
  const list = choices === undefined ? '' : ` (${choices.join(', ')})`;
  const prompt = `${text}${list}${usual === undefined ? '' : ` [${usual}]`}: `;
  for (;;) {
    const answer = (await readLine(prompt, signal)).trim() || usual || '';
    if (choices !== undefined && answer !== '' && !choices.includes(answer)) continue;
    if (answer === '' && !optional) continue;
    const wrong = answer === '' ? undefined : check?.(answer);
    if (wrong === undefined) return answer;
    process.stderr.write(`${printable(wrong)}\n`);
  }
}

/**
 * The token code of an MFA device, for a profile whose role asks for it.
 * @throws SealdropError `credentials_missing` where there is nobody to ask
 */
export async function askTokenCode(device: string): Promise<string> {
  const shown = printable(device);
  if (!isTerminal())
    throw new SealdropError('credentials_missing', `the profile's role needs a token code of ${shown}`, {
      hint: 'run it at a terminal, where it can be typed, or name a profile that has a session already',
    });
  const check = (code: string) => (/^\d{6}$/.test(code) ? undefined : 'a token code is six digits');
  return ask({ text: `Token code of ${shown}`, check }, new AbortController().signal);
}

async function readLine(prompt: string, signal: AbortSignal): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const ended = new Promise<never>((_resolve, reject) => {
      // The reader takes Ctrl-C at a terminal for itself.
      reader.once('SIGINT', () => reject(new SealdropError('interrupted', 'interrupted')));
      reader.once('close', () => reject(new SealdropError('usage', 'the answers ended too early')));
    });
    return await Promise.race([reader.question(prompt, { signal }), ended]);
  } finally {
    reader.close();
  }
}
