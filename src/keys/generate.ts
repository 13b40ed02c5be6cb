import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '../secret.js';
import { fingerprintOf } from './public-key.js';

export const MODULUS_BITS = 4096;

export interface KeyPairPem {
  /** PKCS#8; encrypted with AES-256-CBC (PBES2) where there is a passphrase. */
  privateKey: Secret;
  /** SPKI. */
  publicKey: string;
  fingerprint: string;
}

/** A new RSA pair as PEM. @param bits modulus length, default 4096 */
export async function generateKeyPem(passphrase?: Secret, bits = MODULUS_BITS): Promise<KeyPairPem> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: bits });
  const lock = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase: passphrase.reveal() };
  const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...lock });
  return {
    privateKey: new Secret(String(privatePem)),
    publicKey: String(pair.publicKey.export({ type: 'spki', format: 'pem' })),
    fingerprint: fingerprintOf(pair.publicKey),
  };
}
