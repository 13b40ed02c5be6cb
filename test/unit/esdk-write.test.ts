/** What a message looks like that we write, and what we refuse to write. */
import { describe, expect, test } from '@jest/globals';
import { createEncryptor } from '../../src/envelope/esdk/encrypt.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { headerLength } from '../../src/envelope/esdk/sizes.js';
import { allSuites, suiteById } from '../../src/envelope/esdk/suites.js';
import { rsaWrappingKeys } from '../../src/keys/raw-rsa/wrap.js';
import type { ByteSource, CommitmentPolicyName } from '../../src/ports.js';
import { chunked, collect, drain } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair, type Pair } from '../helpers/keys.js';
import { oracleDecrypt } from '../helpers/oracle.js';

const pair = rsaPair();
const large = rsaPair(3072);
const nothing = () => chunked(Buffer.alloc(0), 1);

const named = (name: string, { publicKey }: Pair, namespace = 'MyAppKeys') => ({
  namespace,
  name,
  publicKey,
});

describe('a header has the length that is foretold', () => {
  const contexts = {
    'no context': {},
    'an empty name and an empty value': { '': '' },
    'Japanese, emoji and combining letters': { '鍵:名前': '株式会社🍣', 'e\u0301': 'é' },
    'many pairs': Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`name-${i}`, `${i}`])),
    'a name that objects inherit': JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<
      string,
      string
    >,
    'nearly all that fits': { a: 'x'.repeat(65_000) },
  };
  const sets = {
    'one recipient': [named('S3RSAKey', pair)],
    'three of two sizes, with Japanese names': [
      named('甲', pair),
      named('乙', large),
      named('丙', pair, '名前空間'),
    ],
  };

  test.each(Object.keys(contexts))('%s', async (which) => {
    const context = contexts[which as keyof typeof contexts];
    for (const recipients of Object.values(sets).map(rsaWrappingKeys)) {
      for (const { id, committing } of allSuites()) {
        const commitmentPolicy = committing ? undefined : 'FORBID_ENCRYPT_ALLOW_DECRYPT';
        const encryptor = createEncryptor(recipients, { suite: id, commitmentPolicy });
        const info = await esdkInspector.inspect(encryptor.encrypt(nothing(), context));
        expect(info.headerLength).toBe(headerLength(suiteById(id)!, context, recipients.recipients));
        expect(info.wrappedKeys.map((key) => key.bytes)).toEqual(
          recipients.recipients.map((key) => key.wrappedBytes),
        );
        const { 'aws-crypto-public-key': _, ...found } = info.context;
        expect(Object.entries(found).sort()).toEqual(Object.entries(context).sort());
      }
    }
  });
});

test('context pairs stand in the order of their UTF-8 bytes, also beyond the Basic Multilingual Plane', async () => {
  // By UTF-16 units the emoji (d83c…) would come before the private-use letter (e000); by UTF-8 bytes after it.
  const context = { '\u{1f363}': '1', '\ue000': '2', z: '3', é: '4', a: '5', '': '6', ab: '7' };
  const message = await collect(encryptorFor(pair).encrypt(nothing(), context));
  const { context: read } = await esdkInspector.inspect(chunked(message, 100));
  expect(Object.keys(read)).toEqual(['', 'a', 'ab', 'z', 'é', '\ue000', '\u{1f363}']);
  expect({ ...(await oracleDecrypt(pair, message)).context }).toEqual(context);
});

test('a message goes to every recipient, and each of them opens it alone', async () => {
  const keys = rsaWrappingKeys([named('S3RSAKey', pair), named('S3RSAKey', large, 'elsewhere')]);
  const message = await collect(createEncryptor(keys).encrypt(chunked(Buffer.from('hello'), 2), {}));
  expect((await collect(decryptorFor(pair).decrypt(chunked(message, 99)))).toString()).toBe('hello');
  expect((await oracleDecrypt(pair, message)).plaintext.toString()).toBe('hello');
});

describe('refused with `usage` before anything is read', () => {
  test.each([0, -1, 1.5, NaN, Infinity, 64 * 1024 * 1024 + 1])('a frame length of %d', (frameLength) => {
    expect(() => encryptorFor(pair, { frameLength })).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test.each([1, 64 * 1024 * 1024])('but not a frame length of %d', async (frameLength) => {
    const encryptor = encryptorFor(pair, { frameLength });
    const message = await collect(encryptor.encrypt(chunked(Buffer.from('abc'), 3), {}));
    expect((await collect(decryptorFor(pair).decrypt(chunked(message, 3)))).toString()).toBe('abc');
  });

  test('a suite that there is not', () => {
    expect(() => encryptorFor(pair, { suite: 0x0678 })).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test.each<[number, CommitmentPolicyName | undefined]>([
    [0x0178, undefined],
    [0x0178, 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT'],
    [0x0378, 'REQUIRE_ENCRYPT_ALLOW_DECRYPT'],
    [0x0478, 'FORBID_ENCRYPT_ALLOW_DECRYPT'],
    [0x0578, 'FORBID_ENCRYPT_ALLOW_DECRYPT'],
  ])('suite %i under the policy %s', (suite, commitmentPolicy) => {
    expect(() => encryptorFor(pair, { suite, commitmentPolicy })).toThrow(
      expect.objectContaining({ code: 'usage' }),
    );
  });

  test('no recipient at all: `key_required`', () => {
    expect(() => rsaWrappingKeys([])).toThrow(expect.objectContaining({ code: 'key_required' }));
  });
});

describe('a context that no message can carry is an error of ours, through the iterator, before a byte is out', () => {
  const refused: Record<string, [Record<string, string>, string]> = {
    'a value of 65,536 bytes': [{ a: 'x'.repeat(65_536) }, 'usage'],
    'pairs of more than 65,535 bytes in all': [{ a: 'x'.repeat(40_000), b: 'x'.repeat(40_000) }, 'usage'],
    'more than 65,535 pairs': [
      Object.fromEntries(Array.from({ length: 65_536 }, (_, i) => [`${i}`, ''])),
      'usage',
    ],
    // UTF-8 has no form for it: two such names would come out as the same, in a message that nobody could open.
    'a name with half a character': [{ '\ud800': 'a', '\ud801': 'b' }, 'usage'],
    'a value with half a character': [{ a: '\udc00' }, 'usage'],
    'a value that is no text': [{ a: 1 } as unknown as Record<string, string>, 'usage'],
    'the name of the signing key': [{ 'aws-crypto-public-key': 'x' }, 'reserved_context'],
  };

  test.each(Object.keys(refused))('%s', async (which) => {
    const [context, code] = refused[which]!;
    const { released, error } = await drain(encryptorFor(pair).encrypt(nothing(), context));
    expect(error).toMatchObject({ name: 'SealdropError', code });
    expect(released.length).toBe(0);
  });
});

describe('the source of the plaintext', () => {
  const source = (log: string[], fail?: Error): ByteSource => ({
    async *[Symbol.asyncIterator]() {
      try {
        for (let i = 0; i < 5; i++) {
          log.push(`chunk ${i}`);
          if (i === 3 && fail) throw fail;
          yield Buffer.alloc(10, i);
        }
      } finally {
        log.push('closed');
      }
    },
  });

  test('what it throws comes out unchanged, and no final frame is written', async () => {
    const failure = new Error('the disk is gone');
    const { released, error } = await drain(
      encryptorFor(pair, { frameLength: 10 }).encrypt(source([], failure), {}),
    );
    expect(error).toBe(failure);
    await expect(esdkInspector.scan(chunked(released, 50))).rejects.toMatchObject({ code: 'truncated' });
  });

  test('it is closed when the reader of the message goes away', async () => {
    const log: string[] = [];
    for await (const piece of encryptorFor(pair, { frameLength: 10 }).encrypt(source(log), {})) {
      if (piece.length === 10) break;
    }
    expect(log).toEqual(['chunk 0', 'closed']);
  });

  test('it is read no further than the frame that is asked for', async () => {
    const log: string[] = [];
    const message = encryptorFor(pair, { frameLength: 10 }).encrypt(source(log), {})[Symbol.asyncIterator]();
    await message.next();
    expect(log).toEqual([]);
    await message.next();
    expect(log).toEqual(['chunk 0']);
    await message.return?.();
  });
});
