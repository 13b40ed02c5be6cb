/** Parts of what AWS's SDK for Python wrote. */
import { beforeAll, expect, test } from '@jest/globals';
import { pattern } from '../helpers/bytes.js';
import { rsaPair } from '../helpers/keys.js';
import { guideKey, PYTHON_SETUP_TIME, PythonBatch } from '../helpers/python.js';
import { part, rangesFor, served } from '../helpers/stored.js';

const FRAME = 1024;
const SIZES = [1, FRAME, FRAME + 1, 2 * FRAME, 5 * FRAME + 7];
const pair = rsaPair();
const batch = new PythonBatch(4);
const tickets = new Map<string, number>();

beforeAll(async () => {
  for (const size of SIZES)
    for (const stream of [false, true])
      tickets.set(
        `${size} ${stream}`,
        batch.add(
          {
            ...{ op: 'encrypt', policy: 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT', keys: [guideKey(pair)] },
            ...{ suite: 0x0478, frameLength: FRAME, stream },
          },
          pattern(size),
        ),
      );
  await batch.run();
}, PYTHON_SETUP_TIME);

test.each(SIZES.flatMap((size) => [false, true].map((stream) => [size, stream] as const)))(
  '%d bytes, as a stream: %p',
  async (size, stream) => {
    const plaintext = pattern(size);
    const message = batch.output(tickets.get(`${size} ${stream}`)!);
    const opened = await rangesFor(pair).open(served(message, { ahead: 500 }));
    expect(opened.plaintextSize).toBe(size);
    for (const first of [0, size >> 1, size - 1]) {
      expect((await part(opened, { first })).equals(plaintext.subarray(first))).toBe(true);
      const last = Math.min(size - 1, first + 900);
      expect((await part(opened, { first, last })).equals(plaintext.subarray(first, last + 1))).toBe(true);
      expect((await part(opened, { suffix: first + 1 })).equals(plaintext.subarray(-first - 1))).toBe(true);
    }
  },
);
