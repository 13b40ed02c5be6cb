/** From keys to names of files below a root: whatever a store says that its keys are. */
import { sep } from 'node:path';
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { isReserved, RESERVED } from '../../reserved-name.js';
import { keyProblem } from '../../vault-key.js';
import { isAsideName } from '../target.js';

/** What stands for a directory with nothing in it: right in it, an empty message with a pair that says so. */
export const DIRECTORY_MARKER = '.directory.sealdrop';

/** A file of this name below the working directory would configure the command. */
const CONFIG = 'sealdrop.config.json';

/** `data` and `data/` mean the folder: never `database`. */
export const folderPrefix = (key: string): string => (key === '' || key.endsWith('/') ? key : `${key}/`);

/**
 * The names on the way to a file, none of which leads anywhere else than down.
 * @param path what follows the prefix in a key
 * @throws SealdropError `key_not_storable`; `target_unwritable` for a configuration without `force`
 */
export function segmentsOf(path: string, { force = false }: { force?: boolean } = {}): string[] {
  const segments = path.split('/');
  const problem = keyProblem(path) ?? nameProblem(segments);
  if (problem !== undefined)
    throw new SealdropError('key_not_storable', `${printable(path)} cannot be a file here: ${problem}`, {
      hint: 'take the object out by its own address: sealdrop get ADDRESS FILE',
    });
  if (!force && isConfig(segments.at(-1)!))
    throw new SealdropError('target_unwritable', `${printable(path)} would be a configuration`, {
      hint: 'look at what is in it first; --force writes it',
    });
  return segments;
}

function nameProblem(segments: readonly string[]): string | undefined {
  const reserved = segments.find(isReserved);
  if (reserved !== undefined) return `names that begin with "${RESERVED}" are kept for sealdrop's own files`;
  if (segments.some(isAsideName)) return 'names like that are kept for files that are not finished';
  // On Windows a backslash leads down, and to `..` too.
  if (segments.some((segment) => segment.includes(sep))) return `a name has a ${sep} in it`;
  return undefined;
}

/** As file systems compare that ignore case and Unicode form. */
export const folded = (name: string): string =>
  name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toLowerCase();

export const isConfig = (name: string): boolean => folded(name) === CONFIG;
