// The two clients of AWS's SDK that every encrypting function needs, bundled alone as functions are bundled: what a
// function's own bundle is measured against.
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { ofFunctions } from '../../scripts/bundling.mjs';

const CLIENTS = {
  '@aws-sdk/client-s3': 'S3Client',
  '@aws-sdk/client-secrets-manager': 'SecretsManagerClient',
};

/**
 * @param what `clients`: all that the two packages export; `requests`: the clients with those requests alone that
 *   encrypt-object makes
 * @returns `{ file, bytes }`: index.mjs in `outdir`, and the size of all that is loaded with it
 */
export async function bundleSdkAlone(what, outdir) {
  const contents = Object.entries(CLIENTS).map(([name, client], i) =>
    what === 'clients'
      ? `export * as client${i} from '${name}';`
      : `export { ${[client, ...requestsOf(name)].join(', ')} } from '${name}';`,
  );
  const { metafile } = await build({
    ...ofFunctions,
    stdin: { contents: contents.join('\n'), resolveDir: process.cwd(), sourcefile: 'index.js' },
    entryNames: 'index',
    outdir,
  });
  const file = Object.keys(metafile.outputs).find((path) => path.endsWith('/index.mjs'));
  return { file, bytes: sizeOf(metafile, loadedWith(metafile, [file])) };
}

function requestsOf(client) {
  const { outputs } = JSON.parse(readFileSync('dist/lambda-inputs/encrypt-object.json', 'utf8'));
  const request = new RegExp(`/${client}/dist-es/commands/(\\w+)[.]js$`);
  const kept = Object.values(outputs).flatMap(({ inputs }) =>
    Object.keys(inputs).filter((path) => inputs[path].bytesInOutput > 0),
  );
  return kept.flatMap((path) => request.exec(path)?.[1] ?? []);
}

/** The outputs that are loaded with `entries`: what they import statically, and what that does. */
export function loadedWith({ outputs }, entries) {
  const loaded = new Set();
  const waiting = [...entries];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    for (const { path, kind, external } of outputs[file].imports)
      if (external !== true && kind === 'import-statement') waiting.push(path);
  }
  return [...loaded];
}

export const sizeOf = ({ outputs }, files) => files.reduce((sum, file) => sum + outputs[file].bytes, 0);
