/** RSA pairs and what reads and writes with them. Keys are made anew in every test file and never kept. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
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

export function encryptorFor(pair: Pair, options: EncryptorOptions = {}): Encryptor {
  return createEncryptor(rsaWrappingKeys([{ ...NAMES, publicKey: pair.publicKey }]), options);
}

export function decryptorFor(pair: Pair, options: Omit<DecryptorOptions, 'keyring'> = {}): Decryptor {
  const keyring = new RsaUnwrapKeyring([{ ...NAMES, privateKey: pair.privateKey, oaepHash: 'sha256' }]);
  return createDecryptor({ ...options, keyring });
}
