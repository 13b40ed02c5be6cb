/** Writers and rewraps of the same objects at the same time: what was written last stands in the end, and opens. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { isSealdropError } from '../../src/errors.js';
import type { ObjectStore } from '../../src/ports.js';
import { createVault, openDirectoryStore } from '../../src/store/directory.js';
import { put } from '../../src/transfer/put.js';
import { rewrap } from '../../src/transfer/rewrap/rewrap.js';
import { streamSource } from '../../src/transfer/source.js';
import '../helpers/core-errors.js';
import { chunked, collect } from '../helpers/bytes.js';
import { decryptorFor, encryptorFor, rsaPair } from '../helpers/keys.js';
import { isWanted, SETUP_TIME, STARTERS, type ServerName } from '../helpers/servers.js';

const KEYS = ['a', 'b', 'c', 'd'];
const WRITES = 25;
const pairs = [rsaPair(), rsaPair()];
const encryptors = pairs.map((pair) => encryptorFor(pair));
const decryptors = pairs.map((pair) => decryptorFor(pair));

async function race(store: ObjectStore): Promise<Record<'rewrapped' | 'refused', number>> {
  const counts = { rewrapped: 0, refused: 0 };
  const write = async (key: string, text: string) => {
    const bytes = Buffer.from(text);
    // Small ones go in one request, and have no condition: any rewrap has to give way.
    await put({
      source: streamSource(chunked(bytes, 7), bytes.length),
      ...{ store, key, encryptor: encryptors[0]!, lookForUnfinished: false },
    });
  };
  for (const key of KEYS) await write(key, `${key} 0`);
  let writing = true;
  const rewrapping = async (key: string) => {
    while (writing) {
      const turn = async (from: number) =>
        rewrap({
          ...{ store, key, decryptor: decryptors[from]!, inspector: esdkInspector, binding: 'required' },
          recipients: async () => ({ encryptor: encryptors[1]!, opener: decryptors[1]!, already: false }),
        });
      // Whose it is just now, its key tells.
      const outcome = await turn(0)
        .catch(async (error: unknown) => {
          if (isSealdropError(error) && error.code === 'wrong_key_or_header') return turn(1);
          throw error;
        })
        .catch((error: unknown) => error as Error);
      if (!('code' in outcome)) counts.rewrapped++;
      else {
        expect(['source_changed', 'wrong_key_or_header']).toContain(outcome.code);
        counts.refused++;
      }
    }
  };
  const all = [...KEYS, ...KEYS].map(rewrapping);
  const last: Record<string, string> = {};
  const writers = KEYS.map(async (key) => {
    // Until both have won often enough, however slow the machine is.
    const enough = () => counts.rewrapped >= 10 && (store.kind === 'directory' || counts.refused >= 3);
    for (let i = 1; i <= WRITES || (!enough() && i < 2000); i++) {
      await write(key, (last[key] = `${key} ${i}`));
      await sleep((i % 7) * 8);
    }
  });
  await Promise.all(writers).finally(() => (writing = false));
  await Promise.all(all);
  for (const key of KEYS) {
    const message = await collect((await store.get(key)).body);
    const open = async (which: number) =>
      (await collect(decryptors[which]!.decrypt(chunked(message, 999)))).toString();
    const text = await open(0).catch(async () => open(1));
    expect(text).toBe(last[key]);
    expect(await store.unfinished(key)).toEqual([]);
  }
  return counts;
}

describe('writers and rewraps race', () => {
  test('in a directory', async () => {
    const root = await mkdtemp(join(tmpdir(), 'sealdrop-races-'));
    await createVault(root);
    const { rewrapped } = await race(openDirectoryStore({ root }));
    expect(rewrapped).toBeGreaterThan(0);
    await rm(root, { recursive: true });
  });

  test.each<ServerName>((['minio', 'versitygw'] as const).filter(isWanted))(
    'at %s',
    async (name) => {
      const server = await STARTERS[name]();
      try {
        const store = server.store(await server.createBucket('races'));
        const { rewrapped, refused } = await race(store);
        expect(rewrapped).toBeGreaterThan(0);
        expect(refused).toBeGreaterThan(0);
        store.close();
      } finally {
        await server.stop();
      }
    },
    SETUP_TIME,
  );
});
