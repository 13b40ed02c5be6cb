/** Which paths of a tree are meant. */
import { basename } from 'node:path/posix';
import picomatch from 'picomatch';

export interface FilterPatterns {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

export interface TreeFilter {
  /** Whether a file is meant, by its path below the root. */
  takes(path: string): boolean;
  /** Whether all below a folder is excluded, so that nobody needs to look. */
  prunes(folder: string): boolean;
}

type Matches = (path: string) => boolean;

/**
 * A pattern without a slash is compared with names at any depth, one with a slash with the whole path below the root. What
 * matches a folder stands for all below it. Excluded is what any exclude matches; where there are includes, only what
 * one of them matches is meant. Letters count as they are; `*` and `?` match a leading dot too.
 */
export function treeFilter({ include = [], exclude = [] }: FilterPatterns): TreeFilter {
  const [included, excluded] = [include, exclude].map((patterns) => patterns.map(matcher)) as [
    Matches[],
    Matches[],
  ];
  const prunes = (folder: string) => excluded.some((matches) => matches(folder));
  return {
    prunes,
    takes(path) {
      if (include.length + exclude.length === 0) return true;
      const way = withParents(path);
      if (way.some(prunes)) return false;
      return include.length === 0 || included.some((matches) => way.some(matches));
    },
  };
}

function matcher(pattern: string): Matches {
  const anchored = pattern.replace(/^\.?\//, '').replace(/(?<=.)\/+$/, '');
  const matches = picomatch(anchored, { dot: true, nonegate: true, windows: false });
  const whole = /^\.?\//.test(pattern) || anchored.includes('/');
  return (path) => matches(whole ? path : basename(path));
}

/** `a/b/c` with `a/b` and `a`. */
function withParents(path: string): string[] {
  const way = [path];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
    way.push(path.slice(0, at));
  return way;
}
