/** Where a local gateway reads, writes and keeps its keys; with `--defaults`, made on the first run. */
import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseAddress, type Address } from '../address.js';
import type { Vault } from '../config/settings.js';
import { isSealdropError, SealdropError, systemCode } from '../errors.js';
import { assertApart } from '../gateway/folder.js';
import { isKeyFile } from '../key-input.js';
import { printable } from '../printable.js';
import { isWithin } from '../real-path.js';
import { Secret } from '../secret.js';
import { writeNewFile } from '../transfer/target.js';
import { stateFolder } from '../user-folders.js';
import type { Environment } from './command.js';
import { makeDirectory, writeKeyPair } from './commands/keygen.js';
import { isAnythingBelow } from './objects.js';
import type { Output } from './output.js';
import { DEFAULTS } from './serve-options.js';

const IDEMPOTENCY_BYTES = 32;

export interface PlaceOptions {
  inbox?: string;
  vault?: string;
  publicKey: string[];
  recipient?: readonly string[];
  keySet?: string;
  idempotencyKey?: string;
  defaults?: boolean;
  /** Whether a folder is watched: neither a bucket, nor the API alone. */
  folder: boolean;
  /** Of the API: secret, as keys are. */
  secretFiles?: readonly string[];
}

export interface Places {
  inbox?: string;
  vault: Address;
  publicKeys: string[];
  /** Files of other keys that are encrypted to. */
  recipients: readonly string[];
  /** Where the private half lies that was made here, for the line that says how to get things back. */
  privateKey?: string;
  idempotencyKey: string;
  secretFiles: readonly string[];
}

/** @throws SealdropError `usage` */
export async function preparePlaces(
  options: PlaceOptions,
  environment: Environment,
  output: Output,
): Promise<Places> {
  const defaults = options.defaults === true;
  const inbox = options.inbox ?? (defaults && options.folder ? DEFAULTS.inbox : undefined);
  const vault = options.vault ?? (defaults ? DEFAULTS.vault : undefined);
  const missing = vault === undefined || (inbox === undefined && options.folder);
  if (missing)
    throw new SealdropError(
      'usage',
      `--${inbox === undefined && options.folder ? 'inbox' : 'vault'} is missing`,
      {
        hint: 'name it, or try everything at once with --defaults',
      },
    );
  const recipients = [...(options.recipient ?? []), ...(options.keySet ? [options.keySet] : [])];
  const ownKeys = defaults && options.publicKey.length + recipients.length === 0;
  if (inbox !== undefined && options.inbox === undefined) await makeDirectory(inbox, 0o777);
  const place = asPlace(vault);
  const places = {
    inbox,
    vault: place,
    publicKeys: ownKeys ? [DEFAULTS.publicKey] : options.publicKey,
    recipients,
    privateKey: ownKeys ? DEFAULTS.privateKey : undefined,
    idempotencyKey:
      options.idempotencyKey ?? (ownKeys ? DEFAULTS.idempotencyKey : join(stateFolder(), 'idempotency.key')),
    secretFiles: options.secretFiles ?? [],
  };
  // Before keys or a vault are made in the wrong place.
  if (place.kind === 'file' && inbox !== undefined) await assertApart(inbox, place.path);
  const folders = [inbox, place.kind === 'file' ? place.path : undefined];
  await assertKeysOutside(
    places,
    folders.filter((folder) => folder !== undefined),
  );
  if (ownKeys) await prepareKeys(environment, output);
  return places;
}

/** An address as a place for many keys. */
function asPlace(text: string): Address {
  const address = parseAddress(text);
  const slashed = (path: string) => (path === '' || path.endsWith('/') ? path : `${path}/`);
  if (address.kind === 's3' || address.kind === 'named') return { ...address, key: slashed(address.key) };
  if (address.kind === 'file') return { kind: 'file', path: slashed(address.path), named: true };
  throw new SealdropError('usage', 'standard output is no vault');
}

async function prepareKeys(environment: Environment, output: Output): Promise<void> {
  const [hasPublic, hasPrivate] = await Promise.all([
    exists(DEFAULTS.publicKey),
    exists(DEFAULTS.privateKey),
  ]);
  if (!hasPublic && hasPrivate)
    throw new SealdropError(
      'key_file_not_found',
      `${DEFAULTS.publicKey} is missing beside ${DEFAULTS.privateKey}`,
      {
        hint: `make it again: openssl rsa -pubout -in ${DEFAULTS.privateKey} -out ${DEFAULTS.publicKey}`,
      },
    );
  if (!hasPublic) {
    await makeDirectory(DEFAULTS.keys);
    const fingerprint = await writeKeyPair(DEFAULTS, () => environment.parts.generateKeyPair());
    output.note(`made a key pair in ${DEFAULTS.keys}/, fingerprint ${fingerprint}`);
  }
  if (!hasPublic || hasPrivate)
    output.warn(
      `the private key ${DEFAULTS.privateKey} is on the machine that encrypts`,
      'it opens everything in the vault: move it, and keep a copy, somewhere else; the gateway does not need it',
    );
}

/** Milliseconds to wait for a store that may not answer. */
const LOOK_TIME = 10_000;

/**
 * In a bucket that is mistyped nothing would ever be stored. What else fails stops no gateway: its credentials may be
 * good for writing alone, and a store that is down now comes back.
 * @throws SealdropError `bucket_not_found`
 */
export async function assertBucketThere({ store, key }: Vault, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LOOK_TIME)]);
  await isAnythingBelow(store, key, limit).catch((error: unknown) => {
    if (isSealdropError(error) && error.code === 'bucket_not_found') throw error;
  });
}

/** @throws SealdropError `usage`, `key_exposed` */
export async function assertKeysApart(places: Places, vault: Vault): Promise<void> {
  if (vault.store.kind !== 'directory') return;
  const root = vaultRoot(vault);
  if (places.inbox !== undefined) await assertApart(places.inbox, root);
  await assertKeysOutside(places, [root]);
}

async function assertKeysOutside(places: Places, folders: readonly string[]): Promise<void> {
  const { publicKeys, recipients, privateKey, idempotencyKey, secretFiles } = places;
  const keys = [...publicKeys, ...recipients, privateKey, idempotencyKey, ...secretFiles];
  for (const key of keys.filter((each) => each !== undefined && isKeyFile(each)) as string[]) {
    for (const folder of folders) {
      if (!(await isWithin(key, folder))) continue;
      throw new SealdropError('key_exposed', `the key ${printable(key)} lies in ${printable(folder)}`, {
        hint: 'keys belong neither where plaintext arrives nor where ciphertext is kept: move it elsewhere',
      });
    }
  }
}

/** The whole vault, also where objects are put below a prefix of it. */
function vaultRoot({ store }: Vault): string {
  const address = parseAddress(store.address(''));
  return address.kind === 'file' ? address.path : '';
}

/**
 * Stored files are plaintext: they may be moved neither into the vault nor back to where they are taken from.
 * @throws SealdropError `usage`
 */
export async function assertMoveTarget(to: string, inbox: string, vault: Vault): Promise<void> {
  const folders = [inbox, ...(vault.store.kind === 'directory' ? [vaultRoot(vault)] : [])];
  for (const folder of folders) {
    if (!(await isWithin(to, folder)) && !(await isWithin(folder, to))) continue;
    throw new SealdropError(
      'usage',
      `${printable(to)}, where files are moved, and ${printable(folder)} lie one in the other`,
      { hint: 'name a folder that lies apart from inbox and vault: --move-to DIRECTORY' },
    );
  }
}

/**
 * The secret by which a gateway knows what it has stored, made on first use.
 * @throws SealdropError `invalid_key`
 */
export async function loadIdempotencyKey(path: string): Promise<Secret<Buffer>> {
  if (!(await exists(path))) await makeIdempotencyKey(path);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new SealdropError(
      'invalid_key',
      `cannot read ${printable(path)}: ${systemCode(cause) ?? 'error'}`,
      { cause },
    );
  });
  if (bytes.length === IDEMPOTENCY_BYTES) return new Secret(bytes);
  throw new SealdropError('invalid_key', `${printable(path)} must hold ${IDEMPOTENCY_BYTES} bytes`, {
    hint: 'if it is no key of yours, remove it: a new one is made, and what is in the inbox is stored once more',
  });
}

async function makeIdempotencyKey(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch(() => undefined);
  try {
    await writeNewFile(path, randomBytes(IDEMPOTENCY_BYTES), 0o600);
  } catch (error) {
    // Another process has made it at the same moment.
    if (isSealdropError(error) && error.code === 'target_exists') return;
    throw error;
  }
}

/** @throws SealdropError `source_not_found` */
export async function mustBeDirectory(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory() === true) return;
  throw new SealdropError('source_not_found', `the inbox ${printable(path)} is no directory`, {
    hint: 'make it: mkdir -p, or name another',
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
