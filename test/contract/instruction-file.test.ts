/** Keys so long that no instruction file can lie beside them: what others stored there is still read, and removed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createAnyDecryptor } from '../../src/envelope/any.js';
import { createS3ecDecryptor } from '../../src/envelope/s3ec/decrypt.js';
import type { ObjectStore } from '../../src/ports.js';
import { createVault, openDirectoryStore } from '../../src/store/directory.js';
import { get } from '../../src/transfer/get.js';
import { removeWithInstruction } from '../../src/transfer/instruction-file.js';
import { put } from '../../src/transfer/put.js';
import { streamSource } from '../../src/transfer/source.js';
import { nowhere } from '../../src/transfer/target.js';
import { chunked } from '../helpers/bytes.js';
import { decryptorFor, rsaPair } from '../helpers/keys.js';
import { encryptorOf, softwareKeys } from '../helpers/s3ec-keys.js';
import { SETUP_TIME, startMinio, startVersitygw, type S3Server } from '../helpers/servers.js';

const keys = softwareKeys();
const pair = rsaPair();
const decryptor = createAnyDecryptor({
  esdk: async () => decryptorFor(pair),
  s3ec: async () => createS3ecDecryptor({ keys: keys.unwrapping }),
});
const bytes = Buffer.from('hello');

let minio: S3Server;
let versitygw: S3Server;
const base = mkdtempSync(join(tmpdir(), 'sealdrop-instruction-'));
beforeAll(async () => {
  minio = await startMinio();
  versitygw = await startVersitygw();
}, SETUP_TIME);
afterAll(async () => {
  await Promise.all([minio?.stop(), versitygw?.stop()]);
  rmSync(base, { recursive: true });
});

const STORES: Record<string, () => Promise<ObjectStore>> = {
  directory: async () => {
    await createVault(base, 'allow');
    return openDirectoryStore({ root: base });
  },
  minio: async () => minio.store(await minio.createBucket('instruction-files')),
  versitygw: async () => versitygw.store(await versitygw.createBucket('instruction-files')),
};

describe.each(Object.entries(STORES))('on %s', (_name, open) => {
  let store: ObjectStore;
  beforeAll(async () => (store = await open()));
  afterAll(() => store.close());

  const source = () => streamSource(chunked(bytes, 5), bytes.length);
  const read = async (key: string) =>
    (await get({ store, key, decryptor, target: nowhere, binding: 'allow' })).plaintextSize;

  test.each([
    ['of 1,024 bytes', Array.from({ length: 5 }, (_, i) => `${i}`.repeat(204)).join('/')],
    ['whose last segment has 255 bytes', `x/${'あ'.repeat(85)}`],
    ['whose file would have a segment of 256 bytes', `x/${'y'.repeat(244)}`],
  ])('a key %s', async (_what, key) => {
    await store.put(key, chunked(bytes, 5));
    await expect(read(key)).rejects.toMatchObject({ code: 'not_an_envelope' });
    await removeWithInstruction(store, key);
    await expect(store.head(key)).rejects.toMatchObject({ code: 'object_not_found' });
    await put({ source: source(), store, key, encryptor: encryptorOf(keys.wrapping, 3) });
    expect(await read(key)).toBe(bytes.length);
    await removeWithInstruction(store, key);
  });

  test('no object is stored whose instruction file cannot be', async () => {
    const encryptor = encryptorOf(keys.wrapping, 3, true);
    const key = `${Array.from({ length: 5 }, (_, i) => `${i}`.repeat(200)).join('/')}/${'z'.repeat(12)}`;
    await expect(put({ source: source(), store, key, encryptor })).rejects.toMatchObject({
      code: 'key_not_storable',
    });
    await expect(store.head(key)).rejects.toMatchObject({ code: 'object_not_found' });
  });

  test('two puts to one key at once end readable', async () => {
    const encryptor = encryptorOf(keys.wrapping, 3, true);
    for (let round = 0; round < 12; round++) {
      const puts = [0, 1, 2].map(() => put({ source: source(), store, key: 'race', encryptor }));
      const results = await Promise.allSettled(puts);
      for (const result of results)
        if (result.status === 'rejected')
          expect(result.reason).toMatchObject({ code: 'precondition_failed' });
      expect(await read('race')).toBe(bytes.length);
    }
  });
});
