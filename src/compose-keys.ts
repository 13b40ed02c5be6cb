/** Where keys of every kind are joined: what a user names in, keyrings out. */
import type { KeyAccess, DecryptSettings, EncryptSettings, KeyInput } from './config/settings.js';
import { SealdropError } from './errors.js';
import { kmsKeyNamed } from './key-input.js';
import { readKeySource } from './key-source.js';
import type { KmsUnwrapOptions } from './keys/kms/unwrap.js';
import type { OpeningKeys } from './keys/opening-keys.js';
import type { RecipientKey, SetRules } from './keys/recipients.js';
import type { WrappingKey } from './keys/wrapping-keys.js';
import type { PublicKeyInfo, S3ecUnwrappingKeys, S3ecWrappingKey, WrappingKeys } from './ports.js';
import { printable } from './printable.js';
import type { SecretWrappingKey } from './keys/raw-aes/names.js';
import type { PrivateWrappingKey } from './keys/raw-rsa/unwrap.js';

const MAKE_A_PAIR = 'make a pair with: sealdrop keygen';
const WHERE_IT_IS =
  'it is the file that keygen wrote beside the public key; nothing else opens what was encrypted to that';

/** @throws SealdropError where keys are missing, damaged or of the wrong kind */
export async function openWrappingKeys(settings: EncryptSettings): Promise<WrappingKeys> {
  const { wrappingKeysOf } = await import('./keys/wrapping-keys.js');
  const toWrappingKey = wrapper(settings.keyAccess);
  const keys: WrappingKey[] = [];
  for (const key of await readAll(settings)) keys.push(await toWrappingKey(key));
  return wrappingKeysOf(keys);
}

/**
 * The one key that objects of the S3 Encryption Client are wrapped for.
 * @throws SealdropError where keys are missing, damaged or of the wrong kind, `usage` where there are several
 */
export async function openS3ecWrappingKey(settings: EncryptSettings): Promise<S3ecWrappingKey> {
  return s3ecWrappingKeyFor(await readAll(settings), settings.keyAccess);
}

/** @throws SealdropError `key_required`, `usage` where there are several */
export async function s3ecWrappingKeyFor(
  found: readonly RecipientKey[],
  access: KeyAccess | undefined,
): Promise<S3ecWrappingKey> {
  const { s3ecWrappingKeyOf } = await import('./keys/s3ec-wrapping.js');
  const keys: S3ecWrappingKey[] = [];
  for (const key of found) keys.push(await s3ecKey(key, access));
  return s3ecWrappingKeyOf(keys);
}

async function s3ecKey(key: RecipientKey, access: KeyAccess | undefined): Promise<S3ecWrappingKey> {
  if (key.kind === 'rsa') return (await import('./keys/raw-rsa/s3ec-wrap.js')).rsaS3ecKey(key);
  if (key.kind === 'aes') return (await import('./keys/raw-aes/s3ec-wrap.js')).aesS3ecKey(key);
  return (await import('./keys/kms/s3ec-wrapper.js')).kmsS3ecWrapper(access)(key.arn);
}

/**
 * What can be published of the keys that are wrapped to.
 * @throws SealdropError where keys are missing, damaged or of the wrong kind
 */
export async function readPublicKeys(settings: EncryptSettings): Promise<PublicKeyInfo[]> {
  const { publicKeyInfo } = await import('./keys/public-key.js');
  const { kmsKeyInfo } = await import('./keys/kms/names.js');
  return (await readAll(settings)).flatMap((key) => {
    if (key.kind === 'aes') return [];
    return [key.kind === 'rsa' ? publicKeyInfo(key) : kmsKeyInfo(key.arn)];
  });
}

/** Those that are named one by one, with those that a key set always adds; or the key set's. */
async function readAll(settings: EncryptSettings): Promise<RecipientKey[]> {
  const { publicKeys = [], recipients = [], keySet } = settings;
  const named: RecipientKey[] = [];
  const inputs = [
    ...publicKeys.map((input) => ({ input, rules: 'public' as const })),
    ...recipients.map((input) => ({ input, rules: 'secret' as const })),
  ];
  for (const [i, { input, rules }] of inputs.entries())
    named.push(...(await readOne(input, `key ${i + 1}`, rules, settings)));
  if (!keySet) return named;
  const own = await readOne(keySet, 'the key set', 'own', settings);
  return named.length === 0 ? own : [...named, ...own.filter(({ always }) => always)];
}

export async function readOne(
  input: KeyInput,
  called: string,
  rules: SetRules,
  settings: EncryptSettings,
  which?: 'active' | 'all',
): Promise<RecipientKey[]> {
  const kms = kmsKeyNamed(input);
  if (kms !== undefined) {
    const { parseKmsKey } = await import('./keys/kms/names.js');
    return [{ kind: 'kms', always: false, arn: parseKmsKey(kms, 'kms:').id }];
  }
  const { readRecipients } = await import('./keys/recipients.js');
  const bytes = await readKey(input, MAKE_A_PAIR, settings.keyAccess);
  return readRecipients(bytes, nameOf(input, called), settings, rules, which);
}

/** Makes wrapping keys of what was read; those of KMS share their connections. */
export function wrapper(access: KeyAccess = {}): (key: RecipientKey) => Promise<WrappingKey> {
  let kms: ((id: string) => WrappingKey) | undefined;
  return async (key) => {
    if (key.kind === 'rsa') return (await import('./keys/raw-rsa/wrap.js')).rsaWrappingKey(key);
    if (key.kind === 'aes') return (await import('./keys/raw-aes/wrap.js')).aesWrappingKey(key);
    kms ??= (await import('./keys/kms/wrapper.js')).kmsWrapper(access);
    return kms(key.arn);
  };
}

interface Opening {
  readonly rsa: readonly PrivateWrappingKey[];
  readonly aes: readonly SecretWrappingKey[];
  readonly kms: KmsUnwrapOptions | undefined;
}

/**
 * For objects of the S3 Encryption Client.
 * @throws SealdropError where keys are missing, damaged, locked or of the wrong kind
 */
export const openS3ecUnwrappingKeys = async (settings: DecryptSettings): Promise<S3ecUnwrappingKeys> =>
  s3ecKeysOf(await readOpening(settings));

/**
 * For whoever finds out from the object which of both it needs: keys are read once.
 * @throws SealdropError where keys are missing, damaged, locked or of the wrong kind
 */
export async function openUnwrapping(settings: DecryptSettings) {
  const opening = await readOpening(settings);
  return { keyring: await keyringOf(opening), s3ec: await s3ecKeysOf(opening) };
}

async function keyringOf({ rsa, aes, kms }: Opening) {
  const keyrings = [];
  if (rsa.length > 0) keyrings.push(new (await import('./keys/raw-rsa/unwrap.js')).RsaUnwrapKeyring(rsa));
  if (aes.length > 0) keyrings.push(new (await import('./keys/raw-aes/unwrap.js')).AesUnwrapKeyring(aes));
  if (kms !== undefined) keyrings.push(new (await import('./keys/kms/unwrap.js')).KmsUnwrapKeyring(kms));
  const { AnyOfKeyring } = await import('./keys/unwrapping.js');
  return keyrings.length === 1 ? keyrings[0]! : new AnyOfKeyring(keyrings);
}

async function s3ecKeysOf({ rsa, aes, kms }: Opening): Promise<S3ecUnwrappingKeys> {
  const { s3ecUnwrappingKeys } = await import('./keys/s3ec-unwrapping.js');
  return s3ecUnwrappingKeys({
    ...(rsa.length > 0 && { rsa: (await import('./keys/raw-rsa/s3ec-unwrap.js')).rsaS3ecCandidate(rsa) }),
    ...(aes.length > 0 && { aes: (await import('./keys/raw-aes/s3ec-unwrap.js')).aesS3ecCandidate(aes) }),
    ...(kms && { kms: (await import('./keys/kms/s3ec-unwrap.js')).kmsS3ecCandidate(kms) }),
  });
}

async function readOpening(settings: DecryptSettings): Promise<Opening> {
  const { rsa, aes, kms } = await readKeys(settings);
  const accounts = settings.kmsDiscovery ?? [];
  if (rsa.length + aes.length + kms.length + accounts.length === 0)
    throw new SealdropError('key_required', 'opening needs a private key', {
      hint: settings.keySet
        ? 'the key set has public halves alone: name the one with the private halves, or --private-key FILE'
        : 'name it: --private-key FILE (or SEALDROP_PRIVATE_KEY), or --key-set FILE',
    });
  if (kms.length + accounts.length === 0) return { rsa, aes, kms: undefined };
  const { KmsClients } = await import('./keys/kms/client.js');
  const { parseKmsKey } = await import('./keys/kms/names.js');
  const keys = kms.map((id) => parseKmsKey(id, 'kms:'));
  return { rsa, aes, kms: { clients: new KmsClients(settings.keyAccess), keys, accounts } };
}

async function readKeys(settings: DecryptSettings): Promise<OpeningKeys> {
  const { privateKeys = [], keySet } = settings;
  const { assertOpens, readOpeningKeys } = await import('./keys/opening-keys.js');
  const { isLocked } = await import('./keys/public-key.js');
  const found = { rsa: [] as PrivateWrappingKey[], aes: [] as SecretWrappingKey[], kms: [] as string[] };
  const inputs = privateKeys.map((input, i) => ({ input, called: `key ${i + 1}` }));
  if (keySet) inputs.push({ input: keySet, called: 'the key set' });
  for (const { input, called } of inputs) {
    const kms = kmsKeyNamed(input);
    if (kms !== undefined) {
      found.kms.push(kms);
      continue;
    }
    const bytes = await readKey(input, WHERE_IT_IS, settings.keyAccess);
    const name = nameOf(input, called);
    const passphrase = isLocked(bytes.toString('latin1')) ? await settings.passphrase?.(name) : undefined;
    const keys = readOpeningKeys(bytes, name, { ...settings, passphrase });
    // A key set may be there for encrypting alone.
    if (input !== keySet) assertOpens(keys, name);
    found.rsa.push(...keys.rsa);
    found.aes.push(...keys.aes);
    found.kms.push(...keys.kms);
  }
  return found;
}

const nameOf = (input: KeyInput, called: string): string =>
  typeof input === 'string' ? printable(input) : called;

async function readKey(input: KeyInput, hint: string, access: KeyAccess | undefined): Promise<Buffer> {
  return typeof input === 'string' ? readKeySource(input, hint, access) : Buffer.from(input);
}
