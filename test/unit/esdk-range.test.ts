/** Parts of messages: each is the slice of the whole, by the frames that it lies in, and nothing else comes out. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createRanges } from '../../src/envelope/esdk/range.js';
import { SealdropError } from '../../src/errors.js';
import type { PlaintextRange } from '../../src/ports.js';
import { chunked, collect, drain, pattern } from '../helpers/bytes.js';
import { encryptorFor, NAMES, publicPem, rsaPair } from '../helpers/keys.js';
import { oracleEncrypt, oracleEncryptStream } from '../helpers/oracle.js';
import { CountingKeyring, part, partOrError, rangesFor, served } from '../helpers/stored.js';
import { craft, type BodyWriter } from '../vectors/craft.mjs';

const FRAME = 32;
const SIZES = [1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 2 * FRAME + 1, 5 * FRAME, 5 * FRAME + 7];
const pair = rsaPair();
const ranges = rangesFor(pair);
const code = (name: string) => expect.objectContaining({ code: name });
const open = (message: Buffer, options = {}) => ranges.open(served(message, options));

const writers = {
  ours: (plaintext: Buffer) =>
    collect(encryptorFor(pair, { frameLength: FRAME }).encrypt(chunked(plaintext, 1000), { a: 'b' })),
  'of AWS, written at once': (plaintext: Buffer) => oracleEncrypt(pair, plaintext, { frameLength: FRAME }),
  'of AWS, as a stream': (plaintext: Buffer) =>
    collect(oracleEncryptStream(pair, chunked(plaintext, 1000), { frameLength: FRAME })),
  'with a full final frame': async (plaintext: Buffer) => crafted(plaintext, { full: true }),
  'with an empty final frame': async (plaintext: Buffer) => crafted(plaintext, { full: false }),
};

function crafted(plaintext: Buffer, { full }: { full: boolean }): Buffer {
  return message((writer) => {
    const frames: Buffer[] = [];
    let at = 0;
    const left = () => plaintext.length - at;
    while (full ? left() > FRAME : left() >= FRAME) {
      frames.push(writer.frame(frames.length + 1, plaintext.subarray(at, at + FRAME)));
      at += FRAME;
    }
    return Buffer.concat([...frames, writer.final(frames.length + 1, plaintext.subarray(at))]);
  });
}

const message = (body: (writer: BodyWriter) => Buffer, frameLength = FRAME, contentType = 2) =>
  craft({
    pairs: [['a', 'b']],
    recipients: [{ ...NAMES, publicKey: publicPem(pair) }],
    frameLength,
    contentType,
    body,
  });

function rangesOf(size: number): PlaintextRange[] {
  const edges = new Set([0, 1, FRAME - 1, FRAME, FRAME + 1, size - FRAME, size - 2, size - 1, size >> 1]);
  const at = [...edges].filter((edge) => edge >= 0 && edge < size);
  return [
    ...at.flatMap((first) => at.filter((last) => last >= first).map((last) => ({ first, last }))),
    ...at.map((first) => ({ first })),
    ...at.map((first) => ({ first, last: size + 100 })),
    ...at.map((edge) => ({ suffix: edge + 1 })),
    { suffix: size + 100 },
  ];
}

const slice = (plaintext: Buffer, range: PlaintextRange): Buffer =>
  'suffix' in range
    ? plaintext.subarray(Math.max(0, plaintext.length - range.suffix))
    : plaintext.subarray(range.first, (range.last ?? plaintext.length - 1) + 1);

describe.each(Object.entries(writers))('messages %s', (_who, write) => {
  test.each(SIZES)('of %d bytes, in frames of 32: every part is the slice of the whole', async (size) => {
    const plaintext = pattern(size);
    const sealed = await write(plaintext);
    for (const ahead of [10, 1 << 16]) {
      const opened = await open(sealed, { ahead, chunk: 13 });
      expect(opened.plaintextSize).toBe(size);
      for (const range of rangesOf(size)) {
        const found = await part(opened, range);
        if (!found.equals(slice(plaintext, range)))
          throw new Error(`${JSON.stringify(range)} with ${ahead} bytes ahead is another part`);
      }
      opened.close();
    }
  });

  test('of nothing have no part', async () => {
    const opened = await open(await write(Buffer.alloc(0)));
    for (const range of [{ first: 0 }, { suffix: 1 }, { first: 0, last: 0 }])
      await expect(opened.range(range)).rejects.toEqual(code('usage'));
  });
});

describe('what is fetched', () => {
  const plaintext = pattern(10 * FRAME + 5);
  const FRAME_BYTES = FRAME + 32;
  let sealed: Buffer;
  let headerLength: number;
  beforeAll(async () => {
    sealed = await writers.ours(plaintext);
    headerLength = (await open(sealed)).info.headerLength;
  });

  test.each<[string, PlaintextRange, [number, number][]]>([
    ['one byte', { first: 40, last: 40 }, [[1, 2]]],
    ['a frame', { first: 32, last: 63 }, [[1, 2]]],
    ['over an edge', { first: 63, last: 64 }, [[1, 3]]],
    ['all', { first: 0 }, [[0, 11]]],
    ['to the end', { first: 9 * FRAME }, [[9, 11]]],
    // The final frame first: where the end is, it alone says.
    ['the last ones', { suffix: 3 }, [[10, 11]]],
    [
      'more of the last ones',
      { suffix: 40 },
      [
        [10, 11],
        [8, 10],
      ],
    ],
  ])('%s: the frames alone', async (_what, range, wanted) => {
    const object = served(sealed, { ahead: headerLength });
    const opened = await ranges.open(object);
    object.asked.length = 0;
    await part(opened, range);
    const edge = (frames: number) => Math.min(headerLength + frames * FRAME_BYTES, sealed.length);
    expect(object.asked).toEqual(wanted.map(([from, to]) => [edge(from), edge(to) - 1]));
  });

  test('a part that reaches the end of whole frames fetches the empty final one too', async () => {
    const whole = await writers.ours(pattern(2 * FRAME));
    const object = served(whole, { ahead: headerLength });
    const opened = await ranges.open(object);
    object.asked.length = 0;
    await part(opened, { first: FRAME, last: 2 * FRAME - 1 });
    expect(object.asked).toEqual([[headerLength + FRAME_BYTES, whole.length - 1]]);
  });

  test('once the end is proven, it is not fetched again for that', async () => {
    const object = served(sealed, { ahead: headerLength });
    const opened = await ranges.open(object);
    await part(opened, { first: 0 });
    object.asked.length = 0;
    expect((await part(opened, { suffix: 40 })).equals(plaintext.subarray(-40))).toBe(true);
    expect(object.asked.length).toBe(1);
  });

  test('a long header comes by some requests, each for more', async () => {
    const long = await collect(
      encryptorFor(pair).encrypt(chunked(plaintext, 50), { long: 'x'.repeat(20_000) }),
    );
    const object = served(long, { ahead: 1000 });
    expect((await part(await ranges.open(object), { suffix: 7 })).equals(plaintext.subarray(-7))).toBe(true);
    expect(object.asked.slice(0, 3)).toEqual([
      [1000, 4095],
      [4096, 16_383],
      [16_384, long.length - 1],
    ]);
  });

  test('the data key is unwrapped once for all parts, and is gone when it is closed', async () => {
    const keyring = new CountingKeyring(pair);
    const opened = await createRanges({ keyring }).open(served(sealed));
    const all = await Promise.all(
      [0, 50, 100, 150].map((first) => part(opened, { first, last: first + 60 })),
    );
    for (const [i, found] of all.entries())
      expect(found.equals(plaintext.subarray(50 * i, 50 * i + 61))).toBe(true);
    expect(keyring.unwrapped).toBe(1);
    const { content } = await opened.range({ first: 0 });
    opened.close();
    expect(await drain(content)).toEqual({ released: Buffer.alloc(0), error: code('usage') });
  });
});

describe('what is no range', () => {
  test.each([
    { first: 37 },
    { first: 37, last: 40 },
    { first: 5, last: 4 },
    { first: -1 },
    { first: 0.5 },
    { first: NaN },
    { suffix: 0 },
    { suffix: -1 },
    { suffix: Infinity },
  ])('%p is wrong use, and the size is named', async (range) => {
    const opened = await open(await writers.ours(pattern(37)));
    await expect(opened.range(range)).rejects.toEqual(
      expect.objectContaining({ code: 'usage', message: 'there is no such range: the content has 37 bytes' }),
    );
  });

  test('behind the end of an object that was cut off, it is the cut that is told', async () => {
    const sealed = await writers.ours(pattern(3 * FRAME + 1));
    // So many bytes are gone that its size is that of a shorter message.
    const cut = sealed.subarray(0, sealed.length - FRAME - 32);
    await expect((await open(cut)).range({ first: 3 * FRAME })).rejects.toEqual(code('truncated'));
  });
});

describe('refused before anything is unwrapped', () => {
  const plaintext = pattern(50);
  const refusal = async (sealed: Buffer, options = {}) => {
    const keyring = new CountingKeyring(pair);
    const error: unknown = await createRanges({ keyring, ...options })
      .open(served(sealed))
      .then(
        () => undefined,
        (cause: unknown) => cause,
      );
    expect(keyring.unwrapped).toBe(0);
    return error;
  };

  test('a message of one piece', async () => {
    const sealed = message((writer) => writer.block(plaintext), 0, 1);
    expect(await refusal(sealed)).toEqual(code('usage'));
  });

  test('a signed message', async () => {
    expect(await refusal(await oracleEncrypt(pair, plaintext, { suiteId: 0x0578, frameLength: 16 }))).toEqual(
      code('usage'),
    );
  });

  test('an uncommitted message, but where the policy allows it', async () => {
    const sealed = await oracleEncrypt(pair, plaintext, { suiteId: 0x0178, frameLength: 16 });
    expect(await refusal(sealed)).toEqual(code('policy'));
    const relaxed = rangesFor(pair, { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' });
    const found = await part(await relaxed.open(served(sealed)), { first: 10, last: 40 });
    expect(found.equals(plaintext.subarray(10, 41))).toBe(true);
    const allowed = { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' } as const;
    expect((await ranges.open(served(sealed), { allowed })).plaintextSize).toBe(50);
  });

  test('longer frames and more wrapped keys than are allowed', async () => {
    const sealed = await oracleEncrypt(pair, plaintext, { frameLength: 16 });
    expect(await refusal(sealed, { maxFrameLength: 15 })).toEqual(code('policy'));
    expect(await refusal(sealed, { maxWrappedKeys: 0 })).toEqual(code('policy'));
  });

  test.each<[string, (sealed: Buffer) => Buffer, string]>([
    ['nothing', (sealed: Buffer) => sealed.subarray(0, 0), 'not_an_envelope'],
    ['text', () => Buffer.from('no message at all, but text'), 'not_an_envelope'],
    ['half a header', (sealed: Buffer) => sealed.subarray(0, 200), 'truncated'],
    ['a header alone', (sealed: Buffer) => sealed.subarray(0, -90), 'truncated'],
    ['a message that ends within a frame', (sealed: Buffer) => sealed.subarray(0, -5), 'truncated'],
    [
      'a size that no message has',
      (sealed: Buffer) => Buffer.concat([sealed, sealed.subarray(0, 60)]),
      'truncated',
    ],
  ])('%s', async (_what, change, wanted) => {
    const sealed = await oracleEncrypt(pair, pattern(50), { frameLength: 50 });
    expect(await refusal(change(sealed))).toEqual(code(wanted));
  });

  test('what binds it is judged when the header is authentic, and before any content', async () => {
    const object = served(await writers.ours(plaintext), { ahead: 400 });
    const refused = new SealdropError('wrong_object', 'another one');
    const accept = () => {
      throw refused;
    };
    await expect(ranges.open(object, { accept })).rejects.toBe(refused);
    // The rest of the header was asked for, and no frame.
    expect(object.asked.every(([first]) => first < 500)).toBe(true);
  });
});

test('a message for somebody else, and one whose header was changed, open in no part', async () => {
  const sealed = await writers.ours(pattern(100));
  await expect(rangesFor(rsaPair()).open(served(sealed))).rejects.toEqual(code('wrong_key_or_header'));
  const opened = await open(sealed);
  for (let at = 0; at < opened.info.headerLength; at++) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    const { released, error } = await partOrError(() => open(changed), { first: 0, last: 9 });
    expect(released.length).toBe(0);
    expect(error).toBeInstanceOf(SealdropError);
  }
});

describe('somebody changed the object', () => {
  const plaintext = pattern(4 * FRAME + 9);
  const BYTES = FRAME + 32;
  let sealed: Buffer;
  let other: Buffer;
  let begin: (frame: number) => number;
  beforeAll(async () => {
    [sealed, other] = [await writers.ours(plaintext), await writers.ours(plaintext)];
    const { headerLength } = (await open(sealed)).info;
    begin = (frame) => headerLength + (frame - 1) * BYTES;
  });
  const frame = (from: Buffer, number: number) => from.subarray(begin(number), begin(number) + BYTES);
  const replaced = (number: number, by: Uint8Array) =>
    Buffer.concat([sealed.subarray(0, begin(number)), by, sealed.subarray(begin(number) + by.length)]);
  const flipped = (at: number, mask = 1) => {
    const changed = Buffer.from(sealed);
    changed[at < 0 ? changed.length + at : at]! ^= mask;
    return changed;
  };
  const middle: PlaintextRange = { first: FRAME + 3, last: 2 * FRAME - 3 };
  const end: PlaintextRange = { suffix: 5 };

  test.each<[string, () => Buffer, PlaintextRange, string]>([
    [
      'two frames swapped',
      () => replaced(2, Buffer.concat([frame(sealed, 3), frame(sealed, 2)])),
      middle,
      'frame_order',
    ],
    ['the frame of another message', () => replaced(2, frame(other, 2)), middle, 'frame_auth'],
    [
      'another frame under this number',
      () => {
        const moved = Buffer.from(frame(sealed, 3));
        moved.writeUInt32BE(2, 0);
        return replaced(2, moved);
      },
      middle,
      'frame_auth',
    ],
    ['its number', () => flipped(begin(2) + 3), middle, 'frame_order'],
    ['its IV', () => flipped(begin(2) + 10), middle, 'frame_auth'],
    ['its content', () => flipped(begin(2) + 16), middle, 'frame_auth'],
    ['its content, outside of the part', () => flipped(begin(2) + 16 + FRAME - 1), middle, 'frame_auth'],
    ['its tag', () => flipped(begin(3) - 1), middle, 'frame_auth'],
    [
      'an end mark in its place',
      () => replaced(2, Buffer.from(`ffffffff00000002${'00'.repeat(15)}05`, 'hex')),
      middle,
      'trailing_data',
    ],
    ['the end mark of the final frame', () => flipped(begin(5)), end, 'frame_order'],
    ['the number of the final frame', () => flipped(begin(5) + 7), end, 'frame_order'],
    ['the length of the final frame: less', () => flipped(begin(5) + 23), end, 'trailing_data'],
    ['the length of the final frame: more', () => flipped(begin(5) + 23, 2), end, 'truncated'],
    [
      'the length of the final frame: more than frames have',
      () => flipped(begin(5) + 23, 64),
      end,
      'frame_auth',
    ],
    ['the content of the final frame', () => flipped(-17), end, 'frame_auth'],
    ['the tag of the final frame', () => flipped(-1), end, 'frame_auth'],
    ['the final frame of another message', () => replaced(5, other.subarray(begin(5))), end, 'frame_auth'],
    [
      'cut where a shorter message could end',
      () => sealed.subarray(0, begin(4) + 8 + BYTES),
      end,
      'truncated',
    ],
    [
      'bytes behind the end, read in order',
      () => Buffer.concat([sealed, frame(sealed, 1)]),
      { first: 4 * FRAME },
      'trailing_data',
    ],
    [
      'bytes behind the end, as of a longer message',
      () => Buffer.concat([sealed, frame(sealed, 1)]),
      end,
      'frame_order',
    ],
    [
      'cut, and read to the end',
      () => sealed.subarray(0, begin(4) + 8 + BYTES),
      { first: 3 * FRAME },
      'truncated',
    ],
    ['the final frame, where more was asked for', () => flipped(-1), { suffix: 3 * FRAME }, 'frame_auth'],
    [
      'a frame before, where the last bytes were asked for',
      () => flipped(begin(4) + 20),
      { suffix: 12 },
      'frame_auth',
    ],
  ])('%s: not one byte of the part', async (_what, change, range, wanted) => {
    for (const ahead of [0, 1 << 16])
      expect(await partOrError(() => open(change(), { ahead, chunk: 17 }), range)).toEqual({
        released: Buffer.alloc(0),
        error: code(wanted),
      });
  });

  test('what is cut off behind a part is not of it', async () => {
    const cut = sealed.subarray(0, begin(4) + 8 + BYTES);
    expect((await part(await open(cut), middle)).equals(slice(plaintext, middle))).toBe(true);
  });

  test('frames before the one that was changed come: they are of the message', async () => {
    const { released, error } = await partOrError(() => open(flipped(begin(4) + 20)), { first: 5 });
    expect(error).toEqual(code('frame_auth'));
    expect(released.equals(plaintext.subarray(5, 3 * FRAME))).toBe(true);
  });

  test('a regular frame of a body that ends there is no end', async () => {
    // The last one is what a final frame would be, but for its mark.
    const body = message((writer) => Buffer.concat([1, 2].map((n) => writer.frame(n, pattern(FRAME)))));
    expect(await partOrError(() => open(body), { suffix: 1 })).toEqual({
      released: Buffer.alloc(0),
      error: code('truncated'),
    });
  });
});
