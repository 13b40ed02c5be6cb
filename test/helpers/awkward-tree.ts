/** A tree of files with every name that is awkward and allowed. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pattern } from './bytes.js';

export const AWKWARD_NAMES = [
  'plain.txt',
  'with space',
  ' leading and trailing ',
  'percent%20%2F%',
  'plus+and+more',
  'new\nline',
  'tab\tand\u0007bell',
  `'single' "double" \`back\``,
  'back\\slash',
  '$HOME ${x} $(id) ;&|<>*?[]{}~#!',
  '-rf',
  '--help',
  '.hidden',
  '..three-dots...',
  'ends.',
  'NFC-\u304c\u00e9',
  'NFD-\u304b\u3099e\u0301',
  '日本語/ファイル名.txt',
  'emoji-😀-👩‍👩‍👧',
  'right-to-left-\u202egnp.exe',
  'z̵͎̍á̷̧l̶g̷o',
  `${'x'.repeat(255)}`,
  `${'あ'.repeat(85)}`,
  `${'deep/'.repeat(150)}end`,
  'a-b',
  'a/b',
  'a/b.txt',
  'a.b',
  'CON',
  'c:d',
  'UPPER',
  'upper',
  '&lt;&amp;&#10;',
  'sealdrop-key',
  '.sealdrop',
  'x.sealdrop-part',
] as const;

/** Each of another size, some of none. */
export function makeAwkwardTree(root: string): void {
  AWKWARD_NAMES.forEach((name, i) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), pattern(i % 5 === 0 ? 0 : i * 37));
  });
}

/** Paths and contents of all files, and the empty directories. */
export function contentOf(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found[relative(root, path)] = readFileSync(path).toString('base64');
    else if (entry.isDirectory() && readdirSync(path).length === 0) found[`${relative(root, path)}/`] = '';
    else if (!entry.isDirectory()) found[relative(root, path)] = `mode ${statSync(path).mode}`;
  }
  return found;
}
