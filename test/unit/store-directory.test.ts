/** What a directory as a store has to withstand beyond the suite of all stores. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFile,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { isSealdropError } from '../../src/errors.js';
import { UPLOAD_ENTRY, type ObjectStore } from '../../src/ports.js';
import {
  createVault,
  findVaultRoot,
  openDirectoryStore,
  readMarker,
  removeStaleTemp,
} from '../../src/store/directory.js';
import { fsError } from '../../src/store/fs-errors.js';
import { writeSidecar } from '../../src/store/sidecar.js';
import '../helpers/core-errors.js';
import { chunked, collect } from '../helpers/bytes.js';

let folder: string;
let root: string;
let store: ObjectStore;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'sealdrop-directory-')));
  root = join(folder, 'vault');
  await createVault(root);
  store = openDirectoryStore({ root });
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const put = async (key: string, text: string | Buffer = key, options = {}) =>
  store.put(key, chunked(Buffer.from(text), 1 << 20), options);
const read = async (key: string) => (await collect((await store.get(key)).body)).toString();
const at = (...path: string[]) => join(root, ...path);
const tempFiles = () => readdir(at('.sealdrop-tmp'));

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    if (isSealdropError(error)) return error.code;
    throw error;
  }
}

async function keys(prefix = ''): Promise<string[]> {
  const found = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found;
}

describe('files', () => {
  test('a body is the bytes alone, with the mode of any other file', async () => {
    await put('a/b', 'bytes', { metadata: { x: 'y' } });
    expect(await readFile(at('a/b'), 'utf8')).toBe('bytes');
    expect((await stat(at('a/b'))).mode & 0o777).toBe(0o666 & ~process.umask());
    expect(await tempFiles()).toEqual([]);
  });

  test('directories that become empty go away, others stay', async () => {
    await put('a/b/c/d');
    await put('a/x');
    await store.remove('a/b/c/d');
    expect(await readdir(at('a'))).toEqual(['x']);
    await store.remove('a/x');
    expect(await readdir(root)).not.toContain('a');
    expect(await readMarker(root)).toBeDefined();
  });

  test('a failed put leaves no directories of its own', async () => {
    async function* broken() {
      yield Buffer.from('x');
      throw new Error('broken');
    }
    await expect(store.put('new/deep/key', broken())).rejects.toThrow('broken');
    const refused = store.put('new/deep/key', chunked(Buffer.from('x'), 1), {
      condition: { ifMatch: 'none' },
    });
    expect(await codeOf(refused)).toBe('precondition_failed');
    expect(await readdir(root)).not.toContain('new');
    expect(await tempFiles()).toEqual([]);
  });

  test('a directory made and removed by others at the same time costs nothing', async () => {
    const rounds = Array.from({ length: 40 }, (_, i) => i);
    await Promise.all(
      rounds.map(async (i) => {
        await put(`shared/deep/${i}`);
        await store.remove(`shared/deep/${i}`);
      }),
    );
    expect(await keys()).toEqual([]);
    expect(await readdir(root)).not.toContain('shared');
  });

  // Further down as well: whoever stores `a/.sealdrop-vault` would shut the folder `a` for everybody else.
  test.each([
    ['.sealdrop-vault'],
    ['.sealdrop-meta/x'],
    ['.sealdrop-tmp/x'],
    ['.sealdrop-anything'],
    ['a/.sealdrop-vault'],
    ['a/.Sealdrop-Vault'],
    ['a/.sealdrop-vault/b'],
  ])('the name %s is not for objects', async (key) => {
    expect(() => store.assertStorable(key)).toThrow(/cannot be stored/);
    expect(await codeOf(put(key))).toBe('key_not_storable');
    expect(await codeOf(store.get(key))).toBe('object_not_found');
    expect(await codeOf(store.remove(key))).toBe('key_not_storable');
    expect(await readMarker(root)).toBeDefined();
  });

  test('a file where a directory is needed, and the reverse', async () => {
    await put('a');
    expect(await codeOf(put('a/b'))).toBe('key_not_storable');
    await put('c/d');
    expect(await codeOf(put('c'))).toBe('key_not_storable');
    expect(await codeOf(store.head('c'))).toBe('object_not_found');
    expect(await codeOf(store.get('a/b'))).toBe('object_not_found');
    expect(await codeOf(store.remove('c'))).toBe('none');
    expect([await read('a'), await read('c/d')]).toEqual(['a', 'c/d']);
  });

  test.each([
    ['ENOSPC', 'disk_full', false],
    ['EDQUOT', 'disk_full', false],
    ['EFBIG', 'disk_full', false],
    ['EACCES', 'access_denied', false],
    ['EPERM', 'access_denied', false],
    ['EROFS', 'access_denied', false],
    ['ENAMETOOLONG', 'key_not_storable', false],
    ['ELOOP', 'object_not_found', false],
    ['EMFILE', 'store_unavailable', true],
    ['EIO', 'store_refused', false],
  ])('%s is %s', (code, ours, retryable) => {
    const error = fsError(Object.assign(new Error('failed'), { code }), 'file:///a\u0007b');
    expect(error).toMatchObject({ code: ours, retryable });
    expect((error as Error).message).toMatch(/^file:\/\/\/a\\u\{7\}b: /);
  });

  test('a file that becomes shorter while it is read is no end', async () => {
    await put('big', randomBytes(4 << 20));
    const { body } = await store.get('big');
    await truncate(at('big'), 1 << 20);
    expect(await codeOf(collect(body))).toBe('source_changed');
  });
});

describe('symbolic links and special files', () => {
  let outside: string;
  beforeEach(async () => {
    outside = join(folder, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'secret'), 'secret');
  });

  test('a link in place of a directory is not walked through', async () => {
    await symlink(outside, at('linked'));
    expect(await codeOf(put('linked/new'))).toBe('key_not_storable');
    expect(await codeOf(store.head('linked/secret'))).toBe('object_not_found');
    expect(await codeOf(store.get('linked/secret'))).toBe('object_not_found');
    expect(await codeOf(store.remove('linked/secret'))).toBe('none');
    expect(await keys()).toEqual([]);
    expect(await keys('linked/')).toEqual([]);
    expect(await readdir(outside)).toEqual(['secret']);
  });

  test('a link in place of an object is neither read, nor written through, nor removed', async () => {
    await symlink(join(outside, 'secret'), at('linked'));
    expect(await codeOf(store.get('linked'))).toBe('object_not_found');
    expect(await codeOf(put('linked'))).toBe('key_not_storable');
    expect(await codeOf(put('linked', 'x', { condition: { absent: true } }))).toBe('key_not_storable');
    await store.remove('linked');
    expect((await lstat(at('linked'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret');
    expect(await keys()).toEqual([]);
  });

  test('links in place of sealdrop’s own folders are refused', async () => {
    await symlink(outside, at('.sealdrop-tmp'));
    expect(await codeOf(put('a'))).toBe('not_a_vault');
    await rm(at('.sealdrop-tmp'));
    await symlink(outside, at('.sealdrop-meta'));
    expect(await codeOf(put('a', 'x', { metadata: { a: 'b' } }))).toBe('not_a_vault');
    expect(await readdir(outside)).toEqual(['secret']);
    expect(await tempFiles()).toEqual([]);
  });

  test('a named pipe is not waited for', async () => {
    await promisify(execFile)('mkfifo', [at('pipe')]);
    expect(await codeOf(store.get('pipe'))).toBe('object_not_found');
    expect(await codeOf(put('pipe'))).toBe('key_not_storable');
    expect(await keys()).toEqual([]);
  });

  test('the root itself may be reached by a link', async () => {
    await symlink(root, join(folder, 'link-to-vault'));
    const linked = openDirectoryStore({ root: join(folder, 'link-to-vault') });
    await linked.put('a', chunked(Buffer.from('x'), 1));
    expect(await read('a')).toBe('x');
  });

  test.each([['../outside/'], ['a/../../outside/'], ['/'], ['.'], ['..'], ['\0']])(
    'the prefix %j leads nowhere',
    async (prefix) => {
      expect(await keys(prefix)).toEqual([]);
    },
  );

  test('names that are not UTF-8 are not listed', async () => {
    await put('a');
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), 'x');
    expect(await keys()).toEqual(['a']);
  });
});

describe('metadata beside the body', () => {
  const metadata = { 'sealdrop-format': 'esdk' };

  test('counts for nothing when the body has been changed', async () => {
    await put('a', 'body', { metadata });
    expect((await store.head('a')).metadata).toEqual(metadata);
    await appendFile(at('a'), 'more');
    expect((await store.head('a')).metadata).toEqual({});
  });

  test('counts for nothing when the body was replaced by one of the same size', async () => {
    await put('a', 'body', { metadata });
    await sleep(5);
    await writeFile(at('a'), 'BODY');
    expect((await store.head('a')).metadata).toEqual({});
  });

  test.each([['not json'], ['null'], ['{"key":"b"}'], ['{"metadata":7}'], ['']])(
    'that is %j is no error',
    async (text) => {
      await put('a', 'body', { metadata });
      const [name] = await readdir(at('.sealdrop-meta'));
      await writeFile(at('.sealdrop-meta', name!), text);
      expect((await store.head('a')).metadata).toEqual({});
    },
  );

  const replace = async (ifMatch: string, round: string) =>
    store.replaceMetadata('a', { ifMatch, metadata: { round, [UPLOAD_ENTRY]: round } });

  test('is replaced, and the ETag with it, however fast and whatever time the body has', async () => {
    await put('a', 'body', { metadata });
    const future = Date.now() / 1000 + 1000;
    await utimes(at('a'), future, future);
    const etags = [(await store.head('a')).etag];
    for (let round = 0; round < 20; round++) {
      const { etag, metadata: now } = await replace(etags.at(-1)!, `${round}`);
      expect(now).toEqual({ round: `${round}`, [UPLOAD_ENTRY]: `${round}` });
      etags.push(etag);
    }
    expect(new Set(etags).size).toBe(21);
    expect(await read('a')).toBe('body');
    expect(await tempFiles()).toEqual([]);
    // Nothing of the old ones stays.
    const [name] = await readdir(at('.sealdrop-meta'));
    expect(JSON.parse(await readFile(at('.sealdrop-meta', name!), 'utf8'))).not.toHaveProperty('before');
  });

  test('that a killed process was about to replace is one of the two', async () => {
    await put('a', 'body', { metadata });
    const stamp = await lstat(at('a'), { bigint: true });
    const planned = { size: stamp.size, mtimeNs: 2_000_000_000n * 1_000_000_000n };
    await writeSidecar(root, 'a', { stamp: planned, metadata: { b: 'new' } }, { stamp, metadata });
    const before = await store.head('a');
    expect(before.metadata).toEqual(metadata);
    await utimes(at('a'), 2_000_000_000, 2_000_000_000);
    expect(await store.head('a')).toMatchObject({ metadata: { b: 'new' } });
    expect((await store.head('a')).etag).not.toBe(before.etag);
  });

  test('is not replaced where the body has other links: it would cost theirs', async () => {
    const { etag } = await put('a', 'body', { metadata });
    await link(at('a'), join(folder, 'backup'));
    expect(await codeOf(replace(etag, '1'))).toBe('store_refused');
    expect(await store.head('a')).toMatchObject({ etag, metadata });
  });

  test('goes with its object', async () => {
    await put('a', 'body', { metadata });
    await store.remove('a');
    expect(await readdir(at('.sealdrop-meta'))).toEqual([]);
    await put('a', 'body', { metadata });
    await put('a', 'body');
    expect(await readdir(at('.sealdrop-meta'))).toEqual([]);
  });
});

describe('conditions on file systems', () => {
  test('absent holds against a file that another process makes at the last moment', async () => {
    async function* source() {
      yield Buffer.from('ours');
      await writeFile(at('a'), 'theirs');
    }
    expect(await codeOf(store.put('a', source(), { condition: { absent: true } }))).toBe(
      'precondition_failed',
    );
    expect(await read('a')).toBe('theirs');
    expect(await tempFiles()).toEqual([]);
  });

  test('ifMatch: of several writers in this process one wins', async () => {
    const { etag } = await put('a', 'first');
    const other = openDirectoryStore({ root });
    const writers = [store, other, store, other].map((each, i) =>
      codeOf(each.put('a', chunked(Buffer.from(`${i}`), 1), { condition: { ifMatch: etag } })),
    );
    expect((await Promise.all(writers)).sort()).toEqual(['none', ...Array(3).fill('precondition_failed')]);
  });

  test('an etag changes with every write, even of the same bytes', async () => {
    const first = await put('a', 'same');
    const second = await put('a', 'same');
    expect(second.etag).not.toBe(first.etag);
  });

  test('hard links to a body do not make it another object’s', async () => {
    await put('a', 'first');
    await link(at('a'), at('b'));
    await put('a', 'second');
    expect([await read('a'), await read('b')]).toEqual(['second', 'first']);
  });
});

describe('processes that die', () => {
  let program: string;
  beforeEach(async () => {
    program = join(folder, 'put.mjs');
    await build({
      stdin: {
        resolveDir: process.cwd(),
        contents: `
          import { openDirectoryStore } from './src/store/directory.ts';
          const [root, size, wait] = process.argv.slice(2);
          async function* source() {
            yield new Uint8Array(Number(size));
            process.stdout.write('sent\\n');
            await new Promise((resolve) => setTimeout(resolve, Number(wait)));
          }
          openDirectoryStore({ root }).put('a', source()).then(
            () => console.log('stored'),
            (error) => console.log(error.code),
          );`,
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
    });
  });

  test('no room: disk_full, nothing left, and the old object stands', async () => {
    await put('a', 'old');
    // In blocks of 512 or of 1,024 bytes, as the shell likes.
    const command = `ulimit -f 1024; exec "${process.execPath}" "${program}" "${root}" 4000000 0`;
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command]);
    expect(stdout.trim().split('\n').at(-1)).toBe('disk_full');
    expect(await read('a')).toBe('old');
    expect(await tempFiles()).toEqual([]);
  });

  test('killed half-way: the old object stands, and what is left is seen by nobody and removed after a day', async () => {
    await put('a', 'old');
    const child = spawn(process.execPath, [program, root, '100000', '60000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    const [left] = await tempFiles();
    expect(left).toBeDefined();
    expect([await read('a'), await keys()]).toEqual(['old', ['a']]);
    await openDirectoryStore({ root }).put('b', chunked(Buffer.from('b'), 1));
    expect(await tempFiles()).toEqual([left]);
    const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1000);
    await utimes(at('.sealdrop-tmp', left!), yesterday, yesterday);
    await openDirectoryStore({ root }).put('b', chunked(Buffer.from('b'), 1));
    expect(await tempFiles()).toEqual([]);
    expect(await removeStaleTemp(root)).toBe(0);
  });
});

describe('vaults', () => {
  test('are found from any path below them', async () => {
    const found = { root, binding: 'required' };
    expect(await findVaultRoot(root)).toEqual({ ...found, rest: '' });
    expect(await findVaultRoot(at('a', 'b', 'not there'))).toEqual({ ...found, rest: 'a/b/not there' });
    expect(await findVaultRoot(at('a', '..', 'b'))).toEqual({ ...found, rest: 'b' });
    expect(await findVaultRoot(folder)).toBeUndefined();
  });

  test('the innermost counts', async () => {
    await createVault(at('inner'), 'allow');
    expect(await findVaultRoot(at('inner', 'x'))).toEqual({ root: at('inner'), rest: 'x', binding: 'allow' });
  });

  test('are made of missing and empty directories, of others only on request', async () => {
    await createVault(join(folder, 'x', 'y'), 'allow');
    expect(await readMarker(join(folder, 'x', 'y'))).toEqual({ version: 1, binding: 'allow' });
    const full = join(folder, 'full');
    await mkdir(full);
    await writeFile(join(full, 'file'), 'file');
    expect(await codeOf(createVault(full))).toBe('not_a_vault');
    expect(await readdir(full)).toEqual(['file']);
    await createVault(full, 'required', { adopt: true });
    expect(await readMarker(full)).toEqual({ version: 1, binding: 'required' });
  });

  test('are not changed by being made again', async () => {
    expect(await createVault(root)).toEqual({ version: 1, binding: 'required' });
    expect(await codeOf(createVault(root, 'allow'))).toBe('not_a_vault');
    expect(await readMarker(root)).toEqual({ version: 1, binding: 'required' });
  });

  test.each([['no json'], ['{"version":2,"binding":"required"}'], ['{"version":1}'], ['[]'], ['null']])(
    'with the marker %j are refused',
    async (text) => {
      await writeFile(at('.sealdrop-vault'), text);
      expect(await codeOf(readMarker(root))).toBe('not_a_vault');
      expect(await codeOf(openDirectoryStore({ root }).put('a', chunked(Buffer.from('x'), 1)))).toBe(
        'not_a_vault',
      );
    },
  );

  test('a marker that is a link is none', async () => {
    await rm(at('.sealdrop-vault'));
    await writeFile(join(folder, 'marker'), '{"version":1,"binding":"allow"}');
    await symlink(join(folder, 'marker'), at('.sealdrop-vault'));
    expect(await codeOf(readMarker(root))).toBe('not_a_vault');
  });

  test('a directory without a marker can be read and not written', async () => {
    await put('a');
    await rm(at('.sealdrop-vault'));
    const unmarked = openDirectoryStore({ root });
    expect((await unmarked.head('a')).size).toBe(1);
    expect(await codeOf(unmarked.put('b', chunked(Buffer.from('x'), 1)))).toBe('not_a_vault');
    expect(await codeOf(unmarked.remove('a'))).toBe('not_a_vault');
    expect(await read('a')).toBe('a');
  });
});
