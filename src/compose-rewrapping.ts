/** What the function needs that rewraps: the private key set, and whom the deployment encrypts to now. */
import { readDecryptor } from './compose-decrypting.js';
import { readEncryptor } from './compose-gateway.js';
import { openVaultParts } from './compose-vault.js';
import type { RewrapObjectSettings } from './contract.js';
import { esdkInspector } from './envelope/esdk/inspect.js';
import { SealdropError } from './errors.js';
import type { Lists, RewrapParts } from './gateway/rewrap-objects.js';
import { cached, type Cached } from './secrets/cached.js';
import type { SecretReader } from './secrets/secret-reader.js';
import { openS3Store } from './store/s3.js';
import { openerOf } from './transfer/rewrap/opener.js';

export function rewrappingPartsOf(
  settings: RewrapObjectSettings,
  secrets: SecretReader,
): Cached<RewrapParts> {
  return cached(async () => {
    const decryptor = await readDecryptor(settings.privateKeySet, secrets);
    const encryptor = await readEncryptor(settings, secrets);
    // Nobody is there to be told that what is made cannot be proven: it is not made.
    if ((await openerOf(encryptor, decryptor)) === undefined)
      throw new SealdropError('key_required', 'the private key set opens nothing of what would be made', {
        hint: 'publish both sets from where the keys are: sealdrop keys publish --with-private',
      });
    const { store, prefix, place } = await openVaultParts(settings.vault, { secrets });
    const { bucket, endpoint } = place;
    return { store, prefix, bucket, endpoint, encryptor, decryptor, inspector: esdkInspector };
  }, settings.secretsTtlSeconds * 1000);
}

/** By the function's own role. */
export function listsOf({ lists: { bucket, prefix, region } }: RewrapObjectSettings): Lists {
  return { store: openS3Store({ bucket, region }), prefix };
}
