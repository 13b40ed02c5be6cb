import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** A module of the tests' helpers, for programs that run without jest. */
export async function helpers(name = 'servers') {
  // Inside the project: the packages that stay outside of the bundle are found from there.
  const folder = mkdtempSync(join(process.cwd(), 'node_modules', '.helpers-'));
  try {
    const outfile = join(folder, `${name}.mjs`);
    await build({
      entryPoints: [`test/helpers/${name}.ts`],
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      outfile,
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
