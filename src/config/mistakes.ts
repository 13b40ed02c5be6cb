/** A document of JSON judged by a schema, and its mistakes in plain words: one a line, each with its field. */
import type { z } from 'zod';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';

/**
 * @param name what messages call the document
 * @param between what stands between mistakes, where there are several; by default each has a line of its own
 * @throws SealdropError `invalid_config`
 */
export function parseDocument<T>(text: string, name: string, schema: z.ZodType<T>, between = '\n  '): T {
  const parsed = schema.safeParse(parseJson(text, name), { error: mistakeOf });
  if (parsed.success) return parsed.data;
  const mistakes = parsed.error.issues.flatMap(describe);
  const begin = mistakes.length > 1 && between.startsWith('\n') ? between : ' ';
  throw new SealdropError('invalid_config', `${name}:${begin}${mistakes.join(between)}`, {
    hint: 'sealdrop.schema.json describes every field; editors that know $schema show it',
  });
}

/** @throws SealdropError `invalid_config` */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new SealdropError('invalid_config', `${name} is not JSON: ${syntaxOf(cause as Error, text)}`, {
      cause,
    });
  }
}

/** What JSON.parse says, with the line where it says it of a position. */
function syntaxOf({ message }: Error, text: string): string {
  const at = /\bposition (\d+)/.exec(message)?.[1];
  const line = at === undefined ? '' : `line ${text.slice(0, Number(at)).split('\n').length}: `;
  return line + printable(message);
}

/** What the schema says of a field comes first; this is for what it leaves to zod. */
function mistakeOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type')
    return issue.input === undefined ? 'is missing' : `must be ${KINDS[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value')
    return `must be ${issue.input === undefined ? 'given: ' : ''}one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
  if (issue.code === 'too_small')
    return issue.origin === 'number' ? `must be at least ${issue.minimum}` : 'must not be empty';
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`;
  return undefined;
}

const KINDS: Partial<Record<string, string>> = {
  ...{ string: 'a text', number: 'a number', int: 'a whole number', boolean: 'true or false' },
  ...{ object: 'an object', record: 'an object', array: 'a list' },
};

/** A line for each mistake: zod gathers fields that there are not. */
function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${fieldOf({ path: [...issue.path, key] })}: there is no such field`);
  return [`${fieldOf(issue)}: ${printable(reasonOf(issue))}`];
}

/** Of a name in a record, what is wrong with the name. */
const reasonOf = (issue: z.core.$ZodIssue) =>
  issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;

/** `deployments.prod.inboxes[0].prefix` */
function fieldOf({ path }: { path: readonly PropertyKey[] }): string {
  const field = path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '');
  return field === '' ? 'the document' : printable(field);
}
