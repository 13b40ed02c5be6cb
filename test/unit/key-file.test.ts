/** One key set in a file, changed by several at once, and what a run that was killed leaves. */
import { afterAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { keptFile } from '../../src/compose-key-file.js';
import { hostId } from '../../src/processes.js';
import { holdLock } from '../../src/transfer/lock-file.js';

const folder = mkdtempSync(join(tmpdir(), 'sealdrop-key-file-'));
afterAll(() => rmSync(folder, { recursive: true }));
let made = 0;
const newPath = () => join(folder, `keys-${made++}.json`);
const lockOf = (path: string) => path.replace(/([^/]+)$/, '.$1.sealdrop-lock');
const gone = spawnSync(process.execPath, ['-e', '']).pid;

describe('a file that is changed by several who have read the same', () => {
  test.each([
    ['that is there', true],
    ['that is not there yet', false],
  ])('%s, is changed by one of them, and the others are told', async (_, there) => {
    for (let round = 0; round < 20; round++) {
      const path = newPath();
      if (there) writeFileSync(path, 'before');
      const replaces = (await keptFile(path).read())?.version;
      const writes = Array.from({ length: 4 }, (_each, i) =>
        keptFile(path).write(Buffer.from(`by ${i}`), { replaces, isPrivate: true }),
      );
      const results = await Promise.allSettled(writes);
      const done = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
      expect(done).toHaveLength(1);
      expect(readFileSync(path, 'utf8')).toBe(`by ${done[0]}`);
      for (const result of results)
        if (result.status === 'rejected')
          expect(result.reason).toMatchObject({ code: 'precondition_failed', retryable: true });
    }
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('by an editor that knows of no lock, is looked at again when the new one is on disk', async () => {
    const path = newPath();
    writeFileSync(path, 'before');
    const { version } = (await keptFile(path).read())!;
    const bytes = Buffer.from('after');
    writeFileSync(path, 'edited');
    await expect(keptFile(path).write(bytes, { replaces: version })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    expect(readFileSync(path, 'utf8')).toBe('edited');
  });
});

describe('a lock', () => {
  const elsewhere = () => {
    const path = newPath();
    writeFileSync(path, holder(gone));
    return path;
  };
  const holder = (pid: number, host = hostId()) => JSON.stringify({ pid, host, id: 'other' });

  test.each([
    ['whose process is gone', holder(gone), 0],
    ['of another machine, ten minutes old', holder(process.pid, 'elsewhere'), 660],
    ['of a process whose number another has by now', holder(process.pid), 660],
    ['that says nothing, ten minutes old', '', 660],
    ['that is no lock of ours, ten minutes old', 'null', 660],
  ])('%s, is taken over', async (_, content, age) => {
    const path = newPath();
    writeFileSync(lockOf(path), content);
    utimesSync(lockOf(path), Date.now() / 1000 - age, Date.now() / 1000 - age);
    const lock = await holdLock(path, { patience: 0 });
    await lock.assertHeld();
    await lock.release();
    expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual([]);
  });

  test.each([
    ['of a process that runs', holder(process.pid)],
    ['of another machine', holder(gone, 'elsewhere')],
    ['that is being written', ''],
    ['that is no lock of ours', 'null'],
  ])('%s, is waited for, and not for ever', async (_, content) => {
    const path = newPath();
    writeFileSync(lockOf(path), content);
    await expect(holdLock(path, { patience: 0 })).rejects.toMatchObject({
      code: 'precondition_failed',
      retryable: true,
    });
    expect(readFileSync(lockOf(path), 'utf8')).toBe(content);
    rmSync(lockOf(path));
  });

  test.each([
    ['a pipe, which nobody writes to', (path: string) => spawnSync('mkfifo', [path])],
    ['a link to what never ends', (path: string) => symlinkSync('/dev/zero', path)],
    ['a link to a lock that is left', (path: string) => symlinkSync(elsewhere(), path)],
    ['a folder', (path: string) => mkdirSync(path)],
  ])('is no %s, that somebody put there: it is waited for, and not for ever', async (_, plant) => {
    const path = newPath();
    plant(lockOf(path));
    await expect(holdLock(path, { patience: 0 })).rejects.toMatchObject({ code: 'precondition_failed' });
    expect(lstatSync(lockOf(path)).isFile()).toBe(false);
    rmSync(lockOf(path), { recursive: true });
  });

  test('of a name that is as long as names may be is made, and is the name’s own', async () => {
    const [one, other] = ['a', 'b'].map((end) => join(folder, 'あ'.repeat(84) + end));
    const locks = [await holdLock(one!), await holdLock(other!)];
    await expect(holdLock(one!, { patience: 0 })).rejects.toMatchObject({ code: 'precondition_failed' });
    for (const lock of locks) await lock.release();
    expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual([]);
  });

  test('is taken over by one of many', async () => {
    for (let round = 0; round < 20; round++) {
      const path = newPath();
      writeFileSync(lockOf(path), holder(gone));
      const tries = await Promise.allSettled([0, 1, 2, 3].map(() => holdLock(path, { patience: 0 })));
      const locks = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      const held = await Promise.allSettled(locks.map((lock) => lock.assertHeld()));
      expect(held.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const lock of locks) await lock.release();
    }
  });

  test('that somebody took is known to be lost, and left to them', async () => {
    const path = newPath();
    const lock = await holdLock(path);
    writeFileSync(lockOf(path), holder(process.pid));
    await expect(lock.assertHeld()).rejects.toMatchObject({ code: 'precondition_failed' });
    await lock.release();
    expect(readFileSync(lockOf(path), 'utf8')).toBe(holder(process.pid));
    rmSync(lockOf(path));
  });

  test('is removed when its process ends before it has done', async () => {
    const path = newPath();
    const outfile = join(folder, 'holder.mjs');
    const source = join(process.cwd(), 'src/transfer/lock-file.ts');
    const contents = `
      import { existsSync } from 'node:fs';
      import { holdLock } from ${JSON.stringify(source)};
      await holdLock(${JSON.stringify(path)});
      process.exit(existsSync(${JSON.stringify(lockOf(path))}) ? 130 : 1);`;
    const stdin = { contents, resolveDir: '/', loader: 'ts' as const };
    await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm' });
    expect(spawnSync(process.execPath, [outfile]).status).toBe(130);
    expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual([]);
  });
});
