/** The behaviour of every ObjectStore, as one suite: what ports.ts promises. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSealdropError } from '../../src/errors.js';
import { UPLOAD_ENTRY, type ByteSource, type ObjectInfo, type ObjectStore } from '../../src/ports.js';
import '../helpers/core-errors.js';
import { chunked, chunkedBy, collect } from '../helpers/bytes.js';

export interface SuiteSubject {
  readonly store: ObjectStore;
  /** A store of the same kind on a bucket or directory that does not exist; undefined where there is no such thing. */
  readonly missing?: ObjectStore;
  /** Bytes of one part, where the store cuts objects into parts. */
  readonly partSize?: number;
  /** The bytes as they lie there, read around the store. */
  raw(key: string): Promise<Buffer>;
  close(): Promise<void>;
}

export interface SuiteTraits {
  /** How many objects the listing test makes. Default 1,005: more than a page of S3. */
  listed?: number;
  /** What `put` says of its check. */
  checked: string;
  /** Of an object in parts, where that is another. */
  checkedInParts?: string;
}

const MIB = 1024 * 1024;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (isSealdropError(error)) return error.code;
    throw error;
  }
  return 'none';
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

/** The bytes, and then an error in place of the end. */
async function* failing(bytes: Uint8Array, error: Error): AsyncGenerator<Uint8Array> {
  yield* chunked(bytes, 64 * 1024);
  throw error;
}

/** The bytes, and then nothing for ever; `let go` is called when the reader gives up. */
function hanging(bytes: Uint8Array): ByteSource & { released: boolean } {
  const source = {
    released: false,
    async *[Symbol.asyncIterator]() {
      try {
        yield* chunked(bytes, 64 * 1024);
        await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
      } finally {
        source.released = true;
      }
    },
  };
  return source;
}

export function objectStoreSuite(name: string, open: () => Promise<SuiteSubject>, traits: SuiteTraits): void {
  describe(`an object store: ${name}`, () => {
    let subject: SuiteSubject;
    let store: ObjectStore;
    let counter = 0;
    let key: string;

    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    }, 15 * 60_000);
    afterAll(async () => subject?.close());
    beforeEach(() => {
      key = `test-${++counter}/object`;
    });

    const put = (bytes: Uint8Array, at = key, options = {}) => store.put(at, chunked(bytes, MIB), options);
    const read = async (at = key, options = {}) => collect((await store.get(at, options)).body);

    /** What was stored before still stands, and nothing else does. */
    async function expectUntouched(before: Buffer | undefined): Promise<void> {
      if (before === undefined) expect(await codeOf(store.head(key))).toBe('object_not_found');
      else expect(sha256(await read())).toBe(sha256(before));
      expect(await store.unfinished(key)).toEqual([]);
    }

    const inParts = traits.checkedInParts ?? traits.checked;

    describe('what is put is there', () => {
      const part = () => subject.partSize ?? 5 * MIB;
      const sizes: [string, () => number][] = [
        ['nothing', () => 0],
        ['one byte', () => 1],
        ['a little', () => 70_001],
        ['one part less a byte', () => part() - 1],
        ['exactly one part', () => part()],
        ['one part and a byte', () => part() + 1],
        ['exactly two parts', () => part() * 2],
        ['many parts', () => part() * 3 + 12_345],
      ];
      for (const known of [true, false])
        test.each(sizes)(`%s, its size ${known ? 'known' : 'not known'}`, async (_, size) => {
          const bytes = randomBytes(size());
          const result = await put(bytes, key, known ? { size: bytes.length } : {});
          expect(result.size).toBe(bytes.length);
          expect(result.checked).toBe(size() > part() ? inParts : traits.checked);
          expect(await store.head(key)).toMatchObject({ key, size: bytes.length, etag: result.etag });
          expect(sha256(await subject.raw(key))).toBe(sha256(bytes));
          expect(sha256(await read())).toBe(sha256(bytes));
          expect(await store.unfinished(key)).toEqual([]);
        });

      test.each([[[1, 7, 0, 65_537]], [[64 * 1024]], [[3 * MIB + 1]], [[100 * MIB]]])(
        'in chunks of %j bytes',
        async (sizes) => {
          const bytes = randomBytes(11 * MIB + 3);
          await store.put(key, chunkedBy(bytes, sizes.length > 1 ? [...sizes, 65_536 * 3] : sizes));
          expect(sha256(await subject.raw(key))).toBe(sha256(bytes));
        },
      );

      test('though the source uses one buffer for all chunks', async () => {
        const bytes = randomBytes(6 * MIB);
        const scratch = Buffer.alloc(100_000);
        async function* reusing() {
          for await (const piece of chunked(bytes, scratch.length)) {
            scratch.set(piece);
            yield scratch.subarray(0, piece.length);
          }
        }
        await store.put(key, reusing());
        expect(sha256(await subject.raw(key))).toBe(sha256(bytes));
      });

      test.each([
        ['日本語/ファイル.txt'],
        ['with space/a b.txt'],
        ['plus+and%2Bpercent%/100%.txt'],
        ['emoji 🔐/é and é.bin'],
        ['quotes\'"<&>/a?b#c=d;e,f@g:h!$()*[]{}|^~`.bin'],
        ['dots/.hidden/..a/a..'],
      ])('under the key %j', async (suffix) => {
        const odd = `test-${counter}/${suffix}`;
        const bytes = Buffer.from(odd);
        const { etag } = await put(bytes, odd);
        expect(await read(odd)).toEqual(bytes);
        expect(await store.head(odd)).toMatchObject({ key: odd, etag });
        expect(await keysOf(store, `test-${counter}/`)).toEqual([odd]);
        expect(await store.unfinished(odd)).toEqual([]);
        await store.remove(odd);
        expect(await codeOf(store.head(odd))).toBe('object_not_found');
      });

      test('with its metadata', async () => {
        const metadata = { 'sealdrop-format': 'esdk', 'sealdrop-keys': 'a%20b,c=d;e', 'sealdrop-size': '3' };
        await put(Buffer.from('abc'), key, { metadata });
        expect((await store.head(key)).metadata).toEqual(metadata);
        const { info, body } = await store.get(key);
        body.destroy();
        expect(info.metadata).toEqual(metadata);
        await put(randomBytes(6 * MIB), key, { metadata: { a: 'b' } });
        expect((await store.head(key)).metadata).toEqual({ a: 'b' });
        await put(Buffer.from('abc'));
        expect((await store.head(key)).metadata).toEqual({});
      });

      test('in place of what was there', async () => {
        const first = await put(randomBytes(6 * MIB));
        const second = await put(Buffer.from('second'));
        expect(second.etag).not.toBe(first.etag);
        expect((await read()).toString()).toBe('second');
      });

      test('with a time', async () => {
        const before = Date.now();
        await put(Buffer.from('x'));
        const { modified } = await store.head(key);
        expect(Math.abs(modified.getTime() - before)).toBeLessThan(30_000);
      });
    });

    describe('what fails leaves nothing', () => {
      const amounts: [string, number][] = [
        ['the first byte', 0],
        ['less than a part', 2 * MIB],
        ['more than two parts', 12 * MIB],
      ];
      for (const replaced of [false, true]) {
        const before = replaced ? Buffer.from('what was there before') : undefined;
        const how = replaced ? 'what was there stays' : 'there is no object';

        test.each(amounts)(`the source throws after %s: ${how}`, async (_, amount) => {
          if (before) await put(before);
          const error = new Error('the source broke');
          await expect(store.put(key, failing(randomBytes(amount), error))).rejects.toBe(error);
          await expectUntouched(before);
        });

        test.each(amounts)(`the signal fires after %s while the source hangs: ${how}`, async (_, amount) => {
          if (before) await put(before);
          const stop = new AbortController();
          const putting = codeOf(store.put(key, hanging(randomBytes(amount)), { signal: stop.signal }));
          await sleep(300);
          stop.abort();
          expect(await putting).toBe('interrupted');
          await expectUntouched(before);
        });
      }

      test('a signal that fired before lets nothing begin', async () => {
        const signal = AbortSignal.abort();
        expect(await codeOf(store.put(key, chunked(Buffer.from('x'), 1), { signal }))).toBe('interrupted');
        expect(await codeOf(store.head(key, { signal }))).toBe('interrupted');
        expect(await codeOf(store.get(key, { signal }))).toBe('interrupted');
        await expectUntouched(undefined);
      });

      test.each([
        ['more', 7 * MIB, 6 * MIB],
        ['less', 6 * MIB, 7 * MIB],
        ['one more', 101, 100],
        ['one less', 100, 101],
        ['something', 1, 0],
      ])('a source that gives %s than was said', async (_, given, said) => {
        const putting = put(randomBytes(given), key, { size: said });
        expect(await codeOf(putting)).toBe('source_changed');
        await expectUntouched(undefined);
      });

      test('the source is let go of', async () => {
        let released = false;
        async function* endless() {
          try {
            for (;;) yield randomBytes(MIB);
          } finally {
            released = true;
          }
        }
        expect(await codeOf(store.put(key, endless(), { size: 3 * MIB }))).toBe('source_changed');
        expect(released).toBe(true);
      });
    });

    describe('conditions', () => {
      const absent = { condition: { absent: true } } as const;
      test.each([
        ['small', 10],
        ['of many parts', 11 * MIB],
      ])('absent, %s: stored once, and refused while something is there', async (_, size) => {
        const bytes = randomBytes(size);
        await put(bytes, key, absent);
        expect(await codeOf(put(randomBytes(size), key, absent))).toBe('precondition_failed');
        await expectUntouched(bytes);
        await store.remove(key);
        expect(await codeOf(put(bytes, key, absent))).toBe('none');
      });

      test.each([
        ['small', 10],
        ['of many parts', 11 * MIB],
      ])('ifMatch, %s: stored over the very object, and over no other', async (_, size) => {
        const first = await put(Buffer.from('first'));
        const bytes = randomBytes(size);
        const second = await put(bytes, key, { condition: { ifMatch: first.etag } });
        expect(second.etag).not.toBe(first.etag);
        const again = put(randomBytes(size), key, { condition: { ifMatch: first.etag } });
        expect(await codeOf(again)).toBe('precondition_failed');
        await expectUntouched(bytes);
      });

      test('ifMatch: refused where nothing is', async () => {
        const ifMatch = '0123456789abcdef0123456789abcdef';
        expect(await codeOf(put(Buffer.from('x'), key, { condition: { ifMatch } }))).toBe(
          'precondition_failed',
        );
        expect(await codeOf(put(randomBytes(11 * MIB), key, { condition: { ifMatch } }))).toBe(
          'precondition_failed',
        );
        await expectUntouched(undefined);
      });

      test.each([
        ['empty', 0],
        ['small', 10],
        ['of many parts', 11 * MIB],
      ])('in parts whatever the size, %s: over the very object, and over no other', async (_, size) => {
        const first = await put(Buffer.from('first'));
        const strict = { inParts: true, guarded: true, proven: true } as const;
        const bytes = randomBytes(size);
        const condition = { ifMatch: first.etag };
        const second = await put(bytes, key, { ...strict, condition, metadata: { a: 'b' } });
        expect(second).toMatchObject({ size, checked: inParts });
        expect(await store.head(key)).toMatchObject({ etag: second.etag, size, metadata: { a: 'b' } });
        const third = put(randomBytes(size), key, { ...strict, condition });
        expect(await codeOf(third)).toBe('precondition_failed');
        await expectUntouched(bytes);
        await store.remove(key);
        const gone = put(bytes, key, { ...strict, condition: { ifMatch: second.etag } });
        expect(await codeOf(gone)).toBe('precondition_failed');
        await expectUntouched(undefined);
      });

      test('in parts: what fails leaves what was there', async () => {
        const before = Buffer.from('before');
        const { etag } = await put(before);
        const strict = { inParts: true, guarded: true, condition: { ifMatch: etag } } as const;
        const source = failing(randomBytes(100_000), new Error('mine'));
        await expect(store.put(key, source, strict)).rejects.toThrow('mine');
        await expectUntouched(before);
      });

      test('removing: the very object, and no other', async () => {
        const first = await put(Buffer.from('first'));
        const second = await put(Buffer.from('second'));
        expect(await codeOf(store.remove(key, { ifMatch: first.etag }))).toBe('precondition_failed');
        await expectUntouched(Buffer.from('second'));
        expect(await codeOf(store.remove(key, { ifMatch: second.etag }))).toBe('none');
        await expectUntouched(undefined);
        expect(await codeOf(store.remove(key, { ifMatch: second.etag }))).toBe('none');
      });

      test('absent: of several writers at once one wins', async () => {
        const all = await Promise.all(
          Array.from({ length: 6 }, (_, i) => codeOf(put(Buffer.from(`writer ${i}`), key, absent))),
        );
        expect(all.filter((code) => code === 'none')).toHaveLength(1);
        expect(all.filter((code) => code === 'precondition_failed')).toHaveLength(5);
      });
    });

    describe('other metadata in place', () => {
      const old = { 'x-amz-key-v2': 'old', 'only-old': 'a%20b' };
      const fresh = (more = {}) => ({ 'x-amz-key-v2': 'new', ...more, [UPLOAD_ENTRY]: randomUUID() });
      const sizes: [string, number, object][] = [
        ['nothing', 0, {}],
        ['one byte', 1, {}],
        ['one byte, in parts', 1, { inParts: true }],
        ['5 MiB', 5 * MIB, {}],
        ['12 MiB and a byte', 12 * MIB + 1, {}],
      ];

      test.each(sizes)('%s: the bytes stay, the metadata are the new ones alone', async (_, size, how) => {
        const bytes = randomBytes(size);
        await put(bytes, key, { ...how, metadata: old });
        for (const round of ['1', '2', '3']) {
          const before = await store.head(key);
          const metadata = fresh({ round });
          const replaced = await store.replaceMetadata(key, { ifMatch: before.etag, metadata });
          expect(replaced).toEqual(await store.head(key));
          expect(replaced).toMatchObject({ key, size, metadata });
          // What S3 can cut into parts in one way only has the same ETag after the first time.
          if (store.kind !== 's3' || size > 5 * MIB || !before.etag.endsWith('-1'))
            expect(replaced.etag).not.toBe(before.etag);
          await expectUntouched(bytes);
          expect(sha256(await subject.raw(key))).toBe(sha256(bytes));
        }
        await expectDigests(bytes);
      });

      test.each(['日本語/ファイル.txt', 'plus+and%2Bpercent%/100%.txt', 'a b\'"?c#d;e=f&g'])(
        'under the key %j',
        async (suffix) => {
          const odd = `${key}/${suffix}`;
          const { etag } = await put(Buffer.from(odd), odd, { metadata: old });
          const metadata = fresh();
          await store.replaceMetadata(odd, { ifMatch: etag, metadata });
          expect(await store.head(odd)).toMatchObject({ key: odd, metadata });
          expect((await read(odd)).toString()).toBe(odd);
        },
      );

      test('refused for another object than was meant, and nothing changes', async () => {
        const first = await put(Buffer.from('first'), key, { metadata: fresh() });
        const second = await put(Buffer.from('second'), key, { metadata: old });
        const replace = (options = {}) =>
          codeOf(store.replaceMetadata(key, { ifMatch: first.etag, metadata: fresh(), ...options }));
        expect(await replace()).toBe('precondition_failed');
        expect(await replace({ guarded: true })).toBe('precondition_failed');
        const ifMetadata = { ...old, more: 'x' };
        expect(await replace({ ifMatch: second.etag, ifMetadata })).toBe('precondition_failed');
        expect(await replace({ ifMatch: second.etag, signal: AbortSignal.abort() })).toBe('interrupted');
        await expectUntouched(Buffer.from('second'));
        expect(await store.head(key)).toMatchObject({ etag: second.etag, metadata: old });
        expect(await replace({ ifMatch: second.etag, ifMetadata: old, guarded: true })).toBe('none');
        await store.remove(key);
        expect(await replace({ ifMatch: second.etag })).toBe('precondition_failed');
        await expectUntouched(undefined);
      });

      test.each([
        ['one byte', 1],
        ['of many parts', 11 * MIB],
      ])('of several at once, %s, one wins', async (_, size) => {
        const bytes = randomBytes(size);
        const { etag } = await put(bytes, key, { metadata: old });
        const entries = Array.from({ length: 4 }, () => fresh());
        const codes = await Promise.all(
          entries.map((metadata) => codeOf(store.replaceMetadata(key, { ifMatch: etag, metadata }))),
        );
        expect([...codes].sort()).toEqual(['none', ...Array(3).fill('precondition_failed')]);
        expect((await store.head(key)).metadata).toEqual(entries[codes.indexOf('none')]);
        await expectUntouched(bytes);
      });

      test('in a bucket that is missing', async () => {
        const { missing } = subject;
        if (missing === undefined) return;
        const replacing = missing.replaceMetadata(key, { ifMatch: 'x', metadata: fresh() });
        expect(await codeOf(replacing)).toBe('bucket_not_found');
      });
    });

    describe('reading', () => {
      const bytes = randomBytes(6 * MIB + 5);
      beforeEach(async () => {
        await put(bytes);
      });

      test.each([
        ['the first byte', 0, 0],
        ['some in the middle', 1_000_000, 3_000_000],
        ['from the middle to the end', 5_000_001, undefined],
        ['the last byte', 6 * MIB + 4, undefined],
        ['more than there is', 6 * MIB, 99 * MIB],
        ['all', 0, undefined],
      ])('a range: %s', async (_, first, last) => {
        const { info, body } = await store.get(key, { range: { first, last } });
        expect(info.size).toBe(bytes.length);
        expect(sha256(await collect(body))).toBe(
          sha256(bytes.subarray(first, last === undefined ? undefined : last + 1)),
        );
      });

      test('a range behind the end is refused', async () => {
        expect(await codeOf(store.get(key, { range: { first: bytes.length } }))).toBe('store_refused');
      });

      test('ifMatch: the very object, or precondition_failed', async () => {
        const { etag } = await store.head(key);
        expect(sha256(await read(key, { ifMatch: etag }))).toBe(sha256(bytes));
        await put(Buffer.from('other'));
        expect(await codeOf(store.get(key, { ifMatch: etag }))).toBe('precondition_failed');
      });

      test('a body that is destroyed half-way ends, and the store goes on', async () => {
        for (let i = 0; i < 20; i++) {
          const { body } = await store.get(key);
          for await (const piece of body) {
            expect((piece as Buffer).length).toBeGreaterThan(0);
            break;
          }
          expect(body.destroyed).toBe(true);
        }
        expect(sha256(await read())).toBe(sha256(bytes));
      });

      test('a body that is never read can be destroyed', async () => {
        const { body } = await store.get(key);
        body.destroy();
        await sleep(20);
        expect(body.destroyed).toBe(true);
      });

      test('the signal ends a body', async () => {
        const stop = new AbortController();
        const { body } = await store.get(key, { signal: stop.signal });
        const reading = codeOf(
          (async () => {
            for await (const _ of body) {
              stop.abort();
              await sleep(1);
            }
          })(),
        );
        expect(await reading).toBe('interrupted');
      });

      test('a body that is read slowly', async () => {
        const { body } = await store.get(key);
        const hash = createHash('sha256');
        let pauses = 0;
        for await (const piece of body) {
          hash.update(piece as Buffer);
          if (pauses++ < 5) await sleep(50);
        }
        expect(hash.digest('hex')).toBe(sha256(bytes));
      });
    });

    describe('what is not there', () => {
      test('a missing object', async () => {
        expect(await codeOf(store.head(key))).toBe('object_not_found');
        expect(await codeOf(store.get(key))).toBe('object_not_found');
        expect(await codeOf(store.checksums(key)).catch(() => 'none')).toMatch(/object_not_found|none/);
        expect(await store.unfinished(key)).toEqual([]);
      });

      test('removing takes the object alone, and what is not there is no error', async () => {
        await put(Buffer.from('a'));
        await put(Buffer.from('b'), `${key}-other`);
        await store.remove(key);
        await store.remove(key);
        expect(await codeOf(store.head(key))).toBe('object_not_found');
        expect((await read(`${key}-other`)).toString()).toBe('b');
      });

      test('a missing bucket', async () => {
        const { missing } = subject;
        if (missing === undefined) return;
        expect(await codeOf(missing.head(key))).toBe('bucket_not_found');
        expect(await codeOf(missing.get(key))).toBe('bucket_not_found');
        expect(await codeOf(missing.put(key, chunked(Buffer.from('x'), 1)))).toBe('bucket_not_found');
        expect(await codeOf(missing.put(key, chunked(randomBytes(6 * MIB), MIB)))).toBe('bucket_not_found');
        expect(await codeOf(keysOf(missing, ''))).toBe('bucket_not_found');
      });
    });

    describe('listing', () => {
      test('by prefix, in the order of UTF-8 bytes, with what head says', async () => {
        const names = ['a', 'a-b', 'a.b', 'a0', 'b/c', 'b/c-d/e', 'b/c/..d', 'bz', 'é', '日本', '🔐', '～'];
        const expected = names.map(
          (name) => `test-${counter}/${name === 'b/c' ? 'b/c0' : name === 'a' ? 'a,' : name}`,
        );
        for (const each of expected) await put(Buffer.from(each), each);
        expected.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        const found: ObjectInfo[] = [];
        for await (const info of store.list(`test-${counter}/`)) found.push(info);
        expect(found.map((info) => info.key)).toEqual(expected);
        for (const info of found) {
          const head = await store.head(info.key);
          expect([info.size, info.etag]).toEqual([head.size, head.etag]);
          expect(info.metadata).toBeUndefined();
        }
        expect(await keysOf(store, `test-${counter}/b/c`)).toEqual(
          expected.filter((each) => each.startsWith(`test-${counter}/b/c`)),
        );
        expect(await keysOf(store, `test-${counter}/nothing`)).toEqual([]);
        expect(await keysOf(store, `nothing-${counter}/a`)).toEqual([]);
      });

      test('more than a page', async () => {
        const count = traits.listed ?? 1_005;
        const keys = Array.from({ length: count }, (_, i) => `many-${counter}/${String(i).padStart(5, '0')}`);
        for (let at = 0; at < count; at += 16)
          await Promise.all(keys.slice(at, at + 16).map(async (each) => put(Buffer.from('x'), each)));
        expect(await keysOf(store, `many-${counter}/`)).toEqual(keys);
      });

      test('a listing can begin behind a key, whether that is there or not', async () => {
        const names = ['a-b', 'a/b', 'a/c', 'b', 'b c+%', 'é', '日', '🚀'];
        for (const name of names) await put(Buffer.from('1'), `${key}/${name}`);
        const behind = async (after: string) => {
          const found: string[] = [];
          for await (const info of store.list(`${key}/`, { after }))
            found.push(info.key.slice(key.length + 1));
          return found;
        };
        for (const [i, name] of names.entries()) {
          expect(await behind(`${key}/${name}`)).toEqual(names.slice(i + 1));
          expect(await behind(`${key}/${name} `)).toEqual(await behind(`${key}/${name}`));
        }
        expect(await behind('')).toEqual(names);
        expect(await behind(`${key}0`)).toEqual([]);
      });

      test('a listing that is left early ends', async () => {
        await put(Buffer.from('1'), `${key}/1`);
        await put(Buffer.from('2'), `${key}/2`);
        for await (const info of store.list(key)) {
          expect(info.key).toBe(`${key}/1`);
          break;
        }
      });
    });

    test('digests that the store keeps are those of the bytes', async () => {
      const bytes = randomBytes(11 * MIB);
      await put(bytes);
      await expectDigests(bytes);
      await put(bytes.subarray(0, 1000));
      await expectDigests(bytes.subarray(0, 1000));
    });

    async function expectDigests(bytes: Buffer): Promise<void> {
      for (const checksum of await store.checksums(key)) {
        const md5 = (data: Uint8Array) => createHash('md5').update(data).digest();
        if (checksum.kind === 'md5') expect(checksum.value).toBe(md5(bytes).toString('hex'));
        if (checksum.kind === 'md5-of-parts') {
          const parts = [];
          for await (const part of chunked(bytes, checksum.partSize)) parts.push(md5(part));
          expect(parts).toHaveLength(checksum.parts);
          expect(checksum.value).toBe(md5(Buffer.concat(parts)).toString('hex'));
        }
      }
    }
  });
}
