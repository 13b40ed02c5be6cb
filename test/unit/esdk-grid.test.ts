/** Every size around the frame's, in every way of cutting the bytes up: what goes in comes out, in the size foretold. */
import { describe, expect, test } from '@jest/globals';
import { allSuites, suiteById } from '../../src/envelope/esdk/suites.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { chunked, chunkedBy, collect, pattern } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';
import { oracleDecrypt, oracleEncrypt, oracleEncryptStream } from '../helpers/oracle.js';

const FRAME = 32;
const SIZES = [
  0,
  1,
  FRAME - 1,
  FRAME,
  FRAME + 1,
  2 * FRAME - 1,
  2 * FRAME,
  2 * FRAME + 1,
  10 * FRAME,
  10 * FRAME + 5,
];
const CHUNKS = [1, 7, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 1 << 20];
const CONTEXT = { 'sealdrop:key': '報告書/🍣.txt', purpose: 'grid' };

const pair = rsaPair();
const encryptor = encryptorFor(pair, { frameLength: FRAME });
const decryptor = decryptorFor(pair);

describe.each(SIZES)('%d bytes in frames of 32', (size) => {
  const plaintext = pattern(size);

  test.each(CHUNKS)('come back whole when written and read in chunks of %d', async (chunk) => {
    const message = await collect(encryptor.encrypt(chunked(plaintext, chunk), CONTEXT));
    expect(message.length).toBe(encryptor.ciphertextSize(size, CONTEXT).bytes);
    const back = await collect(decryptor.decrypt(chunked(message, chunk)));
    expect(back.equals(plaintext)).toBe(true);
  });

  test('are read by AWS, with their context', async () => {
    const message = await collect(encryptor.encrypt(chunked(plaintext, 9), CONTEXT));
    const opened = await oracleDecrypt(pair, message);
    expect(opened.plaintext.equals(plaintext)).toBe(true);
    expect({ ...opened.context }).toEqual(CONTEXT);
  });

  test('are read when AWS wrote them, at once or as a stream', async () => {
    const options = { frameLength: FRAME, encryptionContext: CONTEXT };
    const atOnce = await oracleEncrypt(pair, plaintext, options);
    const streamed = await collect(oracleEncryptStream(pair, chunked(plaintext, 9), options));
    for (const message of [atOnce, streamed]) {
      const back = await collect(decryptor.decrypt(chunked(message, 11)));
      expect(back.equals(plaintext)).toBe(true);
    }
  });

  test('are counted without a key, whoever wrote them', async () => {
    const ours = await collect(encryptor.encrypt(chunked(plaintext, 9), CONTEXT));
    const theirs = await oracleEncrypt(pair, plaintext, { frameLength: FRAME });
    for (const message of [ours, theirs]) {
      const found = await esdkInspector.scan(chunked(message, 10));
      expect(found).toMatchObject({ plaintextSize: size, ciphertextSize: message.length });
      expect(esdkInspector.plaintextSize(found.info, message.length)).toEqual({ bytes: size, exact: true });
    }
  });
});

describe.each(allSuites().map(({ id, name }) => [name, id] as const))('%s', (_name, suite) => {
  const { committing, signature, messageVersion } = suiteById(suite)!;
  const written = encryptorFor(pair, {
    suite,
    frameLength: FRAME,
    commitmentPolicy: committing ? undefined : 'FORBID_ENCRYPT_ALLOW_DECRYPT',
  });
  const reader = decryptorFor(pair, { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' });

  test.each([0, 1, FRAME, FRAME + 1, 3 * FRAME + 5])('%d bytes: ours, and AWS reads it', async (size) => {
    const plaintext = pattern(size);
    const message = await collect(written.encrypt(chunked(plaintext, 13), CONTEXT));
    const back = await collect(reader.decrypt(chunked(message, 5)));
    expect(back.equals(plaintext)).toBe(true);
    expect((await oracleDecrypt(pair, message)).plaintext.equals(plaintext)).toBe(true);
  });

  test.each([0, 1, FRAME, FRAME + 1, 3 * FRAME + 5])("%d bytes: AWS's, and we read it", async (size) => {
    const plaintext = pattern(size);
    const message = await oracleEncrypt(pair, plaintext, { suiteId: suite, frameLength: FRAME });
    expect((await collect(reader.decrypt(chunked(message, 5)))).equals(plaintext)).toBe(true);
  });

  test('the size is foretold: exactly, or for a signed message as a bound within eight bytes', async () => {
    for (const size of [0, FRAME, 2 * FRAME + 1]) {
      const message = await collect(written.encrypt(chunked(pattern(size), 64), CONTEXT));
      const { bytes, exact } = written.ciphertextSize(size, CONTEXT);
      expect(exact).toBe(signature === undefined);
      if (exact) expect(message.length).toBe(bytes);
      else {
        expect(message.length).toBeLessThanOrEqual(bytes);
        expect(message.length).toBeGreaterThan(bytes - 9);
      }
      const { info } = await esdkInspector.scan(chunked(message, 64));
      const back = esdkInspector.plaintextSize(info, message.length);
      expect(back.exact).toBe(exact);
      if (exact) expect(back.bytes).toBe(size);
      else expect(back.bytes).toBeGreaterThanOrEqual(size);
    }
  });

  test('the message says which suite it is', async () => {
    const message = written.encrypt(chunked(pattern(5), 5), CONTEXT);
    const info = await esdkInspector.inspect(message);
    const id = `0x${suite.toString(16).padStart(4, '0')}`;
    expect(info).toMatchObject({
      suiteId: id,
      version: messageVersion,
      committing,
      signed: signature !== undefined,
    });
  });
});

test('empty chunks in between change nothing', async () => {
  const plaintext = pattern(100);
  const message = await collect(encryptor.encrypt(chunkedBy(plaintext, [0, 3, 0, 0, 40]), {}));
  expect(message.length).toBe(encryptor.ciphertextSize(100, {}).bytes);
  expect((await collect(decryptor.decrypt(chunkedBy(message, [0, 1, 0, 50])))).equals(plaintext)).toBe(true);
});

test('whole frames end in an empty final frame, as older readers want it, whatever empty chunks come last', async () => {
  async function* source() {
    yield pattern(FRAME);
    yield Buffer.alloc(0);
    yield Buffer.alloc(0);
  }
  const message = await collect(encryptor.encrypt(source(), {}));
  expect(await esdkInspector.scan(chunked(message, 100))).toMatchObject({ frames: 2, plaintextSize: FRAME });
});
