// `npm run schema`: writes sealdrop.schema.json from src/config/schema.ts. A test says when it is due.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { format } from 'prettier';
import { root } from './setup.mjs';

const { outputFiles } = await build({
  entryPoints: [join(root, 'src/config/schema.ts')],
  bundle: true,
  write: false,
  platform: 'node',
  format: 'esm',
});
const module = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
const text = await format(JSON.stringify(module.configJsonSchema()), { parser: 'json', printWidth: 110 });
writeFileSync(join(root, 'sealdrop.schema.json'), text);
