/** Wrapping keys for objects of the S3 Encryption Client, of which each has exactly one. */
import { randomBytes } from 'node:crypto';
import { SealdropError } from '../errors.js';
import type { Recipient, S3ecBinding, S3ecWrapName, S3ecWrapped, S3ecWrappingKey } from '../ports.js';
import { noWrappingKey } from './wrapping-rules.js';

/** Of every data key that is made. */
export const S3EC_DATA_KEY_BYTES = 32;

/**
 * A key that is named twice is taken once.
 * @throws SealdropError `key_required`, `usage`
 */
export function s3ecWrappingKeyOf(keys: readonly S3ecWrappingKey[]): S3ecWrappingKey {
  // An object names no key: under two names it is one.
  const distinct = [...new Map(keys.map((key) => [key.recipient.fingerprint, key])).values()];
  const [first] = distinct;
  if (first === undefined) throw noWrappingKey();
  if (distinct.length === 1) return first;
  throw new SealdropError(
    'usage',
    `an object of the S3 Encryption Client goes to one key, these are ${distinct.length}`,
    {
      hint: 'leave one, those that the key set always adds counted too; or write for all of them: --format esdk',
    },
  );
}

/**
 * A key at hand, which needs no one else to wrap.
 * @param seal a data key, bound to the name of the content algorithm
 */
export function localWrappingKey(
  algorithm: S3ecWrapName,
  recipient: Recipient,
  seal: (dataKey: Uint8Array, contentAlgorithm: string) => Uint8Array,
): S3ecWrappingKey {
  const wrap = async (dataKey: Uint8Array, binding: S3ecBinding): Promise<S3ecWrapped> => ({
    wrappedKey: seal(dataKey, binding.contentAlgorithm),
    description: binding.description,
  });
  return {
    algorithm,
    recipient,
    wrap,
    async generate(binding) {
      const dataKey = randomBytes(S3EC_DATA_KEY_BYTES);
      return { dataKey, ...(await wrap(dataKey, binding)) };
    },
  };
}
