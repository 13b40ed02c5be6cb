/** A put that is broken off anywhere goes on, or begins anew: what is stored is the file, and no nonce meets two plaintexts. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resumableMessages } from '../../src/envelope/esdk/resumable.js';
import type { EncryptorOptions } from '../../src/envelope/esdk/encrypt.js';
import { SealdropError, type ErrorCode } from '../../src/errors.js';
import { rsaWrappingKeys } from '../../src/keys/raw-rsa/wrap.js';
import type { Encryptor } from '../../src/ports.js';
import type { PutJob } from '../../src/transfer/put.js';
import { forgetUpload, putResumably } from '../../src/transfer/resume/put.js';
import type { ResumeEvent } from '../../src/transfer/resume/run.js';
import { openFileSource } from '../../src/transfer/source.js';
import { collect, pattern } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, NAMES, rsaPair, type Pair } from '../helpers/keys.js';
import { oracleDecrypt } from '../helpers/oracle.js';
import { ResumableStore, type Sent, type Step } from '../helpers/resumable-store.js';
import { layout } from '../vectors/layout.mjs';

const FRAME = 64;
/** A header has about 400 bytes. */
const PART = 700;
const pair = rsaPair();
const other = rsaPair();
const content = pattern(100 * FRAME + 17);

const root = mkdtempSync(join(tmpdir(), 'sealdrop-resume-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;
let path: string;
let wire: Sent[];
let dataKeys: string[];
beforeEach(() => {
  folder = mkdtempSync(join(root, 'state-'));
  path = join(mkdtempSync(join(root, 'source-')), 'source');
  writeFileSync(path, content);
  wire = [];
  dataKeys = [];
});

/** Every test: each part of an upload was only ever sent as one run of bytes, and each upload has a data key of its own. */
afterEach(() => {
  const seen = new Map<string, Buffer>();
  for (const { upload, number, body } of wire) {
    const place = `${upload} ${number}`;
    const before = seen.get(place) ?? body;
    seen.set(place, before);
    if (!before.equals(body)) throw new Error(`part ${number} was sent as two different things`);
  }
  expect(new Set(dataKeys).size).toBe(dataKeys.length);
  const headers = new Map<string, string>();
  for (const { upload, number, body } of wire)
    if (number === 1) headers.set(upload, body.subarray(3, 35).toString('hex'));
  expect(new Set(headers.values()).size).toBe(headers.size);
});

function encryptorOf(options: EncryptorOptions = {}, to: Pair = pair): Encryptor {
  const all = { frameLength: FRAME, ...options };
  const messages = resumableMessages(rsaWrappingKeys([{ ...NAMES, publicKey: to.publicKey }]), all);
  if (messages === undefined) return encryptorFor(to, all);
  const begin: typeof messages.begin = async (...args) => {
    const message = await messages.begin(...args);
    dataKeys.push(Buffer.from(message.kept.dataKey.reveal()).toString('hex'));
    return message;
  };
  return { ...encryptorFor(to, all), resumable: { ...messages, begin } };
}

interface RunOptions extends Partial<PutJob> {
  from?: number;
  state?: string;
}

async function run(store: ResumableStore, { from = 1, state = folder, ...job }: RunOptions = {}) {
  const events: ResumeEvent[] = [];
  const source = job.source ?? (await openFileSource(path));
  const report = await putResumably(
    { store, key: 'key', encryptor: encryptorOf(), ...job, source },
    { from, folder: state, onEvent: (event) => events.push(event) },
  ).catch((error: unknown) => ({ error: error as SealdropError }));
  return { report, events, kinds: events.map(({ kind }) => kind) };
}

const newStore = () => new ResumableStore({ partSize: PART }, wire);
const states = (of = folder) => readdirSync(of);

async function expectStored(store: ResumableStore, bytes: Uint8Array = readFileSync(path)) {
  const message = await store.stored('key');
  expect((await collect(decryptorFor(pair).decrypt(once(message)))).equals(bytes)).toBe(true);
  expect((await oracleDecrypt(pair, message)).plaintext.equals(bytes)).toBe(true);
}

async function* once(bytes: Buffer) {
  yield bytes;
}

interface Moment {
  readonly what: string;
  readonly store: ResumableStore;
  readonly state: string;
}

/** How store and disk are before and after every request of a put: where it might be killed. */
async function moments(store = newStore(), options: RunOptions = {}): Promise<Moment[]> {
  const found: Moment[] = [];
  store.hooks.on = async (step, when, number = 0) => {
    const state = mkdtempSync(join(root, 'moment-'));
    cpSync(options.state ?? folder, state, { recursive: true });
    // It names this process, which is not the one that was killed.
    for (const name of readdirSync(state)) if (name.includes('sealdrop-lock')) rmSync(join(state, name));
    found.push({ what: `${when} ${step} ${number}`, store: await store.fork(), state });
  };
  const { report } = await run(store, options);
  expect(report).not.toHaveProperty('error');
  return found;
}

/** A put of which some parts arrived, and no more. */
async function brokenOff(parts = 4, options: RunOptions = {}): Promise<ResumableStore> {
  const store = newStore();
  store.hooks.on = (step, when, number = 0) => {
    if (step === 'send' && when === 'before' && number > parts) throw gone();
  };
  const { report, kinds } = await run(store, options);
  expect(report).toMatchObject({ error: { code: 'endpoint_unreachable' } });
  expect(kinds).toEqual(['kept']);
  expect(states()).toHaveLength(1);
  store.hooks.on = undefined;
  return store;
}

const gone = () => new SealdropError('endpoint_unreachable', 'the network is away', { retryable: true });

test('a put that nobody breaks off leaves no state, and reports as any other', async () => {
  const store = newStore();
  const { report, events } = await run(store, { context: { who: 'me' } });
  expect(report).toMatchObject({
    key: 'key',
    plaintextSize: content.length,
    checked: 'size',
    unfinished: [],
  });
  expect(report).not.toHaveProperty('resumed');
  expect(events).toEqual([]);
  expect(states()).toEqual([]);
  expect(store.uploading.size).toBe(0);
  await expectStored(store);
});

describe('killed at any moment', () => {
  test('the same command goes on, with the same key if anything was sent, and sends no more than it must', async () => {
    const all = await moments();
    expect(all.length).toBeGreaterThan(20);
    const total = (await all.at(-1)!.store.stored('key')).length;
    for (const { what, store, state } of all) {
      const [before, keys] = [wire.length, dataKeys.length];
      const { report } = await run(store, { state });
      const sent = wire.slice(before).reduce((sum, { body }) => sum + body.length, 0);
      // Two are on their way at a time, and one more is known by the answer alone.
      const confirmed = report as { resumed?: { there: number; sent: number } };
      if (confirmed.resumed !== undefined) {
        expect([what, dataKeys.length]).toEqual([what, keys]);
        expect([what, confirmed.resumed.sent]).toEqual([what, sent]);
        expect([what, confirmed.resumed.there + sent <= total]).toEqual([what, true]);
      } else expect(what).toMatch(/begin/);
      expect([what, states(state)]).toEqual([what, []]);
      await expectStored(store);
    }
  });

  test('twice', async () => {
    for (const first of (await moments()).filter((_, i) => i % 5 === 3)) {
      const again = await moments(first.store, { state: first.state });
      for (const { store, state } of again.filter((_, i) => i % 3 === 0)) {
        await run(store, { state });
        await expectStored(store);
      }
    }
  });

  test('in the middle of a line of the state', async () => {
    const store = await brokenOff(3);
    const [name] = states();
    const whole = readFileSync(join(folder, name!));
    const ends = [...whole.keys()].filter((at) => whole[at] === 10);
    const cuts = [
      0,
      1,
      100,
      ends[0]!,
      ends[0]! + 1,
      ...ends.slice(1).flatMap((end) => [end - 7, end, end + 1]),
    ];
    for (const cut of cuts) {
      const state = mkdtempSync(join(root, 'torn-'));
      writeFileSync(join(state, name!), whole.subarray(0, cut), { mode: 0o600 });
      const fork = await store.fork();
      await run(fork, { state });
      await expectStored(fork);
      expect(states(state)).toEqual([]);
    }
  });
});

test('before anything of a part is sent, the digests of all that it is made of are on the disk', async () => {
  for (const { what, state } of await moments()) {
    const number = /^before send (\d+)/.exec(what)?.[1];
    if (number === undefined) continue;
    const [name] = states(state);
    const lines = readFileSync(join(state, name!), 'utf8').split('\n');
    const recorded = lines.filter((line) => line.startsWith('{"extent"')).length;
    expect(recorded).toBeGreaterThanOrEqual(Number(number));
  }
});

describe('any difference begins anew, with another key and another upload', () => {
  const differences: Record<string, () => RunOptions | Promise<RunOptions>> = {
    'the time of the file': () => {
      utimesSync(path, 1, 1);
      return {};
    },
    'its permissions (ctime)': () => {
      chmodSync(path, 0o640);
      return {};
    },
    'another file in its place': () => {
      writeFileSync(`${path}.new`, content);
      const { atime, mtime } = statSync(path);
      utimesSync(`${path}.new`, atime, mtime);
      renameSync(`${path}.new`, path);
      return {};
    },
    'its size': () => {
      appendFileSync(path, 'x');
      return {};
    },
    'cut short': () => {
      truncateSync(path, content.length - 1);
      return {};
    },
    'its path': async () => {
      linkSync(path, `${path}.link`);
      return { source: await openFileSource(`${path}.link`) };
    },
    'a pair of the context': () => ({ context: { a: 'b' } }),
    'another recipient': () => ({ encryptor: encryptorOf({}, other) }),
    'one more recipient': () => ({
      encryptor: {
        ...encryptorOf(),
        recipients: [...encryptorOf().recipients, ...encryptorOf({}, other).recipients],
      },
    }),
    'the suite': () => ({
      encryptor: encryptorOf({ suite: 0x0178, commitmentPolicy: 'FORBID_ENCRYPT_ALLOW_DECRYPT' }),
    }),
    'the frame length': () => ({ encryptor: encryptorOf({ frameLength: FRAME + 1 }) }),
    metadata: () => ({ metadata: { more: 'said' } }),
    'what is preserved': () => ({ preserve: true }),
  };

  test.each(Object.keys(differences))('%s', async (what) => {
    const store = await brokenOff();
    const [upload] = store.uploading.keys();
    const before = wire.length;
    const { report, kinds } = await run(store, await differences[what]!());
    expect(report).not.toHaveProperty('error');
    expect(report).not.toHaveProperty('resumed');
    expect(kinds).toEqual(['restarted']);
    expect(dataKeys).toHaveLength(2);
    expect(store.discarded).toEqual([upload]);
    expect(wire.slice(before).map(({ number }) => number)).toContain(1);
    expect(wire.slice(before).every((sent) => sent.upload !== upload)).toBe(true);
    expect(states()).toEqual([]);
  });

  const inState: Record<string, (first: Record<string, unknown>) => void> = {
    'another machine': (first) => (first.host = '00000000'),
    'other terms': (first) => (first.terms = 'others'),
    'another size of parts': (first) => (first.partSize = PART + 1),
    'another place': (first) => (first.where = 'there'),
    'another data key': (first) => (first.dataKey = randomBytes(32).toString('base64')),
    'a damaged header': (first) => {
      const header = Buffer.from(first.header as string, 'base64');
      header[header.length - 70]! ^= 1;
      first.header = header.toString('base64');
    },
    'a damaged wrapped key': (first) => {
      const header = Buffer.from(first.header as string, 'base64');
      header[200]! ^= 1;
      first.header = header.toString('base64');
    },
    'another digest key': (first) => (first.digestKey = randomBytes(32).toString('base64')),
    'an unknown version': (first) => (first.version = 2),
  };
  test.each(Object.keys(inState))('%s', async (what) => {
    const store = await brokenOff();
    changeState((lines) => inState[what]!(lines[0]!));
    const { report } = await run(store);
    expect(report).not.toHaveProperty('error');
    expect(report).not.toHaveProperty('resumed');
    expect(dataKeys).toHaveLength(2);
    await expectStored(store);
    expect(states()).toEqual([]);
  });
});

function changeState(change: (lines: Record<string, unknown>[]) => void) {
  const file = join(folder, states()[0]!);
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  change(lines);
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** Whatever the file system says of the file now, the state says it too: only its bytes are others. */
function hideChange() {
  const stats = statSync(path, { bigint: true });
  changeState(([first]) => {
    const source = first!.source as Record<string, unknown>;
    Object.assign(source, { inode: String(stats.ino), size: Number(stats.size) });
    Object.assign(source, { modified: String(stats.mtimeNs), changed: String(stats.ctimeNs) });
  });
}

describe('other bytes in a file that looks the same', () => {
  /** Where frames and parts begin and end in the plaintext. */
  const places = [
    0,
    1,
    FRAME - 1,
    FRAME,
    5 * FRAME,
    5 * FRAME - 1,
    8 * FRAME + 3,
    11 * FRAME,
    12 * FRAME - 1,
  ];

  test.each(places)(
    'at byte %d, which was encrypted: another key, and nothing under the old one',
    async (at) => {
      const store = await brokenOff(4);
      const [old] = store.uploading.keys();
      const before = wire.length;
      const changed = Buffer.from(content);
      changed[at]! ^= 1;
      writeFileSync(path, changed);
      hideChange();
      const { report, kinds } = await run(store);
      expect(report).not.toHaveProperty('resumed');
      expect(kinds).toEqual(['resumed', 'restarted']);
      expect(dataKeys).toHaveLength(2);
      // What still went out under the old key are the very bytes of before (see above), or of what had not changed.
      const plain = wire.slice(before).filter(({ upload }) => upload === old);
      expect(plain.every(({ number }) => number <= 5)).toBe(true);
      await expectStored(store, changed);
    },
  );

  test('in what was never encrypted: it goes on, and the file of now is stored', async () => {
    const store = await brokenOff(4);
    const changed = Buffer.from(content);
    changed[content.length - 1]! ^= 1;
    writeFileSync(path, changed);
    hideChange();
    expect((await run(store)).report).toHaveProperty('resumed');
    await expectStored(store, changed);
  });
});

describe('a file that changes while a second run reads it', () => {
  test.each([0, 8 * FRAME, 30 * FRAME, content.length - 1])('at byte %d: nothing is stored', async (at) => {
    const store = await brokenOff(4);
    store.hooks.on = (step, when) => {
      if (step !== 'send' || when !== 'before') return;
      const changed = Buffer.from(content);
      changed[at]! ^= 1;
      writeFileSync(path, changed);
      store.hooks.on = undefined;
    };
    const { report, kinds } = await run(store);
    expect(report).toMatchObject({ error: { code: 'source_changed' } });
    expect(kinds).toEqual(['resumed']);
    await expect(store.head('key')).rejects.toMatchObject({ code: 'object_not_found' });
    expect(store.uploading.size).toBe(0);
    expect(states()).toEqual([]);
  });

  test('cut short', async () => {
    const store = await brokenOff(2);
    store.hooks.on = (step) => (step === 'send' ? truncateSync(path, 8 * FRAME) : undefined);
    expect((await run(store)).report).toMatchObject({ error: { code: 'source_changed' } });
    expect([store.uploading.size, states()]).toEqual([0, []]);
  });
});

describe('what the store has', () => {
  const only = (store: ResumableStore) => [...store.uploading.values()][0]!;
  const begunAnew: Record<string, (store: ResumableStore) => void> = {
    'a part that was never sent': (store) => only(store).parts.set(7, randomBytes(PART)),
    'a part behind the last': (store) => only(store).parts.set(99, randomBytes(PART)),
    'another part of the same size': (store) => only(store).parts.set(2, randomBytes(PART)),
    'a part that is shorter': (store) => only(store).parts.set(2, only(store).parts.get(2)!.subarray(1)),
    'no such upload any more': (store) => store.uploading.clear(),
  };
  test.each(Object.keys(begunAnew))('%s: it begins anew', async (what) => {
    const store = await brokenOff(3);
    begunAnew[what]!(store);
    const { report, kinds } = await run(store);
    expect(report).not.toHaveProperty('resumed');
    expect(kinds).toEqual(['restarted']);
    expect(dataKeys).toHaveLength(2);
    await expectStored(store);
  });

  test('one part less: it is sent again, the same bytes', async () => {
    const store = await brokenOff(4);
    only(store).parts.delete(2);
    expect((await run(store)).report).toHaveProperty('resumed');
    expect(dataKeys).toHaveLength(1);
    await expectStored(store);
  });

  test('it doesn’t tell: it begins anew', async () => {
    const store = await brokenOff(4);
    store.hooks.on = (step) => {
      if (step === 'parts') throw new SealdropError('access_denied', 'no');
    };
    expect((await run(store)).kinds).toEqual(['restarted']);
    await expectStored(store);
  });

  test('it can’t be reached: all stays as it is', async () => {
    const store = await brokenOff(4);
    store.hooks.on = (step) => {
      if (step === 'parts') throw gone();
    };
    expect((await run(store)).report).toMatchObject({ error: { code: 'endpoint_unreachable' } });
    expect([store.uploading.size, states().length]).toEqual([1, 1]);
    store.hooks.on = undefined;
    expect((await run(store)).report).toHaveProperty('resumed');
  });

  test('an upload can’t be begun: what was there before stays', async () => {
    const store = await brokenOff(4);
    utimesSync(path, 1, 1);
    store.hooks.on = (step) => {
      if (step === 'begin') throw new SealdropError('access_denied', 'no');
    };
    expect((await run(store)).report).toMatchObject({ error: { code: 'access_denied' } });
    expect([store.uploading.size, states().length]).toEqual([1, 1]);
  });
});

describe('what failed', () => {
  const fails = async (code: ErrorCode, step: Step) => {
    const store = newStore();
    store.hooks.on = (at, when, number = 9) => {
      if (at === step && when === 'before' && number > 4) throw new SealdropError(code, 'it failed');
    };
    const { report, kinds } = await run(store);
    expect(report).toMatchObject({ error: { code } });
    return { kinds, left: [store.uploading.size, states().length] };
  };

  test.each([
    'interrupted',
    'endpoint_unreachable',
    'store_unavailable',
    'access_denied',
    'credentials_missing',
  ] as const)('%s: parts and state stay', async (code) => {
    expect(await fails(code, 'send')).toEqual({ kinds: ['kept'], left: [1, 1] });
  });

  test.each(['upload_corrupted', 'store_refused', 'bucket_not_found', 'internal', 'too_large'] as const)(
    '%s: nothing stays',
    async (code) => {
      expect(await fails(code, 'send')).toEqual({ kinds: [], left: [0, 0] });
    },
  );

  test('a completion that is refused leaves nothing', async () => {
    expect(await fails('precondition_failed', 'complete')).toEqual({ kinds: [], left: [0, 0] });
  });

  test('interrupted by a signal', async () => {
    const store = newStore();
    const controller = new AbortController();
    store.hooks.on = (_step, _when, number = 0) => (number === 4 ? controller.abort() : undefined);
    const { report, kinds } = await run(store, { signal: controller.signal });
    expect(report).toMatchObject({ error: { code: 'interrupted' } });
    expect(kinds).toEqual(['kept']);
    expect((await run(store)).report).toHaveProperty('resumed');
    await expectStored(store);
  });

  test('a completion whose answer was lost: the next run finds the object, and sends nothing', async () => {
    const store = newStore();
    store.hooks.on = (step, when) => {
      if (step === 'complete' && when === 'after') throw gone();
    };
    expect((await run(store)).kinds).toEqual(['kept']);
    store.hooks.on = undefined;
    const before = wire.length;
    const { report } = await run(store, { overwrite: false });
    expect(report).toMatchObject({ resumed: { sent: 0 } });
    expect(wire).toHaveLength(before);
    expect(states()).toEqual([]);
    await expectStored(store);
  });
});

describe('the state', () => {
  test('is for its owner alone', async () => {
    rmSync(folder, { recursive: true });
    await brokenOff();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of states()) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  test('that somebody else may have written is not used', async () => {
    const store = await brokenOff();
    const [name] = states();
    chmodSync(join(folder, name!), 0o660);
    expect((await run(store)).report).toMatchObject({ error: { code: 'target_unwritable' } });
    chmodSync(join(folder, name!), 0o600);
    linkSync(join(folder, name!), join(root, 'another-name'));
    expect((await run(store)).report).toMatchObject({ error: { code: 'target_unwritable' } });
  });

  test('a link in its place is not followed', async () => {
    const store = await brokenOff();
    const [name] = states();
    const aside = join(mkdtempSync(join(root, 'aside-')), name!);
    renameSync(join(folder, name!), aside);
    symlinkSync(aside, join(folder, name!));
    expect((await run(store)).report).toMatchObject({ error: { code: 'target_unwritable' } });
    expect(existsSync(aside)).toBe(true);
  });

  test.each([0o770, 0o777])(
    'a folder where others may write (%o) is not used: the put is an ordinary one',
    async (mode) => {
      chmodSync(folder, mode);
      const store = newStore();
      const { report, kinds } = await run(store);
      expect(report).not.toHaveProperty('error');
      expect(kinds).toEqual(['without']);
      expect(states()).toEqual([]);
      expect(wire).toEqual([]);
    },
  );

  test('a second run at the same time is an ordinary put', async () => {
    const store = newStore();
    let second: Awaited<ReturnType<typeof run>> | undefined;
    store.hooks.on = async (step, when, number) => {
      if (step === 'send' && when === 'after' && number === 3) second = await run(store);
    };
    const first = await run(store);
    expect([first.kinds, second!.kinds]).toEqual([[], ['without']]);
    expect([first.report, second!.report].some((report) => 'error' in report)).toBe(false);
    await expectStored(store);
    expect(states()).toEqual([]);
  });

  test('goes when its upload is removed at the store, and with no other', async () => {
    const store = await brokenOff();
    const [id] = store.uploading.keys();
    await forgetUpload(store, { key: 'key', id: 'another' }, folder);
    await forgetUpload(store, { key: 'another', id: id! }, folder);
    expect(states()).toHaveLength(1);
    await forgetUpload(store, { key: 'key', id: id! }, folder);
    expect(states()).toEqual([]);
  });

  test('goes, and its upload too, where a put of the same key is not to be gone on with', async () => {
    const store = await brokenOff();
    const { report } = await run(store, { from: Infinity });
    expect(report).not.toHaveProperty('error');
    expect([store.uploading.size, states()]).toEqual([0, []]);
  });

  test('of an unfinished put that nobody went on with for a month is forgotten', async () => {
    await brokenOff();
    const [name] = states();
    const month = new Date(Date.now() - 31 * 86_400_000);
    utimesSync(join(folder, name!), month, month);
    await run(newStore(), { key: 'another' });
    expect(states()).toEqual([]);
  });

  test('is written over before it is removed', async () => {
    await brokenOff();
    const [name] = states();
    const kept = join(mkdtempSync(join(root, 'kept-')), 'kept');
    const store = await brokenOffCopy(name!, kept);
    await run(store, { from: Infinity });
    expect(readFileSync(kept).every((byte) => byte === 0)).toBe(true);
  });
});

/** Another name for the same file, made when it has been read. */
async function brokenOffCopy(name: string, kept: string): Promise<ResumableStore> {
  const store = newStore();
  store.hooks.on = (step) => (step === 'discard' ? linkSync(join(folder, name), kept) : undefined);
  return store;
}

describe('not eligible: nothing stays', () => {
  const broken = async (options: RunOptions) => {
    const store = newStore();
    const { report } = await run(store, options);
    expect(report).not.toHaveProperty('error');
    expect([wire, states(), dataKeys]).toEqual([[], [], []]);
  };
  test('a smaller file', async () => broken({ from: content.length + 1 }));
  test('a signed suite', async () => broken({ encryptor: encryptorOf({ suite: 0x0578 }) }));
  test('frames that are longer than a part', async () =>
    broken({ encryptor: encryptorOf({ frameLength: PART }) }));
  test('what a gateway puts', async () => broken({ sourceToken: 'token' }));
  test('a stream', async () =>
    broken({ source: { read: () => once(content), close: async () => undefined } }));
});

test('a manifest’s digest is of the whole object, also where most of it was there', async () => {
  const entries: { sha256: string }[] = [];
  const store = await brokenOff(4);
  await run(store, { record: async (entry) => void entries.push(entry) });
  const { createHash } = await import('node:crypto');
  expect(entries).toEqual([
    {
      key: 'key',
      size: expect.any(Number),
      sha256: createHash('sha256')
        .update(await store.stored('key'))
        .digest('hex'),
    },
  ]);
});

test('an object that was put there meanwhile: the conditions of an ordinary put decide', async () => {
  const store = await brokenOff(4);
  await store.put('key', once(Buffer.from('somebody else')));
  expect((await run(store, { overwrite: false })).report).toMatchObject({
    error: { code: expect.stringMatching(/target_exists|precondition_failed/) },
  });
  expect((await store.stored('key')).toString()).toBe('somebody else');
});

test('the progress begins at what is there, and ends at the end', async () => {
  const seen: number[] = [];
  await run(await brokenOff(4), { onProgress: (bytes) => seen.push(bytes) });
  expect(seen[0]).toBeGreaterThanOrEqual(3 * PART);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(content.length);
});

test('the message is one as any other: frames 1, 2, 3 and so on, the last one shorter', async () => {
  const store = await brokenOff(4);
  await run(store);
  const message = await store.stored('key');
  expect(Object.keys(layout(message)).filter((name) => name.endsWith(' tag'))).toHaveLength(102);
});
