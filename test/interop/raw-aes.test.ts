/** Raw AES wrapping keys, both ways with the AWS Encryption SDK for Python. */
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { openDecryptor, openEncryptor } from '../../src/index.js';
// Loaded before they are asked for: see exchange.ts.
import '../../src/envelope/esdk/decrypt.js';
import '../../src/envelope/esdk/encrypt.js';
import '../../src/keys/opening-keys.js';
import '../../src/keys/raw-aes/unwrap.js';
import '../../src/keys/raw-aes/wrap.js';
import '../../src/keys/recipients.js';
import '../../src/keys/unwrapping.js';
import type { CommitmentPolicyName } from '../../src/ports.js';
import { chunked, collect, drain, pattern } from '../helpers/bytes.js';
import { PYTHON_SETUP_TIME, PythonBatch, type Major, type PythonSecretKey } from '../helpers/python.js';
import { CONTEXT } from './exchange.js';

const TEXT = pattern(3000);
const keys = [16, 24, 32].map((bytes) => ({
  // Of a namespace, versions 1 and 2 count the characters and write as many bytes.
  namespace: 'lab',
  name: `鍵 ${bytes} 🔑`,
  secretKey: randomBytes(bytes),
}));

const setOf = (...secrets: PythonSecretKey[]) =>
  Buffer.from(
    JSON.stringify({
      version: 1,
      keys: secrets.map(({ secretKey, ...names }) => ({ ...names, secretKey: secretKey.toString('base64') })),
    }),
  );

async function open(message: Uint8Array, key: PythonSecretKey) {
  const commitmentPolicy = 'REQUIRE_ENCRYPT_ALLOW_DECRYPT';
  const decryptor = await openDecryptor({ keySet: setOf(key), commitmentPolicy });
  return drain(decryptor.decrypt(chunked(message, 700)));
}

const VERSIONS: readonly [Major, CommitmentPolicyName, number][] = [
  [4, 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT', 0x0478],
  [2, 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT', 0x0478],
  [1, 'FORBID_ENCRYPT_ALLOW_DECRYPT', 0x0178],
];

describe.each(VERSIONS)('the SDK for Python of major version %i', (major, policy, suite) => {
  const batch = new PythonBatch(major);
  const cases = keys.flatMap((key) =>
    [{}, CONTEXT].map((context) => ({
      key,
      context,
      bytes: key.secretKey.length,
      of: Object.keys(context).length,
    })),
  );
  const ours: Record<string, number> = {};
  const theirs: Record<string, number> = {};
  const idOf = ({ bytes, of }: { bytes: number; of: number }) => `${bytes}/${of}`;

  beforeAll(async () => {
    for (const one of cases) {
      const { key, context } = one;
      const commitmentPolicy = policy;
      const encryptor = await openEncryptor({ recipients: [setOf(key)], suite, commitmentPolicy });
      const message = await collect(encryptor.encrypt(chunked(TEXT, 400), context));
      expect(message).toHaveLength(encryptor.ciphertextSize(TEXT.length, context).bytes);
      ours[idOf(one)] = batch.add({ op: 'decrypt', policy, keys: [key] }, message);
      theirs[idOf(one)] = batch.add({ op: 'encrypt', policy, keys: [key], suite, context }, TEXT);
    }
    await batch.run();
  }, PYTHON_SETUP_TIME);

  test.each(cases)('opens ours, with $bytes bytes and $of pairs of context', (one) => {
    expect(batch.output(ours[idOf(one)]!).equals(TEXT)).toBe(true);
  });

  test.each(cases)('makes what we open, with $bytes bytes and $of pairs of context', async (one) => {
    const message = batch.output(theirs[idOf(one)]!);
    const opened = await open(message, one.key);
    expect(opened.error).toBeUndefined();
    expect(opened.released.equals(TEXT)).toBe(true);
    const other = { ...one.key, secretKey: randomBytes(one.bytes) };
    expect((await open(message, other)).error).toMatchObject({ code: 'wrong_key_or_header' });
  });
});
