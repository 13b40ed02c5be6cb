/** Messages that are not as their writer made them: each has its code, and releases nothing that was not checked. */
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { createDecryptor, type DecryptorOptions } from '../../src/envelope/esdk/decrypt.js';
import { createRanges } from '../../src/envelope/esdk/range.js';
import { exitCodeOf, isIntegrityError, isSealdropError } from '../../src/errors.js';
import { RsaUnwrapKeyring } from '../../src/keys/raw-rsa/unwrap.js';
import type { MessageInfo } from '../../src/ports.js';
import { checkBinding } from '../../src/transfer/context.js';
import { chunked, drain, type Outcome } from '../helpers/bytes.js';
import { oracleDecrypt } from '../helpers/oracle.js';
import { partOrError, served } from '../helpers/stored.js';
import { s3ecVectors } from '../helpers/s3ec-vectors.js';

interface Vector extends Omit<DecryptorOptions, 'keyring'> {
  did: string;
  /** null: it opens. */
  code: string | null;
  released: { length: number; sha256: string };
  message: string;
  reader?: 'reader' | 'other';
  held?: boolean;
  /** The key asked for, in a vault that requires binding. */
  vaultKey?: string;
}

const FILES = ['intact', 'truncated', 'header', 'body', 'frames', 'foreign', 'policy', 'binding'] as const;
const NAMES = { reader: 'S3RSAKey', other: 'other' } as const;
const here = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const vectors = FILES.map((file) => [file, JSON.parse(here(`${file}.json`)) as Vector[]] as const);

const keys = Object.fromEntries(
  (['reader', 'other'] as const).map((who) => [
    who,
    createPrivateKey(here(`keys/test-only-${who}.private.pem`)),
  ]),
);

function open(vector: Vector, chunk: number): Promise<Outcome> {
  const {
    message,
    reader = 'reader',
    held,
    vaultKey,
    commitmentPolicy,
    maxWrappedKeys,
    maxFrameLength,
  } = vector;
  const keyring = new RsaUnwrapKeyring([
    { namespace: 'MyAppKeys', name: NAMES[reader], privateKey: keys[reader]!, oaepHash: 'sha256' },
  ]);
  const decryptor = createDecryptor({ keyring, commitmentPolicy, maxWrappedKeys, maxFrameLength });
  const bytes = Buffer.from(message, 'base64');
  return drain(
    decryptor.decrypt(chunked(bytes, chunk || bytes.length || 1), {
      held,
      accept: (info) => {
        if (vaultKey !== undefined) checkBinding(info, vaultKey, { binding: 'required' });
      },
    }),
  );
}

describe.each(vectors)('%s', (_file, list) => {
  test.each(list.map((vector) => [vector.did, vector] as const))('%s', async (_did, vector) => {
    for (const chunk of [1, 7, 0]) {
      const { released, error } = await open(vector, chunk);
      expect({
        code: isSealdropError(error) ? error.code : (error ?? null),
        exit: error === undefined ? 0 : exitCodeOf(error),
        length: released.length,
        sha256: createHash('sha256').update(released).digest('hex'),
      }).toEqual({ code: vector.code, exit: vector.code === null ? 0 : 5, ...vector.released });
    }
  });
});

/** What all vectors hold, or the beginning of it. */
const PLAINTEXT = Buffer.from('The quick brown fox jumps over the dogs.');

describe('parts of the same messages', () => {
  const all = vectors.flatMap(([, list]) => list).filter(({ held }) => held !== true);
  test.each(all.map((vector) => [vector.did, vector] as const))('%s', async (_did, vector) => {
    const { message, reader = 'reader', vaultKey, code, ...options } = vector;
    const keyring = new RsaUnwrapKeyring([
      { namespace: 'MyAppKeys', name: NAMES[reader], privateKey: keys[reader]!, oaepHash: 'sha256' },
    ]);
    const object = served(Buffer.from(message, 'base64'), { ahead: 100, chunk: 9 });
    const accept = (info: MessageInfo) => {
      if (vaultKey !== undefined) checkBinding(info, vaultKey, { binding: 'required' });
    };
    const open = () => createRanges({ ...options, keyring }).open(object, { accept });
    const whole = await partOrError(open, { first: 0 });
    // Of a message that is whole there is every part, or it has none at all.
    if (code === null && whole.error !== undefined) expect(whole.error).toMatchObject({ code: 'usage' });
    if (code !== null) expect(whole.error).toBeDefined();
    for (const [first, last] of [
      [0, 0],
      [0, 15],
      [3, 20],
      [16, 31],
      [32, 39],
      [39, 39],
      [0, 100],
    ] as const) {
      const { released, error } = await partOrError(open, { first, last });
      const wanted = PLAINTEXT.subarray(first, last + 1);
      expect(released.equals(wanted.subarray(0, released.length))).toBe(true);
      if (error !== undefined)
        expect(isIntegrityError(error) || (isSealdropError(error) && error.code === 'usage')).toBe(true);
    }
  });
});

test('every integrity code that reading a message can end in has a vector', () => {
  const source = readFileSync(new URL('../../src/errors.ts', import.meta.url), 'utf8');
  // Those are about digests that the store or a manifest keeps, not about the message.
  const codes = [...source.matchAll(/^ {2}(\w+): 'integrity',$/gm)]
    .map(([, code]) => code!)
    .filter((c) => c !== 'checksum' && c !== 'not_as_stored');
  expect(codes.length).toBeGreaterThan(8);
  const covered = new Set([...vectors, ...s3ecVectors].flatMap(([, list]) => list.map(({ code }) => code)));
  expect(codes.filter((code) => !covered.has(code))).toEqual([]);
});

/** Limits and bindings are ours; of what the message itself is, AWS's client must think the same. */
const JUDGED_BY_BOTH = ['intact', 'truncated', 'header', 'body', 'frames', 'foreign'];
// Where we are stricter: AWS's client has no such limits, and passes over what follows an unsigned message.
const STRICTER = new Set<string | null>(['policy', 'trailing_data']);

describe("AWS's own client opens and refuses the same messages", () => {
  const both = vectors.filter(([file]) => JUDGED_BY_BOTH.includes(file)).flatMap(([, list]) => list);
  const judged = both.filter(({ code }) => !STRICTER.has(code));
  test.each(judged.map((vector) => [vector.did, vector] as const))('%s', async (_did, vector) => {
    const { reader = 'reader', code, message, released } = vector;
    const bytes = Buffer.from(message, 'base64');
    const pair = { privateKey: keys[reader]!, publicKey: createPublicKey(keys[reader]!) };
    const opened = await oracleDecrypt(pair, bytes, 'sha256', NAMES[reader]).catch(() => undefined);
    expect(opened === undefined).toBe(code !== null);
    if (opened) expect(opened.plaintext.length).toBe(released.length);
  });
});

test('no two vectors of a file have the same name', () => {
  for (const [, list] of vectors) expect(new Set(list.map((vector) => vector.did)).size).toBe(list.length);
});
