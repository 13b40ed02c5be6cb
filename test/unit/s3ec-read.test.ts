/** Objects that are not as they were written: each its own error, nothing released, and no key asked where none is needed. */
import { createCipheriv } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { MAX_PLAINTEXT_BYTES } from '../../src/envelope/s3ec/algorithms.js';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import type { CommitmentPolicyName, DecryptOptions } from '../../src/ports.js';
import { chunked, drain, pattern } from '../helpers/bytes.js';
import { heldBytes } from '../helpers/garbage.js';
import {
  encryptorOf,
  fixedKey,
  partsOf,
  readingAll,
  softwareKeys,
  writeObject,
  type SoftwareKeys,
  type Written,
} from '../helpers/s3ec-keys.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const PLAINTEXT = pattern(1000);
const code = (name: string) => expect.objectContaining({ code: name });
const isZero = (key: Buffer) => key.every((byte) => byte === 0);

function flipped(bytes: Uint8Array, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at]! ^= 1;
  return changed;
}

/** An entry of base64 with one bit changed. */
function withFlipped(object: Written, name: string): Written {
  const value = flipped(
    Buffer.from(object.metadata[name]!, 'base64'),
    20 % Buffer.from(object.metadata[name]!, 'base64').length,
  );
  return { ...object, metadata: { ...object.metadata, [name]: value.toString('base64') } };
}

type Keys = Pick<SoftwareKeys, 'unwrapping' | 'dataKeys' | 'asked'>;

async function read(keys: Keys, object: Written, options: DecryptOptions = {}, size = object.body.length) {
  const decryptor = createS3ecDecryptor(readingAll(keys));
  const { released, error } = await drain(
    decryptor.decrypt(chunked(object.body, 100), { parts: partsOf(object, size), ...options }),
  );
  // In every path, successful or not.
  expect(keys.dataKeys.every(isZero)).toBe(true);
  return { released, error };
}

/** Asked for a piece, or closed: what a reader did with it. */
function watched(body: Uint8Array) {
  const seen = { pieces: 0, closed: 0 };
  const source: AsyncIterableIterator<Uint8Array> = {
    [Symbol.asyncIterator]: () => source,
    async next() {
      return seen.pieces++ === 0 ? { done: false, value: body } : { done: true, value: undefined };
    },
    async return() {
      seen.closed++;
      return { done: true, value: undefined };
    },
  };
  return { source, seen };
}

describe.each([2, 3] as const)('V%d', (version) => {
  const keys = softwareKeys();
  const object = () => writeObject(keys, PLAINTEXT, { version });

  test.each([0, 1, 15, 16, 500, 999, 1000, 1001, 1015])('a bit changed at byte %d is found', async (at) => {
    const written = await object();
    const changed = { ...written, body: flipped(written.body, at) };
    expect(await read(keys, changed)).toEqual({ released: Buffer.alloc(0), error: code('content_auth') });
    for (const options of [{ held: true }, { unverified: true }])
      expect((await read(keys, changed, options)).error).toEqual(code('content_auth'));
  });

  test.each([1, 16, 17, 1000])('%d bytes cut off, as the store says or not, are missed', async (count) => {
    const written = await object();
    const cut = { ...written, body: written.body.subarray(0, -count) };
    expect(await read(keys, cut)).toEqual({ released: Buffer.alloc(0), error: code('content_auth') });
    const hidden = await read(keys, cut, {}, written.body.length);
    expect(hidden).toEqual({ released: Buffer.alloc(0), error: code('truncated') });
  });

  test.each([1, 16, 17])('%d bytes more, as the store says or not, are found', async (count) => {
    const written = await object();
    const longer = { ...written, body: Buffer.concat([written.body, Buffer.alloc(count)]) };
    expect(await read(keys, longer)).toEqual({ released: Buffer.alloc(0), error: code('content_auth') });
    const hidden = await read(keys, longer, {}, written.body.length);
    expect(hidden).toEqual({ released: Buffer.alloc(0), error: code('trailing_data') });
  });

  test.each([0, 15])('a body of %d bytes has no tag, and costs no key', async (size) => {
    const written = { ...(await object()), body: Buffer.alloc(size) };
    const asked = keys.asked.unwrap;
    expect((await read(keys, written)).error).toEqual(code('truncated'));
    expect((await read(keys, written, {}, MAX_PLAINTEXT_BYTES + 17)).error).toEqual(code('trailing_data'));
    expect(keys.asked.unwrap).toBe(asked);
  });

  test('a wrapped key that was changed, or is of another, opens nothing', async () => {
    const written = await object();
    const name = version === 3 ? 'x-amz-3' : 'x-amz-key-v2';
    for (const other of [
      withFlipped(written, name),
      await writeObject(softwareKeys(), PLAINTEXT, { version }),
    ])
      expect(await read(keys, other)).toEqual({
        released: Buffer.alloc(0),
        error: code('wrong_key_or_header'),
      });
  });

  test.each([8, 31, 33])('a data key of %d bytes is used for nothing', async (bytes) => {
    const wrong = fixedKey(Buffer.alloc(bytes, 7));
    const outcome = await read(wrong, await object());
    expect(outcome).toEqual({ released: Buffer.alloc(0), error: code('wrong_key_or_header') });
    expect(wrong.dataKeys).toHaveLength(1);
  });

  test('one call to the keys opens it', async () => {
    const asked = keys.asked.unwrap;
    expect((await read(keys, await object())).released.equals(PLAINTEXT)).toBe(true);
    expect(keys.asked.unwrap).toBe(asked + 1);
  });

  test('the header is judged after the key, and before any byte is asked for', async () => {
    const written = await object();
    const { source, seen } = watched(written.body);
    const refusal = new Error('not this one');
    const asked = keys.asked.unwrap;
    const opened = createS3ecDecryptor(readingAll(keys)).decrypt(source, {
      parts: partsOf(written, written.body.length),
      accept(info) {
        expect(info).toMatchObject({ format: 's3ec', version });
        expect([keys.asked.unwrap, seen.pieces]).toEqual([asked + 1, 0]);
        throw refusal;
      },
    });
    expect(await drain(opened)).toEqual({ released: Buffer.alloc(0), error: refusal });
    expect(seen).toEqual({ pieces: 0, closed: 1 });
    expect(keys.dataKeys.every(isZero)).toBe(true);
  });

  test('who holds everything back, or says so when judging the header, gets plaintext before the end was read', async () => {
    const written = await writeObject(keys, pattern(MiB), { version });
    for (const options of [{ held: true }, { unverified: true }, { accept: () => 'held' as const }]) {
      let given = 0;
      async function* source() {
        for await (const piece of chunked(written.body, 64 * KiB)) {
          given += piece.length;
          yield piece;
        }
      }
      const parts = partsOf(written, written.body.length);
      for await (const piece of createS3ecDecryptor(readingAll(keys)).decrypt(source(), {
        parts,
        ...options,
      })) {
        expect([piece.length, given]).toEqual([64 * KiB, 64 * KiB]);
        break;
      }
    }
  });

  test('256 MiB are written and read in flat memory', async () => {
    const size = 256 * MiB;
    const piece = pattern(256 * KiB);
    async function* source() {
      for (let at = 0; at < size; at += piece.length) yield piece;
    }
    const begun = await encryptorOf(keys.wrapping, version).begin!({}, size);
    const parts = partsOf(begun, size + 16);
    const before = heldBytes();
    let count = 0;
    let most = 0;
    for await (const clear of createS3ecDecryptor(readingAll(keys)).decrypt(begun.encrypt(source()), {
      parts,
      held: true,
    })) {
      count += clear.length;
      if (count % (64 * MiB) === 0) most = Math.max(most, heldBytes() - before);
    }
    expect(count).toBe(size);
    expect(most).toBeLessThan(4 * MiB);
  });
});

describe('more than is kept in memory', () => {
  const keys = softwareKeys();
  const size = 64 * MiB + 17;
  const large = async () => ({ ...(await writeObject(keys, PLAINTEXT)), body: Buffer.alloc(0) });

  test('is refused before a key is asked', async () => {
    const asked = keys.asked.unwrap;
    const { error } = await read(keys, await large(), {}, size);
    expect(error).toMatchObject({ code: 'too_large', hint: expect.stringContaining('into a file') });
    expect(keys.asked.unwrap).toBe(asked);
  });

  test('is refused before a byte is read, where who judges the header does not hold it back', async () => {
    const { source, seen } = watched(PLAINTEXT);
    const parts = partsOf(await large(), size);
    const opened = createS3ecDecryptor(readingAll(keys)).decrypt(source, { parts, accept: () => undefined });
    expect((await drain(opened)).error).toEqual(code('too_large'));
    expect(seen).toEqual({ pieces: 0, closed: 1 });
  });

  test('is read where it is held back: here, to its missing end', async () => {
    expect((await read(keys, await large(), { accept: () => 'held' }, size)).error).toEqual(
      code('truncated'),
    );
  });
});

describe('V3', () => {
  const keys = softwareKeys();

  test.each(['x-amz-d', 'x-amz-i'])('with %s changed commits to another key', async (name) => {
    const outcome = await read(keys, withFlipped(await writeObject(keys, PLAINTEXT), name));
    expect(outcome).toEqual({ released: Buffer.alloc(0), error: code('commitment') });
  });

  test('under another data key is refused by its commitment, whatever its content is', async () => {
    const other = fixedKey(Buffer.alloc(32, 7));
    const outcome = await read(other, await writeObject(keys, PLAINTEXT));
    expect(outcome).toEqual({ released: Buffer.alloc(0), error: code('commitment') });
  });
});

test('V2 with another IV is another content', async () => {
  const keys = softwareKeys();
  const changed = withFlipped(await writeObject(keys, PLAINTEXT, { version: 2 }), 'x-amz-iv');
  expect(await read(keys, changed)).toEqual({ released: Buffer.alloc(0), error: code('content_auth') });
});

test('a policy that refuses the object costs no key and no byte', async () => {
  const keys = softwareKeys();
  const written = await writeObject(keys, PLAINTEXT, { version: 2 });
  const { source, seen } = watched(written.body);
  const opened = createS3ecDecryptor({ keys: keys.unwrapping }).decrypt(source, {
    parts: partsOf(written, written.body.length),
  });
  expect((await drain(opened)).error).toEqual(code('policy'));
  expect(keys.asked.unwrap).toBe(0);
  expect(seen).toEqual({ pieces: 0, closed: 1 });
});

test('what a vault allows counts where the decryptor was not told, and not where it was', async () => {
  const keys = softwareKeys();
  const written = await writeObject(keys, PLAINTEXT, { version: 2 });
  const opened = (commitmentPolicy?: CommitmentPolicyName) =>
    drain(
      createS3ecDecryptor({ keys: keys.unwrapping, commitmentPolicy }).decrypt(chunked(written.body, 100), {
        parts: partsOf(written, written.body.length),
        allowed: { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' },
      }),
    );
  expect(await opened()).toEqual({ released: PLAINTEXT });
  expect((await opened('REQUIRE_ENCRYPT_REQUIRE_DECRYPT')).error).toEqual(code('policy'));
});

test('a body without what lies beside it is refused, and closed', async () => {
  const { source, seen } = watched(PLAINTEXT);
  const { error } = await drain(createS3ecDecryptor(readingAll(softwareKeys())).decrypt(source));
  expect(error).toMatchObject({ code: 'not_an_envelope', hint: expect.stringContaining('metadata') });
  expect(seen).toEqual({ pieces: 0, closed: 1 });
});

describe.each([16, 24, 32])('AES-CBC with a data key of %d bytes', (bytes) => {
  const dataKey = pattern(bytes);
  const iv = pattern(16);
  const keys = fixedKey(dataKey);

  function cbc(plaintext: Uint8Array): Written {
    const cipher = createCipheriv(`aes-${8 * bytes}-cbc`, dataKey, iv);
    const metadata = {
      'x-amz-key-v2': Buffer.alloc(bytes + 8).toString('base64'),
      'x-amz-iv': iv.toString('base64'),
      'x-amz-cek-alg': 'AES/CBC/PKCS5Padding',
      'x-amz-wrap-alg': 'AESWrap',
      'x-amz-matdesc': '{}',
    };
    return { metadata, body: Buffer.concat([cipher.update(plaintext), cipher.final()]) };
  }

  test.each([0, 1, 15, 16, 17, 4096, 64 * KiB - 1, 64 * KiB, 64 * KiB + 1])(
    '%d bytes are read',
    async (size) => {
      for (const options of [{}, { held: true }, { unverified: true }]) {
        const { released, error } = await read(keys, cbc(pattern(size)), options);
        expect(error).toBeUndefined();
        expect(released.equals(pattern(size))).toBe(true);
      }
    },
  );

  test('every padding that is none is the same error, and releases nothing', async () => {
    const written = cbc(pattern(40));
    const failures = [];
    // The block before the last decides over the padding: of 256 values few make one that is allowed.
    for (let value = 1; value < 256; value++) {
      const body = Buffer.from(written.body);
      body[31]! ^= value;
      const outcome = await read(keys, { ...written, body });
      if (outcome.error !== undefined) failures.push(outcome);
    }
    expect(failures.length).toBeGreaterThan(240);
    const texts = failures.map(
      ({ released, error }) => `${released.length} ${(error as { code: string }).code} ${error as Error}`,
    );
    expect([...new Set(texts)]).toEqual([expect.stringContaining('0 content_auth')]);
    expect(failures.every(({ error }) => (error as Error).cause === undefined)).toBe(true);
  });

  test.each([0, 1, 15, 17, 47])('a body of %d bytes is cut off, and costs no key', async (size) => {
    const asked = keys.asked.unwrap;
    expect((await read(keys, { ...cbc(PLAINTEXT), body: Buffer.alloc(size) })).error).toEqual(
      code('truncated'),
    );
    expect(keys.asked.unwrap).toBe(asked);
  });

  test('is not read where legacy objects are not allowed by name', async () => {
    const written = cbc(PLAINTEXT);
    const decryptor = createS3ecDecryptor({ ...readingAll(keys), allowLegacy: false });
    const parts = partsOf(written, written.body.length);
    const asked = keys.asked.unwrap;
    expect((await drain(decryptor.decrypt(chunked(written.body, 16), { parts }))).error).toEqual(
      code('policy'),
    );
    expect(keys.asked.unwrap).toBe(asked);
  });
});

describe.each([16, 24])('V2 of a legacy writer, with a data key of %d bytes', (bytes) => {
  test('is read', async () => {
    const dataKey = pattern(bytes);
    const iv = Buffer.alloc(12, 3);
    const cipher = createCipheriv(`aes-${8 * bytes}-gcm` as 'aes-128-gcm', dataKey, iv);
    const metadata = {
      'x-amz-key-v2': Buffer.alloc(bytes + 8).toString('base64'),
      'x-amz-iv': iv.toString('base64'),
      'x-amz-cek-alg': 'AES/GCM/NoPadding',
      'x-amz-wrap-alg': 'AESWrap',
      'x-amz-matdesc': '{}',
      'x-amz-tag-len': '128',
    };
    const body = Buffer.concat([cipher.update(PLAINTEXT), cipher.final(), cipher.getAuthTag()]);
    const { released, error } = await read(fixedKey(dataKey), { metadata, body });
    expect(error).toBeUndefined();
    expect(released.equals(PLAINTEXT)).toBe(true);
  });
});
