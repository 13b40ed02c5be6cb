/** Keys are rotated while files arrive: nothing fails in between, and each object opens with the keys that it names. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  CreateKeyCommand,
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
} from '@aws-sdk/client-kms';
import { esdkInspector } from '../../src/envelope/esdk/inspect.js';
import { openDecryptor } from '../../src/index.js';
// Loaded before they are asked for: where jest 29 is asked for several modules at once, it fails at times.
import '../../src/envelope/esdk/decrypt.js';
import '../../src/keys/kms/unwrap.js';
import '../../src/keys/opening-keys.js';
import '../../src/keys/raw-rsa/unwrap.js';
import '../../src/keys/unwrapping.js';
import type { Decryptor } from '../../src/ports.js';
import { contentOf } from '../helpers/aws-digests.js';
import { SECRETS, startGateway, type Gateway } from '../helpers/aws-gateway.js';
import { roleCredentials } from '../helpers/aws-role.js';
import { VAULT_PREFIX } from '../helpers/aws-vault.js';
import { logLines, queueEmpty, stored, takeDead } from '../helpers/aws-watch.js';
import { privatePem, publicPem } from '../helpers/keys.js';
import { run } from '../helpers/run.js';
import { SETUP_TIME } from '../helpers/servers.js';

jest.setTimeout(180_000);

/** Seconds that a function uses what it has read. */
const TTL = 2;
const ROTATIONS = 4;
const COMMAND = resolve('dist/bin/sealdrop.js');

interface Entry {
  readonly namespace: string;
  readonly name: string;
  readonly privateKey?: string;
  readonly state?: string;
}

let gateway: Gateway;
let kmsKey: string;
const folder = mkdtempSync(join(tmpdir(), 'sealdrop-rotation-'));
const keySet = join(folder, 'keys.json');
const entries = () => (JSON.parse(readFileSync(keySet, 'utf8')) as { keys: Entry[] }).keys;

const keys = (...args: string[]) =>
  run(process.execPath, [COMMAND, 'keys', ...args, '--key-set', keySet, '--yes'], {
    env: gateway.aws.environment,
    cwd: folder,
  });

beforeAll(async () => {
  gateway = await startGateway({
    tls: true,
    config: async (aws) => {
      kmsKey = (await aws.kms.send(new CreateKeyCommand({}))).KeyMetadata!.Arn!;
      return { secretsTtlSeconds: TTL, wrappingKmsKeyArns: [kmsKey] };
    },
  });
  const { pair } = gateway;
  const first = {
    ...{ namespace: 'MyAppKeys', name: 'S3RSAKey' },
    ...{ publicKey: publicPem(pair), privateKey: privatePem(pair), state: 'active' },
  };
  const kms = { namespace: 'aws-kms', name: kmsKey, state: 'active' };
  writeFileSync(keySet, JSON.stringify({ version: 1, keys: [first, kms] }), { mode: 0o600 });
  Object.assign(process.env, gateway.aws.environment);
  await keys('publish', '--name', SECRETS.publicKeySet);
}, SETUP_TIME);
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await gateway?.stop();
});

const sizeOf = (number: number) => (number * 7919) % 40_000;
const keyOf = (number: number) => `${number}.bin`;

/** Its wrapped keys, as its header names them. */
async function namesOf(key: string): Promise<string[]> {
  const { body } = await gateway.vault.store.get(VAULT_PREFIX + key);
  const { wrappedKeys } = await esdkInspector.inspect(body);
  return wrappedKeys.map(({ name }) => name);
}

describe('a set that is rotated again and again, while files are dropped', () => {
  let dropped = 0;
  /** Names of the RSA keys, the oldest first. */
  const generations: string[] = [];

  test('fails no file', async () => {
    let over = false;
    const dropping = async () => {
      while (!over) {
        const number = dropped++;
        await gateway.drop(keyOf(number), contentOf(number, sizeOf(number)));
        await sleep(50);
      }
    };
    const droppers = [dropping(), dropping()];
    try {
      await stored(gateway, keyOf(0));
      for (let turn = 0; turn < ROTATIONS; turn++) {
        await sleep(TTL * 1000);
        await keys('rotate', '--name', SECRETS.publicKeySet);
      }
      // Until every process of the function has read what is there now.
      await sleep(2 * TTL * 1000);
    } finally {
      over = true;
    }
    await Promise.all(droppers);
    await queueEmpty(gateway);
    expect(await takeDead(gateway)).toEqual([]);
    const expected = Array.from({ length: dropped }, (_, number) => keyOf(number));
    expect((await gateway.vault.keys()).sort()).toEqual(expected.sort());
    const lines = await logLines(gateway);
    expect(lines.filter((line) => line.includes('"outcome":"failed"'))).toEqual([]);
    expect(lines.filter((line) => /"level":"(WARN|ERROR)"/.test(line))).toEqual([]);
    generations.push(
      ...entries().flatMap(({ privateKey, name }) => (privateKey === undefined ? [] : [name])),
    );
    expect(generations).toHaveLength(ROTATIONS + 1);
  });

  test('and every object opens with each of the keys that it names, and with no other', async () => {
    const { vault } = gateway;
    const alone = new Map<string, Decryptor>();
    for (const entry of entries().filter(({ privateKey }) => privateKey !== undefined)) {
      const set = Buffer.from(JSON.stringify({ version: 1, keys: [entry] }));
      alone.set(entry.name, await openDecryptor({ privateKeys: [set] }));
    }
    alone.set(kmsKey, await openDecryptor({ privateKeys: [`kms:${kmsKey}`] }));
    const used = new Set<string>();
    for (let number = 0; number < dropped; number++) {
      const names = await namesOf(keyOf(number));
      expect(names).toHaveLength(2);
      expect(names).toContain(kmsKey);
      for (const [name, decryptor] of alone) {
        if (names.includes(name)) {
          used.add(name);
          const bytes = await vault.open(keyOf(number), decryptor);
          expect(bytes.equals(contentOf(number, sizeOf(number)))).toBe(true);
        } else if (number % 10 === 0)
          await expect(vault.open(keyOf(number), decryptor)).rejects.toMatchObject({
            code: 'wrong_key_or_header',
          });
      }
    }
    expect([...used].sort()).toEqual([...generations, kmsKey].sort());
  });

  test('the next file is encrypted to the newest key, and a retired one still opens what it did', async () => {
    await gateway.drop('last.bin', 'last');
    await stored(gateway, 'last.bin');
    const names = await namesOf('last.bin');
    expect(names).toContain(generations.at(-1));
    expect(names).not.toContain(generations[0]);
    const set = await openDecryptor({ keySet });
    for (const key of [keyOf(0), 'last.bin']) expect(await gateway.vault.open(key, set)).toBeDefined();
    expect(entries().filter(({ state }) => state === 'retired')).toHaveLength(ROTATIONS);
  });

  test('the function may wrap by the KMS key, and not unwrap', async () => {
    const { aws, outputs } = gateway;
    const role = await roleCredentials(aws, outputs.EncryptObjectFunction);
    const client = new KMSClient({ ...aws.clientSettings(role), region: aws.region });
    const EncryptionContext = { 'sealdrop:key': 'x' };
    const request = { KeyId: kmsKey, EncryptionContext };
    const made = await client.send(new GenerateDataKeyCommand({ ...request, NumberOfBytes: 32 }));
    await client.send(new EncryptCommand({ ...request, Plaintext: made.Plaintext }));
    const { CiphertextBlob } = made;
    const unwrapping = client.send(new DecryptCommand({ ...request, CiphertextBlob }));
    await expect(unwrapping).rejects.toMatchObject({ name: expect.stringMatching(/^AccessDenied/) });
    client.destroy();
    // Whoever may, does.
    expect((await aws.kms.send(new DecryptCommand({ ...request, CiphertextBlob }))).Plaintext).toEqual(
      made.Plaintext,
    );
  });

  test('the published set never has a private half', async () => {
    const { pair } = gateway;
    const published = await run(
      process.execPath,
      [COMMAND, 'keys', 'list', '--json', '--key-set', `secretsmanager:${SECRETS.publicKeySet}`],
      { env: gateway.aws.environment, cwd: folder },
    );
    expect(published).toContain(generations.at(-1));
    expect(published).not.toContain('PRIVATE');
    expect(published).not.toContain(privatePem(pair).split('\n')[3]);
  });
});
