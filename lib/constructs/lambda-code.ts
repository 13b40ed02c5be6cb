import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as lambda from 'aws-cdk-lib/aws-lambda';

/** The functions that the package brings, each built into a folder of its own. */
export type BundleName =
  'encrypt-object' | 'api' | 'put-object' | 'delete-object' | 'decrypt-object' | 'rewrap-object';

/**
 * The code of a function as it was built into the package: nothing is compiled when a stack is synthesized.
 * @throws where the package was not built
 */
export function bundledCode(name: BundleName): lambda.Code {
  const folder = join(packageRoot(), 'dist', 'lambda', name);
  if (!existsSync(join(folder, 'index.mjs')))
    throw new Error(`the function ${name} is not built: run npm run build`);
  return lambda.Code.fromAsset(folder);
}

/** The same for sources and for what is built of them, which lie at different depths. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    if (dirname(folder) === folder) throw new Error('sealdrop is not installed as a package');
    folder = dirname(folder);
  }
  return folder;
}
