/** Source maps of bundles: they lead to our lines as esbuild's own do, and from a package's code nowhere. */
import { expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownSources } from '../../scripts/own-sources.mjs';

const FILES = {
  'first.js': '\n\nexport const first = (text) => {\n  return `first ${text}`;\n};\n',
  'node_modules/other/index.js': '\nexport const other = (text) =>\n  `other\n${text}`;\n',
  'node_modules/another/index.js': 'export const another = (text) => `another\n${text}`;\n',
  'last.js': 'export const last = (text) =>\n\n  `last ${text}`;\n',
  'index.js': ['./first.js', 'other', 'another', './last.js']
    .map((name) => `export * from '${name}';\n`)
    .join(''),
};

test.each([true, false])('minified: %s', async (minify) => {
  const folder = mkdtempSync(join(tmpdir(), 'sealdrop-maps-'));
  try {
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const outfile = join(folder, 'out.mjs');
    await build({
      ...{ absWorkingDir: folder, entryPoints: ['index.js'], outfile, bundle: true, format: 'esm', minify },
      ...{ sourcemap: 'linked', sourcesContent: false },
    });
    const whole = JSON.parse(readFileSync(`${outfile}.map`, 'utf8')) as SourceMapPayload;
    const own = ownSources(whole, (source) => !source.includes('node_modules/')) as SourceMapPayload;
    expect(own.sources).toEqual(['first.js', 'last.js']);
    expect(own.mappings.length).toBeLessThan(whole.mappings.length);
    const [before, after] = [new SourceMap(whole), new SourceMap(own)];
    let ours = 0;
    readFileSync(outfile, 'utf8')
      .split('\n')
      .forEach((text, line) => {
        for (let column = 0; column < text.length; column++) {
          const expected = before.findEntry(line, column);
          const found = after.findEntry(line, column);
          const isOurs = 'originalSource' in expected && !expected.originalSource.includes('node_modules/');
          if (isOurs) ours++;
          expect(placeOf(found)).toEqual(isOurs ? placeOf(expected) : [undefined, undefined, undefined]);
        }
      });
    expect(ours).toBeGreaterThan(50);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }

  function placeOf(entry: object) {
    const { originalSource, originalLine, originalColumn } = entry as Record<string, unknown>;
    return [originalSource, originalLine, originalColumn];
  }
});
