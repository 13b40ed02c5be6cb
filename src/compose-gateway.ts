/**
 * What a function needs that encrypts, joined from its settings and secrets. Nothing here can decrypt, and no schema
 * library is behind it.
 */
import { createHash } from 'node:crypto';
import { encryptorOf } from './compose-encryptor.js';
import { openVaultParts, type VaultPlace } from './compose-vault.js';
import type { EncryptingSettings, InboxSettings } from './contract.js';
import { SealdropError } from './errors.js';
import { assertApartFromVault, assertDistinct } from './gateway/inboxes.js';
import { readPublicSet } from './keys/key-set.js';
import type { ChecksumMode, Encryptor, ObjectStore } from './ports.js';
import { printable } from './printable.js';
import type { Secret } from './secret.js';
import { cached, type Cached } from './secrets/cached.js';
import type { SecretReader } from './secrets/secret-reader.js';

export interface EncryptingParts {
  readonly encryptor: Encryptor;
  readonly store: ObjectStore;
  /** In front of every vault key: empty, or with a slash at its end. */
  readonly prefix: string;
  /** Where the vault is. Undefined: at AWS. */
  readonly endpoint: string | undefined;
  readonly idempotencyKey: Secret<Buffer>;
}

/**
 * `current()`: the parts, their secrets read again when they are older than the settings' time to live. `refresh(parts)`:
 * after the vault has refused the credentials of `parts`. Both reject with what is wrong with the secrets: then nothing
 * can be encrypted, and nothing may be dropped.
 */
export type GatewayParts = Cached<EncryptingParts>;

export interface GatewayOptions {
  secrets: SecretReader;
  /** Inboxes that must lie apart from each other and from the vault. */
  inboxes?: readonly InboxSettings[];
  /** How uploads are proven. Default `auto`. */
  checksum?: ChecksumMode;
}

/** Nothing is read before the first call of `current`. */
export function openGatewayParts(settings: EncryptingSettings, options: GatewayOptions): GatewayParts {
  let last: { parts: EncryptingParts; digest: string } | undefined;
  const make = async (): Promise<EncryptingParts> => {
    const { secrets, digest } = remembering(options.secrets);
    const parts = await openParts(settings, { ...options, secrets });
    // The same secrets: the same store, with the connections that it has.
    if (last?.digest !== digest()) last = { parts, digest: digest() };
    return last.parts;
  };
  return cached(make, settings.secretsTtlSeconds * 1000);
}

async function openParts(settings: EncryptingSettings, options: GatewayOptions): Promise<EncryptingParts> {
  const { secrets, inboxes = [], checksum } = options;
  assertDistinct(inboxes);
  const encryptor = await readEncryptor(settings, secrets);
  const idempotencyKey = await readIdempotencyKey(settings.idempotency, secrets);
  const { store, prefix, place } = await openVaultParts(settings.vault, { secrets, checksum });
  assertApartFromVault(inboxes, sharedWithInbox(place));
  return { encryptor, store, prefix, endpoint: place.endpoint, idempotencyKey };
}

/** @throws SealdropError what reading the secret can fail with, and where it is no public key set */
export async function readEncryptor(
  {
    publicKeySet,
    keyNames,
    format = 'esdk',
  }: Pick<EncryptingSettings, 'publicKeySet' | 'keyNames' | 'format'>,
  secrets: SecretReader,
): Promise<Encryptor> {
  const keys = await secrets.read(publicKeySet);
  const where = `the secret ${printable(publicKeySet)}`;
  const set = readPublicSet(keys.reveal(), where, keyNames);
  return encryptorOf(set, { format, where });
}

const MIN_KEY_BYTES = 32;

/** 32 random bytes, or text that holds as many: all of it is the key. */
async function readIdempotencyKey(name: string, secrets: SecretReader): Promise<Secret<Buffer>> {
  const key = await secrets.read(name);
  if (key.reveal().length >= MIN_KEY_BYTES) return key;
  throw new SealdropError(
    'secret_malformed',
    `the secret ${printable(name)} must hold at least ${MIN_KEY_BYTES} random bytes`,
  );
}

/** The vault, where it is at the same store as the inboxes: AWS, or what plays it by AWS's own setting. */
function sharedWithInbox(place: VaultPlace): VaultPlace | undefined {
  if (place.endpoint === undefined) return place;
  const { host, hostname } = new URL(place.endpoint);
  const aws = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  const same = aws !== undefined && URL.canParse(aws) && new URL(aws).host === host;
  return same || /[.]amazonaws[.]com([.]cn)?$/.test(hostname) ? place : undefined;
}

/** Says whether what was read is what was read before, without keeping it. */
function remembering(secrets: SecretReader): { secrets: SecretReader; digest: () => string } {
  const hash = createHash('sha256');
  return {
    secrets: {
      async read(name) {
        const value = await secrets.read(name);
        hash.update(createHash('sha256').update(value.reveal()).digest());
        return value;
      },
    },
    digest: () => hash.copy().digest('base64url'),
  };
}
