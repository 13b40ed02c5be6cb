/** Files as targets: the old content or all of the new, and nothing else is ever left. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { openFileTarget, streamTarget, type Target } from '../../src/transfer/target.js';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealdrop-target-'));
  path = join(folder, 'out.txt');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fill(target: Target, ...texts: string[]): Promise<void> {
  for (const text of texts) await target.write(Buffer.from(text));
}
const entries = () => readdirSync(folder);
const mode = async (file: string) => (await stat(file)).mode & 0o7777;

describe('a new file', () => {
  test('is seen under its name only when it is committed, whole', async () => {
    const target = await openFileTarget(path);
    expect(target.held).toBe(true);
    await fill(target, 'hello ', 'world');
    expect(entries()).not.toContain('out.txt');
    await target.commit();
    expect(entries()).toEqual(['out.txt']);
    expect(await readFile(path, 'utf8')).toBe('hello world');
  });

  test('is nowhere when it is discarded, and the file aside is gone', async () => {
    const target = await openFileTarget(path);
    await fill(target, 'secret');
    await target.discard();
    await target.discard();
    expect(entries()).toEqual([]);
  });

  test('stays when it is discarded after the commit', async () => {
    const target = await openFileTarget(path);
    await target.commit();
    await target.discard();
    expect(entries()).toEqual(['out.txt']);
  });

  test('can be read by nobody else while it is written', async () => {
    const target = await openFileTarget(path);
    await fill(target, 'secret');
    const [aside] = entries();
    expect(lstatSync(join(folder, aside!)).mode & 0o777).toBe(0o600);
    await target.discard();
  });

  test.each([0o022, 0o077, 0o000])('has the permissions that the umask %i leaves', async (umask) => {
    const before = process.umask(umask);
    try {
      const target = await openFileTarget(path);
      await target.commit();
      expect(await mode(path)).toBe(0o666 & ~umask);
    } finally {
      process.umask(before);
    }
  });

  test.each([
    ['Japanese', '四半期決算報告書'.repeat(10)],
    ['as long as a file system takes', 'x'.repeat(255)],
    ['emoji', '🍣'.repeat(63)],
    ['a leading dot', '.hidden'],
    ['a line feed', 'a\nb'],
  ])('may have a name with %s', async (_what, name) => {
    const target = await openFileTarget(join(folder, name));
    await fill(target, 'x');
    await target.commit();
    expect(entries()).toEqual([name]);
  });

  test('needs its directory: `target_unwritable`', async () => {
    await expect(openFileTarget(join(folder, 'no', 'file'))).rejects.toMatchObject({
      code: 'target_unwritable',
    });
  });
});

describe('a file that is there', () => {
  beforeEach(() => writeFile(path, 'old', { mode: 0o640 }));

  test('stands until the commit, and after a discard', async () => {
    const target = await openFileTarget(path);
    await fill(target, 'new');
    expect(await readFile(path, 'utf8')).toBe('old');
    await target.discard();
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(entries()).toEqual(['out.txt']);
  });

  test('is replaced at once and keeps its permissions, but never setuid', async () => {
    await chmod(path, 0o4640);
    const target = await openFileTarget(path);
    await fill(target, 'new');
    await target.commit();
    expect(await readFile(path, 'utf8')).toBe('new');
    expect(await mode(path)).toBe(0o640);
  });

  test('is not replaced where overwriting is refused', async () => {
    await expect(openFileTarget(path, { overwrite: false })).rejects.toMatchObject({ code: 'target_exists' });
    expect(entries()).toEqual(['out.txt']);
  });

  test('not even if it came while the content was written, and nothing is left aside', async () => {
    const other = join(folder, 'late.txt');
    const target = await openFileTarget(other, { overwrite: false });
    await fill(target, 'mine');
    await writeFile(other, 'theirs');
    await expect(target.commit()).rejects.toMatchObject({ code: 'target_exists' });
    await target.discard();
    expect(await readFile(other, 'utf8')).toBe('theirs');
    expect(entries().sort()).toEqual(['late.txt', 'out.txt']);
  });

  test('and a symbolic link that came meanwhile is not written through', async () => {
    const other = join(folder, 'late.txt');
    const target = await openFileTarget(other, { overwrite: false });
    await symlink(path, other);
    await expect(target.commit()).rejects.toMatchObject({ code: 'target_exists' });
    await target.discard();
    expect(await readFile(path, 'utf8')).toBe('old');
  });
});

test('two writers of one new name that may not overwrite: one wins, the other has `target_exists`', async () => {
  const targets = await Promise.all([0, 1].map(() => openFileTarget(path, { overwrite: false })));
  await Promise.all(targets.map((target, i) => fill(target, `writer ${i}`)));
  const results = await Promise.allSettled(targets.map((target) => target.commit()));
  await Promise.all(targets.map((target) => target.discard()));
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  expect(results.find((result) => result.status === 'rejected')!.reason).toMatchObject({
    code: 'target_exists',
  });
  expect(entries()).toEqual(['out.txt']);
});

describe('a symbolic link', () => {
  test('stays, and the file that it leads to is replaced', async () => {
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'sub', 'real'), 'old');
    await symlink('sub/real', path);
    const target = await openFileTarget(path);
    await fill(target, 'new');
    expect(readdirSync(join(folder, 'sub'))).toHaveLength(2);
    await target.commit();
    expect(await readlink(path)).toBe('sub/real');
    expect(await readFile(join(folder, 'sub', 'real'), 'utf8')).toBe('new');
  });

  test('that is put in place of the file while it is written is replaced itself, and what it leads to is not touched', async () => {
    const victim = join(folder, 'victim');
    await writeFile(victim, 'precious', { mode: 0o600 });
    const target = await openFileTarget(path);
    await fill(target, 'new');
    await symlink(victim, path);
    await target.commit();
    expect((await lstat(path)).isFile()).toBe(true);
    expect(await readFile(victim, 'utf8')).toBe('precious');
  });

  test('that is put in place of the file aside does not lend its permissions to what it leads to', async () => {
    const victim = join(folder, 'victim');
    await writeFile(victim, 'precious', { mode: 0o600 });
    const target = await openFileTarget(path);
    const aside = join(
      folder,
      entries().find((name) => name.endsWith('.sealdrop-part'))!,
    );
    await rm(aside);
    await symlink(victim, aside);
    await target.commit().catch(() => undefined);
    await target.discard();
    expect(await mode(victim)).toBe(0o600);
    expect(await readFile(victim, 'utf8')).toBe('precious');
  });
});

describe('what is no regular file', () => {
  /** As root, code that took a device for a file would replace the machine's own: this lets go of it before that. */
  async function openDevice(device: string): Promise<Target> {
    const target = await openFileTarget(device);
    if (!target.held) return target;
    await target.discard();
    throw new Error(`${device} was taken for a regular file`);
  }

  test('/dev/null takes everything and stays a device', async () => {
    const before = statSync('/dev/null');
    const target = await openDevice('/dev/null');
    await fill(target, 'gone');
    await target.commit();
    await target.discard();
    const after = lstatSync('/dev/null');
    expect(after.isCharacterDevice()).toBe(true);
    expect(after.ino).toBe(before.ino);
    expect(readdirSync('/dev').filter((name) => name.includes('sealdrop-part'))).toEqual([]);
  });

  test('/dev/full is `disk_full`', async () => {
    const target = await openDevice('/dev/full');
    await expect(fill(target, 'x')).rejects.toMatchObject({ code: 'disk_full' });
    await target.discard();
  });

  test('a pipe is written to, and stays', async () => {
    execFileSync('mkfifo', [path]);
    // A process of its own, which ends: a read in this one would wait for a writer for ever.
    const reading = promisify(execFile)('cat', [path], { timeout: 10_000 });
    const target = await openDevice(path);
    await fill(target, 'through');
    await target.commit();
    expect((await reading).stdout).toBe('through');
    expect((await lstat(path)).isFIFO()).toBe(true);
  });

  test('a directory is `target_unwritable`', async () => {
    await expect(openFileTarget(folder)).rejects.toMatchObject({ code: 'target_unwritable' });
  });
});

test('a full disk is `disk_full`, the old file stands and nothing is left aside', async () => {
  await writeFile(path, 'old');
  const bundle = join(folder, '..', `${folder.split('/').pop()!}.mjs`);
  const source = new URL('../../src/transfer/target.ts', import.meta.url).pathname;
  const contents = `
    import { openFileTarget } from ${JSON.stringify(source)};
    process.on('SIGXFSZ', () => {}); // as Node has no handler, the limit would end the process
    const target = await openFileTarget(${JSON.stringify(path)});
    try {
      for (let i = 0; i < 64; i++) await target.write(Buffer.alloc(64 * 1024));
      await target.commit();
    } catch (error) {
      console.log(error.code);
    } finally {
      await target.discard();
    }`;
  try {
    await build({
      stdin: { contents, resolveDir: '/', loader: 'ts' },
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
    });
    const run = spawnSync('bash', ['-c', `ulimit -f 1024; exec "${process.execPath}" "${bundle}"`], {
      encoding: 'utf8',
    });
    expect(run.stdout).toBe('disk_full\n');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(entries()).toEqual(['out.txt']);
  } finally {
    await rm(bundle, { force: true });
  }
});

describe('a stream as target', () => {
  test('gets every byte in order, and a slow one holds the writer back', async () => {
    const seen: string[] = [];
    const slow = new Writable({
      highWaterMark: 1,
      write: (chunk: Buffer, _encoding, done) => setTimeout(() => (seen.push(chunk.toString()), done()), 5),
    });
    const target = streamTarget(slow);
    expect(target.held).toBe(false);
    await target.write(Buffer.from('a'));
    expect(seen).toEqual(['a']);
    await target.write(Buffer.from('b'));
    expect(seen).toEqual(['a', 'b']);
    await target.commit();
  });

  test('whose reader went away is `output_closed`, once and for every later write', async () => {
    const gone = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    const target = streamTarget(gone);
    for (let i = 0; i < 2; i++)
      await expect(target.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'output_closed' });
  });
});
