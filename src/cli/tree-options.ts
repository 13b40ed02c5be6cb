/** Options of commands that deal with whole trees. */
import { Option, type Command } from 'commander';
import { SealdropError } from '../errors.js';
import { treeFilter, type TreeFilter } from '../transfer/tree/filter.js';
import { LINK_RULES, type LinkRule } from '../transfer/tree/walk.js';
import { positive } from './options.js';

export const DEFAULT_FILES = 8;

export interface TreeOptions {
  recursive?: boolean;
  include: string[];
  exclude: string[];
  files?: number;
  dryRun?: boolean;
}

export interface TransferTreeOptions extends TreeOptions {
  resume?: boolean;
}

export interface PutTreeOptions extends TransferTreeOptions {
  symlinks?: LinkRule;
  emptyDirectories?: boolean;
}

export const FILTER_HELP = `
Patterns of --include and --exclude are globs. One without a slash is compared with names at any depth ("*.tmp"), one
with a slash with the whole path below the root ("logs/**"); what matches a directory stands for all below it.`;

export function filterOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--include <glob>', 'take only what matches one of these; may be repeated')
        .argParser(collect)
        .default([], 'all'),
    )
    .addOption(
      new Option('--exclude <glob>', 'leave out what matches; may be repeated')
        .argParser(collect)
        .default([], 'none'),
    );
}

export function treeOptions(command: Command, what: string): Command {
  return filterOptions(command.addOption(new Option('-r, --recursive', what)))
    .addOption(
      new Option('--files <n>', `with -r: files at the same time (default: ${DEFAULT_FILES})`).argParser(
        positive,
      ),
    )
    .addOption(new Option('--dry-run', 'with -r: say what would be done, and do nothing'));
}

export function resumeOption(command: Command): Command {
  return command.addOption(
    new Option('--resume', 'with -r: leave out what an earlier run did and what has not changed since'),
  );
}

export function preserveOption(command: Command, what: string): Command {
  return command.addOption(new Option('--preserve', what));
}

export function localTreeOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--symlinks <rule>', 'with -r: what to do with symbolic links (default: skip)').choices(
        LINK_RULES,
      ),
    )
    .addOption(
      new Option('--empty-directories', 'with -r: store a marker for each directory with nothing in it'),
    );
}

export const filterOf = ({ include, exclude }: TreeOptions): TreeFilter => treeFilter({ include, exclude });

/** @throws SealdropError `usage` for options that mean something with `-r` alone */
export function assertNoTreeOptions(options: PutTreeOptions): void {
  const { include, exclude, files, dryRun, resume, symlinks, emptyDirectories } = options;
  const given = {
    '--include': include.length > 0,
    '--exclude': exclude.length > 0,
    '--files': files !== undefined,
    '--dry-run': dryRun,
    '--resume': resume,
    '--symlinks': symlinks !== undefined,
    '--empty-directories': emptyDirectories,
  };
  const first = Object.entries(given).find(([, is]) => is === true);
  if (first === undefined) return;
  throw new SealdropError('usage', `${first[0]} is for trees: it needs -r`);
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
