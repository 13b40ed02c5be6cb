/** What the function needs that rewraps: the private key set, and whom the deployment encrypts to now. */
import { readDecryptor } from './compose-decrypting.js';
import { readEncryptor } from './compose-gateway.js';
import { openVaultParts } from './compose-vault.js';
import type { RewrapObjectSettings } from './contract.js';
import { esdkInspector } from './envelope/esdk/inspect.js';
import { assertOpens, type Lists, type RewrapParts } from './gateway/rewrap-objects.js';
import { KMS_NAMESPACE } from './keys/key-set-document.js';
import { cached, type Cached } from './secrets/cached.js';
import type { SecretReader } from './secrets/secret-reader.js';
import { openS3Store } from './store/s3.js';
import { Rehearsal } from './transfer/rewrap/opener.js';

export function rewrappingPartsOf(
  settings: RewrapObjectSettings,
  secrets: SecretReader,
): Cached<RewrapParts> {
  return cached(async () => {
    const decryptor = await readDecryptor(settings.privateKeySet, secrets);
    const encryptor = await readEncryptor(settings, secrets);
    const rehearsal = new Rehearsal(decryptor);
    // Whether KMS wraps may depend on an object's context: that is found out with the object.
    if (!encryptor.recipients.some(({ namespace }) => namespace === KMS_NAMESPACE))
      await assertOpens(rehearsal, encryptor, {});
    const { store, prefix, place } = await openVaultParts(settings.vault, { secrets });
    const { bucket, endpoint } = place;
    return { store, prefix, bucket, endpoint, encryptor, decryptor, rehearsal, inspector: esdkInspector };
  }, settings.secretsTtlSeconds * 1000);
}

/** By the function's own role. */
export function listsOf({ lists: { bucket, prefix, region } }: RewrapObjectSettings): Lists {
  return { store: openS3Store({ bucket, region }), prefix };
}
