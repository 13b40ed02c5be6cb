/** The header of an s3ec object: what is read and written, and where it is looked for. */
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { decodeHeaderValue, parsePairs } from '../../src/envelope/s3ec/description.js';
import { hasMarks, infoOf, readHeader } from '../../src/envelope/s3ec/header.js';
import { s3ecInspector } from '../../src/envelope/s3ec/inspect.js';
import { assertAllowed, assertMayWrite } from '../../src/envelope/s3ec/policy.js';
import { writeHeader, type HeaderToWrite } from '../../src/envelope/s3ec/write-header.js';
import { COMMITMENT_POLICIES, type CommitmentPolicyName } from '../../src/ports.js';
import {
  beside,
  SPLIT_V3,
  V1,
  V2,
  V2_KMS,
  V3,
  V3_KMS,
  without,
  type Entries,
} from '../helpers/s3ec-header.js';

const infoFor = async (metadata: Entries, file?: unknown) => infoOf(await readHeader(beside(metadata, file)));
const refused = (code: string, ...parts: unknown[]) =>
  expect.objectContaining({
    code,
    ...(parts.length > 0 && { message: expect.stringContaining(String(parts[0])) }),
  });

describe('an object is one of the S3 Encryption Client', () => {
  test.each([
    [true, 'V1', V1],
    [true, 'V2', V2],
    [true, 'V3', V3],
    [true, 'V3 with an instruction file', SPLIT_V3.metadata],
    [true, 'V3 of which the wrapped key is gone', { 'x-amz-d': 'x' }],
    [true, 'names as some clients write them', { 'X-Amz-Key-V2': 'x' }],
    [false, 'nothing', {}],
    [false, "the content's length alone", { 'x-amz-unencrypted-content-length': '40' }],
    [false, 'empty entries', { 'x-amz-key': '', 'x-amz-c': '' }],
    [false, "the user's own", { 'sealdrop-format': 'esdk', 'x-amz-keys': 'x', constructor: 'x' }],
  ])('%s: %s', (is, _what, metadata) => {
    expect(hasMarks(metadata)).toBe(is);
  });
});

describe('what is read', () => {
  test('V3 by an AES key', async () => {
    expect(await infoFor(V3)).toEqual({
      format: 's3ec',
      version: 3,
      suite: 'ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY',
      suiteId: '0x0073',
      committing: true,
      signed: false,
      frameLength: 0,
      headerLength: 0,
      messageId: V3['x-amz-i'],
      context: {},
      description: { team: 'ops' },
      wrappedKeys: [],
      wrapping: { algorithm: 'AES/GCM', bytes: 60, at: 'metadata' },
    });
  });

  test("V2 by KMS: what KMS authenticates, without the format's own pair", async () => {
    const info = await infoFor(V2_KMS);
    expect(info).toMatchObject({
      version: 2,
      suiteId: '0x0072',
      committing: false,
      messageId: '',
      context: { team: 'ops' },
      wrapping: { algorithm: 'kms+context', bytes: 184, at: 'metadata' },
    });
    expect(info.description).toBeUndefined();
  });

  test('the old kms keeps its context, but for the key that it names', async () => {
    const matdesc = '{"kms_cmk_id":"k","aws:ses:source-account":"1"}';
    const info = await infoFor({ ...V2_KMS, 'x-amz-wrap-alg': 'kms', 'x-amz-matdesc': matdesc });
    expect(info.context).toEqual({ 'aws:ses:source-account': '1' });
  });

  test('V1, where the kind of the key decides', async () => {
    const header = await readHeader(beside(V1));
    expect(header).toMatchObject({ version: 1, wrap: { name: 'AES|RSA' }, at: 'metadata' });
    expect(header.content.mode).toBe('cbc');
    expect(header.iv).toEqual(Buffer.alloc(16, 2));
  });

  test.each([
    ['of V3', SPLIT_V3.metadata, SPLIT_V3.file],
    ['of V2', {}, V2],
    ['of V2, the length with the object', { 'x-amz-unencrypted-content-length': '40' }, V2],
    ['of V1', {}, V1],
    ['with a number for the length of the tag', {}, { ...V2, 'x-amz-tag-len': 128 }],
  ])('an instruction file %s', async (_what, metadata, file) => {
    const parts = beside(metadata, file);
    const header = await readHeader(parts);
    expect(header.at).toBe('instruction-file');
    expect(header.description).toEqual({ team: 'ops' });
    expect(parts.asked()).toBe(1);
  });

  test('no instruction file is asked for where the metadata have the wrapped key', async () => {
    for (const metadata of [V1, V2, V3]) {
      const parts = beside(metadata, 'not JSON');
      await readHeader(parts);
      expect(parts.asked()).toBe(0);
    }
  });

  test('names in any case, and entries of others', async () => {
    const upper = Object.fromEntries(Object.entries(V3).map(([name, value]) => [name.toUpperCase(), value]));
    expect(await infoFor({ ...upper, mine: 'x', 'x-amz-key': '', 'x-amz-t': '' })).toEqual(await infoFor(V3));
  });

  test.each([
    ['V3 without a description', without(V3, 'x-amz-m')],
    ['V2 without one', without(V2, 'x-amz-matdesc')],
  ])('%s has an empty one', async (_what, metadata) => {
    expect((await readHeader(beside(metadata))).description).toEqual({});
  });

  test('V2 without the length of the tag', async () => {
    expect((await readHeader(beside(without(V2, 'x-amz-tag-len')))).version).toBe(2);
  });

  test('a description may have names that objects inherit', async () => {
    const matdesc = '{"__proto__":"a","constructor":"b","toString":"c"}';
    const { description } = await readHeader(beside({ ...V2, 'x-amz-matdesc': matdesc }));
    expect(JSON.stringify(description)).toBe(matdesc);
  });
});

describe('what is written is what the specification has', () => {
  const wrapped = { wrappedKey: Buffer.alloc(60, 1), description: { team: 'ops' } };
  const v2 = { version: 2, wrap: 'AES/GCM', wrapped, iv: Buffer.alloc(12, 2), plaintextSize: 40 } as const;
  const v3 = {
    version: 3,
    wrap: 'AES/GCM',
    wrapped,
    messageId: Buffer.alloc(28, 3),
    commitment: Buffer.alloc(28, 2),
  } as const;

  test('in metadata', () => {
    expect(writeHeader({ ...v2, place: 'metadata' })).toEqual({ metadata: V2 });
    expect(writeHeader({ ...v3, place: 'metadata' })).toEqual({ metadata: V3 });
  });

  test('in an instruction file', () => {
    const old = writeHeader({ ...v2, place: 'instruction-file' });
    expect(old.metadata).toEqual({ 'x-amz-unencrypted-content-length': '40' });
    expect(JSON.parse(String(old.instruction))).toEqual(without(V2, 'x-amz-unencrypted-content-length'));
    const committing = writeHeader({ ...v3, place: 'instruction-file' });
    expect(committing.metadata).toEqual(SPLIT_V3.metadata);
    expect(JSON.parse(String(committing.instruction))).toEqual(SPLIT_V3.file);
  });

  test('with KMS, its context under its own name', () => {
    const kms = {
      wrappedKey: Buffer.alloc(184, 1),
      description: { 'aws:x-amz-cek-alg': '115', team: 'ops' },
    };
    const written = writeHeader({ ...v3, wrap: 'kms+context', wrapped: kms, place: 'metadata' });
    expect(written.metadata).toEqual(V3_KMS);
  });

  test('no length where it is not known, and no description in V3 where it is empty', () => {
    const empty = { ...wrapped, description: {} };
    const old = writeHeader({ ...v2, wrapped: empty, plaintextSize: undefined, place: 'metadata' });
    expect(old.metadata).toEqual({
      ...without(V2, 'x-amz-unencrypted-content-length'),
      'x-amz-matdesc': '{}',
    });
    const committing = writeHeader({ ...v3, wrapped: empty, place: 'metadata' });
    expect(committing.metadata).toEqual(without(V3, 'x-amz-m'));
  });

  test('in ASCII, whatever the description is', () => {
    const description = { 名: 'é\u007f😀\ufffd' };
    const { metadata } = writeHeader({ ...v3, wrapped: { ...wrapped, description }, place: 'metadata' });
    expect(metadata['x-amz-m']).toBe('{"\\u540d":"\\u00e9\\u007f\\ud83d\\ude00\\ufffd"}');
  });

  test.each([
    [
      'metadata',
      1300,
      1400,
      /^the object's header has \d+ bytes, and metadata take 1664$/,
      /--instruction-file/,
    ],
    [
      'instruction-file',
      16_200,
      16_300,
      /^the instruction file has \d+ bytes, allowed are 16384$/,
      /too long/,
    ],
  ])(
    '%s: a description of %i characters has room, and one of %i has not',
    (place, fits, long, message, hint) => {
      const of = (size: number): HeaderToWrite => ({
        ...v3,
        wrapped: { ...wrapped, description: { a: 'x'.repeat(size) } },
        place: place as HeaderToWrite['place'],
      });
      expect(() => writeHeader(of(fits))).not.toThrow();
      expect(() => writeHeader(of(long))).toThrow(
        expect.objectContaining({
          code: 'usage',
          message: expect.stringMatching(message),
          hint: expect.stringMatching(hint),
        }),
      );
    },
  );

  test('half a character is refused', () => {
    const description = { a: '\ud800' };
    expect(() => writeHeader({ ...v3, wrapped: { ...wrapped, description }, place: 'metadata' })).toThrow(
      refused('usage'),
    );
  });
});

describe('a description that is not ASCII, as stores return it', () => {
  // Of aws/aws-sdk-ruby, spec/encryptionv3/s3_rfc2047_spec.rb: what was sent to S3, and what came back.
  test.each([
    ['all ascii value', 'all ascii value'],
    ['ååå', '=?UTF-8?B?w4PCpcODwqXDg8Kl?='],
    ['中中中', '=?UTF-8?B?w6TCuMKtw6TCuMKtw6TCuMKt?='],
    [
      '{"aws:x-amz-cek-alg":"AES/GCM/NoPadding","Some Data":"Some Data","l1Key":"ååå"}',
      '=?UTF-8?Q?{"aws:x-amz-cek-alg":"AES/GCM/NoPadding",?= =?UTF-8?Q?"Some_Data":"Some_Da?= =?UTF-8?Q?ta","l1Key":"=C3=83=C2=A5=C3=83=C2=A5=C3=83=C2=A5"}?=',
    ],
    ['hello', '=?UTF-8?B?aGVs?= =?UTF-8?Q?lo?='],
    ['café', '=?UTF-8?Q?caf=C3=83=C2=A9?='],
    ['日本語', '=?UTF-8?B?w6bCl8Klw6bCnMKsw6jCqsKe?='],
    ['😀', '=?UTF-8?B?w7DCn8KYwoA=?='],
    ['{"key":"åäö"}', '=?UTF-8?Q?{"key":"=C3=83=C2=A5=C3=83=C2=A4=C3=83=C2=B6"}?='],
    ['\u07ff', '=?UTF-8?B?w5/Cvw==?='],
    ['\uffff', '=?UTF-8?B?w6/Cv8K/?='],
    ['', ''],
  ])('S3: %s', (written, returned) => {
    expect(decodeHeaderValue(returned)).toBe(written);
  });

  test.each([
    ['MinIO, which encodes once', '{"k":"é中"}', '=?utf-8?q?{"k":"=C3=A9=E4=B8=AD"}?='],
    ['a character cut by the end of a word', '中', '=?utf-8?b?5Lg=?= =?utf-8?b?rQ==?='],
    ['the bytes themselves', '{"k":"é"}', '{"k":"\u00c3\u00a9"}'],
    ['Latin-1 that is no UTF-8 stays', '{"k":"é!"}', '{"k":"\u00e9!"}'],
    ['a word within JSON is what somebody wrote', '{"k":"=?UTF-8?B?aGk=?="}', '{"k":"=?UTF-8?B?aGk=?="}'],
    ['words among other text are none', '=?UTF-8?B?aGk=?= {}', '=?UTF-8?B?aGk=?= {}'],
  ])('%s', (_what, written, returned) => {
    expect(decodeHeaderValue(returned)).toBe(written);
  });

  test('words that are not UTF-8 are refused', () => {
    expect(() => decodeHeaderValue('=?UTF-8?B?/w==?=')).toThrow(refused('malformed_header', 'UTF-8'));
  });

  test('nothing of that is done to an instruction file', async () => {
    const matdesc = JSON.stringify({ k: '\u00c3\u00a9' });
    const { description } = await readHeader(beside({}, { ...V2, 'x-amz-matdesc': matdesc }));
    expect(description).toEqual({ k: '\u00c3\u00a9' });
    await expect(readHeader(beside({}, { ...V2, 'x-amz-matdesc': '=?UTF-8?Q?{}?=' }))).rejects.toEqual(
      refused('malformed_header'),
    );
  });

  test.each([
    ['{"a":"1","a":"1"}', 'twice'],
    ['{"a":"1","\\u0061":"1"}', 'twice'],
    ['{"a":{"b":"x"},"a":"1"}', 'twice'],
    ['{"a":1}', '"a" is no text'],
    ['{"a":null}', '"a" is no text'],
    ['{"a":["b"]}', '"a" is no text'],
    ['{"a":"\\ud800"}', '"a" is no text'],
    ['{"\\u001b[31m":1}', '"\\u001b[31m" is no text'],
    ['[]', 'no JSON object'],
    ['null', 'no JSON object'],
    ['"a"', 'no JSON object'],
    ['', 'no JSON object'],
    ['{"a":"1"}x', 'no JSON object'],
  ])('%s is refused', (text, why) => {
    expect(() => parsePairs(text, 'it', 'malformed_header')).toThrow(refused('malformed_header', why));
  });

  test.each(['{}', ' { "a" : "1" , "b":"\\"" } ', '{"a":"{\\"b\\":1}"}', '{"a\\/":"\\\\"}'])(
    '%s is read',
    (text) => {
      expect(parsePairs(text, 'it', 'malformed_header')).toEqual(JSON.parse(text));
    },
  );
});

describe('policy', () => {
  const CBC = { ...V2_KMS, 'x-amz-wrap-alg': 'kms', 'x-amz-matdesc': '{}', 'x-amz-iv': V1['x-amz-iv']! };
  const kms = { ...V2_KMS, 'x-amz-wrap-alg': 'kms', 'x-amz-matdesc': '{}' };
  const cbc = { ...without(CBC, 'x-amz-tag-len'), 'x-amz-cek-alg': 'AES/CBC/PKCS5Padding' };
  const judge = async (metadata: Entries, commitmentPolicy?: CommitmentPolicyName, allowLegacy?: boolean) =>
    assertAllowed(await readHeader(beside(metadata)), { commitmentPolicy, allowLegacy });

  test.each([
    ['V2', V2_KMS],
    ['V1', V1],
    ['CBC', cbc],
  ])('by default %s is refused, legacy allowed or not', async (_what, metadata) => {
    for (const legacy of [false, true])
      await expect(judge(metadata, undefined, legacy)).rejects.toMatchObject({
        code: 'policy',
        hint: expect.stringMatching(
          /--commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT\b.*commitmentPolicy( and allowLegacy)?$/,
        ),
      });
  });

  test.each(COMMITMENT_POLICIES)('%s reads V3', async (policy) => {
    await judge(V3, policy);
  });

  test.each(['REQUIRE_ENCRYPT_ALLOW_DECRYPT', 'FORBID_ENCRYPT_ALLOW_DECRYPT'] as const)(
    '%s reads V2, and what is legacy where that is allowed too',
    async (policy) => {
      await judge(V2, policy);
      for (const metadata of [V1, kms, cbc]) {
        await expect(judge(metadata, policy)).rejects.toMatchObject({
          code: 'policy',
          hint: expect.stringContaining('--allow-legacy'),
        });
        await judge(metadata, policy, true);
      }
      await expect(judge(cbc, policy)).rejects.toThrow('unauthenticated');
    },
  );

  test('what may be written', () => {
    for (const version of [2, 3] as const) {
      assertMayWrite(version, undefined);
      for (const policy of COMMITMENT_POLICIES) {
        const allowed = policy.startsWith('FORBID') === (version === 2);
        if (allowed) assertMayWrite(version, policy);
        else expect(() => assertMayWrite(version, policy)).toThrow(refused('usage', policy));
      }
    }
    expect(() => assertMayWrite(2, 'REQUIRE_ENCRYPT_ALLOW_DECRYPT')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('FORBID_ENCRYPT_ALLOW_DECRYPT') }),
    );
  });
});

describe('the inspector', () => {
  test('reads no body and closes it', async () => {
    const body = Readable.from([Buffer.alloc(56)]);
    expect(await s3ecInspector.inspect(body, beside(V3))).toEqual(await infoFor(V3));
    expect(body.destroyed).toBe(true);
    const refusedBody = Readable.from([Buffer.alloc(56)]);
    await expect(s3ecInspector.scan(refusedBody, beside({}))).rejects.toEqual(refused('not_an_envelope'));
    expect(refusedBody.destroyed).toBe(true);
    await expect(s3ecInspector.inspect(Readable.from([]))).rejects.toEqual(refused('not_an_envelope'));
  });

  test('counts the bytes', async () => {
    const scan = (metadata: Entries, size: number) =>
      s3ecInspector.scan(Readable.from([Buffer.alloc(size)]), beside(metadata));
    expect(await scan(V3, 56)).toMatchObject({ frames: 1, plaintextSize: 40, ciphertextSize: 56 });
    expect(await scan(V2, 16)).toMatchObject({ plaintextSize: 0 });
    await expect(scan(V2, 15)).rejects.toEqual(refused('truncated'));
  });

  test('knows how much plaintext there is', async () => {
    expect(s3ecInspector.plaintextSize(await infoFor(V3), 56)).toEqual({ bytes: 40, exact: true });
    expect(s3ecInspector.plaintextSize(await infoFor(V1), 48)).toEqual({
      bytes: 47,
      exact: false,
      least: 32,
    });
  });
});
