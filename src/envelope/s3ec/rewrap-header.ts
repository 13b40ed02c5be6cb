/**
 * Another wrapping key for an object's data key. Its header's bytes are not under the content key, so nothing is sealed
 * twice, and the body stays.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption; the client for Java ("ReEncryptInstructionFile").
 */
import { timingSafeEqual } from 'node:crypto';
import { isIntegrityError, isSealdropError, SealdropError } from '../../errors.js';
import type {
  HeaderRewrapper,
  MessageInfo,
  ReadPolicy,
  RewrappedHeader,
  S3ecSealedKey,
  S3ecUnwrappingKeys,
  S3ecWrappingKey,
} from '../../ports.js';
import { ALGORITHM_PAIR, V1_KEY_PAIR, wrapNamed } from './algorithms.js';
import { withDataKey } from './content-key.js';
import { OF_HEADER } from './fields.js';
import { infoOf, readHeader, type S3ecHeader } from './header.js';
import { assertAllowed, policyOf } from './policy.js';
import { writeHeader } from './write-header.js';

export interface HeaderRewrapperOptions extends ReadPolicy {
  /** Consulted only after the policy allowed the object. */
  readonly keys: S3ecUnwrappingKeys;
  readonly to: S3ecWrappingKey;
}

export function createHeaderRewrapper({ keys, to, ...own }: HeaderRewrapperOptions): HeaderRewrapper {
  return {
    recipient: to.recipient,
    algorithm: to.algorithm,
    async rewrap(parts, { accept, allowed }): Promise<RewrappedHeader> {
      const header = await readHeader(parts);
      assertAllowed(header, policyOf(own, allowed));
      assertStays(header);
      assertNoPromotion(header, to);
      const description = keptPairs(header, to);
      const info: MessageInfo = infoOf(header);
      const contentAlgorithm = header.content.name;
      const { wrapped, opened } = await withDataKey(header, keys, async (dataKey) => {
        accept(info);
        const wrapped = await to.wrap(dataKey, { contentAlgorithm, description });
        const sealed = { ...wrapped, algorithm: to.algorithm, contentAlgorithm };
        return { wrapped, opened: await isOpenedTo(dataKey, sealed, keys) };
      });
      const common = { wrap: to.algorithm, wrapped, place: header.at };
      const { iv, messageId, commitment } = header;
      const written =
        header.version === 3
          ? writeHeader({ ...common, version: 3, messageId: messageId!, commitment: commitment! })
          : writeHeader({ ...common, version: 2, iv: iv! });
      return { ...written, info, opened, replaces: OF_HEADER };
    },
  };
}

/** What has no wrapping that binds its content's algorithm would become an object of another format. */
function assertStays({ version, content }: S3ecHeader): void {
  if (version > 1 && !content.legacy) return;
  throw new SealdropError('usage', `an object of V${version} under ${content.name} keeps its wrapped key`, {
    hint: 'take it out and store it again: sealdrop get, sealdrop put',
  });
}

/**
 * Anybody wraps with a public key, and knows the data key then. Wrapped by a key that only few may wrap with, it would let
 * him write objects that pass for theirs.
 * @throws SealdropError `usage`
 */
function assertNoPromotion({ wrap }: S3ecHeader, { algorithm }: S3ecWrappingKey): void {
  if (!wrap.public || wrapNamed(algorithm)!.public) return;
  throw new SealdropError(
    'usage',
    `anybody can have made the object's data key, and ${algorithm} would say that it is yours`,
    { hint: 'take the object out and store it again, with a new data key: sealdrop get, sealdrop put' },
  );
}

/**
 * The user's own pairs. Those that nothing has authenticated are not given to KMS, which would.
 * @throws SealdropError `usage`
 */
function keptPairs({ description, wrap }: S3ecHeader, to: S3ecWrappingKey): Record<string, string> {
  const own = Object.entries(description).filter(([name]) => name !== ALGORITHM_PAIR && name !== V1_KEY_PAIR);
  if (own.length > 0 && !wrap.kms && wrapNamed(to.algorithm)!.kms)
    throw new SealdropError('usage', "nothing authenticates the object's description, and a KMS key would", {
      hint: 'look at it (sealdrop inspect), then take the object out and store it again: sealdrop get, sealdrop put --context',
    });
  return Object.fromEntries(own);
}

/**
 * The old wrapped key may be the only one, and the new one takes its place.
 * @returns false where none of the keys opens it
 * @throws SealdropError `internal` where it opens to something else; what the keys fail with
 */
async function isOpenedTo(
  dataKey: Uint8Array,
  sealed: S3ecSealedKey,
  keys: S3ecUnwrappingKeys,
): Promise<boolean> {
  const found = await keys.unwrap(sealed).catch((error: unknown) => {
    if (isIntegrityError(error) || (isSealdropError(error) && error.code === 'access_denied'))
      return undefined;
    throw error;
  });
  if (found === undefined) return false;
  const isSame = found.length === dataKey.length && timingSafeEqual(found, dataKey);
  found.fill(0);
  if (isSame) return true;
  throw new SealdropError('internal', 'the new wrapped key does not open to what went into it', {
    hint: 'the object stays as it was; this is a fault of sealdrop or of this machine: report it',
  });
}
