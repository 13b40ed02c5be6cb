/** Another wrapping key for an s3ec object: its header alone is written anew, and opens the same body. */
import { createCipheriv, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import { readHeader } from '../../src/envelope/s3ec/header.js';
import { createHeaderRewrapper, type HeaderRewrapperOptions } from '../../src/envelope/s3ec/rewrap-header.js';
import { SealdropError, type ErrorCode } from '../../src/errors.js';
import { KmsClients } from '../../src/keys/kms/client.js';
import { parseKmsKey } from '../../src/keys/kms/names.js';
import { kmsS3ecCandidate } from '../../src/keys/kms/s3ec-unwrap.js';
import { kmsS3ecKey } from '../../src/keys/kms/s3ec-wrap.js';
import { rsaS3ecCandidate } from '../../src/keys/raw-rsa/s3ec-unwrap.js';
import { rsaS3ecKey } from '../../src/keys/raw-rsa/s3ec-wrap.js';
import { s3ecUnwrappingKeys } from '../../src/keys/s3ec-unwrapping.js';
import type {
  CommitmentPolicyName,
  MessageInfo,
  ObjectParts,
  RewrappedHeader,
  S3ecUnwrappingKeys,
  S3ecWrappingKey,
} from '../../src/ports.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { keyArn, refusal, startFakeKms, type FakeKms } from '../helpers/fake-kms.js';
import { NAMES, rsaPair } from '../helpers/keys.js';
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
import { partsOf, softwareKeys, writeObject, type Written } from '../helpers/s3ec-keys.js';

const BODY = pattern(1000);
const ALLOW = { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' as CommitmentPolicyName };
const LEGACY = { ...ALLOW, allowLegacy: true };
const LENGTH = 'x-amz-unencrypted-content-length';

interface Keys {
  readonly wrapping: S3ecWrappingKey;
  readonly unwrapping: S3ecUnwrappingKeys;
}

let kms: FakeKms;
beforeAll(async () => {
  kms = await startFakeKms();
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_KMS: kms.endpoint,
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_REGION: 'us-east-1',
  });
});
afterAll(() => kms.stop());
beforeEach(() => kms.reset());

function rsaKeys(): Keys {
  const pair = { ...NAMES, ...rsaPair() };
  return { wrapping: rsaS3ecKey(pair), unwrapping: s3ecUnwrappingKeys({ rsa: rsaS3ecCandidate([pair]) }) };
}

function kmsKeys(id: string): Keys {
  const [key, clients] = [parseKmsKey(keyArn(id), 'kms:'), new KmsClients({ maxAttempts: 1 })];
  const unwrapping = s3ecUnwrappingKeys({ kms: kmsS3ecCandidate({ clients, keys: [key] }) });
  return { wrapping: kmsS3ecKey(key, clients), unwrapping };
}

const RSA = [rsaKeys(), rsaKeys()] as const;
const KINDS: Record<string, (which: 0 | 1) => Keys> = {
  RSA: (which) => RSA[which],
  AES: () => softwareKeys(),
  KMS: (which) => kmsKeys(`key-${which}`),
};

const never = () => {
  throw new Error('it was asked');
};
/** Of whoever may not be asked for anything. */
const nobody: S3ecUnwrappingKeys = { unwrap: never };
const unasked: S3ecWrappingKey = { ...RSA[1].wrapping, wrap: never, generate: never };

/** Opens with any of several kinds. */
const either = (...all: Keys[]): S3ecUnwrappingKeys => ({
  async unwrap(sealed) {
    let failure: unknown;
    for (const { unwrapping } of all) {
      try {
        return await unwrapping.unwrap(sealed);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  },
});

async function rewrap(
  parts: ObjectParts,
  options: HeaderRewrapperOptions,
  accept: (info: MessageInfo) => void = () => undefined,
): Promise<RewrappedHeader> {
  return createHeaderRewrapper(options).rewrap(parts, { accept });
}

/** What the object is when the new header lies where the old one did. */
function replaced(old: Written, { metadata, instruction, replaces }: RewrappedHeader): Written {
  if (old.instruction !== undefined) return { ...old, instruction: instruction! };
  const kept = Object.entries(old.metadata).filter(([name]) => !replaces.includes(name));
  return { ...old, metadata: { ...Object.fromEntries(kept), ...metadata } };
}

async function open(object: Written, { unwrapping }: Keys, change = (body: Buffer) => body) {
  const decryptor = createS3ecDecryptor({ keys: unwrapping, ...ALLOW });
  const parts = partsOf(object, object.body.length);
  return collect(decryptor.decrypt(chunked(change(Buffer.from(object.body)), 99), { parts }));
}

const failsWith = (code: ErrorCode) => ({ code });

const WAYS = [
  ['RSA', 'RSA'],
  ['AES', 'RSA'],
  ['AES', 'AES'],
  ['KMS', 'RSA'],
  ['AES', 'KMS'],
  ['KMS', 'AES'],
  ['KMS', 'KMS'],
] as const;
const CASES = WAYS.flatMap(([from, to]) =>
  ([2, 3] as const).flatMap((version) =>
    [false, true].map((instructionFile) => ({ from, to, version, instructionFile })),
  ),
);

describe.each(CASES)('from $from to $to, V$version, instruction file: $instructionFile', (one) => {
  const { from, to, version, instructionFile } = one;

  test('the body opens with the new key, and not with the old one', async () => {
    const [old, wanted] = [KINDS[from]!(0), KINDS[to]!(1)];
    // A description that nothing authenticates can't go to KMS.
    const context: Record<string, string> =
      from !== 'KMS' && to === 'KMS' ? {} : { team: 'ops', 用途: '研究' };
    const object = await writeObject(old, BODY, { version, instructionFile, context });
    const accepted: MessageInfo[] = [];
    const header = await rewrap(
      partsOf(object, object.body.length),
      { keys: either(old, wanted), to: wanted.wrapping, ...ALLOW },
      (info) => void accepted.push(info),
    );
    expect(header.opened).toBe(true);
    expect(accepted).toEqual([header.info]);
    expect(header.info).toMatchObject({ format: 's3ec', version });
    const after = replaced(object, header);
    expect(await open(after, wanted)).toEqual(BODY);
    await expect(open(after, old)).rejects.toMatchObject(failsWith('wrong_key_or_header'));
    // Nothing but the wrapped key and its description is another.
    const [was, is] = [await readHeader(partsOf(object, 1)), await readHeader(partsOf(after, 1))];
    for (const kept of ['version', 'content', 'iv', 'messageId', 'commitment', 'at'] as const)
      expect(is[kept]).toEqual(was[kept]);
    expect(is.wrappedKey).not.toEqual(was.wrappedKey);
    expect(is.description).toMatchObject(context);
    expect(after.metadata[LENGTH]).toBe(object.metadata[LENGTH]);
    if (instructionFile) expect(after.metadata).toEqual(object.metadata);
  });
});

test('the content is still authenticated, and the commitment compared', async () => {
  for (const version of [2, 3] as const) {
    const object = await writeObject(RSA[0], BODY, { version });
    const keys = either(...RSA);
    const parts = partsOf(object, object.body.length);
    const after = replaced(object, await rewrap(parts, { keys, to: RSA[1].wrapping, ...ALLOW }));
    const flipped = (body: Buffer) => {
      body[10]! ^= 1;
      return body;
    };
    await expect(open(after, RSA[1], flipped)).rejects.toMatchObject(failsWith('content_auth'));
  }
  const [one, other] = [await writeObject(RSA[0], BODY), await writeObject(RSA[0], BODY)];
  const parts = partsOf(one, one.body.length);
  const after = replaced(one, await rewrap(parts, { keys: either(...RSA), to: RSA[1].wrapping }));
  const swapped = { ...after, metadata: { ...after.metadata, 'x-amz-d': other.metadata['x-amz-d']! } };
  await expect(open(swapped, RSA[1])).rejects.toMatchObject(failsWith('commitment'));
});

describe('the data key', () => {
  test.each([2, 3] as const)('is overwritten, also where wrapping fails (V%d)', async (version) => {
    const old = softwareKeys();
    const object = await writeObject(old, BODY, { version });
    const parts = partsOf(object, object.body.length);
    const seen: Buffer[] = [];
    const noting = (fail: boolean): S3ecWrappingKey => ({
      ...RSA[1].wrapping,
      async wrap(dataKey, binding) {
        seen.push(Buffer.from(dataKey));
        if (fail) throw new SealdropError('access_denied', 'no');
        return RSA[1].wrapping.wrap(dataKey, binding);
      },
    });
    await rewrap(parts, { keys: old.unwrapping, to: noting(false), ...ALLOW });
    await expect(rewrap(parts, { keys: old.unwrapping, to: noting(true), ...ALLOW })).rejects.toMatchObject(
      failsWith('access_denied'),
    );
    expect(seen).toHaveLength(2);
    for (const dataKey of seen) expect(dataKey.every((byte) => byte === 0)).toBe(false);
    // The one that it was written with, and one of each rewrap.
    expect(old.dataKeys).toHaveLength(3);
    for (const dataKey of old.dataKeys) expect(dataKey.every((byte) => byte === 0)).toBe(true);
  });

  test('and so is what the new wrapped key opens to', async () => {
    const keys = softwareKeys();
    const object = await writeObject(keys, BODY);
    const parts = partsOf(object, object.body.length);
    const { opened } = await rewrap(parts, { keys: keys.unwrapping, to: keys.wrapping });
    expect(opened).toBe(true);
    expect(keys.dataKeys).toHaveLength(3);
    for (const dataKey of keys.dataKeys) expect(dataKey.every((byte) => byte === 0)).toBe(true);
  });

  test('of 16 bytes is taken as it is', async () => {
    // V2 with a data key of AES-128 and a legacy wrapping: what a client of version 1 may have written.
    const wrapping = randomBytes(32);
    const dataKey = randomBytes(16);
    const wrap = createCipheriv('aes256-wrap', wrapping, Buffer.alloc(8, 0xa6));
    const metadata = {
      ...V2,
      'x-amz-wrap-alg': 'AESWrap',
      'x-amz-key-v2': Buffer.concat([wrap.update(dataKey), wrap.final()]).toString('base64'),
    };
    const keys: S3ecUnwrappingKeys = { unwrap: async () => Buffer.from(dataKey) };
    const header = await rewrap(beside(metadata), { keys, to: RSA[1].wrapping, ...LEGACY });
    const sealed = await readHeader(beside({ ...header.metadata }));
    const { wrappedKey, description } = sealed;
    const contentAlgorithm = sealed.content.name;
    expect(
      await RSA[1].unwrapping.unwrap({
        ...{ algorithm: sealed.wrap.name, contentAlgorithm, wrappedKey, description },
      }),
    ).toEqual(dataKey);
  });
});

describe('whether a key given opens what is made', () => {
  test('none does: it is said', async () => {
    const object = await writeObject(RSA[0], BODY);
    const parts = partsOf(object, object.body.length);
    const header = await rewrap(parts, { keys: RSA[0].unwrapping, to: RSA[1].wrapping });
    expect(header.opened).toBe(false);
    expect(await open(replaced(object, header), RSA[1])).toEqual(BODY);
  });

  test('KMS refuses to: it is said; KMS does not answer: nothing is made', async () => {
    const [old, wanted] = [softwareKeys(), kmsKeys('new')];
    const object = await writeObject(old, BODY);
    const parts = partsOf(object, object.body.length);
    const options = { keys: either(old, wanted), to: wanted.wrapping };
    kms.answer = (call) =>
      call.operation === 'Decrypt' ? refusal('AccessDeniedException', 'not you') : undefined;
    // Those of the old key are asked first, and fail with another code.
    const only = {
      ...options,
      keys: {
        unwrap: async (sealed: Parameters<S3ecUnwrappingKeys['unwrap']>[0]) =>
          (sealed.algorithm === 'kms+context' ? wanted : old).unwrapping.unwrap(sealed),
      },
    };
    expect((await rewrap(parts, only)).opened).toBe(false);
    kms.answer = (call) =>
      call.operation === 'Decrypt' ? refusal('KMSInternalException', 'later', 500) : undefined;
    await expect(rewrap(parts, only)).rejects.toBeInstanceOf(SealdropError);
  });

  test('it opens to something else: nothing is made', async () => {
    const object = await writeObject(RSA[0], BODY);
    const parts = partsOf(object, object.body.length);
    const wrong: S3ecWrappingKey = {
      ...RSA[1].wrapping,
      wrap: async (_dataKey, binding) => RSA[1].wrapping.wrap(randomBytes(32), binding),
    };
    await expect(rewrap(parts, { keys: either(...RSA), to: wrong })).rejects.toMatchObject(
      failsWith('internal'),
    );
  });
});

describe('nothing is wrapped', () => {
  test('of V1 and of AES/CBC, whose key is not asked for either', async () => {
    const cbc = {
      ...without(V2, 'x-amz-tag-len'),
      ...{ 'x-amz-cek-alg': 'AES/CBC/PKCS5Padding', 'x-amz-iv': Buffer.alloc(16, 1).toString('base64') },
      ...{ 'x-amz-wrap-alg': 'AESWrap', 'x-amz-key-v2': Buffer.alloc(40, 1).toString('base64') },
    };
    for (const metadata of [V1, cbc])
      await expect(rewrap(beside(metadata), { keys: nobody, to: unasked, ...LEGACY })).rejects.toMatchObject(
        failsWith('usage'),
      );
  });

  test('where nothing authenticates the description and KMS would', async () => {
    const to = { ...unasked, algorithm: 'kms+context' as const };
    for (const metadata of [V2, V3])
      await expect(rewrap(beside(metadata), { keys: nobody, to, ...ALLOW })).rejects.toThrow(
        /nothing authenticates the object's description/,
      );
    expect(kms.calls).toEqual([]);
  });

  test.each<[string, Entries, object]>([
    ['V2, by default', V2, {}],
    ['V2 by KMS, by default', V2_KMS, {}],
    ['V2 with legacy allowed and no policy', V2, { allowLegacy: true }],
    ['kms, where legacy is not allowed', { ...V2, 'x-amz-wrap-alg': 'kms' }, ALLOW],
    ['V1, where legacy is not allowed', V1, ALLOW],
  ])('where the policy forbids it: %s', async (_name, metadata, policy) => {
    await expect(rewrap(beside(metadata), { keys: nobody, to: unasked, ...policy })).rejects.toMatchObject(
      failsWith('policy'),
    );
  });

  test('unless the vault allows it, and the caller does not forbid it', async () => {
    const old = softwareKeys();
    const object = await writeObject(old, BODY, { version: 2 });
    const parts = partsOf(object, object.body.length);
    const call = { accept: () => undefined, allowed: ALLOW };
    const options = { keys: old.unwrapping, to: RSA[1].wrapping };
    expect((await createHeaderRewrapper(options).rewrap(parts, call)).info.version).toBe(2);
    const strict = { ...options, commitmentPolicy: 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT' as const };
    await expect(createHeaderRewrapper(strict).rewrap(parts, call)).rejects.toMatchObject(
      failsWith('policy'),
    );
  });

  test('where the caller does not accept what the header says', async () => {
    const object = await writeObject(RSA[0], BODY);
    const parts = partsOf(object, object.body.length);
    const refuse = () => {
      throw new SealdropError('wrong_object', 'no');
    };
    const options = { keys: RSA[0].unwrapping, to: unasked };
    await expect(rewrap(parts, options, refuse)).rejects.toMatchObject(failsWith('wrong_object'));
  });

  test.each<[ErrorCode, string, Entries, unknown]>([
    ['mixed_formats', 'V2 and V3 at once', { ...V3, 'x-amz-key-v2': V2['x-amz-key-v2']! }, undefined],
    ['malformed_header', 'no wrapping', without(V3, 'x-amz-w'), undefined],
    ['malformed_header', 'no commitment', without(V3, 'x-amz-d'), undefined],
    ['malformed_header', 'a short message id', { ...V3, 'x-amz-i': 'AAAA' }, undefined],
    ['malformed_header', 'no base64', { ...V3, 'x-amz-3': '!' }, undefined],
    ['unsupported_version', 'another wrapping', { ...V3, 'x-amz-w': '99' }, undefined],
    ['wrong_context', 'a context of V2', { ...V3_KMS, 'x-amz-t': V2_KMS['x-amz-matdesc']! }, undefined],
    ['instruction_file', 'no file', SPLIT_V3.metadata, undefined],
    ['instruction_file', 'a file of no JSON', SPLIT_V3.metadata, 'no'],
    ['mixed_formats', "V2's file", SPLIT_V3.metadata, V2],
    ['not_an_envelope', 'nothing', {}, undefined],
  ])('of a header that was changed: %s, %s', async (code, _name, metadata, file) => {
    const options = { keys: nobody, to: unasked, ...LEGACY };
    await expect(rewrap(beside(metadata, file), options)).rejects.toMatchObject(failsWith(code));
  });

  test('where the data key is another than the object commits to, or none opens it', async () => {
    const [one, other] = [await writeObject(RSA[0], BODY), await writeObject(RSA[0], BODY)];
    const rogue = { ...one.metadata, 'x-amz-3': other.metadata['x-amz-3']! };
    const options = { keys: RSA[0].unwrapping, to: unasked };
    await expect(rewrap(beside(rogue), options)).rejects.toMatchObject(failsWith('commitment'));
    const stranger = { ...options, keys: RSA[1].unwrapping };
    await expect(rewrap(beside({ ...one.metadata }), stranger)).rejects.toMatchObject(
      failsWith('wrong_key_or_header'),
    );
  });
});
