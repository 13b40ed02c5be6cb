/**
 * The key that opens the content, and V3's proof that it is the one which the object was written under.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/decryption.md.
 */
import { timingSafeEqual } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import type { S3ecUnwrappingKeys } from '../../ports.js';
import { deriveCommitment, deriveContentKey } from './key-derivation.js';
import type { S3ecHeader } from './header.js';

/**
 * Hands the content key to `use`, and overwrites it and the data key when that returns: a cipher has its own copy.
 * @throws SealdropError what the keys throw, `wrong_key_or_header`, `commitment`
 */
export async function withContentKey<T>(
  header: S3ecHeader,
  keys: S3ecUnwrappingKeys,
  use: (contentKey: Buffer) => T,
): Promise<T> {
  return withDataKey(header, keys, (_dataKey, contentKey) => use(contentKey));
}

/** The same, with the data key that was wrapped, until what `use` returns has resolved. */
export async function withDataKey<T>(
  header: S3ecHeader,
  keys: S3ecUnwrappingKeys,
  use: (dataKey: Buffer, contentKey: Buffer) => T | Promise<T>,
): Promise<T> {
  const { content, wrap, wrappedKey, description } = header;
  const dataKey = await keys.unwrap({
    algorithm: wrap.name,
    contentAlgorithm: content.name,
    wrappedKey,
    description,
  });
  let contentKey = dataKey;
  try {
    if (!content.dataKeyBytes.includes(dataKey.length))
      throw new SealdropError('wrong_key_or_header', `the object has a data key of ${dataKey.length} bytes`);
    if (content.committing) contentKey = committedKey(header, dataKey);
    return await use(dataKey, contentKey);
  } finally {
    contentKey.fill(0);
    dataKey.fill(0);
  }
}

/** A missing commitment is no reason to skip the comparison: the header isn't read without one. */
function committedKey({ messageId, commitment }: S3ecHeader, dataKey: Buffer): Buffer {
  const derived = deriveCommitment(dataKey, messageId!);
  if (commitment?.length !== derived.length || !timingSafeEqual(commitment, derived))
    throw new SealdropError('commitment', 'the object does not commit to the data key it names', {
      hint: 'its wrapped key belongs to another object: of one with an instruction file, an older version of that file may open it',
    });
  return deriveContentKey(dataKey, messageId!);
}
