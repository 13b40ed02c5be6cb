/** Where a function's vault is opened from its settings: by a secret, or as a bucket that its role may use. */
import { parseVaultSecret, vaultPrefix, type VaultSecret } from './config/vault-secret.js';
import type { VaultSettings } from './contract.js';
import type { ChecksumMode, ObjectStore } from './ports.js';
import { printable } from './printable.js';
import { cached, type Cached } from './secrets/cached.js';
import type { SecretReader } from './secrets/secret-reader.js';
import { openS3Store } from './store/s3.js';

export interface VaultParts {
  readonly store: ObjectStore;
  /** In front of every vault key: empty, or with a slash at its end. */
  readonly prefix: string;
  readonly place: VaultPlace;
}

export interface VaultPlace {
  /** Undefined: AWS. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly bucket: string;
  readonly prefix: string;
}

/** @throws SealdropError what reading the secret can fail with, `secret_malformed` */
export async function readVaultSecret(
  vault: { secret: string },
  secrets: SecretReader,
): Promise<VaultSecret> {
  const value = await secrets.read(vault.secret);
  return parseVaultSecret(value.reveal(), `the secret ${printable(vault.secret)}`);
}

/**
 * A vault that is read again after `ttlSeconds`, and when its credentials are refused.
 * @param options.checksum how uploads are proven
 */
export function vaultOf(
  vault: VaultSettings,
  options: { secrets: SecretReader; ttlSeconds: number; checksum?: ChecksumMode },
): Cached<VaultParts> {
  return cached(() => openVaultParts(vault, options), options.ttlSeconds * 1000);
}

/** @throws SealdropError what reading the secret can fail with, `secret_malformed` */
export async function openVaultParts(
  vault: VaultSettings,
  { secrets, checksum }: { secrets: SecretReader; checksum?: ChecksumMode },
): Promise<VaultParts> {
  if ('secret' in vault) {
    const { credentials, caCertificate, ...secret } = await readVaultSecret(vault, secrets);
    const { endpoint, region, bucket, prefix, provider } = secret;
    const store = openS3Store({ endpoint, region, bucket, provider, credentials, caCertificate, checksum });
    return { store, prefix, place: { endpoint, region, bucket, prefix } };
  }
  const { region, bucket } = vault;
  const prefix = vaultPrefix(vault.prefix, 'the vault bucket');
  const store = openS3Store({ region, bucket, checksum });
  return { store, prefix, place: { endpoint: undefined, region, bucket, prefix } };
}
