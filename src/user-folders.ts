/** The user's own folders, by the XDG Base Directory Specification: never one that a working directory has brought. */
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** `$HOME`, which some empty, or set to a folder that depends on where the command runs. */
export function homeFolder(): string {
  const home = homedir();
  return isAbsolute(home) ? home : userInfo().homedir;
}

export const configFolder = (): string => folderOf('XDG_CONFIG_HOME', '.config');

/** What is remembered from one run to the next. */
export const stateFolder = (): string => folderOf('XDG_STATE_HOME', '.local/state');

function folderOf(variable: string, usual: string): string {
  // Empty or relative it counts as not set, says the specification.
  const base = process.env[variable] ?? '';
  return join(isAbsolute(base) ? base : join(homeFolder(), usual), 'sealdrop');
}
