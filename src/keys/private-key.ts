/** Reading private keys. Imported by what decrypts, and by nothing that encrypts. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { SealdropError } from '../errors.js';
import type { Secret } from '../secret.js';
import { assertCheap } from './derivation-cost.js';
import { assertRsa, isLocked } from './public-key.js';
import { withSecondTry } from './second-try.js';

/**
 * An RSA private key from PKCS#8 (encrypted too) or PKCS#1, PEM or DER.
 * @param where what the user called it, for messages
 * @throws SealdropError `invalid_key`, `weak_key`, `key_passphrase`
 */
export function readPrivateKey(bytes: Uint8Array, where: string, passphrase?: Secret): KeyObject {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.trim() === '') throw new SealdropError('invalid_key', `${where} is empty`);
  if (/-----BEGIN (RSA )?PUBLIC KEY-----/.test(text))
    throw new SealdropError('invalid_key', `${where} is a public key, the private one is needed`, {
      hint: 'a public key encrypts only; the file that opens is usually called private_key.pem',
    });
  if (isLocked(text) && passphrase === undefined)
    throw new SealdropError('key_passphrase', `${where} is locked by a passphrase`, {
      hint: 'name a file that holds it: --passphrase-file FILE',
    });
  if (passphrase !== undefined) assertCheap(bytes, text, where);
  return assertRsa(parse(bytes, text, where, passphrase), where);
}

function parse(bytes: Uint8Array, text: string, where: string, passphrase?: Secret): KeyObject {
  const unlock = passphrase === undefined ? {} : { passphrase: passphrase.reveal() };
  const key = Buffer.from(bytes);
  const candidates = text.includes('-----BEGIN ')
    ? [{ key, format: 'pem' as const, ...unlock }]
    : (['pkcs8', 'pkcs1'] as const).map((type) => ({ key, format: 'der' as const, type, ...unlock }));
  let locked = isLocked(text);
  for (const candidate of candidates) {
    try {
      return withSecondTry(() => createPrivateKey(candidate));
    } catch (error) {
      // Whichever form it was: the error of the other form says nothing.
      locked ||= isPassphraseError(error);
    }
  }
  if (locked && passphrase !== undefined)
    throw new SealdropError('key_passphrase', `the passphrase does not open ${where}`, {
      hint: 'check the passphrase; if it is right, the file is damaged',
    });
  if (locked)
    throw new SealdropError('key_passphrase', `${where} is locked by a passphrase`, {
      hint: 'name a file that holds it: --passphrase-file FILE',
    });
  throw new SealdropError('invalid_key', `${where} is damaged or no private key`, { hint: hintFor(text) });
}

function isPassphraseError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return [
    'ERR_MISSING_PASSPHRASE',
    'ERR_OSSL_BAD_DECRYPT',
    'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED',
  ].includes(code);
}

function hintFor(text: string): string {
  if (text.includes('OPENSSH PRIVATE KEY'))
    return 'this is an SSH key: convert a copy with ssh-keygen -p -m PKCS8 -f COPY';
  return 'a file that begins with "-----BEGIN PRIVATE KEY-----" is meant';
}
