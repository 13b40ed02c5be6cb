/** Other recipients for one object: it opens with the new key alone, or it stays as it was. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { constants, hkdfSync, privateDecrypt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEncryptor } from '../../src/envelope/esdk/encrypt.js';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { rsaWrappingKeys } from '../../src/keys/raw-rsa/wrap.js';
import type {
  ByteSource,
  Decryptor,
  Encryptor,
  GetOptions,
  ObjectStore,
  PutOptions,
} from '../../src/ports.js';
import { MemoryStore } from '../../src/store/memory.js';
import { put } from '../../src/transfer/put.js';
import { copy } from '../../src/transfer/rewrap/copy.js';
import { rewrap, type RewrapJob } from '../../src/transfer/rewrap/rewrap.js';
import { streamSource } from '../../src/transfer/source.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, NAMES, publicPem, rsaPair, type Pair } from '../helpers/keys.js';
import { craft } from '../vectors/craft.mjs';
import { layout } from '../vectors/layout.mjs';

const FRAME = 4096;
const [OLD, NEW] = [rsaPair(), rsaPair()];
const oldEncryptor = encryptorFor(OLD, { frameLength: FRAME });
const newEncryptor = encryptorFor(NEW, { frameLength: FRAME });
const oldDecryptor = decryptorFor(OLD);
const newDecryptor = decryptorFor(NEW);
const KEY = 'docs/a.txt';
const SIZES = [0, 1, FRAME - 1, FRAME, FRAME + 1, 10 * FRAME + 17];

/** A store whose behaviour a test changes. */
class Watched extends MemoryStore {
  puts: PutOptions[] = [];
  onGet: (() => Promise<void>) | undefined;
  beforeCommit: (() => Promise<void>) | undefined;
  onSourceError: ((error: unknown) => void) | undefined;
  override async get(key: string, options?: GetOptions) {
    const got = await super.get(key, options);
    await this.onGet?.();
    return got;
  }
  override async put(key: string, source: ByteSource, options: PutOptions = {}) {
    this.puts.push(options);
    const hook = this.beforeCommit;
    const told = this.onSourceError;
    async function* hooked() {
      try {
        yield* source;
      } catch (error) {
        told?.(error);
        throw error;
      }
      await hook?.();
    }
    return super.put(key, hooked(), options);
  }
}

let store: Watched;
beforeEach(() => {
  store = new Watched();
});

const putAs = (bytes: Uint8Array, encryptor: Encryptor = oldEncryptor, more: object = {}) =>
  put({ source: streamSource(chunked(bytes, 999), bytes.length), store, key: KEY, encryptor, ...more });
const raw = async (key = KEY) => collect((await store.get(key)).body);
const opened = async (decryptor: Decryptor, message: Uint8Array) =>
  collect(decryptor.decrypt(chunked(message, 1000)));
const plant = async (bytes: Uint8Array, metadata = {}) => store.put(KEY, chunked(bytes, 1000), { metadata });

function job(more: Partial<RewrapJob> = {}): RewrapJob {
  return {
    ...{ store, key: KEY, inspector: esdkInspector, decryptor: oldDecryptor, binding: 'required' as const },
    recipients: async () => ({ encryptor: newEncryptor, opener: newDecryptor, already: false }),
    ...more,
  };
}

/** What is stored is, byte for byte, what was. */
async function expectUntouched(before: Buffer): Promise<void> {
  expect((await raw()).equals(before)).toBe(true);
}

describe('what is rewrapped', () => {
  test.each(SIZES)('%d bytes open with the new key and not with the old', async (size) => {
    const bytes = pattern(size);
    await putAs(bytes, oldEncryptor, { context: { project: 'x' } });
    const before = await raw();
    const report = await rewrap(job());
    expect(report).toMatchObject({ outcome: 'rewrapped', plaintextSize: size, proof: 'opened' });
    const after = await raw();
    expect((await opened(newDecryptor, after)).equals(bytes)).toBe(true);
    await expect(opened(oldDecryptor, after)).rejects.toMatchObject({ code: 'wrong_key_or_header' });
    const [was, is] = [
      await esdkInspector.inspect(chunked(before, 99)),
      await esdkInspector.inspect(chunked(after, 99)),
    ];
    expect(is.messageId).not.toBe(was.messageId);
    expect({ ...is.context }).toEqual({ project: 'x', 'sealdrop:key': KEY });
  });

  test('is written over the very object that was read, in parts, its bytes proven', async () => {
    const { etag } = await putAs(pattern(10));
    await rewrap(job());
    expect(store.puts.at(-1)).toMatchObject({
      condition: { ifMatch: etag },
      guarded: true,
      inParts: true,
      proven: true,
    });
    expect(store.puts.at(-1)!.size).toBe((await raw()).length);
  });

  test('keeps its metadata, but for the keys', async () => {
    await putAs(pattern(100), oldEncryptor, { sourceToken: 'v.s.mac', metadata: { colour: 'blue' } });
    const before = (await store.head(KEY)).metadata!;
    await rewrap(job());
    const after = (await store.head(KEY)).metadata!;
    expect(after).toEqual({
      ...before,
      'sealdrop-keys': newEncryptor.recipients[0]!.fingerprint,
      'sealdrop-upload': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(after['sealdrop-upload']).not.toBe(before['sealdrop-upload']);
  });

  test('a signed message becomes an unsigned one, without its signing key', async () => {
    const signing = createEncryptor(
      rsaWrappingKeys([{ namespace: 'MyAppKeys', name: 'S3RSAKey', publicKey: OLD.publicKey }]),
      { suite: 0x0578, frameLength: FRAME },
    );
    await putAs(pattern(3 * FRAME), signing);
    await rewrap(job());
    const info = await esdkInspector.inspect(chunked(await raw(), 99));
    expect({ ...info.context }).toEqual({ 'sealdrop:key': KEY });
    expect((await opened(newDecryptor, await raw())).equals(pattern(3 * FRAME))).toBe(true);
  });

  test('and the other way round', async () => {
    const signing = createEncryptor(
      rsaWrappingKeys([{ namespace: 'MyAppKeys', name: 'S3RSAKey', publicKey: NEW.publicKey }]),
      { suite: 0x0578, frameLength: FRAME },
    );
    await putAs(pattern(3 * FRAME));
    await rewrap(
      job({ recipients: async () => ({ encryptor: signing, opener: newDecryptor, already: false }) }),
    );
    expect((await opened(newDecryptor, await raw())).equals(pattern(3 * FRAME))).toBe(true);
  });

  test('without a key that opens the new one, its framing is checked', async () => {
    await putAs(pattern(3 * FRAME + 1));
    const report = await rewrap(
      job({ recipients: async () => ({ encryptor: newEncryptor, already: false }) }),
    );
    expect(report).toMatchObject({ outcome: 'rewrapped', proof: 'framing' });
    expect((await opened(newDecryptor, await raw())).equals(pattern(3 * FRAME + 1))).toBe(true);
  });

  test('an unbound message stays unbound, where such are allowed, and is refused where not', async () => {
    await plant(await collect(oldEncryptor.encrypt(chunked(pattern(10), 10), { a: 'b' })));
    const before = await raw();
    await expect(rewrap(job())).rejects.toMatchObject({ code: 'wrong_object' });
    await expectUntouched(before);
    await rewrap(job({ binding: 'allow' }));
    const info = await esdkInspector.inspect(chunked(await raw(), 99));
    expect({ ...info.context }).toEqual({ a: 'b' });
  });

  test('what is for those already is left alone', async () => {
    await putAs(pattern(10));
    const before = await raw();
    const report = await rewrap(
      job({ recipients: async () => ({ encryptor: newEncryptor, already: true }) }),
    );
    expect(report).toMatchObject({ outcome: 'present', plaintextSize: 10 });
    await expectUntouched(before);
  });

  test('nor is what was swapped in from another key said to be', async () => {
    await plant(
      await collect(newEncryptor.encrypt(chunked(pattern(10), 10), { 'sealdrop:key': 'docs/b.txt' })),
    );
    const before = await raw();
    const recipients = async () => ({ encryptor: newEncryptor, already: true });
    for (const decryptor of [oldDecryptor, undefined])
      await expect(rewrap(job({ recipients, decryptor }))).rejects.toMatchObject({ code: 'wrong_object' });
    await expectUntouched(before);
  });

  test('without a private key nothing is done but told', async () => {
    await putAs(pattern(10));
    const before = await raw();
    expect(await rewrap(job({ decryptor: undefined }))).toMatchObject({
      outcome: 'planned',
      plaintextSize: 10,
    });
    await expectUntouched(before);
  });
});

describe('two seals of one object', () => {
  /** By the specification's data-format pages, with nothing of ours. */
  function keyOf(
    message: Buffer,
    { privateKey }: Pair,
  ): { dataKey: string; sealingKey: string; nonces: string[] } {
    const fields = layout(message);
    const of = (name: string) => message.subarray(fields[name]!.begin, fields[name]!.end);
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const dataKey = privateDecrypt(
      { key: privateKey, padding, oaepHash: 'sha256' },
      of('wrapped key 1 bytes'),
    );
    const label = Buffer.concat([of('suite'), Buffer.from('DERIVEKEY')]);
    const sealingKey = Buffer.from(hkdfSync('sha512', dataKey, of('message id'), label, 32));
    const frames = Object.keys(fields).filter((name) => name.endsWith(' iv'));
    // The header is sealed with nonce 0, which is not written.
    const nonces = ['0'.repeat(24), ...frames.map((name) => of(name).toString('hex'))];
    return { dataKey: dataKey.toString('hex'), sealingKey: sealingKey.toString('hex'), nonces };
  }

  test('share no data key, and no nonce under one key, neither of their headers nor of their frames', async () => {
    await putAs(pattern(3 * FRAME));
    const first = await raw();
    await rewrap(job());
    const second = await raw();
    const again = async () => ({ encryptor: newEncryptor, opener: newDecryptor, already: false });
    await rewrap(job({ decryptor: newDecryptor, recipients: again }));
    const found = [keyOf(first, OLD), keyOf(second, NEW), keyOf(await raw(), NEW)];
    expect(new Set(found.map(({ dataKey }) => dataKey)).size).toBe(3);
    const seals = found.flatMap(({ sealingKey, nonces }) => nonces.map((nonce) => `${sealingKey} ${nonce}`));
    // A header and four frames each: the last is empty, or the third is the last.
    expect(seals.length).toBeGreaterThanOrEqual(3 * 4);
    expect(new Set(seals).size).toBe(seals.length);
  });

  test('share neither message id, nor wrapped key, nor the key that frames are sealed with', async () => {
    await putAs(pattern(FRAME));
    const first = await raw();
    await rewrap(job());
    const second = await raw();
    await rewrap(
      job({
        decryptor: newDecryptor,
        recipients: async () => ({ encryptor: newEncryptor, opener: newDecryptor, already: false }),
      }),
    );
    const third = await raw();
    const messages = [first, second, third];
    const infos = await Promise.all(messages.map(async (m) => esdkInspector.inspect(chunked(m, 99))));
    expect(new Set(infos.map(({ messageId }) => messageId)).size).toBe(3);
    // One nonce (the frame's number) over one plaintext gives one ciphertext only under one key.
    const bodies = messages.map((m, i) =>
      m.subarray(infos[i]!.headerLength + 4 + 12, infos[i]!.headerLength + 4 + 12 + FRAME),
    );
    expect(new Set(bodies.map((b) => b.toString('hex'))).size).toBe(3);
    // The key commitment, which is made of data key and message id, is the 32 bytes before the header's tag.
    const commitments = messages.map((m, i) =>
      m.subarray(infos[i]!.headerLength - 48, infos[i]!.headerLength - 16),
    );
    expect(new Set(commitments.map((b) => b.toString('hex'))).size).toBe(3);
  });
});

describe('a message in one block that is longer than what is held in memory', () => {
  const block = (alter: boolean) => {
    const recipients = [{ ...NAMES, publicKey: publicPem(OLD) }];
    const message = craft({
      ...{ pairs: [['sealdrop:key', KEY]], recipients, frameLength: 0, contentType: 1 },
      body: (writer) => writer.block(pattern(300_000)),
    });
    if (alter) message[message.length - 1]! ^= 1;
    return message;
  };
  const decryptor = decryptorFor(OLD, { maxFrameLength: 1000 });

  test('is rewrapped: nothing of the new one is seen before all was checked', async () => {
    await plant(block(false));
    expect(await rewrap(job({ decryptor }))).toMatchObject({ outcome: 'rewrapped', proof: 'opened' });
    expect((await opened(newDecryptor, await raw())).equals(pattern(300_000))).toBe(true);
  });

  test('is not, where it was altered: the store is told to break off, and nothing of it is left', async () => {
    await plant(block(true));
    const before = await raw();
    let told: unknown;
    store.onSourceError = (error) => (told = error);
    await expect(rewrap(job({ decryptor }))).rejects.toMatchObject({ code: 'frame_auth' });
    expect(told).toMatchObject({ code: 'frame_auth' });
    await expectUntouched(before);
    const to = new MemoryStore();
    const places = { from: { store, key: KEY }, to: { store: to, key: KEY } };
    const sealing = { encryptor: newEncryptor, opener: newDecryptor, inspector: esdkInspector };
    await expect(
      copy({ ...places, ...sealing, decryptor, binding: 'required', context: {} }),
    ).rejects.toMatchObject({ code: 'frame_auth' });
    await expect(to.head(KEY)).rejects.toMatchObject({ code: 'object_not_found' });
  });
});

describe('what a report says of the binding', () => {
  test.each([
    ['bound', { 'sealdrop:key': KEY }, {}],
    ['unbound', {}, { binding: 'allow' as const }],
    ['moved', { 'sealdrop:key': 'other' }, { moved: true }],
  ])('%s', async (bound, context, rules) => {
    const message = () => collect(oldEncryptor.encrypt(chunked(pattern(10), 10), context));
    const already = async () => ({ encryptor: newEncryptor, opener: newDecryptor, already: true });
    await plant(await message());
    expect(await rewrap(job({ ...rules, recipients: already }))).toMatchObject({ outcome: 'present', bound });
    expect(await rewrap(job({ ...rules, decryptor: undefined }))).toMatchObject({
      outcome: 'planned',
      bound,
    });
    expect(await rewrap(job(rules))).toMatchObject({ outcome: 'rewrapped', bound });
  });
});

describe('what was moved', () => {
  const moved = async () => {
    const message = await collect(
      oldEncryptor.encrypt(chunked(pattern(10), 10), { 'sealdrop:key': 'old/a.txt', b: 'c' }),
    );
    await plant(message, { 'sealdrop-source': 'token', 'sealdrop-format': 'esdk' });
    return raw();
  };

  test('is refused as it lies, and is bound to where it lies by its old key', async () => {
    const before = await moved();
    await expect(rewrap(job())).rejects.toMatchObject({ code: 'wrong_object' });
    await expectUntouched(before);
    await rewrap(job({ boundTo: 'old/a.txt' }));
    const info = await esdkInspector.inspect(chunked(await raw(), 99));
    expect({ ...info.context }).toEqual({ b: 'c', 'sealdrop:key': KEY });
    // It was made for the old key.
    expect((await store.head(KEY)).metadata).not.toHaveProperty('sealdrop-source');
  });

  test.each(['old/b.txt', 'old/', 'old/a.txt2', '', KEY])(
    'is refused for another key, as %j',
    async (boundTo) => {
      const before = await moved();
      await expect(rewrap(job({ boundTo }))).rejects.toMatchObject({ code: 'wrong_object' });
      await expectUntouched(before);
    },
  );

  test('an unbound message is bound by nobody', async () => {
    await plant(await collect(oldEncryptor.encrypt(chunked(pattern(10), 10), {})));
    const before = await raw();
    await expect(
      rewrap(job({ boundTo: 'old/a.txt', binding: 'allow', unbound: true, moved: true })),
    ).rejects.toMatchObject({ code: 'wrong_object' });
    await expectUntouched(before);
  });

  test('what was bound anew already is there already', async () => {
    await moved();
    await rewrap(job({ boundTo: 'old/a.txt' }));
    const already = async () => ({ encryptor: newEncryptor, already: true });
    expect(await rewrap(job({ boundTo: 'old/a.txt', recipients: already }))).toMatchObject({
      outcome: 'present',
    });
  });
});

describe('an object that is not whole', () => {
  const size = 5 * FRAME + 100;
  const damaged: [string, string, (message: Buffer, header: number) => Buffer][] = [
    ['cut in its last frame', 'truncated', (m) => m.subarray(0, m.length - 1)],
    ['cut between frames', 'truncated', (m, h) => m.subarray(0, h + 2 * (FRAME + 32))],
    ['cut behind its header', 'truncated', (m, h) => m.subarray(0, h)],
    ['with an altered last frame', 'frame_auth', (m) => flipped(m, m.length - 20)],
    ['with an altered first frame', 'frame_auth', (m, h) => flipped(m, h + 100)],
    ['with an altered tag at its very end', 'frame_auth', (m) => flipped(m, m.length - 1)],
    ['with an altered header', 'wrong_key_or_header', (m, h) => flipped(m, h - 1)],
    ['with bytes behind it', 'trailing_data', (m) => Buffer.concat([m, Buffer.from('x')])],
    [
      'with two frames swapped',
      'frame_order',
      (m, h) => {
        const frame = FRAME + 32;
        const [a, b] = [m.subarray(h, h + frame), m.subarray(h + frame, h + 2 * frame)];
        return Buffer.concat([m.subarray(0, h), b, a, m.subarray(h + 2 * frame)]);
      },
    ],
  ];
  const flipped = (message: Buffer, at: number) => {
    const copy = Buffer.from(message);
    copy[at]! ^= 1;
    return copy;
  };
  test.each(damaged)('%s stays as it is: %s', async (_, code, damage) => {
    await putAs(pattern(size));
    const message = await raw();
    const { headerLength } = await esdkInspector.inspect(chunked(message, 99));
    const before = damage(message, headerLength);
    await plant(before, (await store.head(KEY)).metadata);
    for (const opener of [newDecryptor, undefined]) {
      const recipients = async () => ({ encryptor: newEncryptor, opener, already: false });
      await expect(rewrap(job({ recipients }))).rejects.toMatchObject({ code });
      await expectUntouched(before);
    }
  });

  test('or that is for somebody else', async () => {
    await putAs(pattern(10));
    const before = await raw();
    await expect(rewrap(job({ decryptor: newDecryptor }))).rejects.toMatchObject({
      code: 'wrong_key_or_header',
    });
    await expectUntouched(before);
  });

  test('or was stored as it is', async () => {
    await plant(Buffer.from('hello'), { 'sealdrop-format': 'plain' });
    await expect(rewrap(job())).rejects.toMatchObject({ code: 'not_an_envelope' });
  });
});

describe('somebody else writes', () => {
  const theirs = Buffer.from('theirs');
  test.each(['onGet', 'beforeCommit'] as const)('%s: what they wrote stays', async (when) => {
    await putAs(pattern(3 * FRAME));
    store[when] = async () => {
      store.onGet = store.beforeCommit = undefined;
      await plant(theirs);
    };
    await expect(rewrap(job())).rejects.toMatchObject({ code: 'source_changed' });
    await expectUntouched(theirs);
  });

  test('a store that says another ETag than the object has: it stays as it was', async () => {
    await putAs(pattern(3 * FRAME));
    const before = await raw();
    const lying: ObjectStore = Object.assign(Object.create(store) as MemoryStore, {
      ...{ head: store.head.bind(store), put: store.put.bind(store) },
      get: async (key: string, options?: GetOptions) => {
        const { info, body } = await store.get(key, options);
        return { info: { ...info, etag: 'f'.repeat(32) }, body };
      },
    });
    await expect(rewrap(job({ store: lying }))).rejects.toMatchObject({ code: 'source_changed' });
    await expectUntouched(before);
  });

  test('a store that gives another object in its place: that is not taken for it', async () => {
    await putAs(pattern(3 * FRAME));
    await put({
      source: streamSource(chunked(pattern(9), 9), 9),
      store,
      key: 'other',
      encryptor: oldEncryptor,
    });
    const [mine, other] = [await raw(), await raw('other')];
    const swapping: ObjectStore = Object.assign(Object.create(store) as MemoryStore, {
      ...{ head: store.head.bind(store), put: store.put.bind(store) },
      get: async (key: string) => {
        const { info } = await store.get(key);
        const { body } = await store.get('other');
        return { info, body };
      },
    });
    await expect(rewrap(job({ store: swapping }))).rejects.toMatchObject({ code: 'wrong_object' });
    await expectUntouched(mine);
    expect((await raw('other')).equals(other)).toBe(true);
  });

  test('they remove it: it stays away', async () => {
    await putAs(pattern(3 * FRAME));
    store.beforeCommit = async () => store.remove(KEY);
    await expect(rewrap(job())).rejects.toMatchObject({ code: 'source_changed' });
    await expect(store.head(KEY)).rejects.toMatchObject({ code: 'object_not_found' });
  });

  test('at a store that passes over conditions it is looked at right before', async () => {
    await putAs(pattern(3 * FRAME));
    const ignoring: ObjectStore = Object.assign(Object.create(store) as MemoryStore, {
      get: store.get.bind(store),
      head: store.head.bind(store),
      put: async (key: string, source: ByteSource, options: PutOptions) => {
        const bytes = await collect(source);
        return store.put(key, chunked(bytes, 999), { ...options, condition: undefined });
      },
    });
    store.onGet = async () => {
      store.onGet = undefined;
      await plant(theirs);
    };
    await expect(rewrap(job({ store: ignoring, unconditional: true }))).rejects.toMatchObject({
      code: 'source_changed',
    });
    await expectUntouched(theirs);
  });
});

describe('a new message that is not right', () => {
  const wrong: [string, Encryptor][] = [
    ['of other content', { ...newEncryptor, encrypt: (s, c) => newEncryptor.encrypt(altered(s), c) }],
    ['of less content', { ...newEncryptor, encrypt: (s, c) => newEncryptor.encrypt(halved(s), c) }],
    ['of other pairs', { ...newEncryptor, encrypt: (s, c) => newEncryptor.encrypt(s, { ...c, more: 'x' }) }],
    ['that is cut', { ...newEncryptor, encrypt: (s, c) => cut(newEncryptor.encrypt(s, c)) }],
    ['for a key that nothing has', encryptorFor(rsaPair(), { frameLength: FRAME })],
  ];
  async function* altered(source: ByteSource) {
    for await (const piece of source) yield Uint8Array.from(piece, (byte) => byte ^ 1);
  }
  async function* halved(source: ByteSource) {
    for await (const piece of source) yield piece.subarray(piece.length / 2);
  }
  async function* cut(source: ByteSource) {
    let held: Uint8Array | undefined;
    for await (const piece of source) {
      if (held !== undefined) yield held;
      held = Uint8Array.from(piece);
    }
  }
  test.each(wrong)('%s is not stored', async (_, encryptor) => {
    // Its size is not announced, so that it is the check that finds it.
    const silent = { ...encryptor, ciphertextSize: () => ({ bytes: 1, exact: false }) } as Encryptor;
    await putAs(pattern(3 * FRAME + 5));
    const before = await raw();
    const recipients = async () => ({ encryptor: silent, opener: newDecryptor, already: false });
    await expect(rewrap(job({ recipients }))).rejects.toThrow();
    await expectUntouched(before);
  });
});

describe('an interruption', () => {
  test('leaves the old object, and nothing at work', async () => {
    await putAs(pattern(100 * FRAME));
    const before = await raw();
    const stop = new AbortController();
    let seen = 0;
    const running = rewrap(
      job({
        signal: stop.signal,
        onProgress: (bytes) => {
          seen = bytes;
          if (bytes > 10 * FRAME) stop.abort();
        },
      }),
    );
    await expect(running).rejects.toMatchObject({ code: 'interrupted' });
    await expectUntouched(before);
    const last = seen;
    await sleep(50);
    expect(seen).toBe(last);
  });
});
