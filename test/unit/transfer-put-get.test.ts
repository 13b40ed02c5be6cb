/** In and out of a vault: what was put comes back, under its own key alone, or nothing does. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import type { ByteSource, ObjectStore } from '../../src/ports.js';
import { MemoryStore } from '../../src/store/memory.js';
import { objectContext } from '../../src/transfer/context.js';
import { get, openMessage } from '../../src/transfer/get.js';
import { objectMetadata, readMetadata } from '../../src/transfer/metadata.js';
import { put } from '../../src/transfer/put.js';
import { openFileSource, streamSource, type Source } from '../../src/transfer/source.js';
import { openFileTarget, type Target } from '../../src/transfer/target.js';
import { verify } from '../../src/transfer/verify.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';

const FRAME = 64;
const pair = rsaPair();
const encryptor = encryptorFor(pair, { frameLength: FRAME });
const decryptor = decryptorFor(pair);
const stranger = decryptorFor(rsaPair());
const plaintext = pattern(1000);
const required = { binding: 'required' } as const;

let store: MemoryStore;
let folder: string;
let path: string;
beforeEach(() => {
  store = new MemoryStore();
  folder = mkdtempSync(join(tmpdir(), 'sealdrop-transfer-'));
  path = join(folder, 'out');
});
afterEach(() => rmSync(folder, { recursive: true }));

const source = (bytes: Uint8Array = plaintext): Source => streamSource(chunked(bytes, 99), bytes.length);
const putAs = (key: string, more: object = {}) => put({ source: source(), store, key, encryptor, ...more });

/** A target that remembers what happened to it. */
function memoryTarget(held = true) {
  const log: string[] = [];
  const pieces: Uint8Array[] = [];
  const target: Target = {
    held,
    write: async (bytes) => void pieces.push(Uint8Array.from(bytes)),
    commit: async () => void log.push('commit'),
    discard: async () => void log.push('discard'),
  };
  return { target, log, bytes: () => Buffer.concat(pieces) };
}

async function raw(key: string): Promise<Buffer> {
  return collect((await store.get(key)).body);
}

/** What a hostile store can do: other bytes under a key. */
const plant = (key: string, bytes: Uint8Array) => store.put(key, chunked(bytes, 1000));

describe('put', () => {
  test('stores a message of the size foretold, bound to its key, with metadata that says nothing of the content', async () => {
    const report = await putAs('docs/a.txt', { context: { project: 'x' } });
    const message = await raw('docs/a.txt');
    expect(report).toMatchObject({
      key: 'docs/a.txt',
      plaintextSize: 1000,
      size: message.length,
      unfinished: [],
    });
    const { context } = await esdkInspector.inspect(chunked(message, 100));
    expect({ ...context }).toEqual({ 'sealdrop:key': 'docs/a.txt', project: 'x' });
    const { metadata } = await store.head('docs/a.txt');
    expect(metadata).toEqual({
      'sealdrop-format': 'esdk',
      'sealdrop-size': '1000',
      'sealdrop-keys': encryptor.recipients[0]!.fingerprint,
      // Random: what tells this put's object from an older one.
      'sealdrop-upload': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(message.includes(plaintext.subarray(0, 16))).toBe(false);
  });

  test('tells the store the exact size of the message beforehand, where the source knows its own', async () => {
    const sizes: Array<number | undefined> = [];
    const watching: ObjectStore = Object.assign(Object.create(store) as MemoryStore, {
      head: store.head.bind(store),
      unfinished: store.unfinished.bind(store),
      put: (key: string, body: ByteSource, options: { size?: number }) => {
        sizes.push(options.size);
        return store.put(key, body, options);
      },
    });
    await put({ source: source(), store: watching, key: 'a', encryptor });
    await put({ source: streamSource(chunked(plaintext, 50)), store: watching, key: 'b', encryptor });
    expect(sizes).toEqual([(await raw('a')).length, undefined]);
  });

  test.each(['/a', 'a//b', 'a/../b', ''])(
    'refuses the key %j before anything is read, and closes the source',
    async (key) => {
      const log: string[] = [];
      const watched: Source = {
        read: () => (log.push('read'), chunked(plaintext, 9)),
        close: async () => void log.push('closed'),
      };
      await expect(put({ source: watched, store, key, encryptor })).rejects.toMatchObject({
        code: 'key_not_storable',
      });
      expect(log).toEqual(['closed']);
    },
  );

  test.each(['sealdrop:key', 'sealdrop:anything', 'aws-crypto-public-key', 'aws-crypto-x'])(
    'refuses the reserved context name %s',
    async (name) => {
      await expect(putAs('a', { context: { [name]: 'x' } })).rejects.toMatchObject({
        code: 'reserved_context',
      });
      await expect(store.head('a')).rejects.toMatchObject({ code: 'object_not_found' });
    },
  );

  test('does not replace an object where that is refused; what stood there stands', async () => {
    await putAs('a');
    const before = await raw('a');
    await expect(putAs('a', { overwrite: false })).rejects.toMatchObject({ code: 'target_exists' });
    expect((await raw('a')).equals(before)).toBe(true);
  });

  test('a source that changes while it is read stores nothing, and the old object stands', async () => {
    await putAs('a');
    const before = await raw('a');
    writeFileSync(path, pattern(3_000_000));
    const changing = await openFileSource(path);
    const job = put({
      source: changing,
      store,
      key: 'a',
      encryptor,
      onProgress: (bytes) => void (bytes > 0 && writeFileSync(path, 'other')),
    });
    await expect(job).rejects.toMatchObject({ code: 'source_changed' });
    expect((await raw('a')).equals(before)).toBe(true);
  });

  test('the same plaintext twice gives different messages', async () => {
    await putAs('a');
    const first = await raw('a');
    await putAs('a');
    expect((await raw('a')).subarray(-100).equals(first.subarray(-100))).toBe(false);
  });
});

describe('get', () => {
  beforeEach(async () => {
    await putAs('docs/a.txt');
  });

  test('gives back what was put', async () => {
    const target = await openFileTarget(path);
    const report = await get({ store, key: 'docs/a.txt', decryptor, target, ...required });
    expect(report).toMatchObject({ bound: 'bound', plaintextSize: 1000 });
    expect(readFileSync(path).equals(plaintext)).toBe(true);
  });

  const attacks: Record<string, [(message: Buffer) => Buffer, string]> = {
    'cut off': [(m) => m.subarray(0, -1), 'truncated'],
    'cut off between frames': [(m) => m.subarray(0, m.length - 24 - 40 - 16), 'truncated'],
    'made longer': [(m) => Buffer.concat([m, m]), 'trailing_data'],
    'altered at its end': [
      (m) => Buffer.concat([m.subarray(0, -1), Buffer.from([m.at(-1)! ^ 1])]),
      'frame_auth',
    ],
    'replaced by something else': [() => Buffer.from('hello'), 'not_an_envelope'],
    emptied: [() => Buffer.alloc(0), 'not_an_envelope'],
  };

  test.each(Object.keys(attacks))(
    'an object %s leaves no file at all, and an old file as it was',
    async (which) => {
      const [change, code] = attacks[which]!;
      await plant('docs/a.txt', change(await raw('docs/a.txt')));
      for (const old of [undefined, 'old']) {
        if (old !== undefined) writeFileSync(path, old);
        const target = await openFileTarget(path);
        await expect(get({ store, key: 'docs/a.txt', decryptor, target, ...required })).rejects.toMatchObject(
          { code },
        );
        expect(readdirSync(folder)).toEqual(old === undefined ? [] : ['out']);
        if (old !== undefined) expect(readFileSync(path, 'utf8')).toBe(old);
      }
    },
  );

  test('two objects swapped by the store are refused, unless a move is accepted by name', async () => {
    await plant('docs/b.txt', await raw('docs/a.txt'));
    const { target, log, bytes } = memoryTarget();
    const job = { store, key: 'docs/b.txt', decryptor, ...required };
    await expect(get({ ...job, target })).rejects.toMatchObject({ code: 'wrong_object' });
    expect(log).toEqual(['discard']);
    expect(bytes().length).toBe(0);
    const moved = memoryTarget();
    expect(await get({ ...job, target: moved.target, moved: true })).toMatchObject({ bound: 'moved' });
    expect(moved.bytes().equals(plaintext)).toBe(true);
  });

  test('a message that names no key is refused where binding is required, and read where it is allowed', async () => {
    await plant('x', await collect(encryptor.encrypt(chunked(plaintext, 77), { any: 'thing' })));
    const job = { store, key: 'x', decryptor };
    await expect(get({ ...job, ...required, target: memoryTarget().target })).rejects.toMatchObject({
      code: 'wrong_object',
    });
    for (const rules of [{ binding: 'required', unbound: true }, { binding: 'allow' }] as const)
      expect(await get({ ...job, ...rules, target: memoryTarget().target })).toMatchObject({
        bound: 'unbound',
      });
  });

  test('allowing unbound messages does not allow those of another key', async () => {
    await plant('docs/b.txt', await raw('docs/a.txt'));
    for (const rules of [{ binding: 'required', unbound: true }, { binding: 'allow' }] as const) {
      const job = get({ store, key: 'docs/b.txt', decryptor, target: memoryTarget().target, ...rules });
      await expect(job).rejects.toMatchObject({ code: 'wrong_object' });
    }
  });

  test('pairs required on reading must be there, and be exactly so', async () => {
    await putAs('b', { context: { project: 'x' } });
    const job = (context: Record<string, string>) =>
      get({ store, key: 'b', decryptor, target: memoryTarget().target, ...required, context });
    await expect(job({ project: 'x' })).resolves.toMatchObject({ bound: 'bound' });
    for (const context of [
      { project: 'y' },
      { project: 'x', more: 'z' },
      { toString: 'x' },
      { constructor: '' },
    ] as Array<Record<string, string>>)
      await expect(job(context)).rejects.toMatchObject({ code: 'wrong_object' });
  });

  test('the wrong key leaves nothing', async () => {
    const { target, log } = memoryTarget();
    const job = get({ store, key: 'docs/a.txt', decryptor: stranger, target, ...required });
    await expect(job).rejects.toMatchObject({ code: 'wrong_key_or_header' });
    expect(log).toEqual(['discard']);
  });

  test('an object that is not there discards the target', async () => {
    const { target, log } = memoryTarget();
    const job = get({ store, key: 'none', decryptor, target, ...required });
    await expect(job).rejects.toMatchObject({ code: 'object_not_found' });
    expect(log).toEqual(['discard']);
  });

  test('a target that fails is not committed, and the reading of the object ends', async () => {
    const { target, log } = memoryTarget();
    const failing = { ...target, write: () => Promise.reject(new Error('no room')) };
    await expect(get({ store, key: 'docs/a.txt', decryptor, target: failing, ...required })).rejects.toThrow(
      'no room',
    );
    expect(log).toEqual(['discard']);
  });

  test('a stream gets whole frames only, in order, before a failure that comes late', async () => {
    const message = await raw('docs/a.txt');
    message[message.length - 1]! ^= 1;
    await plant('docs/a.txt', message);
    const { target, bytes } = memoryTarget(false);
    await expect(get({ store, key: 'docs/a.txt', decryptor, target, ...required })).rejects.toMatchObject({
      code: 'frame_auth',
    });
    expect(bytes().equals(plaintext.subarray(0, Math.floor(1000 / FRAME) * FRAME))).toBe(true);
  });

  test('an interruption between frames discards the target', async () => {
    const { target, log } = memoryTarget();
    const stop = new AbortController();
    const write = async () => stop.abort();
    const job = get({
      store,
      key: 'docs/a.txt',
      decryptor,
      target: { ...target, write },
      signal: stop.signal,
      ...required,
    });
    await expect(job).rejects.toThrow();
    expect(log).toEqual(['discard']);
  });
});

describe('a message that comes from no vault', () => {
  test('is read if it names no key, and refused if it does', async () => {
    const open = async (context: Record<string, string>) =>
      openMessage(encryptor.encrypt(chunked(plaintext, 9), context), {
        decryptor,
        target: memoryTarget().target,
        binding: 'allow',
      });
    expect(await open({})).toMatchObject({ bound: 'unbound' });
    await expect(open({ 'sealdrop:key': 'a' })).rejects.toMatchObject({ code: 'wrong_object' });
    await expect(open({ 'sealdrop:key': 'undefined' })).rejects.toMatchObject({ code: 'wrong_object' });
  });
});

describe('verify', () => {
  beforeEach(async () => {
    await putAs('a');
  });
  const results = (report: Awaited<ReturnType<typeof verify>>) =>
    Object.fromEntries(report.checks.map((check) => [check.name, check.result]));
  const check = (more: object = {}) =>
    verify({ store, key: 'a', inspector: esdkInspector, ...required, ...more });

  test('with a key authenticates everything; without one it checks framing, size and the digest', async () => {
    expect(results(await check({ decryptor }))).toEqual({ integrity: 'passed', checksum: 'passed' });
    expect(results(await check())).toEqual({ framing: 'passed', size: 'passed', checksum: 'passed' });
  });

  test('an altered byte is found with a key; without one only the digest could tell', async () => {
    const message = await raw('a');
    message[message.length - 20]! ^= 1;
    await plant('a', message);
    const report = await check({ decryptor });
    expect(results(report)).toEqual({ integrity: 'failed' });
    expect(report.failure).toMatchObject({ code: 'frame_auth' });
  });

  test('a message of another key is found, too', async () => {
    await plant('b', await raw('a'));
    expect((await check({ key: 'b', decryptor })).failure).toMatchObject({ code: 'wrong_object' });
  });

  test('a cut is found without a key', async () => {
    await plant('a', (await raw('a')).subarray(0, -30));
    const report = await check();
    expect(report.failure).toMatchObject({ code: 'truncated' });
    expect(results(report)).toMatchObject({ framing: 'failed' });
  });

  test('a size that the metadata does not confirm is a failed check', async () => {
    const bytes = await raw('a');
    await store.put('a', chunked(bytes, 100), { metadata: { 'sealdrop-size': '999' } });
    expect(results(await check())).toMatchObject({ framing: 'passed', size: 'failed' });
  });

  test('a digest that the store does not confirm is a failed check, also for objects in parts', async () => {
    const bytes = await raw('a');
    const partSize = 300;
    const { createHash } = await import('node:crypto');
    const md5 = (data: Uint8Array) => createHash('md5').update(data).digest();
    const parts = Array.from({ length: Math.ceil(bytes.length / partSize) }, (_, i) =>
      md5(bytes.subarray(i * partSize, (i + 1) * partSize)),
    );
    const kept = {
      kind: 'md5-of-parts',
      value: md5(Buffer.concat(parts)).toString('hex'),
      parts: parts.length,
      partSize,
    };
    for (const [value, result] of [
      [kept.value, 'passed'],
      ['0'.repeat(32), 'failed'],
    ]) {
      store.checksums = async () => [{ ...kept, value } as never];
      expect(results(await check())).toMatchObject({ checksum: result });
    }
  });
});

describe('metadata', () => {
  test('is under 2 KB with any number of recipients, and what is malformed in it is left out', () => {
    const many = { ...encryptor, recipients: Array.from({ length: 50 }, () => encryptor.recipients[0]!) };
    const metadata = objectMetadata(many, { size: Number.MAX_SAFE_INTEGER, source: 'x'.repeat(500) });
    expect(Object.entries(metadata).join('').length).toBeLessThan(2048);
    const hostile = { 'sealdrop-size': '-1', 'sealdrop-keys': 'a,b,\u001b[2J', 'sealdrop-format': 'x' };
    expect(readMetadata(hostile)).toMatchObject({ size: undefined, fingerprints: [] });
    expect(readMetadata(undefined)).toMatchObject({ size: undefined, fingerprints: [] });
    expect(readMetadata(metadata)).toMatchObject({ format: 'esdk', size: undefined });
    expect(readMetadata(objectMetadata(encryptor, { size: 5 }))).toMatchObject({ size: 5 });
  });
});

describe('the context of an object', () => {
  test('holds the pairs given and the key, whatever objects inherit', () => {
    const pairs = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, string>;
    const context = objectContext('k', pairs);
    expect(Object.entries(context).sort()).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['sealdrop:key', 'k'],
    ]);
    expect(objectContext(undefined, pairs)).not.toHaveProperty('sealdrop:key');
  });
});
