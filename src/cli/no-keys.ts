/** Where a key stands in place of the name of its file, it goes into no message. */
import type { Command, Option } from 'commander';
import { assertNoKey, keyInPlaceOfName } from '../key-input.js';

/** Options whose value names a file, as their help calls it. */
const NAMES_FILE = /[<[](file|set|keyset)[>\]]/;

/** @throws SealdropError `usage` for an option or a variable that holds a key */
export function assertNoKeys(command: Command): void {
  for (const option of command.options.filter(({ flags }) => NAMES_FILE.test(flags))) {
    const values = [command.getOptionValue(option.attributeName())].flat() as unknown[];
    for (const value of values) if (typeof value === 'string') assertNoKey(value, nameOf(option, command));
  }
}

const nameOf = (option: Option, command: Command): string =>
  command.getOptionValueSource(option.attributeName()) === 'env' ? option.envVar! : option.long!;

// Without quotes, a shell makes words of it. Public keys may be in what names no file.
const PRIVATE_PEM = /-----BEGIN($| [A-Z ]*PRIVATE)/;

/**
 * Before they are parsed: what is refused there is shown.
 * @throws SealdropError `usage`
 */
export function assertNoPem(argv: readonly string[]): void {
  const at = argv.findIndex((each) => PRIVATE_PEM.test(each));
  if (at === -1) return;
  const [own, before] = [argv[at]!, argv[at - 1] ?? ''].map(
    (each) => /^--[a-z][a-z-]*(?==|$)/.exec(each)?.[0],
  );
  throw keyInPlaceOfName(own ?? before ?? 'an argument');
}
