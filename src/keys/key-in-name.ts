/** Names stand in the header of every message and are shown: none may have a key in it, or much of one. */

/** So many letters in a row are no accident. */
const RUN = 16;

/** The first of the names that has letters of a key in it, as base64 of either alphabet or hex writes them; or -1. */
export function nameWithKey(names: readonly string[], keys: readonly Buffer[]): number {
  const found = new Map<string, number>();
  names.forEach((name, i) => {
    for (const text of [base64urlOf(name), hexOf(name)]) for (const run of runsOf(text)) found.set(run, i);
  });
  if (found.size === 0) return -1;
  for (const key of keys)
    for (const text of [key.toString('base64url'), key.toString('hex')]) {
      const run = runsOf(text).find((each) => found.has(each));
      if (run !== undefined) return found.get(run)!;
    }
  return -1;
}

const base64urlOf = (text: string): string =>
  text
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/[^\w-]/g, '');

const hexOf = (text: string): string => text.toLowerCase().replace(/[^0-9a-z]/g, '');

const runsOf = (text: string): string[] =>
  Array.from({ length: Math.max(0, text.length - RUN + 1) }, (_, i) => text.slice(i, i + RUN));
