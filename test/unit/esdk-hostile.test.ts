/** A store that has the public key and wants the reader to hang, to eat memory, or to take back what it said. */
import { describe, expect, test } from '@jest/globals';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { openMessage } from '../../src/transfer/get.js';
import type { Target } from '../../src/transfer/target.js';
import { chunked, drain, pattern } from '../helpers/bytes.js';
import { decryptorFor, NAMES, publicPem, rsaPair } from '../helpers/keys.js';
import { heldBytes } from '../helpers/garbage.js';
import { craft, type CraftOptions } from '../vectors/craft.mjs';

const pair = rsaPair();
const recipients = [{ ...NAMES, publicKey: publicPem(pair) }];
const crafted = (options: Partial<CraftOptions> & Pick<CraftOptions, 'body'>) =>
  craft({ pairs: [], recipients, frameLength: 16, ...options });
const reader = decryptorFor(pair);
const unframed = (body: CraftOptions['body']) => crafted({ frameLength: 0, contentType: 1, body });

const u16 = (n: number) => Buffer.from([n >> 8, n & 255]);
const field = (length: number) => Buffer.concat([u16(length), Buffer.alloc(length, 0x61)]);
const headerBegin = Buffer.concat([Buffer.from([2, 0x04, 0x78]), Buffer.alloc(32), u16(0), u16(0xffff)]);
const tail = Buffer.concat([Buffer.from([2, 0, 0, 0, 16]), Buffer.alloc(48)]);

/** The same piece for ever; says how often it was asked. */
function endless(begin: Uint8Array, piece: Uint8Array) {
  const count = { pieces: 0, closed: false };
  async function* source() {
    try {
      yield begin;
      for (;;) {
        count.pieces++;
        yield piece;
      }
    } finally {
      count.closed = true;
    }
  }
  return { source: source(), count };
}

describe('a header that is a bomb', () => {
  test('with 65,535 wrapped keys, sent byte by byte, is refused in time by policy', async () => {
    const bomb = Buffer.concat([
      headerBegin,
      ...Array.from({ length: 0xffff }, () => Buffer.concat([field(1), field(1), field(1)])),
      tail,
    ]);
    for (const size of [1, 16, 65_536]) {
      const { error } = await drain(reader.decrypt(chunked(bomb, size)));
      expect(error).toMatchObject({ code: 'policy', message: expect.stringContaining('65535') });
    }
  }, 20_000);

  test('that never ends is refused after some megabytes, and the source is closed', async () => {
    const { source, count } = endless(headerBegin, field(65_535));
    expect((await drain(reader.decrypt(source))).error).toMatchObject({ code: 'policy' });
    expect(count.pieces).toBeLessThan(64);
    expect(count.closed).toBe(true);
    await expect(esdkInspector.inspect(endless(headerBegin, field(65_535)).source)).rejects.toMatchObject({
      code: 'policy',
    });
  });

  test('with a context as large as can be is read', async () => {
    const message = crafted({ pairs: [['a', 'x'.repeat(65_500)]], body: (w) => w.final(1, pattern(5)) });
    expect(await drain(reader.decrypt(chunked(message, 9)))).toEqual({ released: pattern(5) });
  });
});

describe('a frame that never ends', () => {
  const claims = crafted({
    frameLength: 0xffffffff,
    body: () => Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.alloc(12)]),
  });

  test('is refused before any of it is read, where nothing can be held back', async () => {
    const { source, count } = endless(claims, Buffer.alloc(65_536));
    expect((await drain(reader.decrypt(source))).error).toMatchObject({ code: 'policy' });
    // The header is read some bytes ahead.
    expect(count).toEqual({ pieces: 1, closed: true });
  });

  test('is passed on in pieces where the target holds it back, and is never kept in memory', async () => {
    const { source } = endless(claims, Buffer.alloc(65_536));
    let passed = 0;
    const before = heldBytes();
    for await (const piece of reader.decrypt(source, { held: true })) {
      passed += piece.length;
      if (passed < 100 * 1024 * 1024) continue;
      expect(heldBytes() - before).toBeLessThan(16 * 1024 * 1024);
      break;
    }
  });

  test('of 64 MiB, of which little comes, takes little memory', async () => {
    const message = crafted({
      frameLength: 64 * 1024 * 1024,
      body: () => Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.alloc(5000)]),
    });
    const before = heldBytes();
    expect((await drain(reader.decrypt(chunked(message, 100)))).error).toMatchObject({ code: 'truncated' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });
});

test('bytes handed over before their tag was checked reach a target that holds them back, and it is discarded', async () => {
  const message = unframed((w) => w.block(pattern(40)));
  message[message.length - 1]! ^= 1;
  const limited = decryptorFor(pair, { maxFrameLength: 16 });
  const log: string[] = [];
  const target = (held: boolean): Target => ({
    held,
    write: async () => void log.push('write'),
    commit: async () => void log.push('commit'),
    discard: async () => void log.push('discard'),
  });
  const open = (held: boolean) =>
    openMessage(chunked(message, 9), { decryptor: limited, target: target(held), binding: 'allow' });
  await expect(open(true)).rejects.toMatchObject({ code: 'frame_auth' });
  expect(log.splice(0)).toEqual(['write', 'discard']);
  await expect(open(false)).rejects.toMatchObject({ code: 'policy' });
  expect(log).toEqual(['discard']);
});

test('what comes endlessly after a whole message is not read on', async () => {
  const whole = crafted({ body: (w) => w.final(1, pattern(16)) });
  const { source, count } = endless(whole, Buffer.alloc(1000));
  const { released, error } = await drain(reader.decrypt(source));
  expect(error).toMatchObject({ code: 'trailing_data' });
  expect(released.equals(pattern(16))).toBe(true);
  expect(count.pieces).toBeLessThan(10);
  expect(count.closed).toBe(true);
});

test('empty pieces without end are no bytes, and the reader still comes to what follows', async () => {
  const whole = crafted({ body: (w) => w.final(1, pattern(16)) });
  async function* source() {
    for (const byte of whole) {
      for (let i = 0; i < 20; i++) yield Buffer.alloc(0);
      yield Buffer.from([byte]);
    }
  }
  expect(await drain(reader.decrypt(source()))).toEqual({ released: pattern(16) });
});

test('a source that breaks passes on its own error, and nothing unchecked comes before it', async () => {
  const body: CraftOptions['body'] = (w) =>
    Buffer.concat([w.frame(1, pattern(5000)), w.final(2, pattern(16))]);
  const message = crafted({ frameLength: 5000, body });
  const broken = new Error('connection reset');
  async function* source() {
    yield message.subarray(0, -3);
    throw broken;
  }
  const { released, error } = await drain(reader.decrypt(source()));
  expect(error).toBe(broken);
  expect(released.equals(pattern(5000))).toBe(true);
});

test('fifty thousand frames of one byte are all read', async () => {
  const frames = (count: number) =>
    crafted({
      frameLength: 1,
      body: (w) =>
        Buffer.concat([
          ...Array.from({ length: count - 1 }, (_, i) => w.frame(i + 1, Buffer.from([1]))),
          w.final(count, Buffer.from([1])),
        ]),
    });
  const { released, error } = await drain(reader.decrypt(chunked(frames(50_000), 65_536)));
  expect(error).toBeUndefined();
  expect(released.length).toBe(50_000);
});
