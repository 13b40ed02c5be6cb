/** Whatever somebody does to what is kept of a get, or to the object: what appears is the object's content, or nothing does. */
import { afterAll, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { createAnyRanges } from '../../src/envelope/any.js';
import { isIntegrityError, isSealdropError } from '../../src/errors.js';
import { MemoryStore } from '../../src/store/memory.js';
import { getKept, type KeptEvent } from '../../src/transfer/kept/get-kept.js';
import { KeptFile } from '../../src/transfer/kept/kept-file.js';
import { chunked, collect } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';
import { rangesFor } from '../helpers/stored.js';

const FRAME = 1000;
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-kept-'));
afterAll(() => rmSync(folder, { recursive: true }));
const target = join(folder, 'target');
const [state, partial] = ['.target.sealdrop-resume', '.target.sealdrop-partial'].map((name) =>
  join(folder, name),
);

const pair = rsaPair();
const decryptor = decryptorFor(pair);
const ranges = createAnyRanges({
  esdk: () => Promise.resolve(rangesFor(pair)),
  s3ec: () => Promise.reject(new Error('there is no such object here')),
});
const contents = [0, 1].map((seed) =>
  Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7 + seed) & 255)),
);
const seal = (content: Buffer) =>
  collect(encryptorFor(pair, { frameLength: FRAME }).encrypt(chunked(content, 100), { 'sealdrop:key': 'k' }));

async function run(store: MemoryStore, { stopAfter = Infinity }: { stopAfter?: number } = {}) {
  const events: KeptEvent[] = [];
  const controller = new AbortController();
  const file = (await KeptFile.open(target))!;
  const error: unknown = await getKept({
    ...{ store, key: 'k', target: file, decryptor, ranges, binding: 'required', signal: controller.signal },
    onEvent: (event) => events.push(event),
    onProgress: (bytes) => bytes > stopAfter && controller.abort(),
  }).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return { error, events, kept: file.kept };
}

const bytesOf = (value: number, length: number) => Buffer.alloc(length, value);
type Change = {
  what: 'state' | 'partial';
  kind: 'flip' | 'set' | 'cut' | 'copy' | 'longer';
  at: number;
  to: number;
  length: number;
};

function change(path: string, { kind, at: where, to: there, length }: Change): void {
  const bytes = readFileSync(path);
  const at = Math.floor(where * bytes.length);
  const to = Math.floor(there * bytes.length);
  if (kind === 'flip' && bytes.length > 0) bytes[Math.min(at, bytes.length - 1)]! ^= 1 << (length % 8);
  if (kind === 'set') bytesOf(length, Math.min(length, bytes.length - at)).copy(bytes, at);
  if (kind === 'copy') bytes.copy(bytes, to, at, at + length);
  const changed =
    kind === 'cut' ? bytes.subarray(0, at) : kind === 'longer' ? Buffer.concat([bytes, bytes]) : bytes;
  // The same file.
  writeFileSync(path, changed);
}

test('what appears is the content of the object, or nothing appears', async () => {
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const changes = fc.array(
    fc.record({
      what: fc.constantFrom('state', 'partial'),
      kind: fc.constantFrom('flip', 'set', 'cut', 'copy', 'longer'),
      at: place,
      to: place,
      length: fc.nat(200),
    }),
    { maxLength: 3 },
  );
  const sealed = await Promise.all(contents.map(seal));
  let went = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 4000, max: 21_000 }),
      changes as fc.Arbitrary<Change[]>,
      fc.constantFrom('same', 'same', 'same', 'other', 'changed', 'cut'),
      fc.nat(20_000),
      async (stopAfter, list, object, at) => {
        rmSync(target, { force: true });
        const store = new MemoryStore();
        // In small pieces, so that it is stopped between any two frames.
        const chunkedGet = store.get.bind(store);
        store.get = async (key, options) => {
          const found = await chunkedGet(key, options);
          const bytes = await collect(found.body);
          return { ...found, body: Readable.from(chunked(bytes, 400), { objectMode: false }) };
        };
        await store.put('k', chunked(sealed[0]!, 1000));
        const first = await run(store, { stopAfter });
        if (first.error === undefined) return;
        expect(first.error).toMatchObject({ code: 'interrupted' });
        for (const each of list) {
          const path = each.what === 'state' ? state! : partial!;
          if (first.kept > 0) change(path, each);
        }
        const bytes = Buffer.from(sealed[object === 'other' ? 1 : 0]!);
        if (object === 'changed') bytes[Math.min(at, bytes.length - 1)]! ^= 4;
        if (object !== 'same')
          await store.put('k', chunked(object === 'cut' ? bytes.subarray(0, at) : bytes, 1000));
        const second = await run(store);
        if (second.events.some(({ kind }) => kind === 'resumed')) went++;
        const left = readdirSync(folder);
        if (second.error === undefined) {
          expect(left).toEqual(['target']);
          const truth = contents[object === 'other' ? 1 : 0]!;
          expect(readFileSync(target).equals(truth)).toBe(true);
          if (object === 'changed' || object === 'cut') throw new Error('opened what was changed');
        } else {
          if (!isIntegrityError(second.error)) throw new Error('no integrity code', { cause: second.error });
          expect(isSealdropError(second.error)).toBe(true);
          expect(left).toEqual([]);
        }
      },
    ),
    { numRuns: 400 },
  );
  // Or else it would not have been tried.
  expect(went).toBeGreaterThan(30);
});
