// Builds the command and the library into dist/, with esbuild alone; with --types the declarations too, where
// TypeScript is installed. Does nothing while dist/ is current; --force builds all the same.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const { values: flags } = parseArgs({ options: { types: { type: 'boolean' }, force: { type: 'boolean' } } });

/** A digest of all that dist/ is made of. The lock file counts: the command carries its dependencies inside. */
function digestOfSources() {
  const files = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
  ];
  for (const folder of ['bin', 'src', 'types'])
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
  const hash = createHash('sha256');
  for (const file of files.sort()) {
    const bytes = readFileSync(file);
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

const readIfThere = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

async function buildCode(digest) {
  process.stderr.write('sealdrop: building\n');
  const { build } = await import('esbuild');
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  // Built beside dist/ and moved in when complete: nobody ever runs half a build. At dist's own depth, because
  // source maps hold relative paths.
  const fresh = `dist.${process.pid}`;
  const old = `${fresh}.old`;
  const shared = {
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: 'external',
    sourcesContent: false,
    logLevel: 'warning',
    outdir: fresh,
    define: { __VERSION__: JSON.stringify(version) },
  };
  try {
    await Promise.all([
      // The command: dependencies included, because one large file loads faster than hundreds of small ones;
      // split, so that what is imported dynamically is loaded only by the commands that need it.
      build({
        ...shared,
        entryPoints: { 'bin/sealdrop': 'bin/sealdrop.ts' },
        chunkNames: 'bin/chunks/[name]-[hash]',
        splitting: true,
        // Modules first: packages that carry both would otherwise come in their larger CommonJS form.
        mainFields: ['module', 'main'],
        // Bundled CommonJS packages call `require` for Node's own modules; an ES module has none.
        banner: {
          js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
        },
      }),
      build({ ...shared, entryPoints: { index: 'src/index.ts' }, packages: 'external' }),
    ]);
    const command = join(fresh, 'bin/sealdrop.js');
    if (!readFileSync(command, 'utf8').startsWith('#!/usr/bin/env node\n'))
      throw new Error('bin/sealdrop.ts must begin with #!/usr/bin/env node');
    chmodSync(command, 0o755);
    writeFileSync(join(fresh, '.stamp'), digest);
    try {
      if (existsSync('dist')) renameSync('dist', old);
      renameSync(fresh, 'dist');
    } catch (error) {
      // Another build of the same sources was quicker.
      if (readIfThere('dist/.stamp') !== digest) throw error;
    }
  } finally {
    for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
  }
}

/** Declarations have a stamp of their own: `npm start` builds without them. */
function buildTypes(digest) {
  const compiler = 'node_modules/typescript/bin/tsc';
  if (!existsSync(compiler)) {
    process.stderr.write('sealdrop: no declarations: TypeScript is not installed\n');
    return;
  }
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
  writeFileSync('dist/types/.stamp', digest);
}

const digest = digestOfSources();
if (flags.force || readIfThere('dist/.stamp') !== digest) await buildCode(digest);
if (flags.types && readIfThere('dist/types/.stamp') !== digest) buildTypes(digest);
