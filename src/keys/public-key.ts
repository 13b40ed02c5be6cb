/** Reading public keys. Nothing here can read a private one: it is part of every encryptor. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { isSealdropError, SealdropError } from '../errors.js';
import type { PublicKeyInfo } from '../ports.js';
import { MAX_MODULUS_BITS, MIN_MODULUS_BITS } from './names.js';
import { withSecondTry } from './second-try.js';

/**
 * An RSA public key from SPKI or PKCS#1, PEM or DER.
 * @param where what the user called it (a path, a field), for messages
 * @throws SealdropError `invalid_key`, `weak_key`, `private_key_in_public_key_set`
 */
export function readPublicKey(bytes: Uint8Array, where: string): KeyObject {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.trim() === '') throw new SealdropError('invalid_key', `${where} is empty`);
  // A private key would do to encrypt with; it must not be where one encrypts.
  if (isPrivate(text))
    throw new SealdropError(
      'private_key_in_public_key_set',
      `${where} holds a private key, a public one belongs there`,
      {
        hint: 'name the public half (made by: openssl rsa -pubout), and keep the private key off this machine',
      },
    );
  return assertRsa(parse(bytes, text, where), where);
}

/**
 * Whether a key, PEM or DER, read as latin1, is a private one that is not encrypted, or a PEM that says so. In DER,
 * PKCS#1 and PKCS#8 begin with a version number; a public key begins with its modulus or its algorithm.
 */
export function isPrivate(text: string): boolean {
  return (
    /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text) ||
    /^\x30(?:\x82..|\x81.|[\0-\x7f])\x02\x01[\0\x01]/s.test(text)
  );
}

// PKCS#8's EncryptedPrivateKeyInfo begins with the identifier of a PKCS#5 scheme (RFC 5958, 3; RFC 8018, A).
const LOCKED_DER = /^\x30[^]{1,3}\x30[^]{1,2}\x06.\x2a\x86\x48\x86\xf7\x0d\x01\x05/;

// RFC 1421, 4.6: the first line of the block, after a line break that JSON may have escaped.
const LOCKED_PEM =
  /-----BEGIN (?:ENCRYPTED PRIVATE KEY-----|[A-Z ]+-----(?:\r?\n|(?:\\r)?\\n)Proc-Type: 4,ENCRYPTED)/;

/** Whether a key file (PEM, DER, or a set in JSON), read as latin1, says that it is encrypted. */
export function isLocked(text: string): boolean {
  return LOCKED_PEM.test(text) || LOCKED_DER.test(text);
}

function parse(bytes: Uint8Array, text: string, where: string): KeyObject {
  const candidates = text.includes('-----BEGIN ')
    ? [text]
    : (['spki', 'pkcs1'] as const).map((type) => ({ key: Buffer.from(bytes), format: 'der' as const, type }));
  for (const candidate of candidates) {
    try {
      return withSecondTry(() => createPublicKey(candidate));
    } catch {
      continue; // the next form; the reason given below fits all
    }
  }
  throw new SealdropError('invalid_key', `${where} is damaged or no public key`, { hint: hintFor(text) });
}

function hintFor(text: string): string {
  if (/^ssh-|^ecdsa-/.test(text)) return 'this is an SSH key: convert it with ssh-keygen -e -m PKCS8 -f FILE';
  return 'a file that begins with "-----BEGIN PUBLIC KEY-----" is meant';
}

/** @throws SealdropError `invalid_key`, `weak_key` */
export function assertRsa(key: KeyObject, where: string): KeyObject {
  if (key.asymmetricKeyType !== 'rsa')
    throw new SealdropError(
      'invalid_key',
      `${where} is a key of type ${key.asymmetricKeyType ?? 'unknown'}, RSA is needed`,
      {
        hint: 'make a pair with: sealdrop keygen',
      },
    );
  const bits = modulusBits(key);
  if (bits < MIN_MODULUS_BITS)
    throw new SealdropError(
      'weak_key',
      `${where} is an RSA key of ${bits} bits, at least ${MIN_MODULUS_BITS} are needed`,
      {
        hint: 'make a pair with: sealdrop keygen',
      },
    );
  const exponent = key.asymmetricKeyDetails?.publicExponent ?? 0n;
  // With 1, what is encrypted is the plaintext; an even one has no private half.
  if (exponent < 3n || exponent % 2n === 0n)
    throw new SealdropError(
      'weak_key',
      `${where} is an RSA key with a public exponent that protects nothing`,
      {
        hint: 'it is damaged, or was made to be broken: make a pair with: sealdrop keygen',
      },
    );
  const unusable = whyUnusable(key, bits, exponent);
  if (unusable === undefined) return key;
  throw new SealdropError('invalid_key', `${where} is an RSA key with ${unusable}`, {
    hint: 'it is damaged, or no key that anybody uses: make a pair with: sealdrop keygen',
  });
}

/** What OpenSSL reads, and then does nothing with. */
function whyUnusable(key: KeyObject, bits: number, exponent: bigint): string | undefined {
  if (bits > MAX_MODULUS_BITS) return `a modulus of ${bits} bits, at most ${MAX_MODULUS_BITS} can be used`;
  if (exponent >= 2n ** 64n) return 'a public exponent of more than 64 bits, which cannot be used';
  const { n = '' } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  return Buffer.from(n, 'base64url').at(-1)! % 2 === 0 ? 'an even modulus, which no key has' : undefined;
}

export function modulusBits(key: KeyObject): number {
  return key.asymmetricKeyDetails?.modulusLength ?? 0;
}

/** SHA-256 of the SPKI DER, base64url. */
export function fingerprintOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64url');
}

/**
 * The public half of a private key that is not locked, PEM.
 * @throws SealdropError `invalid_key`, `weak_key`
 */
export function derivePublicKey(privatePem: string, where: string): KeyObject {
  try {
    if (isPrivate(privatePem))
      return assertRsa(
        withSecondTry(() => createPublicKey(privatePem)),
        where,
      );
  } catch (error) {
    if (isSealdropError(error)) throw error;
  }
  throw new SealdropError('invalid_key', `${where} is damaged or no private key`);
}

/**
 * @param derived from the private half
 * @throws SealdropError `invalid_key`
 */
export function assertOnePair(publicKey: KeyObject, derived: KeyObject, field: string): void {
  if (fingerprintOf(publicKey) === fingerprintOf(derived)) return;
  throw new SealdropError('invalid_key', `${field}.publicKey is not the public half of its privateKey`, {
    hint: 'what is encrypted to it would open with neither: find the right half, or make two entries of it',
  });
}

/** A key as everybody may have it. */
export function publicKeyInfo(key: { namespace: string; name: string; publicKey: KeyObject }): PublicKeyInfo {
  const { namespace, name, publicKey } = key;
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { namespace, name, fingerprint: fingerprintOf(publicKey), publicKey: pem };
}
