/** What holds for any plaintext, context, suite and way of cutting bytes up. A failure prints its seed. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allSuites } from '../../src/envelope/esdk/suites.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { isIntegrityError, isSealdropError } from '../../src/errors.js';
import type { ByteSource } from '../../src/ports.js';
import { chunkedBy, collect, drain } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';
import { oracleDecrypt, oracleEncrypt, oracleEncryptStream } from '../helpers/oracle.js';

const pair = rsaPair();
const reader = decryptorFor(pair, {
  commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT',
  maxFrameLength: 4096,
});

const text = fc.string({ unit: 'binary', maxLength: 12 });
const context = fc.dictionary(text, text, { maxKeys: 4 }).map((pairs) => {
  // The format's own; everything else is allowed, also what objects inherit.
  const { 'aws-crypto-public-key': _, ...rest } = pairs;
  return rest;
});
const sizes = fc
  .array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 5 })
  .map((list) => [...list, 7]);
const plaintext = fc.uint8Array({ maxLength: 600, size: 'max' }).map((bytes) => Buffer.from(bytes));
const frameLength = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 700 }));
const suite = fc.constantFrom(...allSuites());
const message = fc.record({ plaintext, context, frameLength, suite, sizes });

const encryptorOf = (frames: number, { id, committing }: { id: number; committing: boolean }) =>
  encryptorFor(pair, {
    frameLength: frames,
    suite: id,
    commitmentPolicy: committing ? undefined : 'FORBID_ENCRYPT_ALLOW_DECRYPT',
  });

describe('any message', () => {
  test('of ours is opened by us and by AWS, with its context', async () => {
    await fc.assert(
      fc.asyncProperty(message, async (m) => {
        const sealed = await collect(
          encryptorOf(m.frameLength, m.suite).encrypt(chunkedBy(m.plaintext, m.sizes), m.context),
        );
        expect(await drain(reader.decrypt(chunkedBy(sealed, m.sizes)))).toEqual({ released: m.plaintext });
        const theirs = await oracleDecrypt(pair, sealed);
        expect(theirs.plaintext.equals(m.plaintext)).toBe(true);
        const { 'aws-crypto-public-key': _, ...found } = theirs.context;
        expect(Object.entries(found).sort()).toEqual(Object.entries(m.context).sort());
      }),
      { numRuns: 60 },
    );
  });

  test('of AWS is opened by us, written at once or as a stream', async () => {
    await fc.assert(
      fc.asyncProperty(message, fc.boolean(), async (m, stream) => {
        const options = { suiteId: m.suite.id, frameLength: m.frameLength, encryptionContext: m.context };
        const sealed = stream
          ? await collect(oracleEncryptStream(pair, chunkedBy(m.plaintext, m.sizes), options))
          : await oracleEncrypt(pair, m.plaintext, options);
        expect(await drain(reader.decrypt(chunkedBy(sealed, m.sizes)))).toEqual({ released: m.plaintext });
      }),
      { numRuns: 60 },
    );
  });
});

/** Nothing but an integrity error or success, and what came out is a beginning of the truth. */
async function opensSafely(source: ByteSource, truth: Uint8Array, held = false): Promise<void> {
  const { released, error } = await drain(reader.decrypt(source, { held }));
  if (!released.equals(truth.subarray(0, released.length)))
    throw new Error('released what was never written');
  if (error === undefined) expect(released.length).toBe(truth.length);
  else if (!isIntegrityError(error)) throw new Error('failed without an integrity code', { cause: error });
}

describe('a message that somebody changed', () => {
  test('never opens to anything but a beginning of its plaintext, and fails with an integrity code', async () => {
    const kinds = ['set', 'insert', 'delete', 'cut', 'copy'] as const;
    const change = fc.record({
      kind: fc.constantFrom(...kinds),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      value: fc.nat(255),
      length: fc.nat(60),
    });
    const setups = await Promise.all(
      [0x0478, 0x0578, 0x0178, 0x0014, 0x0378].map(async (id) => {
        const truth = Buffer.from(Array.from({ length: 50 }, (_, i) => i));
        const kind = allSuites().find((s) => s.id === id)!;
        return {
          truth,
          sealed: await collect(encryptorOf(16, kind).encrypt(chunkedBy(truth, [9]), { a: 'b' })),
        };
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...setups),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        sizes,
        async (setup, changes, cut) => {
          let bytes = setup.sealed;
          for (const { kind, at: where, value, length } of changes) {
            const at = Math.floor(where * bytes.length);
            const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
            const one = Buffer.from([value]);
            if (kind === 'set') bytes = Buffer.concat([before, one, after.subarray(1)]);
            if (kind === 'insert') bytes = Buffer.concat([before, one, after]);
            if (kind === 'delete') bytes = Buffer.concat([before, after.subarray(length)]);
            if (kind === 'cut') bytes = before;
            if (kind === 'copy') bytes = Buffer.concat([before, after.subarray(0, length), after]);
          }
          await opensSafely(chunkedBy(bytes, cut), setup.truth);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('by one byte anywhere, in any way of its bits, is not opened', async () => {
    const truth = Buffer.from('forty bytes of plaintext, three frames..');
    const sealed = await collect(
      encryptorFor(pair, { frameLength: 16 }).encrypt(chunkedBy(truth, [40]), { a: 'b' }),
    );
    for (let at = 0; at < sealed.length; at++) {
      const bytes = Buffer.from(sealed);
      bytes[at]! ^= 1 << (at % 8);
      const { released, error } = await drain(reader.decrypt(chunkedBy(bytes, [1000])));
      expect(isIntegrityError(error)).toBe(true);
      expect(truth.subarray(0, released.length).equals(released)).toBe(true);
    }
  });
});

describe('any bytes at all', () => {
  const beginnings = [[], [2, 4, 0x78], [2, 5, 0x78], [1, 0x80, 1, 0x78], [1, 0x80, 3, 0x78]].map((b) =>
    Buffer.from(b),
  );
  const bytes = fc
    .tuple(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 400, size: 'max' }))
    .map(([begin, rest]) => Buffer.concat([begin, rest]));

  test('end in an integrity error, whether they are opened, scanned or inspected', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, sizes, fc.boolean(), async (input, cut, held) => {
        const source = () => chunkedBy(input, cut);
        const { released, error } = await drain(reader.decrypt(source(), { held }));
        expect(released.length).toBe(0);
        expect(isIntegrityError(error)).toBe(true);
        for (const look of [esdkInspector.inspect(source()), esdkInspector.scan(source())])
          await look.catch((failure: unknown) => expect(isSealdropError(failure)).toBe(true));
      }),
      { numRuns: 400 },
    );
  });

  test('behind a genuine header end in an integrity error, and nothing is released', async () => {
    const sealed = await collect(
      encryptorFor(pair, { frameLength: 16 }).encrypt(chunkedBy(Buffer.alloc(40), [40]), {}),
    );
    const { headerLength } = await esdkInspector.inspect(chunkedBy(sealed, [100]));
    const header = sealed.subarray(0, headerLength);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200, size: 'max' }), sizes, async (body, cut) => {
        const { released, error } = await drain(
          reader.decrypt(chunkedBy(Buffer.concat([header, body]), cut)),
        );
        expect(released.length).toBe(0);
        expect(isIntegrityError(error)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
