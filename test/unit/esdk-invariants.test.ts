/** The two invariants of the design ("Envelopes"). A message that broke one of them would give its key away. */
import { privateDecrypt, constants } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { allSuites } from '../../src/envelope/esdk/suites.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { encryptorFor, rsaPair } from '../helpers/keys.js';
import { layout } from '../vectors/layout.mjs';

const FRAME = 16;
const pair = rsaPair();

const unwrap = (wrapped: Uint8Array) =>
  privateDecrypt(
    { key: pair.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    wrapped,
  ).toString('hex');

/** What a message says of its key and nonces, read by the test's own parser. */
function read(message: Buffer) {
  const fields = layout(message);
  const of = (name: string) => message.subarray(fields[name]!.begin, fields[name]!.end);
  const ivs = Object.keys(fields).filter((name) => / iv$/.test(name) && name !== 'header iv');
  return {
    messageId: of('message id').toString('hex'),
    dataKey: unwrap(of('wrapped key 1 bytes')),
    header: of('header').toString('hex'),
    headerIv: fields['header iv'] ? of('header iv').toString('hex') : '0'.repeat(24),
    frameIvs: ivs.map((name) => of(name).toString('hex')),
  };
}

describe('invariant 1: one header, byte for byte, is ever sealed per data key and message id', () => {
  test('no two messages of one encryptor share a message id or a data key, not even for the same plaintext', async () => {
    const encryptor = encryptorFor(pair, { frameLength: FRAME });
    const one = () => collect(encryptor.encrypt(chunked(pattern(40), 7), { 'sealdrop:key': 'same' }));
    // At the same time and one after the other.
    const messages = await Promise.all(Array.from({ length: 10 }, one));
    for (let i = 0; i < 10; i++) messages.push(await one());
    const found = messages.map(read);
    expect(new Set(found.map((message) => message.messageId)).size).toBe(20);
    expect(new Set(found.map((message) => message.dataKey)).size).toBe(20);
  });

  test('a message that is iterated a second time does not begin again', async () => {
    const message = encryptorFor(pair).encrypt(chunked(pattern(5), 5), {});
    expect((await collect(message)).length).toBeGreaterThan(0);
    expect((await collect(message)).length).toBe(0);
  });

  test('headers are sealed in one place alone, and fresh materials are made right before it', () => {
    const folder = new URL('../../src/', import.meta.url);
    const calls = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => {
        const text = readFileSync(new URL(path, folder), 'utf8');
        return [...text.matchAll(/(?<!function )\bsealHeader\(/g)].map(() => path);
      });
    expect(calls).toEqual(['envelope/esdk/encrypt.ts']);
    const encrypt = readFileSync(new URL('envelope/esdk/encrypt.ts', folder), 'utf8');
    expect(encrypt).toMatch(/material = await makeMaterial\(job\);\s+const .* = sealHeader\(material,/);
    expect(encrypt.match(/getEncryptionMaterials\(/g)).toHaveLength(1);
  });

  test('the message id is made within sealHeader and cannot be passed to it', () => {
    const header = readFileSync(new URL('../../src/envelope/esdk/header.ts', import.meta.url), 'utf8');
    const [, parameters] = /export function sealHeader\(([^)]*)\)/.exec(header)!;
    expect(parameters).not.toMatch(/id/i);
    expect(header).toMatch(/const messageId = randomBytes\(/);
  });
});

describe('invariant 2: no nonce meets two plaintexts', () => {
  test.each(allSuites().map(({ id, name, committing }) => [name, id, committing] as const))(
    '%s: the header has nonce 0, and frames have 1, 2, 3 and so on, each once',
    async (_name, suite, committing) => {
      const commitmentPolicy = committing ? undefined : 'FORBID_ENCRYPT_ALLOW_DECRYPT';
      const encryptor = encryptorFor(pair, { suite, frameLength: FRAME, commitmentPolicy });
      for (const size of [0, 1, FRAME, FRAME + 1, 300 * FRAME + 1]) {
        const { headerIv, frameIvs } = read(
          await collect(encryptor.encrypt(chunked(pattern(size), 100), {})),
        );
        const frames = Math.floor(size / FRAME) + 1;
        expect(headerIv).toBe('0'.repeat(24));
        expect(frameIvs).toEqual(
          Array.from({ length: frames }, (_, i) => (i + 1).toString(16).padStart(24, '0')),
        );
      }
    },
  );

  test('how the plaintext was cut up has no part in it: frames are cut anew', async () => {
    const encryptor = encryptorFor(pair, { frameLength: FRAME });
    for (const chunk of [1, 5, FRAME, 1000]) {
      const { frameIvs } = read(await collect(encryptor.encrypt(chunked(pattern(100), chunk), {})));
      expect(frameIvs).toHaveLength(7);
    }
  });
});
