// `npm run examples`: packs the package, installs it in an empty folder as a user would, and runs every example
// there. Examples in TypeScript are checked against the declarations that the package carries.
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { installAll, must, npm, root } from './setup.mjs';

const TIME_LIMIT_MS = 120_000;

installAll();
const { transform } = await import('esbuild');

const folder = mkdtempSync(join(tmpdir(), 'sealdrop-examples-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const examples = readdirSync(join(root, 'examples')).filter((name) =>
  ['.ts', '.mjs'].includes(extname(name)),
);
if (examples.length === 0) throw new Error('there are no examples');

// Its prepack script builds.
npm(['pack', '--pack-destination', folder, '--foreground-scripts=false']);
const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}');
npm(['install', '--prefer-offline', `./${tarball}`], { cwd: folder });

const typescript = examples.filter((name) => name.endsWith('.ts'));
for (const name of examples) copyFileSync(join(root, 'examples', name), join(folder, name));
if (typescript.length > 0) {
  const config = {
    compilerOptions: {
      target: 'ES2023',
      module: 'NodeNext',
      strict: true,
      noEmit: true,
      // A user has Node's types and no others of ours: a declaration that needs more fails here.
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
    },
    files: typescript,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  must(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: folder });
}

for (const name of examples) {
  let file = name;
  if (name.endsWith('.ts')) {
    file = name.replace(/\.ts$/, '.js');
    const { code } = await transform(readFileSync(join(folder, name), 'utf8'), {
      loader: 'ts',
      format: 'esm',
    });
    writeFileSync(join(folder, file), code);
  }
  console.error(`example ${name}`);
  must(process.execPath, [file], { cwd: folder, timeout: TIME_LIMIT_MS });
}
console.log(`${examples.length} examples ran`);
