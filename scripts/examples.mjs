// `npm run examples`: packs the package, installs it in an empty folder as a user would, and runs every example
// there. Examples in TypeScript are checked against the declarations that the package carries. The one in cdk-app is
// synthesized by the CDK's command.
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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

// The CDK is its user's own, and large: the one that is installed here.
for (const name of ['aws-cdk-lib', 'constructs'])
  symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction');
cpSync(join(root, 'examples/cdk-app'), join(folder, 'cdk-app'), { recursive: true });

const typescript = [...examples.filter((name) => name.endsWith('.ts')), 'cdk-app/app.ts'];
for (const name of examples) copyFileSync(join(root, 'examples', name), join(folder, name));
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

for (const name of typescript) {
  const { code } = await transform(readFileSync(join(folder, name), 'utf8'), { loader: 'ts', format: 'esm' });
  writeFileSync(join(folder, name.replace(/\.ts$/, '.js')), code);
}
for (const name of examples) {
  console.error(`example ${name}`);
  must(process.execPath, [name.replace(/\.ts$/, '.js')], { cwd: folder, timeout: TIME_LIMIT_MS });
}
console.error('example cdk-app');
must(process.execPath, [join(root, 'node_modules/aws-cdk/bin/cdk'), 'synth', '--quiet', '--no-notices'], {
  cwd: join(folder, 'cdk-app'),
  timeout: TIME_LIMIT_MS,
});
if (!existsSync(join(folder, 'cdk-app/cdk.out/Gateway.template.json')))
  throw new Error('cdk-app made no template');
console.log(`${examples.length + 1} examples ran`);
