// `npm run proof NAME`: runs test/proof/NAME.mjs on the current build; without a name, lists them.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build, installAll, must, root } from './setup.mjs';

const folder = join(root, 'test/proof');
const names = existsSync(folder)
  ? readdirSync(folder)
      .filter((file) => file.endsWith('.mjs'))
      .map((file) => file.slice(0, -'.mjs'.length))
  : [];
const [name, ...args] = process.argv.slice(2);

if (name === undefined) {
  for (const each of names) console.log(each);
} else if (!names.includes(name)) {
  console.error(`no proof is named ${name}; there are: ${names.join(', ') || 'none'}`);
  process.exitCode = 2;
} else {
  installAll();
  build();
  must(process.execPath, [join(folder, `${name}.mjs`), ...args]);
}
