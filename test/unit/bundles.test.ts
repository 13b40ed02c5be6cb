/** What is deployed to Lambda, as it was built: what went into each bundle, what it says, and how large it is. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { build } from 'esbuild';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import {
  codeFilesOf,
  codeOf,
  fileOf,
  functionNames,
  inputsOf,
  keptIn,
  loadedOf,
  metafileOf,
  pathOf,
} from '../helpers/bundles.js';
import { ofFunctions } from '../../scripts/bundling.mjs';
import { bundleSdkAlone, sizeOf } from '../helpers/sdk-alone.mjs';

const names = functionNames();
const ENCRYPTING = ['encrypt-object', 'put-object'];

const ESDK = 'src/compose-esdk.ts';
const S3EC = 'src/compose-s3ec.ts';
const ESDK_BY_KMS = 'src/keys/kms/wrapper.ts';
const S3EC_BY_KMS = 'src/keys/kms/s3ec-wrapper.ts';
const CHUNKS = [ESDK, S3EC, ESDK_BY_KMS, S3EC_BY_KMS];

/** Bytes that are loaded at start with default settings, minified; a tenth more than when it was set. */
const LARGEST: Record<string, number> = {
  'encrypt-object': 535_000,
  'put-object': 490_000,
  'delete-object': 405_000,
  'decrypt-object': 490_000,
  'rewrap-object': 510_000,
  api: 465_000,
};
const defaultOf = (name: string) => loadedOf(name, ...(ENCRYPTING.includes(name) ? [ESDK] : []));

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sealdrop-bundles-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('each function is built, into a folder with its code and source maps alone', () => {
  expect(readdirSync('dist/lambda').sort()).toEqual([...names].sort());
  for (const name of names) {
    const files = readdirSync(join('dist/lambda', name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const code = codeFilesOf(name).map((file) => pathOf(name, file));
    expect(files.sort()).toEqual(code.flatMap((file) => [file, `${file}.map`]).sort());
  }
});

test('another build of it is the same, byte for byte', async () => {
  const name = 'encrypt-object';
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  // At the depth of dist/: names of chunks hold digests of their maps, whose paths are relative.
  const again = `dist.again.${process.pid}`;
  try {
    await build({
      ...ofFunctions,
      define: { __VERSION__: JSON.stringify(version) },
      entryPoints: { index: `lambda/${name}/index.ts` },
      outdir: join(again, 'lambda', name),
    });
    for (const file of codeFilesOf(name).map((found) => pathOf(name, found))) {
      const same = readFileSync(join(again, relative('dist', file))).equals(readFileSync(file));
      // Not the code itself, which a failure would print.
      expect([file, same]).toEqual([file, true]);
    }
  } finally {
    rmSync(again, { recursive: true, force: true });
  }
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

  test('imports its own files, and modules of Node', () => {
    const { outputs } = metafileOf(name);
    const foreign = codeFilesOf(name)
      .flatMap((file) => outputs[file]!.imports)
      .filter(
        ({ external, path }) => external === true && !builtinModules.includes(path.replace('node:', '')),
      );
    expect(foreign).toEqual([]);
  });

  test('finds credentials where Lambda puts them, and nowhere else', () => {
    const kept = keptIn(name);
    expect(kept).toContain('lambda/role-credentials.ts');
    // The API's also takes the role that signs uploads.
    const others = name === 'api' ? /fromTemporary|loadSts/ : /^$/;
    expect(kept.filter((input) => input.includes('/credential-provider') && !others.test(input))).toEqual([]);
  });

  test('has neither bn.js nor asn1.js', () => {
    expect(keptIn(name).filter((input) => /\/(bn|asn1)[.]js\//.test(input))).toEqual([]);
  });

  test('is as small as it was', () => {
    expect(sizeOf(metafileOf(name), defaultOf(name))).toBeLessThan(LARGEST[name]!);
  });

  test('names its source maps, which lead to our sources, and to none of packages', () => {
    const found = codeFilesOf(name).flatMap((file) => {
      const path = pathOf(name, file);
      expect(readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)).toBe(
        `//# sourceMappingURL=${basename(path)}.map`,
      );
      const { sources } = JSON.parse(readFileSync(`${path}.map`, 'utf8')) as { sources: string[] };
      return sources.map((source) => relative('.', join(dirname(path), source)));
    });
    expect(found).toContain(`lambda/${name}/index.ts`);
    expect(found.filter((source) => !/^(lambda|src)\//.test(source))).toEqual([]);
  });

  test('is a module with the handler that is deployed', () => {
    expect(basename(fileOf(name))).toBe('index.mjs');
    expect(metafileOf(name).outputs[fileOf(name)]!.exports).toContain('handler');
  });
});

test('an error is traced to the line of its source', () => {
  const { stderr } = spawnSync(
    process.execPath,
    ['--enable-source-maps', 'dist/lambda/encrypt-object/index.mjs'],
    { env: { ...process.env, SEALDROP_SETTINGS: '' }, encoding: 'utf8' },
  );
  const line = readFileSync('src/function-settings.ts', 'utf8')
    .split('\n')
    .findIndex((text) => text.includes('throw new SealdropError'));
  expect(stderr).toContain(`src/function-settings.ts:${line + 1}:`);
});

describe('encrypt-object beside the two clients of the SDK alone', () => {
  test('loads at most 400 KB more at start', async () => {
    const least = await bundleSdkAlone('requests', join(folder, 'requests'));
    const loaded = sizeOf(metafileOf('encrypt-object'), defaultOf('encrypt-object'));
    // That it is there at all, and part of what is measured.
    expect(least.bytes).toBeGreaterThan(200_000);
    expect(loaded).toBeGreaterThan(least.bytes);
    expect(loaded - least.bytes).toBeLessThan(400_000);
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

describe.each(ENCRYPTING)('%s loads what its settings name:', (name) => {
  const packagesIn = (files: string[]) => {
    const of = /.*node_modules\/((@[^/]+\/)?[^/]+)\//;
    return [...new Set(keptIn(name, files).flatMap((input) => of.exec(input)?.[1] ?? []))];
  };
  const ours = (files: string[]) => keptIn(name, files).filter((input) => input.startsWith('src/'));
  const CRYPTO = expect.stringMatching(/^@aws-crypto\//);
  const KMS = '@aws-sdk/client-kms';

  test('nothing that encrypts, before they are read', () => {
    const files = loadedOf(name);
    expect(packagesIn(files)).toEqual(expect.arrayContaining(['@aws-sdk/client-s3', '@smithy/core']));
    expect(
      packagesIn(files).filter((found) => /^@aws-crypto\/|client-(kms|dynamodb|sts)$/.test(found)),
    ).toEqual([]);
    expect(ours(files).filter((input) => /^src\/(envelope|keys\/(kms|raw-))/.test(input))).toEqual([]);
  });

  test('esdk and RSA keys', () => {
    const files = loadedOf(name, ESDK);
    expect(packagesIn(files)).toEqual(expect.arrayContaining([CRYPTO]));
    expect(
      packagesIn(files).filter((found) => /client-(kms|dynamodb|sts)$|nested-clients/.test(found)),
    ).toEqual([]);
    expect(ours(files)).toEqual(
      expect.arrayContaining(['src/envelope/esdk/encrypt.ts', 'src/keys/raw-rsa/wrap.ts']),
    );
    expect(ours(files).filter((input) => /envelope\/s3ec|keys\/kms/.test(input))).toEqual([]);
  });

  test('s3ec and an RSA key', () => {
    const files = loadedOf(name, S3EC);
    expect(
      packagesIn(files).filter((found) => /^@aws-crypto\/|client-(kms|dynamodb|sts)$/.test(found)),
    ).toEqual([]);
    expect(ours(files)).toContain('src/envelope/s3ec/encrypt.ts');
    expect(ours(files).filter((input) => /envelope\/esdk|keys\/kms/.test(input))).toEqual([]);
  });

  test('keys of KMS', () => {
    expect(packagesIn(loadedOf(name, ESDK, ESDK_BY_KMS))).toContain(KMS);
    expect(packagesIn(loadedOf(name, S3EC, S3EC_BY_KMS))).toContain(KMS);
    expect(packagesIn(loadedOf(name, S3EC, S3EC_BY_KMS))).not.toEqual(expect.arrayContaining([CRYPTO]));
  });

  test('and each of its files is one that some settings load', () => {
    const loaded = new Set(loadedOf(name, ...CHUNKS));
    const others = codeFilesOf(name).filter((file) => !loaded.has(file));
    // What the SDK would load for browsers and streams of events is a line that throws.
    expect(keptIn(name, others).sort()).toEqual(['left-out:@smithy/core/event-streams', 'left-out:bowser']);
  });
});

describe('encrypt-object, started', () => {
  const settings = {
    ...{ deployment: 'test', publicKeySet: 'k', keyNames: {}, vault: { secret: 'v' }, idempotency: 'i' },
    ...{ secretsTtlSeconds: 60, inboxes: [], account: '1', after: 'keep', maxObjectBytes: 1 },
    ...{ queueUrl: 'https://sqs.test/1/q', deadLetterUrl: 'https://sqs.test/1/d' },
  };

  /** In a folder with these of its files alone, and no packages around. */
  function start(more: object, files: string[]) {
    const copy = join(folder, 'started');
    rmSync(copy, { recursive: true, force: true });
    for (const file of files.map((path) => pathOf('encrypt-object', path)))
      cpSync(file, join(copy, relative('dist/lambda/encrypt-object', file)));
    const { stderr, status } = spawnSync(process.execPath, [join(copy, 'index.mjs')], {
      env: {
        ...{ PATH: process.env.PATH, AWS_REGION: 'us-east-1' },
        SEALDROP_SETTINGS: JSON.stringify({ ...settings, ...more }),
      },
      encoding: 'utf8',
    });
    return { status, missing: /Cannot find module '.*\/([\w-]+[.]mjs)'/.exec(stderr)?.[1] };
  }

  test.each([
    [{}, [ESDK]],
    [{ format: 'esdk', wrapsByKms: true }, [ESDK, ESDK_BY_KMS]],
    [{ format: 's3ec' }, [S3EC]],
    [{ format: 's3ec-v2', wrapsByKms: true }, [S3EC, S3EC_BY_KMS]],
  ])('with %j has loaded what they name, and no more', (more, entryPoints) => {
    const files = loadedOf('encrypt-object', ...entryPoints);
    expect(start(more, files)).toEqual({ status: 0, missing: undefined });
    for (const missing of entryPoints.map((entry) => fileOf('encrypt-object', entry))) {
      const others = files.filter((file) => file !== missing);
      expect(start(more, others)).toEqual({ status: 1, missing: basename(missing) });
    }
  });
});
