/** What is deployed to Lambda, as it was built: what went into each bundle, what it says, and how large it is. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const folders = readdirSync('lambda', { withFileTypes: true }).filter((entry) => entry.isDirectory());
const names = folders.map(({ name }) => name);
const ENCRYPTING = ['encrypt-object', 'put-object'];

const inputsOf = (name: string) =>
  Object.keys(JSON.parse(readFileSync(`dist/lambda-inputs/${name}.json`, 'utf8')).inputs);
interface Output {
  readonly inputs: Record<string, { readonly bytesInOutput: number }>;
}

/** Of what was looked at, what has code in the bundle. */
const keptOf = (name: string) => {
  const { outputs } = JSON.parse(readFileSync(`dist/lambda-inputs/${name}.json`, 'utf8'));
  return Object.values<Output>(outputs).flatMap(({ inputs }) =>
    Object.keys(inputs).filter((input) => inputs[input]!.bytesInOutput > 0),
  );
};
const codeOf = (name: string) => readFileSync(join('dist/lambda', name, 'index.mjs'), 'utf8');

/** Bytes, minified; a tenth more than when it was set. A cold start reads and compiles all of it. */
const LARGEST: Record<string, number> = {
  'encrypt-object': 725_000,
  'put-object': 680_000,
  'delete-object': 450_000,
  'decrypt-object': 640_000,
  'rewrap-object': 725_000,
  api: 700_000,
};

test('each function is built, into a folder with its bundle and source map alone', () => {
  expect(readdirSync('dist/lambda').sort()).toEqual([...names].sort());
  for (const name of names)
    expect(readdirSync(join('dist/lambda', name)).sort()).toEqual(['index.mjs', 'index.mjs.map']);
});

describe.each(names)('%s', (name) => {
  test('has no part of the CDK, of other functions, or of what traces requests', () => {
    const inputs = inputsOf(name);
    expect(inputs).toContain(`lambda/${name}/index.ts`);
    const foreign =
      /node_modules\/(aws-cdk-lib|constructs|aws-xray-sdk[^/]*|@aws-lambda-powertools\/tracer)\/|^lib\//;
    expect(inputs.filter((input) => foreign.test(input))).toEqual([]);
    expect(
      inputs.filter((input) => /^lambda\/[^/]+\//.test(input) && !input.startsWith(`lambda/${name}/`)),
    ).toEqual([]);
  });

  test('finds credentials where Lambda puts them, and nowhere else', () => {
    const kept = keptOf(name);
    expect(kept).toContain('lambda/role-credentials.ts');
    // The API's also takes the role that signs uploads.
    const others = name === 'api' ? /fromNodeProviderChain|fromTemporary|loadSts/ : /fromNodeProviderChain/;
    expect(kept.filter((input) => input.includes('/credential-provider') && !others.test(input))).toEqual([]);
  });

  test('is as small as it was', () => {
    expect(statSync(join('dist/lambda', name, 'index.mjs')).size).toBeLessThan(LARGEST[name]!);
  });

  test('names its source map, which leads to the sources', () => {
    expect(codeOf(name).slice(-40)).toMatch(/\n\/\/# sourceMappingURL=index\.mjs\.map\n$/);
    const { sources } = JSON.parse(readFileSync(join('dist/lambda', name, 'index.mjs.map'), 'utf8'));
    expect(sources).toContain(`../../../lambda/${name}/index.ts`);
  });

  test('is a module with the handler that is deployed', async () => {
    const out = JSON.parse(readFileSync(`dist/lambda-inputs/${name}.json`, 'utf8')).outputs;
    const [bundle] = Object.entries<{ exports: string[] }>(out).filter(([file]) => file.endsWith('.mjs'));
    expect(bundle![1].exports).toContain('handler');
  });
});

describe.each(ENCRYPTING)('%s, which encrypts,', (name) => {
  test.each([
    'src/keys/raw-rsa/unwrap.ts',
    'src/keys/kms/unwrap.ts',
    'src/keys/raw-aes/',
    'src/keys/private-key',
    'src/keys/opening-keys.ts',
    'src/keys/unwrapping.ts',
    'src/envelope/esdk/decrypt.ts',
    'src/envelope/s3ec/decrypt.ts',
    'src/envelope/s3ec/range.ts',
    '/s3ec-unwrap',
    '@aws-crypto/decrypt-node/',
    '@aws-crypto/raw-rsa-keyring-node/',
    '@aws-crypto/raw-aes-keyring-node/',
    '@aws-crypto/kms-keyring',
    '@aws-crypto/client-node/',
    'node_modules/zod/',
    'node_modules/ajv/',
  ])('has no %s in it', (path) => {
    expect(inputsOf(name).filter((input) => input.includes(path))).toEqual([]);
  });

  // The last is what a request to KMS to unwrap would be called.
  test.each(['privateDecrypt', 'createPrivateKey', 'RawRsaKeyring', 'RawAesKeyring', '"Decrypt"'])(
    'never says %s',
    (word) => {
      // Not the code itself, which a failure would print.
      expect(codeOf(name).includes(word)).toBe(false);
    },
  );
});

describe.each(['decrypt-object', 'rewrap-object'])('%s, which opens,', (name) => {
  test('has what was looked for', () => {
    expect(inputsOf(name).some((input) => input.endsWith('src/keys/raw-rsa/unwrap.ts'))).toBe(true);
    expect(inputsOf(name).some((input) => input.includes('@aws-crypto/raw-rsa-keyring-node/'))).toBe(true);
    for (const word of ['privateDecrypt', 'createPrivateKey']) expect(codeOf(name).includes(word)).toBe(true);
  });

  test('asks no key of KMS to unwrap, and has no schema library', () => {
    const foreign = /src\/keys\/kms\/unwrap[.]ts|node_modules\/(zod|ajv)\//;
    expect(inputsOf(name).filter((input) => foreign.test(input))).toEqual([]);
  });
});
