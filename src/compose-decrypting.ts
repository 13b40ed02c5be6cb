/** What a function needs that decrypts: one that is given the private key set. */
import { openVaultParts } from './compose-vault.js';
import type { DecryptObjectSettings } from './contract.js';
import { createDecryptor } from './envelope/esdk/decrypt.js';
import type { DecryptParts } from './gateway/api/decrypt-object.js';
import { assertOpens, readOpeningKeys } from './keys/opening-keys.js';
import { AesUnwrapKeyring } from './keys/raw-aes/unwrap.js';
import { RsaUnwrapKeyring } from './keys/raw-rsa/unwrap.js';
import { AnyOfKeyring } from './keys/unwrapping.js';
import type { Decryptor } from './ports.js';
import { printable } from './printable.js';
import { cached, type Cached } from './secrets/cached.js';
import type { SecretReader } from './secrets/secret-reader.js';

export function decryptingPartsOf(
  { privateKeySet, vault, secretsTtlSeconds }: DecryptObjectSettings,
  secrets: SecretReader,
): Cached<DecryptParts> {
  return cached(async () => {
    const decryptor = await readDecryptor(privateKeySet, secrets);
    const { store, prefix } = await openVaultParts(vault, { secrets });
    return { store, prefix, decryptor };
  }, secretsTtlSeconds * 1000);
}

/** @throws SealdropError what reading the secret can fail with, and where nothing in it opens anything */
export async function readDecryptor(privateKeySet: string, secrets: SecretReader): Promise<Decryptor> {
  const bytes = await secrets.read(privateKeySet);
  const where = `the secret ${printable(privateKeySet)}`;
  // The function's role may ask no key of KMS: those of a set are for others.
  const keys = { ...readOpeningKeys(bytes.reveal(), where), kms: [] };
  assertOpens(keys, where);
  const keyrings = [new RsaUnwrapKeyring(keys.rsa), new AesUnwrapKeyring(keys.aes)];
  return createDecryptor({ keyring: new AnyOfKeyring(keyrings) });
}
