/** Key files as people have them: each opens, or has its code and one line that says why and shows nothing of a key. */
import { execFileSync } from 'node:child_process';
import { createDiffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { isSealdropError, type ErrorCode } from '../../src/errors.js';
import { generateKeyPem } from '../../src/keys/generate.js';
import { readPrivateKeySet } from '../../src/keys/private-key-set.js';
import { readPrivateKey } from '../../src/keys/private-key.js';
import { fingerprintOf, isLocked, readPublicKey } from '../../src/keys/public-key.js';
import { readPublicKeySet } from '../../src/keys/key-set.js';
import { Secret } from '../../src/secret.js';
import { rsaPair } from '../helpers/keys.js';

const pair = rsaPair();
const print = fingerprintOf(pair.publicKey);
const passphrase = new Secret('correct horse');
const wrong = new Secret('wrong');
const lock = { cipher: 'aes-256-cbc', passphrase: passphrase.reveal() } as const;

type Form = {
  type: 'pkcs1' | 'pkcs8' | 'spki' | 'sec1';
  format: 'pem' | 'der';
  cipher?: string;
  passphrase?: string;
};
const exported = (key: KeyObject, form: Form) => Buffer.from(key.export(form as never) as never);
const privatePem = (type: 'pkcs1' | 'pkcs8', extra = {}) =>
  exported(pair.privateKey, { type, format: 'pem', ...extra });
const privateDer = (type: 'pkcs1' | 'pkcs8', extra = {}) =>
  exported(pair.privateKey, { type, format: 'der', ...extra });
const publicIn = (type: 'pkcs1' | 'spki', format: 'pem' | 'der') =>
  exported(pair.publicKey, { type, format });

const folder = mkdtempSync(join(tmpdir(), 'sealdrop-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

const certificate = (() => {
  const [key, out] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=test', '-days', '2', '-nodes', '-newkey', 'rsa:2048'];
  execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', key, '-out', out], { stdio: 'ignore' });
  return readFileSync(out);
})();
const openssh = (() => {
  const path = join(folder, 'ssh');
  execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', path]);
  return { privateKey: readFileSync(path), publicKey: readFileSync(`${path}.pub`) };
})();

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });
const weak = rsaPair(1024);

/** Long runs of the text: if a message had a part of the file in it, it would have one of these. */
function pieces(bytes: Buffer): string[] {
  const forms = [
    bytes.toString('latin1').replace(/-----[A-Z ]+-----/g, ''),
    bytes.toString('base64'),
    bytes.toString('hex'),
  ];
  return forms.flatMap((text) => text.match(/[\w+/=]{12}/g) ?? []);
}

function refused(code: ErrorCode, bytes: Buffer, read: () => unknown): void {
  let error: unknown;
  try {
    read();
  } catch (thrown) {
    error = thrown;
  }
  expect(isSealdropError(error) ? error.code : error).toBe(code);
  const { message, hint = '', stack = '' } = error as Error & { hint?: string };
  expect(message).not.toMatch(/[\r\n]/);
  expect(message).toContain('FILE');
  const said = `${message}\n${hint}\n${stack}\n${JSON.stringify(error)}`;
  expect(pieces(bytes).filter((piece) => said.includes(piece))).toEqual([]);
  expect(said).not.toContain(passphrase.reveal());
}

describe('a public key is read from', () => {
  test.each([
    ['SPKI PEM', publicIn('spki', 'pem')],
    ['SPKI DER', publicIn('spki', 'der')],
    ['PKCS#1 PEM', publicIn('pkcs1', 'pem')],
    ['PKCS#1 DER', publicIn('pkcs1', 'der')],
    [
      'a PEM with text and Windows line ends around it',
      Buffer.from(`Our key:\r\n${publicIn('spki', 'pem').toString().replace(/\n/g, '\r\n')}\r\n`),
    ],
  ])('%s', (_name, bytes) => {
    expect(fingerprintOf(readPublicKey(bytes, 'FILE'))).toBe(print);
  });
});

describe('where a public key belongs', () => {
  const cases: Record<string, [ErrorCode, Buffer]> = {
    'an empty file': ['invalid_key', Buffer.alloc(0)],
    'white space': ['invalid_key', Buffer.from(' \n\n')],
    'some text': ['invalid_key', Buffer.from('hello, this is no key')],
    'a damaged PEM': [
      'invalid_key',
      Buffer.from(
        publicIn('spki', 'pem')
          .toString()
          .replace(/[A-Z]{2}/, '!!'),
      ),
    ],
    'a PEM without its end': ['invalid_key', publicIn('spki', 'pem').subarray(0, 200)],
    'a truncated DER': ['invalid_key', publicIn('spki', 'der').subarray(0, -10)],
    'an elliptic curve key': ['invalid_key', exported(ec.publicKey, { type: 'spki', format: 'pem' })],
    'an RSA-PSS key': ['invalid_key', exported(pss.publicKey, { type: 'spki', format: 'pem' })],
    'an RSA key of 1024 bits': ['weak_key', exported(weak.publicKey, { type: 'spki', format: 'pem' })],
    'an SSH public key': ['invalid_key', openssh.publicKey],
    'a PKCS#8 private key': ['private_key_in_public_key_set', privatePem('pkcs8')],
    'a PKCS#1 private key': ['private_key_in_public_key_set', privatePem('pkcs1')],
    'a PKCS#8 private key in DER': ['private_key_in_public_key_set', privateDer('pkcs8')],
    'a PKCS#1 private key in DER': ['private_key_in_public_key_set', privateDer('pkcs1')],
    'a locked private key': ['private_key_in_public_key_set', privatePem('pkcs8', lock)],
    'an SSH private key': ['private_key_in_public_key_set', openssh.privateKey],
    'a private key behind its public half': [
      'private_key_in_public_key_set',
      Buffer.concat([publicIn('spki', 'pem'), privatePem('pkcs8')]),
    ],
  };

  test.each(Object.keys(cases))('%s is refused by its code, and nothing of it is shown', (which) => {
    const [code, bytes] = cases[which]!;
    refused(code, bytes, () => readPublicKey(bytes, 'FILE'));
    refused(code, bytes, () => readPublicKeySet(bytes, 'FILE'));
  });

  test('a certificate does: the key in it is taken', () => {
    expect(readPublicKey(certificate, 'FILE').asymmetricKeyType).toBe('rsa');
  });
});

describe('a private key is read from', () => {
  test.each([
    ['PKCS#8 PEM', privatePem('pkcs8')],
    ['PKCS#8 DER', privateDer('pkcs8')],
    ['PKCS#1 PEM', privatePem('pkcs1')],
    ['PKCS#1 DER', privateDer('pkcs1')],
  ])('%s, and a passphrase that it does not need is no matter', (_name, bytes) => {
    for (const given of [undefined, passphrase])
      expect(readPrivateKey(bytes, 'FILE', given).equals(pair.privateKey)).toBe(true);
    expect(isLocked(bytes.toString('latin1'))).toBe(false);
  });

  test.each([
    ['encrypted PKCS#8 PEM', privatePem('pkcs8', lock)],
    ['encrypted PKCS#8 DER', privateDer('pkcs8', lock)],
    ['the old form of OpenSSL, "Proc-Type: 4,ENCRYPTED"', privatePem('pkcs1', lock)],
  ])('%s with its passphrase; without it, or with another, it is `key_passphrase`', (_name, bytes) => {
    expect(readPrivateKey(bytes, 'FILE', passphrase).equals(pair.privateKey)).toBe(true);
    refused('key_passphrase', bytes, () => readPrivateKey(bytes, 'FILE'));
    refused('key_passphrase', bytes, () => readPrivateKey(bytes, 'FILE', wrong));
    expect(isLocked(bytes.toString('latin1'))).toBe(true);
  });
});

describe('where a private key belongs', () => {
  const cases: Record<string, [ErrorCode, Buffer]> = {
    'an empty file': ['invalid_key', Buffer.alloc(0)],
    'some text': ['invalid_key', Buffer.from('hello, this is no key')],
    'a damaged PEM': [
      'invalid_key',
      Buffer.from(
        privatePem('pkcs8')
          .toString()
          .replace(/MII[\w+/]{20}/, 'MIIAAAA'),
      ),
    ],
    'a PEM without its end': ['invalid_key', privatePem('pkcs8').subarray(0, 400)],
    'a truncated DER': ['invalid_key', privateDer('pkcs8').subarray(0, -100)],
    'an elliptic curve key': ['invalid_key', exported(ec.privateKey, { type: 'pkcs8', format: 'pem' })],
    'an RSA-PSS key': ['invalid_key', exported(pss.privateKey, { type: 'pkcs8', format: 'pem' })],
    'an RSA key of 1024 bits': ['weak_key', exported(weak.privateKey, { type: 'pkcs8', format: 'pem' })],
    'a public key': ['invalid_key', publicIn('spki', 'pem')],
    'a PKCS#1 public key': ['invalid_key', publicIn('pkcs1', 'pem')],
    'a public key in DER': ['invalid_key', publicIn('spki', 'der')],
    'an SSH private key': ['invalid_key', openssh.privateKey],
    'a certificate': ['invalid_key', certificate],
  };

  test.each(Object.keys(cases))('%s is refused by its code, and nothing of it is shown', (which) => {
    const [code, bytes] = cases[which]!;
    refused(code, bytes, () => readPrivateKey(bytes, 'FILE'));
    refused(code, bytes, () => readPrivateKey(bytes, 'FILE', passphrase));
    refused(code, bytes, () => readPrivateKeySet(bytes, 'FILE'));
  });

  test('an SSH key is told how to become one', () => {
    expect(() => readPrivateKey(openssh.privateKey, 'FILE')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('ssh-keygen') }),
    );
  });
});

describe('a pair that is made', () => {
  test('is RSA of the size asked for, the halves fit, and the private one is locked by the passphrase', async () => {
    const made = await generateKeyPem(passphrase, 2048);
    const bytes = Buffer.from(made.privateKey.reveal());
    refused('key_passphrase', bytes, () => readPrivateKey(bytes, 'FILE'));
    expect(readPrivateKey(bytes, 'FILE', passphrase).asymmetricKeyDetails).toMatchObject({
      modulusLength: 2048,
    });
    expect(fingerprintOf(readPublicKey(Buffer.from(made.publicKey), 'FILE'))).toBe(made.fingerprint);
    expect(JSON.stringify(made)).not.toContain('PRIVATE KEY');
  });

  test('has a fingerprint of 43 characters, as base64url writes SHA-256', () => {
    expect(print).toMatch(/^[\w-]{43}$/);
  });
});

describe('an error that another operation has left behind does not fail the reading of', () => {
  // Node 24 leaves one of OpenSSL's in its queue here, and the next key that is read met it.
  const leave = () => {
    try {
      createDiffieHellman(10);
    } catch {
      // It fails on every version.
    }
  };
  const spki = exported(pair.publicKey, { type: 'spki', format: 'pem' });
  const pkcs8 = exported(pair.privateKey, { type: 'pkcs8', format: 'pem' });
  const locked = exported(pair.privateKey, { type: 'pkcs8', format: 'pem', ...lock });
  test.each([
    ['a public key', () => readPublicKey(spki, 'KEY')],
    ['a private key', () => readPrivateKey(pkcs8, 'KEY')],
    ['a locked one', () => readPrivateKey(locked, 'KEY', passphrase)],
  ])('%s', (_what, read) => {
    leave();
    expect(read().asymmetricKeyType).toBe('rsa');
  });
});
