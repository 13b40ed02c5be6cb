/** `--store-option name=value`: traits of a store by hand, one at a time. docs/stores.md lists them. */
import { SealdropError } from '../errors.js';
import { CHECKSUM_MODES } from '../ports.js';
import { printable } from '../printable.js';
import { CONDITIONAL_WRITES, type StoreTraits } from '../store-traits.js';

type Field = keyof StoreTraits | 'account';

export type ByHand = StoreTraits & { account?: string };

interface Kind {
  readonly field: Field;
  /** For messages. */
  readonly takes: string;
  /** Undefined for what it doesn't take. */
  readonly parse: (text: string) => unknown;
}

const MIB = 1024 * 1024;

const OPTIONS: Readonly<Record<string, Kind>> = {
  account: { field: 'account', takes: 'a name', parse: (text) => text || undefined },
  'path-style': oneOf('pathStyle', { yes: true, no: false }),
  checksum: oneOf('checksum', same(CHECKSUM_MODES)),
  'conditional-writes': oneOf('conditionalWrites', same(CONDITIONAL_WRITES)),
  'list-version': oneOf('listVersion', { '1': 1, '2': 2 }),
  'list-encoding': oneOf('listEncoding', same(['url', 'none'])),
  'min-part-size': number('minPartSize', { from: 5 * MIB, to: 5 * 1024 * MIB }),
  'max-parts': number('maxParts', { from: 2, to: 10_000 }),
  'max-attempts': number('maxAttempts', { from: 1, to: 20 }),
};

export const STORE_OPTION_NAMES: readonly string[] = Object.keys(OPTIONS);

function same<T extends string>(values: readonly T[]): Record<string, T> {
  return Object.fromEntries(values.map((value) => [value, value]));
}

function oneOf(field: Field, values: Record<string, unknown>): Kind {
  const takes = Object.keys(values).join(', ');
  return { field, takes, parse: (text) => (Object.hasOwn(values, text) ? values[text] : undefined) };
}

function number(field: Field, { from, to }: { from: number; to: number }): Kind {
  const within = (value: number) => (value >= from && value <= to ? value : undefined);
  return {
    field,
    takes: `a number from ${from} to ${to}`,
    parse: (text) => (/^\d{1,12}$/.test(text) ? within(Number(text)) : undefined),
  };
}

/**
 * @param text `name=value`, or several with commas between them
 * @throws SealdropError `usage`
 */
export function parseStoreOptions(text: string): ByHand {
  return Object.assign({}, ...text.split(',').map(parseOne)) as ByHand;
}

function parseOne(text: string): ByHand {
  const [name = '', ...rest] = text.trim().split('=');
  const value = rest.join('=');
  const kind = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
  if (kind === undefined)
    throw new SealdropError('usage', `there is no store option ${printable(name)}`, {
      hint: `they are ${STORE_OPTION_NAMES.join(', ')}, each with =VALUE: docs/stores.md`,
    });
  const parsed = kind.parse(value);
  if (parsed === undefined)
    throw new SealdropError('usage', `the store option ${name} takes ${kind.takes}`, {
      hint: `as: --store-option ${name}=VALUE`,
    });
  return { [kind.field]: parsed };
}

/** The same traits as they would be given by hand: `--store-option conditional-writes=none`. */
export function storeOptionsOf(traits: ByHand): string[] {
  return Object.entries(OPTIONS).flatMap(([name, { field }]) => {
    const value = traits[field];
    if (value === undefined) return [];
    const text = typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
    return [`--store-option ${name}=${text}`];
  });
}
