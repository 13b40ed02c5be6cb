/** The function that rewraps, without AWS around it: its vault and its lists stand in memory. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createHandler } from '../../lambda/rewrap-object/handler.js';
import type { OutcomeReport, RewrapObjectSettings, VaultList } from '../../src/contract.js';
import { createDecryptor } from '../../src/envelope/esdk/decrypt.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { SealdropError } from '../../src/errors.js';
import type { RewrapParts } from '../../src/gateway/rewrap-objects.js';
import { RsaUnwrapKeyring } from '../../src/keys/raw-rsa/unwrap.js';
import { MemoryStore } from '../../src/store/memory.js';
import { put } from '../../src/transfer/put.js';
import { streamSource } from '../../src/transfer/source.js';
import { Rehearsal } from '../../src/transfer/rewrap/opener.js';
import { chunked, collect } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, NAMES, rsaPair, type Pair } from '../helpers/keys.js';

const [OLD, NEW, OTHER] = [rsaPair(), rsaPair(), rsaPair()];
const opening = (...pairs: Pair[]) =>
  createDecryptor({
    keyring: new RsaUnwrapKeyring(
      pairs.map(({ privateKey }) => ({ ...NAMES, privateKey, oaepHash: 'sha256' })),
    ),
  });
const ROOT = 'sealed/';
const VAULT = 'vault';

let store: MemoryStore;
let lists: MemoryStore;
let audited: Record<string, unknown>[];
let time: number;
let failure: SealdropError | undefined;

beforeEach(() => {
  [store, lists] = [new MemoryStore(), new MemoryStore()];
  audited = [];
  time = 900_000;
  failure = undefined;
});

async function call<Answer>(
  event: object,
  { maxObjectBytes = 1_000_000, decryptor = opening(OLD, NEW) } = {},
): Promise<Answer> {
  const parts: RewrapParts = {
    ...{ store, bucket: VAULT, prefix: ROOT, inspector: esdkInspector },
    ...{ encryptor: encryptorFor(NEW), decryptor, rehearsal: new Rehearsal(decryptor) },
  };
  const handler = createHandler({ maxObjectBytes } as RewrapObjectSettings, {
    withParts: async (use) => {
      if (failure !== undefined) throw failure;
      return use(parts);
    },
    lists: { store: lists, prefix: 'rewrap/lists/' },
    audit: (entry) => void audited.push(entry as Record<string, unknown>),
  });
  return (await handler(event, { getRemainingTimeInMillis: () => time })) as Answer;
}

async function stored(key: string, pair = OLD, boundTo = key): Promise<void> {
  const bytes = Buffer.from(`content of ${key}`);
  const source = streamSource(chunked(bytes, 5), bytes.length);
  await put({ source, store, key: boundTo, encryptor: encryptorFor(pair) });
  if (boundTo !== key) await store.put(key, (await store.get(boundTo)).body);
}
const opened = async (key: string, pair: Pair) =>
  (await collect(decryptorFor(pair).decrypt((await store.get(key)).body))).toString();
const item = (key: string, dryRun = false) => ({ bucket: VAULT, key, dryRun });
const one = (key: string) => call<OutcomeReport>(item(key));

describe('an object', () => {
  test('opens with the new key afterwards, and not with the old', async () => {
    await stored('sealed/a');
    expect(await one('sealed/a')).toEqual({
      ...{ bucket: VAULT, key: 'sealed/a', outcome: 'rewrapped', bytes: 'content of sealed/a'.length },
    });
    expect(await opened('sealed/a', NEW)).toBe('content of sealed/a');
    await expect(opened('sealed/a', OLD)).rejects.toMatchObject({ code: 'wrong_key_or_header' });
  });

  test('of which nothing opens what would be made is left alone', async () => {
    await stored('sealed/a');
    const answer = await call<OutcomeReport>(item('sealed/a'), { decryptor: opening(OLD) });
    expect(answer).toMatchObject({ outcome: 'failed', code: 'key_required' });
    expect(await opened('sealed/a', OLD)).toBe('content of sealed/a');
  });

  test('that is for the new key already is left alone', async () => {
    await stored('sealed/a', NEW);
    const { etag } = await store.head('sealed/a');
    expect(await one('sealed/a')).toMatchObject({ outcome: 'present' });
    expect((await store.head('sealed/a')).etag).toBe(etag);
  });

  test('is looked at alone by a dry run', async () => {
    await stored('sealed/a');
    const { etag } = await store.head('sealed/a');
    expect(await call(item('sealed/a', true))).toMatchObject({ outcome: 'would_rewrap' });
    expect((await store.head('sealed/a')).etag).toBe(etag);
  });

  test('that somebody writes meanwhile stays as they wrote it, and is taken up again', async () => {
    await stored('sealed/a');
    const whole = store.put.bind(store);
    store.put = async (key, source, options) => {
      if (options?.condition !== undefined) {
        store.put = whole;
        await stored('sealed/a', OTHER);
      }
      return whole(key, source, options);
    };
    expect(await one('sealed/a')).toMatchObject({
      outcome: 'failed',
      code: 'source_changed',
      retryable: true,
    });
    expect(await opened('sealed/a', OTHER)).toBe('content of sealed/a');
  });

  test('that is not there any more is gone', async () => {
    expect(await one('sealed/a')).toEqual({ bucket: VAULT, key: 'sealed/a', outcome: 'gone' });
  });

  test('that nothing at hand opens, or that was made for another key, fails and stays', async () => {
    await stored('sealed/a', OTHER);
    await stored('sealed/b', OLD, 'sealed/c');
    const before = await Promise.all(['sealed/a', 'sealed/b'].map((key) => store.head(key)));
    expect(await one('sealed/a')).toMatchObject({ code: 'wrong_key_or_header', retryable: false });
    expect(await one('sealed/b')).toMatchObject({ code: 'wrong_object', retryable: false });
    expect(await Promise.all(['sealed/a', 'sealed/b'].map((key) => store.head(key)))).toEqual(before);
  });

  test('that cannot fit is refused at once, by a dry run too, with the command that does it elsewhere', async () => {
    await stored('sealed/a b');
    for (const dryRun of [true, false])
      expect(await call(item('sealed/a b', dryRun), { maxObjectBytes: 100 })).toMatchObject({
        ...{ outcome: 'failed', code: 'too_large_for_lambda', retryable: false },
      });
    expect(audited[0]).toMatchObject({
      hint: expect.stringMatching(/: sealdrop rewrap '.*sealed\/a b' --to FILE --private-key FILE$/),
    });
    await stored('sealed/done', NEW);
    expect(await call(item('sealed/done'), { maxObjectBytes: 100 })).toMatchObject({ outcome: 'present' });
  });

  test('outside of the vault is refused', async () => {
    await stored('other/a');
    expect(await one('other/a')).toMatchObject({ code: 'foreign_key', retryable: false });
    expect(await call({ ...item('sealed/a'), bucket: 'another' })).toMatchObject({ code: 'foreign_bucket' });
  });
});

describe('several objects', () => {
  test('are answered one by one, whatever becomes of the others, and each is audited without content', async () => {
    await stored('sealed/a');
    await stored('sealed/b', OTHER);
    const reports = await call<OutcomeReport[]>({
      Items: ['sealed/a', 'sealed/b', 'sealed/c'].map((key) => item(key)),
    });
    expect(reports.map(({ outcome }) => outcome)).toEqual(['rewrapped', 'failed', 'gone']);
    expect(audited.map(({ key, outcome }) => [key, outcome])).toEqual([
      ['sealed/a', 'rewrapped'],
      ['sealed/b', 'failed'],
      ['sealed/c', 'gone'],
    ]);
    expect(JSON.stringify(audited)).not.toContain('content of');
  });

  test('for which no time is left are left for another call', async () => {
    await stored('sealed/a');
    const events = { Items: [item('sealed/a'), item('sealed/a')] };
    const head = store.get.bind(store);
    store.get = async (...args) => {
      time = 1_000;
      return head(...args);
    };
    expect(await call<OutcomeReport[]>(events)).toMatchObject([
      {},
      { outcome: 'failed', code: 'out_of_time', retryable: true },
    ]);
  });
});

describe('the list of a run', () => {
  type Listed = Extract<VaultList, { list: string }>;
  const list = (more: object = {}) => ({ list: { prefix: '', dryRun: false, run: 'run-1', ...more } });
  const lines = async (key: string) =>
    (await collect((await lists.get(key)).body))
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as object);

  test('has the keys of the vault, and nothing of its folders', async () => {
    for (const key of ['sealed/a', 'sealed/\u2028 é', 'other/b']) await stored(key);
    await store.put('sealed/folder/', chunked(Buffer.alloc(0), 1));
    const written = await call<Listed>(list());
    expect(written).toEqual({
      ...{ bucket: VAULT, count: 2 },
      list: expect.stringMatching(/^rewrap\/lists\/run-1-[\w-]{36}[.]jsonl$/),
    });
    expect(await lines(written.list)).toEqual([{ key: 'sealed/a' }, { key: 'sealed/\u2028 é' }]);
    const raw = (await collect((await lists.get(written.list)).body)).toString();
    expect(raw).not.toContain('\u2028');
    // One that is in use is nobody else's to change.
    expect((await call<Listed>(list())).list).not.toBe(written.list);
  });

  test('may be of those alone that begin so below the vault’s prefix', async () => {
    for (const key of ['sealed/a/1', 'sealed/b/1']) await stored(key);
    expect(await call(list({ prefix: 'b/' }))).toMatchObject({ count: 1 });
    expect(await call(list({ prefix: '../' }))).toMatchObject({ count: 0 });
  });

  test.each([{ prefix: 1 }, { dryRun: 'no' }, { run: '../other' }, { run: undefined }])(
    'is refused where it is asked for with %j',
    async (more) => {
      await expect(call(list(more))).rejects.toMatchObject({ code: 'event_malformed' });
    },
  );

  test('says what is wrong, for the run to end with', async () => {
    failure = new SealdropError('secret_missing', 'the secret k does not exist', { hint: 'make it' });
    const code = 'secret_missing';
    expect(await call(list())).toEqual({ code, message: 'the secret k does not exist: make it' });
  });
});

test('what stores and queues send is not for it', async () => {
  await expect(call({ Records: [] })).rejects.toMatchObject({ code: 'event_malformed' });
});
