/** Keys of several kinds that open objects of the S3 Encryption Client, as one. Imported by what decrypts alone. */
import { SealdropError } from '../errors.js';
import type { S3ecSealedKey, S3ecUnwrappingKeys } from '../ports.js';
import { printable } from '../printable.js';

/** The bytes that a data key can have. */
export const DATA_KEY_BYTES = [16, 24, 32];

/** All keys of a kind. @returns undefined where none of them opens it */
export type S3ecCandidate = (sealed: S3ecSealedKey) => Promise<Buffer | undefined>;

type Kind = 'rsa' | 'aes' | 'kms';

export type S3ecCandidates = Readonly<Partial<Record<Kind, S3ecCandidate>>>;

const KIND_OF: ReadonlyMap<string, Kind> = new Map([
  ['AES/GCM', 'aes'],
  ['RSA-OAEP-SHA1', 'rsa'],
  ['kms+context', 'kms'],
  ['kms', 'kms'],
  ['AESWrap', 'aes'],
  ['RSA/ECB/OAEPWithSHA-256AndMGF1Padding', 'rsa'],
  ['AES', 'aes'],
  ['RSA', 'rsa'],
]);

const NAME_IT: Readonly<Record<Kind, string>> = {
  rsa: 'name its RSA private key',
  aes: 'name the key set that has its raw AES key',
  kms: 'name its KMS key, --private-key kms:ARN: the object names none, so that an account alone does not find it',
};

/** The algorithm says which kind of key is meant; no other is tried. */
export function s3ecUnwrappingKeys(candidates: S3ecCandidates): S3ecUnwrappingKeys {
  return {
    async unwrap(sealed) {
      const algorithm = algorithmOf(sealed);
      const kind = KIND_OF.get(algorithm);
      const dataKey = kind && (await candidates[kind]?.({ ...sealed, algorithm }));
      if (dataKey !== undefined) return dataKey;
      throw new SealdropError(
        'wrong_key_or_header',
        'no key that was named opens the object’s data key, or what the object says of it was altered',
        {
          hint: `it is wrapped by ${printable(algorithm)}${kind === undefined ? '' : `: ${NAME_IT[kind]}`}`,
        },
      );
    },
  };
}

/** The most that V1 makes of a data key with an AES key. With an RSA key it makes as many as the modulus has. */
const MAX_V1_AES_BYTES = 48;

/** V1 names no algorithm. */
function algorithmOf({ algorithm, wrappedKey }: S3ecSealedKey): string {
  if (algorithm !== 'AES|RSA') return algorithm;
  return wrappedKey.length <= MAX_V1_AES_BYTES ? 'AES' : 'RSA';
}
