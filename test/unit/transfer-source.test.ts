/** Files as sources: what was read is one state of one file, or `source_changed`. */
import {
  appendFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openFileSource, streamSource } from '../../src/transfer/source.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';

const SIZE = 3 * 1024 * 1024 + 5; // several reads
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealdrop-source-'));
  path = join(folder, 'file');
});
afterEach(() => rm(folder, { recursive: true }));

/** Reads it all, and lets something happen when the first piece is there. */
async function readWhile(happens: () => Promise<unknown>, options?: { follow?: boolean }): Promise<Buffer> {
  const source = await openFileSource(path, options);
  try {
    const pieces: Uint8Array[] = [];
    for await (const piece of source.read()) {
      if (pieces.length === 0) await happens();
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  } finally {
    await source.close();
  }
}

test.each([0, 1, 1024 * 1024 - 1, 1024 * 1024, SIZE])(
  'a file of %d bytes is read whole, and its size is known',
  async (size) => {
    await writeFile(path, pattern(size));
    const source = await openFileSource(path);
    expect(source.size).toBe(size);
    expect((await collect(source.read())).equals(pattern(size))).toBe(true);
    await source.close();
  },
);

describe('a file that does not rest is `source_changed`, which may be tried again:', () => {
  const later = new Date(Date.now() + 60_000);
  const changes: Record<string, () => Promise<unknown>> = {
    'written to in place': async () => {
      await writeFile(path, Buffer.alloc(10), { flag: 'r+' });
      await utimes(path, later, later); // clocks are coarse: a real writer is rarely this quick
    },
    grown: () => appendFile(path, 'x'),
    truncated: () => truncate(path, SIZE - 1),
    'truncated to nothing': () => truncate(path, 0),
  };

  test.each(Object.keys(changes))('%s', async (which) => {
    await writeFile(path, pattern(SIZE));
    await expect(readWhile(changes[which]!)).rejects.toMatchObject({
      code: 'source_changed',
      retryable: true,
    });
  });

  test.each(['deleted', 'replaced', 'renamed'])('%s (where no link is followed)', async (how) => {
    await writeFile(path, pattern(SIZE));
    const another = join(folder, 'another');
    await writeFile(another, pattern(SIZE));
    const change = async () => {
      if (how === 'deleted') await unlink(path);
      if (how === 'replaced') await rename(another, path);
      if (how === 'renamed') await rename(path, `${path}2`);
    };
    await expect(readWhile(change, { follow: false })).rejects.toMatchObject({ code: 'source_changed' });
  });

  test('replaced by a symbolic link to a file of the same content', async () => {
    await writeFile(path, pattern(SIZE));
    const swap = async () => {
      await rename(path, `${path}2`);
      await symlink(`${path}2`, path);
    };
    await expect(readWhile(swap, { follow: false })).rejects.toMatchObject({ code: 'source_changed' });
  });
});

test('a file that rests is read twice at the same time without harm', async () => {
  await writeFile(path, pattern(SIZE));
  const [a, b] = await Promise.all([readWhile(async () => {}), readWhile(async () => {})]);
  expect(a.equals(b)).toBe(true);
});

test('a link is followed, or refused where it is not to be', async () => {
  await writeFile(join(folder, 'real'), 'hello');
  await symlink('real', path);
  expect((await readWhile(async () => {})).toString()).toBe('hello');
  await expect(openFileSource(path, { follow: false })).rejects.toMatchObject({ code: 'source_unreadable' });
});

test('what is not there is `source_not_found`, also below a file', async () => {
  await expect(openFileSource(path)).rejects.toMatchObject({ code: 'source_not_found' });
  await writeFile(path, '');
  await expect(openFileSource(join(path, 'below'))).rejects.toMatchObject({ code: 'source_not_found' });
});

test('a directory is no source', async () => {
  await mkdir(path);
  await expect(openFileSource(path)).rejects.toMatchObject({ code: 'usage' });
});

test('a pipe is read to its end, and its size is not known before', async () => {
  execFileSync('mkfifo', [path]);
  const writing = writeFile(path, 'through the pipe');
  const source = await openFileSource(path);
  expect(source.size).toBeUndefined();
  expect((await collect(source.read())).toString()).toBe('through the pipe');
  await Promise.all([writing, source.close()]);
});

test('a stream is passed on as it is', async () => {
  const source = streamSource(chunked(Buffer.from('hello'), 2), 5);
  expect(source.size).toBe(5);
  expect((await collect(source.read())).toString()).toBe('hello');
  await source.close();
});
