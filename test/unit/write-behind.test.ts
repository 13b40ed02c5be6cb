/** What is written while the next bytes come. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { WriteBehind } from '../../src/write-behind.js';
import { pattern } from '../helpers/bytes.js';

const MIB = 1024 * 1024;
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
