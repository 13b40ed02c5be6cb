import { createInterface } from 'node:readline/promises';
import { SealdropError } from '../errors.js';

const OTHERWISE = 'give --yes, or --dry-run to see what would be done';

/**
 * Asks at the terminal. @returns true for `y` or `yes`
 * @param otherwise what to do where nobody can be asked
 * @throws SealdropError `usage` where there is no terminal, `interrupted`
 */
export async function confirm(
  question: string,
  signal: AbortSignal,
  otherwise = OTHERWISE,
): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new SealdropError('usage', 'this has to be confirmed, and there is no terminal to ask at', {
      hint: otherwise,
    });
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // The reader takes Ctrl-C at a terminal for itself.
    const interrupted = new Promise<never>((_resolve, reject) =>
      reader.once('SIGINT', () => reject(new SealdropError('interrupted', 'interrupted'))),
    );
    const answer = await Promise.race([reader.question(`${question} [y/N] `, { signal }), interrupted]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    reader.close();
  }
}
