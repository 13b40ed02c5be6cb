// Builds everything into dist/, with esbuild alone: the command, the library, the functions for Lambda, and the CDK
// constructs and app; with --command no more than the first two, which is all that `npm start` needs; with --types the
// declarations too, where TypeScript is installed. Does nothing while dist/ is current; --force builds all the same.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ofFunctions, selfContained } from './bundling.mjs';
import { ownSources } from './own-sources.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const { values: flags } = parseArgs({
  options: { command: { type: 'boolean' }, types: { type: 'boolean' }, force: { type: 'boolean' } },
});

/** A digest of all that dist/ is made of. The lock file counts: the command carries its dependencies inside. */
function digestOfSources() {
  const files = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
    'scripts/bundling.mjs',
    'scripts/own-sources.mjs',
  ];
  for (const folder of ['bin', 'lambda', 'lib', 'src', 'types'])
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

/** A folder in lambda/ is a function where it has an index.ts. */
const functionNames = () =>
  readdirSync('lambda')
    .filter((name) => existsSync(join('lambda', name, 'index.ts')))
    .sort();

/** Neither a package's, nor what stands for one that is left out. */
const isOwnSource = (path) => !/\/node_modules\/|left-out:/.test(path);

/** A folder each, which is deployed as it is; what went into it is noted beside, for the tests. */
async function buildFunction(build, shared, name) {
  const { metafile } = await build({
    ...ofFunctions,
    define: shared.define,
    entryPoints: { index: `lambda/${name}/index.ts` },
    outdir: join(shared.outdir, 'lambda', name),
  });
  for (const file of Object.keys(metafile.outputs).filter((path) => path.endsWith('.map'))) {
    const map = ownSources(JSON.parse(readFileSync(file, 'utf8')), isOwnSource);
    writeFileSync(file, JSON.stringify(map));
  }
  const notes = join(shared.outdir, 'lambda-inputs');
  mkdirSync(notes, { recursive: true });
  writeFileSync(join(notes, `${name}.json`), JSON.stringify(metafile));
}

function buildGateway(build, shared) {
  const entryPoints = { 'cdk/index': 'lib/index.ts', 'bin/app': 'bin/app.ts' };
  return [
    // The CDK is the user's own: there must be one copy of it in an app.
    build({ ...shared, entryPoints, packages: 'external' }),
    ...functionNames().map((name) => buildFunction(build, shared, name)),
  ];
}

/** Whatever has the gateway has the command too. */
const stampOf = (digest, gateway) => `${digest} ${gateway ? 'all' : 'command'}`;
const isCurrent = (digest, gateway) =>
  [true, ...(gateway ? [] : [false])].some((built) => readIfThere('dist/.stamp') === stampOf(digest, built));

async function buildCode(digest, { gateway }) {
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
      // The command: dependencies included, because one large file loads faster than hundreds of small ones.
      build({
        ...shared,
        ...selfContained,
        // Half as much to read at every start. Names stay, for whoever reads a stack.
        minifyWhitespace: true,
        minifySyntax: true,
        entryPoints: { 'bin/sealdrop': 'bin/sealdrop.ts' },
        chunkNames: 'bin/chunks/[name]-[hash]',
      }),
      build({ ...shared, entryPoints: { index: 'src/index.ts' }, packages: 'external' }),
      ...(gateway ? buildGateway(build, shared) : []),
    ]);
    const command = join(fresh, 'bin/sealdrop.js');
    if (!readFileSync(command, 'utf8').startsWith('#!/usr/bin/env node\n'))
      throw new Error('bin/sealdrop.ts must begin with #!/usr/bin/env node');
    chmodSync(command, 0o755);
    writeFileSync(join(fresh, '.stamp'), stampOf(digest, gateway));
    try {
      if (existsSync('dist')) renameSync('dist', old);
      renameSync(fresh, 'dist');
    } catch (error) {
      // Another build of the same sources was quicker.
      if (!isCurrent(digest, gateway)) throw error;
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
const gateway = flags.command !== true;
if (flags.force || !isCurrent(digest, gateway)) await buildCode(digest, { gateway });
if (flags.types && readIfThere('dist/types/.stamp') !== digest) buildTypes(digest);
