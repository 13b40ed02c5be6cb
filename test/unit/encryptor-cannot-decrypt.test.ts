/** What is bundled to encrypt holds nothing that could open what it wrote. */
import { build, type BuildResult } from 'esbuild';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { rsaWrappingKeys } from '../../src/keys/raw-rsa/wrap.js';
import { NAMES, rsaPair } from '../helpers/keys.js';

const root = new URL('../../', import.meta.url).pathname;

async function bundle(entries: readonly string[]): Promise<{ inputs: string[]; text: string }> {
  const result: BuildResult<{ metafile: true; write: false }> = await build({
    stdin: {
      contents: entries.map((entry) => `export * from './src/${entry}';`).join('\n'),
      resolveDir: root,
    },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    legalComments: 'none',
  });
  return { inputs: Object.keys(result.metafile.inputs), text: result.outputFiles[0]!.text };
}

/** Code alone: a comment may name what the code does not have. */
const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');

const ENCRYPTING = [
  'envelope/esdk/encrypt.ts',
  'envelope/s3ec/encrypt.ts',
  'keys/raw-rsa/wrap.ts',
  'keys/key-set.ts',
];
const OPENING = ['envelope/esdk/decrypt.ts', 'keys/raw-rsa/unwrap.ts', 'keys/private-key-set.ts'];

describe('a bundle that encrypts', () => {
  let inputs: string[];
  let code: string;
  beforeAll(async () => {
    const made = await bundle(ENCRYPTING);
    inputs = made.inputs;
    code = withoutComments(made.text);
  });

  test.each([
    'keys/raw-rsa/unwrap.ts',
    'keys/private-key.ts',
    'keys/private-key-set.ts',
    'keys/generate.ts',
    'envelope/esdk/decrypt.ts',
    'envelope/s3ec/decrypt.ts',
    'envelope/s3ec/range.ts',
    '@aws-crypto/raw-rsa-keyring-node/',
    '@aws-crypto/decrypt-node/',
    '@aws-crypto/client-node/',
  ])('has no %s in it', (path) => {
    expect(inputs.filter((input) => input.includes(path))).toEqual([]);
  });

  test.each(['privateDecrypt', 'createPrivateKey', 'RawRsaKeyring'])('never says %s', (name) => {
    expect(code).not.toContain(name);
  });

  test.each(['keys/raw-rsa/s3ec-wrap.ts', 'keys/raw-aes/s3ec-wrap.ts', 'keys/kms/s3ec-wrap.ts'])(
    'nor has what wraps for the S3 Encryption Client by %s',
    async (entry) => {
      const wrapping = await bundle([entry]);
      expect(
        wrapping.inputs.filter((input) => /unwrap|private-key|generate|decrypt[.]ts/.test(input)),
      ).toEqual([]);
      for (const name of [
        'privateDecrypt',
        'createPrivateKey',
        'createDecipheriv',
        '"Decrypt"',
        'RawAesKeyring',
      ])
        expect(withoutComments(wrapping.text).includes(name)).toBe(false);
    },
  );

  test('and what was looked for is found where it must be: in the bundle that opens', async () => {
    const opening = await bundle(OPENING);
    expect(opening.inputs.some((input) => input.endsWith('keys/raw-rsa/unwrap.ts'))).toBe(true);
    for (const name of ['privateDecrypt', 'createPrivateKey'])
      expect(withoutComments(opening.text)).toContain(name);
  });
});

test('the wrapping keyring refuses to unwrap', async () => {
  const { keyring } = rsaWrappingKeys([{ ...NAMES, publicKey: rsaPair().publicKey }]);
  await expect(keyring._onDecrypt({} as never, [])).rejects.toMatchObject({ code: 'internal' });
});
