// How esbuild bundles what holds its dependencies: the command, and the functions for Lambda.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

const inPackage = (name) => new RegExp(`[/\\\\]node_modules[/\\\\]${name.replaceAll('/', '[/\\\\]')}[/\\\\]`);

/**
 * The AWS Encryption SDK's modules that only signed suites call, and that bring bn.js twice and asn1.js into whatever
 * encrypts: in their place what does the same with Node's own means.
 */
const ellipticKeys = {
  name: 'elliptic-keys',
  setup({ onResolve }) {
    const theirs = inPackage('@aws-crypto/material-management');
    const ours = { path: resolve('src/envelope/esdk/elliptic-keys.ts') };
    onResolve({ filter: /^\.\/(ecc_encode|ecc_decode|pem_helpers)$/ }, ({ importer }) =>
      theirs.test(importer) ? ours : undefined,
    );
  },
};

/**
 * Credentials of functions. The SDK's own ways to find some are many, each in a file of its own where code is split; of them
 * the API alone takes one, for the role that signs uploads.
 */
const roleCredentials = {
  name: 'role-credentials',
  setup({ onResolve }) {
    const theirs = inPackage('@aws-sdk/credential-providers');
    const ours = { path: resolve('lambda/role-credentials.ts') };
    const ofRole = resolve('node_modules/@aws-sdk/credential-providers/dist-es/fromTemporaryCredentials.js');
    onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, () => ours);
    onResolve({ filter: /^@aws-sdk\/credential-providers$/ }, ({ importer }) =>
      /[/\\]compose-api[.]ts$/.test(importer) ? { path: ofRole, sideEffects: false } : ours,
    );
    onResolve({ filter: /^[.]\/fromNodeProviderChain$/ }, ({ importer }) =>
      theirs.test(importer) ? ours : undefined,
    );
  },
};

/** What the SDK would load in browsers, and for answers that are streams of events, which nothing here asks for. */
const leftOut = {
  name: 'left-out',
  setup({ onResolve, onLoad }) {
    const namespace = 'left-out';
    onResolve({ filter: /^(bowser|@smithy\/core\/event-streams)$/ }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path, namespace } : undefined,
    );
    onLoad({ filter: /^/, namespace }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not in this bundle`)});`,
    }));
  },
};

/**
 * Schemas of the SDK's requests, of which nothing here needs more than a few. esbuild keeps every object that has a computed name in it,
 * for computing may have effects; these names are constants of the same file.
 */
function withPlainNames(code) {
  const constants = new Map(
    [...code.matchAll(/^const (\w+) = ("[^"\\\n]*");$/gm)].map(([, name, text]) => [name, text]),
  );
  return code.replace(/\[(\w+)\]:/g, (computed, name) =>
    constants.has(name) ? `${constants.get(name)}:` : computed,
  );
}

const plainSchemas = {
  name: 'plain-schemas',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]@aws-sdk[/\\].*[/\\]schemas[/\\]schemas_\d+[.]js$/ }, async ({ path }) => ({
      contents: withPlainNames(await readFile(path, 'utf8')),
    }));
  },
};

/** Options of esbuild for all of them. */
export const selfContained = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcesContent: false,
  logLevel: 'warning',
  // Modules first: packages that carry both would otherwise come in their larger CommonJS form.
  mainFields: ['module', 'main'],
  // Bundled CommonJS packages call `require` for Node's own modules; an ES module has none.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  // What is imported dynamically lies in files of its own, and is loaded when it is needed.
  splitting: true,
  plugins: [ellipticKeys, plainSchemas],
};

/** For functions: a folder with index.mjs, and chunks/ beside it. */
export const ofFunctions = {
  ...selfContained,
  plugins: [...selfContained.plugins, roleCredentials, leftOut],
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  minify: true,
  // Named in the code: Node reads it when an error's stack is printed.
  sourcemap: 'linked',
  metafile: true,
};
