/** What is written while the next bytes come. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { WriteBehind } from '../../src/write-behind.js';
import { pattern } from '../helpers/bytes.js';

const MIB = 1024 * 1024;
/** Time for a write of the file. */
const turn = async () => delay(50);
let folder: string;
let handle: FileHandle;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealdrop-write-behind-'));
  handle = await open(join(folder, 'file'), 'wx');
});
afterEach(async () => {
  await handle.close();
  rmSync(folder, { recursive: true });
});

test.each([
  [0, 1],
  [1, 1],
  [MIB - 1, 4000],
  [MIB, MIB],
  [MIB + 1, 65_536],
  [5 * MIB + 7, 65_521],
  [7 * MIB, 3 * MIB],
])('%i bytes in pieces of %i, whose memory is used again at once', async (size, piece) => {
  const bytes = pattern(size);
  const content = new WriteBehind(handle);
  const again = Buffer.alloc(piece);
  for (let at = 0; at < size; at += piece) {
    const length = bytes.copy(again, 0, at, at + piece);
    await content.write(again.subarray(0, length));
    again.fill(0xee);
  }
  await content.end();
  expect(readFileSync(join(folder, 'file')).equals(bytes)).toBe(true);
});

test('a write that failed is told, at the latest at the end', async () => {
  const full = await open('/dev/full', 'w');
  try {
    const few = new WriteBehind(full);
    await few.write(pattern(10));
    await expect(few.end()).rejects.toMatchObject({ code: 'ENOSPC' });
    const many = new WriteBehind(full);
    const writeAll = async () => {
      for (let i = 0; i < 4; i++) await many.write(pattern(MIB));
    };
    await expect(writeAll()).rejects.toMatchObject({ code: 'ENOSPC' });
  } finally {
    await full.close();
  }
});

/** A file whose syncs are noted and answered by the test. */
function watched(sync: () => Promise<void>): FileHandle {
  return {
    write: async (bytes: Uint8Array, offset: number) => handle.write(bytes, offset),
    datasync: sync,
  } as FileHandle;
}

test('what is written is brought to the disk while more comes, and counted when it is there', async () => {
  const syncs: (() => void)[] = [];
  const content = new WriteBehind(
    watched(() => new Promise((resolve) => syncs.push(resolve))),
    { syncEvery: 2 * MIB },
  );
  const bytes = pattern(8 * MIB);
  await content.write(bytes.subarray(0, 5 * MIB));
  await turn();
  // One at a time, and nobody waits for it.
  expect([syncs.length, content.durable]).toEqual([1, 0]);
  syncs[0]!();
  await turn();
  expect(content.durable).toBeGreaterThanOrEqual(2 * MIB);
  expect(content.durable).toBeLessThanOrEqual(5 * MIB);
  await content.write(bytes.subarray(5 * MIB));
  const end = content.end();
  await turn();
  expect(syncs).toHaveLength(2);
  expect(await Promise.race([end, turn().then(() => 'under way')])).toBe('under way');
  syncs[1]!();
  await end;
  expect(readFileSync(join(folder, 'file')).equals(bytes)).toBe(true);
});

test('a sync that failed is told, also where the next would succeed', async () => {
  let count = 0;
  const sync = async () => {
    if (count++ === 0) throw Object.assign(new Error('i/o error'), { code: 'EIO' });
  };
  const few = new WriteBehind(watched(sync), { syncEvery: MIB });
  await few.write(pattern(MIB));
  await expect(few.end()).rejects.toMatchObject({ code: 'EIO' });
  await expect(few.end()).rejects.toMatchObject({ code: 'EIO' });
  count = 0;
  const many = new WriteBehind(watched(sync), { syncEvery: MIB });
  const writeAll = async () => {
    for (let i = 0; i < 8; i++) {
      await many.write(pattern(MIB));
      await turn();
    }
  };
  await expect(writeAll()).rejects.toMatchObject({ code: 'EIO' });
  expect(many.durable).toBe(0);
});
