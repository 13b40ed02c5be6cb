/** Stores with one peculiarity each: it is found and named, and with the settings that follow files go and come back. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { parts } from '../../src/compose.js';
import { examine } from '../../src/doctor/examine.js';
import type { Finding } from '../../src/doctor/finding.js';
import { leastPart } from '../../src/doctor/rehearsal.js';
import { get, put } from '../../src/index.js';
import type { StoreTraits } from '../../src/store-traits.js';
import { Box } from '../helpers/cli.js';
import { addKeys } from '../helpers/cli-vault.js';
import { startFaultyStore, type Faults, type FaultyStore } from '../helpers/faulty-store.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';

const MIB = 1024 * 1024;
const pair = rsaPair();
const publicKeys = [Buffer.from(publicPem(pair))];
const privateKeys = [Buffer.from(privatePem(pair))];
const signal = new AbortController().signal;
let store: FaultyStore;
let before: NodeJS.ProcessEnv;

beforeAll(async () => {
  store = await startFaultyStore();
  before = process.env;
  process.env = {
    ...before,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'us-east-1',
  };
});
afterAll(async () => {
  process.env = before;
  await store.close();
});

const place = () => ({ endpointUrl: store.endpoint, caBundle: store.caBundle });

async function examined(traits: StoreTraits = {}): Promise<{ findings: Finding[]; settings: StoreTraits }> {
  const findings: Finding[] = [];
  const raw = await parts.openRawStore('b', { ...place(), traits });
  try {
    const settings = await examine({
      ...{ raw, prefix: 'in/', signal },
      async openStore(more) {
        const all = { ...traits, ...more };
        const settings = { ...place(), partSize: leastPart(all), traits: all };
        return (await parts.openVault('s3://b/', 'read', settings)).store;
      },
      onFinding: (finding) => findings.push(finding),
    });
    return { findings, settings };
  } finally {
    raw.close();
  }
}

/** Files of one part and of several go up and come back, and neither is replaced where it must not be. */
async function works(traits: StoreTraits): Promise<void> {
  const partSize = leastPart(traits);
  for (const size of [1000, 2 * partSize + 1000]) {
    const content = randomBytes(size);
    const where = { ...place(), traits, partSize };
    const target = `s3://b/works/${size}`;
    const source = () => Readable.from([content]);
    await put({ ...where, publicKeys, source: source(), target, expectedSize: size });
    const again = put({
      ...where,
      publicKeys,
      source: source(),
      target,
      expectedSize: size,
      overwrite: false,
    });
    await expect(again).rejects.toMatchObject({ code: 'target_exists' });
    const pieces: Buffer[] = [];
    const sink = new Writable({
      write(piece: Buffer, _encoding, done) {
        pieces.push(Buffer.from(piece));
        done();
      },
    });
    await get({ ...where, privateKeys, source: target, target: sink });
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
  }
}

interface Pitfall {
  faults: Faults;
  /** What is set already. */
  traits?: StoreTraits;
  check: string;
  verdict: Finding['verdict'];
  text: RegExp;
  /** What follows; nothing where there is nothing to set. */
  settings?: StoreTraits;
}

const PITFALLS: Record<string, Pitfall> = {
  'refuses checksum headers': {
    faults: { refuseChecksums: 400 },
    traits: { checksum: 'crc32' },
    ...{ check: 'checksums', verdict: 'setting', text: /CRC32 headers are refused \(400 InvalidArgument\)/ },
    settings: { checksum: 'md5' },
  },
  'refuses checksum headers that are not sent': {
    faults: { refuseChecksums: 501 },
    ...{ check: 'checksums', verdict: 'note', text: /CRC32 headers are refused.*does not send them/ },
  },
  'stores trailers as content': {
    faults: { keepChunks: true },
    ...{ check: 'checksums', verdict: 'note', text: /trailers are stored as if they were content/ },
  },
  'refuses Content-MD5': {
    faults: { refuseMd5: true },
    ...{ check: 'checksums', verdict: 'setting', text: /Content-MD5 is refused/ },
    settings: { checksum: 'signature' },
  },
  'has ETags that look like MD5s and are none': {
    faults: { etag: 'hex' },
    ...{ check: 'etag', verdict: 'setting', text: /looks like an MD5 and is none/ },
    settings: { checksum: 'signature' },
  },
  'has such ETags, where nothing relies on them': {
    faults: { etag: 'hex' },
    traits: { checksum: 'crc32' },
    ...{ check: 'etag', verdict: 'note', text: /looks like an MD5 and is none: nothing relies on it/ },
  },
  'encrypts all with a key of its KMS': {
    faults: { kms: true },
    ...{ check: 'etag', verdict: 'note', text: /aws:kms hides the MD5/ },
  },
  'has ETags of another shape': {
    faults: { etag: 'opaque', multipartEtag: 'opaque' },
    ...{ check: 'etag', verdict: 'note', text: /no MD5/ },
  },
  'has ETags of its own for multipart objects': {
    faults: { multipartEtag: 'opaque' },
    ...{ check: 'multipart', verdict: 'ok', text: /made in another way, and not relied on/ },
  },
  'drops metadata': {
    faults: { dropMetadata: true },
    ...{ check: 'metadata', verdict: 'warning', text: /metadata is dropped/ },
  },
  'answers metadata in RFC 2047': {
    faults: { letters: 'rfc2047' },
    ...{ check: 'metadata', verdict: 'note', text: /RFC 2047/ },
  },
  'refuses metadata beyond ASCII': {
    faults: { letters: 'refused' },
    ...{ check: 'metadata', verdict: 'note', text: /beyond ASCII is refused \(400/ },
  },
  'ignores If-None-Match': {
    faults: { ifNoneMatch: 'ignored' },
    ...{ check: 'conditions', verdict: 'setting', text: /conditions on writes are ignored/ },
    settings: { conditionalWrites: 'none' },
  },
  'ignores If-Match': {
    faults: { ifMatch: 'ignored' },
    ...{ check: 'conditions', verdict: 'setting', text: /conditions on writes are ignored/ },
    settings: { conditionalWrites: 'absent' },
  },
  'ignores conditions when an upload is completed': {
    faults: { completeIgnores: true },
    ...{ check: 'conditions', verdict: 'setting', text: /conditions on writes are ignored/ },
    settings: { conditionalWrites: 'none' },
  },
  'answers conditions with 501': {
    faults: { ifNoneMatch: 'unknown', ifMatch: 'unknown' },
    ...{ check: 'conditions', verdict: 'setting', text: /does not know conditions/ },
    settings: { conditionalWrites: 'none' },
  },
  'demands equal parts': {
    faults: { equalParts: true },
    ...{ check: 'multipart', verdict: 'note', text: /must have one size.*sends them so/ },
  },
  'demands larger parts': {
    faults: { minPart: 8 * MIB },
    ...{ check: 'multipart', verdict: 'setting', text: /larger than 5 MiB/ },
    settings: { minPartSize: 8 * MIB },
  },
  'takes few parts': {
    faults: { maxParts: 1000 },
    ...{ check: 'multipart', verdict: 'setting', text: /only 1000 parts/ },
    settings: { maxParts: 1000 },
  },
  'does not know ListObjectsV2': {
    faults: { noListV2: 400 },
    ...{ check: 'listing', verdict: 'setting', text: /ListObjectsV2 does not work here \(400/ },
    settings: { listVersion: 1 },
  },
  'breaks listings off': {
    faults: { brokenPages: true },
    ...{ check: 'listing', verdict: 'setting', text: /does not say where the next begins/ },
    settings: { listVersion: 1 },
  },
  'encodes listings wrongly': {
    faults: { doubleEncodes: true },
    ...{ check: 'listing', verdict: 'setting', text: /names are not as they were stored/ },
    settings: { listEncoding: 'none' },
  },
  'answers 403 for what is absent': {
    faults: { absentAs: 403 },
    ...{ check: 'absent', verdict: 'warning', text: /answered with 403/ },
  },
  'ignores ranges': {
    faults: { noRanges: true },
    ...{ check: 'ranges', verdict: 'warning', text: /ranges are ignored/ },
  },
  'keeps keys in lower case': {
    faults: { aliasCase: true },
    ...{ check: 'keys', verdict: 'broken', text: /differ in case alone are one object/ },
  },
  'keeps keys under another name': {
    faults: { aliasSlashes: true },
    ...{ check: 'keys', verdict: 'note', text: /under another name: p\/\/q/ },
  },
  'loses metadata when it copies': {
    faults: { losesCopyMetadata: true },
    ...{ check: 'copy', verdict: 'note', text: /a copy loses its metadata/ },
  },
  'has a wrong clock': {
    faults: { skew: 3_600_000 },
    ...{ check: 'clock', verdict: 'broken', text: /differ by 3\d\d\d s/ },
  },
  'asks to slow down': {
    faults: { busy: 429 },
    ...{ check: 'small', verdict: 'ok', text: /stored and read/ },
  },
};

describe.each(Object.entries(PITFALLS))('a store that %s', (_, pitfall) => {
  const { faults, traits = {}, check, verdict, text, settings: wanted = {} } = pitfall;

  test('is found, and works with what follows', async () => {
    store.faults = faults;
    const { findings, settings } = await examined(traits);
    expect(findings).toContainEqual(
      expect.objectContaining({ check, verdict, text: expect.stringMatching(text) }),
    );
    expect(settings).toEqual(wanted);
    // Nothing is left, and the rest of it is well.
    expect(store.keys().filter((key) => key.includes('doctor'))).toEqual([]);
    expect(store.uploads()).toBe(0);
    const others = findings.filter((finding) => finding.check !== check);
    expect(others.filter((finding) => ['broken', 'setting'].includes(finding.verdict))).toEqual([]);
    const rehearsed = findings.filter((finding) => finding.check === 'rehearsal');
    expect(rehearsed.map((finding) => finding.verdict)).not.toContain('broken');
    await works({ ...traits, ...settings });
    // With them there is nothing more to be set.
    if (Object.keys(wanted).length > 0)
      expect((await examined({ ...traits, ...settings })).settings).toEqual({});
  }, 120_000);
});

/** That the settings are what makes the difference. */
test.each([
  ['refuses Content-MD5', 'store_refused'],
  ['has ETags that look like MD5s and are none', 'upload_corrupted'],
  ['demands larger parts', 'store_refused'],
])('without them, with a store that %s, nothing goes up', async (name, code) => {
  store.faults = PITFALLS[name]!.faults;
  await expect(works({})).rejects.toMatchObject({ code });
});

test('without them, a store that ignores If-None-Match overwrites', async () => {
  store.faults = { ifNoneMatch: 'ignored' };
  const overwritten = async (traits: StoreTraits) => {
    const { store: vault } = await parts.openVault('s3://b/', 'read', { ...place(), traits });
    const source = () => Readable.from([Buffer.from('x')]);
    await vault.put('guarded', source());
    const { unguarded } = await vault.put('guarded', source(), { condition: { absent: true } });
    return { unguarded };
  };
  expect(await overwritten({})).toEqual({ unguarded: undefined });
  await expect(overwritten({ conditionalWrites: 'none' })).rejects.toMatchObject({
    code: 'precondition_failed',
  });
});

test('a store without a peculiarity', async () => {
  store.faults = {};
  const { findings, settings } = await examined();
  expect(settings).toEqual({});
  expect(findings.filter(({ verdict }) => verdict === 'broken' || verdict === 'setting')).toEqual([]);
}, 60_000);

test('what parts of one size are too small for is not tried with parts of several', async () => {
  store.faults = { minPart: 8 * MIB };
  const { findings } = await examined();
  const texts = findings.filter(({ check }) => check === 'multipart').map(({ text }) => text);
  expect(texts).toContainEqual('parts may differ in size');
}, 60_000);

test('a store without multipart uploads: said, and small objects work', async () => {
  store.faults = { noMultipart: true };
  const { findings } = await examined();
  expect(findings).toContainEqual(expect.objectContaining({ check: 'multipart', verdict: 'broken' }));
  const rehearsed = findings.filter(({ check }) => check === 'rehearsal').map(({ verdict }) => verdict);
  expect(rehearsed).toEqual(['ok', 'broken', 'ok', 'ok']);
}, 60_000);

test('a refused clock ends it before anything is tried', async () => {
  store.faults = { refuseSkewed: true, skew: 3_600_000 };
  const { findings } = await examined();
  expect(findings.at(-1)).toMatchObject({
    check: 'credentials',
    verdict: 'broken',
    advice: 'set the clock of this machine',
  });
}, 60_000);

test('a bucket that has a host of its own, and one that has none', async () => {
  store.faults = { ownHosts: true };
  const forbidden = await examined();
  expect(forbidden.settings).toEqual({ pathStyle: false });
  expect(forbidden.findings.at(-1)).toMatchObject({ check: 'bucket', verdict: 'setting' });
  store.faults = {};
  const findings: Finding[] = [];
  const endpointUrl = store.endpoint.replace('127.0.0.1', 'store.invalid');
  const raw = await parts.openRawStore('b', { ...place(), endpointUrl, traits: { pathStyle: false } });
  const openStore = () => Promise.reject(new Error('it has no name'));
  const settings = await examine({ raw, prefix: '', signal, openStore, onFinding: (f) => findings.push(f) });
  raw.close();
  expect(findings).toEqual([expect.objectContaining({ check: 'name', verdict: 'setting' })]);
  expect(settings).toEqual({ pathStyle: true });
}, 60_000);

test('an interruption leaves nothing', async () => {
  store.faults = {};
  const controller = new AbortController();
  const raw = await parts.openRawStore('b', place());
  const examination = examine({
    ...{ raw, prefix: '', signal: controller.signal },
    openStore: async () => (await parts.openVault('s3://b/', 'read', place())).store,
    onFinding: ({ check }) => {
      if (check === 'multipart') controller.abort();
    },
  });
  await expect(examination).rejects.toMatchObject({ code: 'interrupted' });
  raw.close();
  expect(store.keys().filter((key) => key.includes('doctor'))).toEqual([]);
  expect(store.uploads()).toBe(0);
}, 60_000);

test('what the command prints can be pasted, and its exit codes', async () => {
  const box = new Box({
    ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' },
  });
  addKeys(box);
  box.write('a.txt', 'hi\n');
  store.faults = { ifNoneMatch: 'ignored', noListV2: 400 };
  const where = ['--endpoint-url', store.endpoint, '--ca-bundle', store.caBundle];
  const first = await box.run(['doctor', 's3://b/', ...where]);
  expect(first.code).toBe(6);
  const lines = first.stdout.toString().split('\n');
  const options = lines
    .find((line) => line.startsWith('set for this store:'))!
    .split(/ +/)
    .slice(4);
  expect(options).toEqual(['--store-option', 'conditional-writes=none', '--store-option', 'list-version=1']);
  expect((await box.run(['doctor', 's3://b/', ...where, ...options])).code).toBe(0);
  const pasted = [...where, ...options];
  const put = [
    'put',
    'a.txt',
    's3://b/pasted/',
    '--public-key',
    'public_key.pem',
    '--no-overwrite',
    ...pasted,
  ];
  expect((await box.run(put)).code).toBe(0);
  expect(await box.run(put)).toMatchObject({ code: 1, stderr: expect.stringContaining('is there already') });
  const listed = await box.run(['ls', 's3://b/pasted/', ...pasted]);
  expect(listed.stdout.toString()).toMatch(/ pasted\/a\.txt\n$/);
  // The same in a configuration, by the words that were printed.
  const fields = lines.find((line) => line.startsWith('or in its configuration:'))!.split(': ')[1];
  box.write(
    'c.json',
    `{"vaults":{"lab":{"address":"s3://b/pasted","endpointUrl":"${store.endpoint}","caBundle":"${store.caBundle}",${fields}}}}`,
  );
  expect((await box.run(['doctor', 'lab', '--config', 'c.json'])).code).toBe(0);
  const got = await box.run(['cat', 'lab:a.txt', '--config', 'c.json', '--private-key', 'private_key.pem']);
  expect(got.stdout.toString()).toBe('hi\n');
  store.faults = { aliasCase: true };
  expect((await box.run(['doctor', 's3://b/', ...where])).code).toBe(1);
}, 180_000);
