/**
 * What functions encrypt with, made of a public key set. The code of a format, and that for keys of AWS KMS, is loaded
 * where it is named: a bundle has each in files of its own.
 */
import type { EncryptingFormat, EncryptingSettings } from './contract.js';
import { SealdropError } from './errors.js';
import type { PublicSetKey } from './keys/key-set.js';
import type { Encryptor } from './ports.js';

const esdk = () => import('./compose-esdk.js');
const esdkByKms = () => import('./keys/kms/wrapper.js');
const s3ec = () => import('./compose-s3ec.js');
const s3ecByKms = () => import('./keys/kms/s3ec-wrapper.js');

/** Loads what the settings name, for a function that starts: later an object would wait for it. */
export async function loadEncryption({
  format = 'esdk',
  wrapsByKms = false,
}: Pick<EncryptingSettings, 'format' | 'wrapsByKms'>): Promise<void> {
  await (format === 'esdk' ? esdk() : s3ec());
  if (wrapsByKms) await (format === 'esdk' ? esdkByKms() : s3ecByKms());
}

/**
 * @param where what the set is called, for messages
 * @throws SealdropError `invalid_key`, `key_required`, `usage`
 */
export async function encryptorOf(
  set: readonly PublicSetKey[],
  { format, where }: { format: EncryptingFormat; where: string },
): Promise<Encryptor> {
  const needsKms = set.some(({ kind }) => kind === 'kms');
  if (format === 'esdk') {
    const byKms = needsKms ? (await esdkByKms()).kmsWrapper() : notLoaded;
    return (await esdk()).esdkEncryptor(set, byKms);
  }
  const key = onlyKeyOf(set, where, format);
  const byKms = needsKms ? (await s3ecByKms()).kmsS3ecWrapper() : notLoaded;
  return (await s3ec()).s3ecEncryptor(key, format, byKms);
}

function notLoaded(): never {
  throw new SealdropError('internal', 'a key of AWS KMS where there was none');
}

/** Never the first alone: the others' owners could not open what they are to open. */
function onlyKeyOf(set: readonly PublicSetKey[], where: string, format: EncryptingFormat): PublicSetKey {
  const [key, ...others] = set;
  if (key !== undefined && others.length === 0) return key;
  throw new SealdropError(
    'invalid_key',
    `${where} has ${set.length} active keys, and an object of the format ${format} is for one`,
    { hint: 'retire the others there: sealdrop keys retire; or deploy with "format": "esdk"' },
  );
}
