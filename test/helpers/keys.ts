/** RSA pairs and what reads and writes with them. Keys are made anew in every test file and never kept. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDecryptor, type DecryptorOptions } from '../../src/envelope/esdk/decrypt.js';
import { createEncryptor, type EncryptorOptions } from '../../src/envelope/esdk/encrypt.js';
import { RsaUnwrapKeyring } from '../../src/keys/raw-rsa/unwrap.js';
import { rsaWrappingKeys } from '../../src/keys/raw-rsa/wrap.js';
import type { Decryptor, Encryptor } from '../../src/ports.js';

export interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const NAMES = { namespace: 'MyAppKeys', name: 'S3RSAKey' } as const;

export function rsaPair(bits = 2048): Pair {
  return generateKeyPairSync('rsa', { modulusLength: bits });
}

export function publicPem({ publicKey }: Pair): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

export function privatePem({ privateKey }: Pair): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** `private_key.pem` and `public_key.pem`, as keygen makes them, but of 2,048 bits, which take less time to make and to use. */
export function writePair(folder: string): void {
  const pair = rsaPair();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'private_key.pem'), privatePem(pair), { mode: 0o600 });
  writeFileSync(join(folder, 'public_key.pem'), publicPem(pair));
}

export function encryptorFor(pair: Pair, options: EncryptorOptions = {}): Encryptor {
  return createEncryptor(rsaWrappingKeys([{ ...NAMES, publicKey: pair.publicKey }]), options);
}

export function decryptorFor(pair: Pair, options: Omit<DecryptorOptions, 'keyring'> = {}): Decryptor {
  const keyring = new RsaUnwrapKeyring([{ ...NAMES, privateKey: pair.privateKey, oaepHash: 'sha256' }]);
  return createDecryptor({ ...options, keyring });
}
