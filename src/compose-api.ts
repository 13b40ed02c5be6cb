/** What the function needs that answers all but puts, deletes and decryption: joined from settings and secrets. */
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import { openVaultParts, readVaultSecret } from './compose-vault.js';
import {
  STATUS_TAG,
  type ApiSettings,
  type InboxSettings,
  type KeyNameSettings,
  type VaultSettings,
} from './contract.js';
import { SealdropError } from './errors.js';
import { assertTemplate, vaultKeyOf } from './gateway/key-template.js';
import type { ReadableVault } from './gateway/api/read-objects.js';
import type { UploadInbox } from './gateway/api/uploads.js';
import { readPublicSet } from './keys/key-set.js';
import { kmsKeyInfo } from './keys/kms/names.js';
import { publicKeyInfo } from './keys/public-key.js';
import type { PublicKeyInfo } from './ports.js';
import { printable } from './printable.js';
import { cached, type Cached } from './secrets/cached.js';
import type { SecretReader } from './secrets/secret-reader.js';
import { connect, type ClientOptions } from './store/s3-client.js';
import { openPresigner } from './store/s3-presign.js';
import { findTagged, signForm } from './store/s3-upload-forms.js';

/** How long a URL of ciphertext works. */
export const LINK_SECONDS = 900;

/** The vault, with URLs of its objects that are signed by the same credentials. */
export function readableVaultOf(
  vault: VaultSettings,
  options: { secrets: SecretReader; ttlSeconds: number },
): Cached<ReadableVault> {
  const { secrets, ttlSeconds } = options;
  return cached(async () => {
    const { store, prefix, place } = await openVaultParts(vault, { secrets });
    const presign = openPresigner(await clientOptions(vault, secrets));
    const link = async (key: string) => {
      const expires = new Date(Date.now() + LINK_SECONDS * 1000);
      const url = await presign({ bucket: place.bucket, key, expiresSeconds: LINK_SECONDS });
      return { url, expires };
    };
    return { store, prefix, link };
  }, ttlSeconds * 1000);
}

async function clientOptions(vault: VaultSettings, secrets: SecretReader): Promise<ClientOptions> {
  if (!('secret' in vault)) return { region: vault.region };
  const { endpoint, region, credentials, caCertificate } = await readVaultSecret(vault, secrets);
  return { endpoint, region, credentials, caCertificate };
}

/** The public key set of a deployment, as its clients may see it. */
export function publicKeysOf(
  { publicKeySet, keyNames, secretsTtlSeconds }: PublicKeySettings,
  secrets: SecretReader,
): Cached<readonly PublicKeyInfo[]> {
  return cached(async () => {
    const bytes = await secrets.read(publicKeySet);
    const keys = readPublicSet(bytes.reveal(), `the secret ${printable(publicKeySet)}`, keyNames);
    return keys.map((key) => (key.kind === 'rsa' ? publicKeyInfo(key) : kmsKeyInfo(key.arn)));
  }, secretsTtlSeconds * 1000);
}

type PublicKeySettings = Pick<ApiSettings, 'publicKeySet' | 'secretsTtlSeconds'> & {
  keyNames: KeyNameSettings;
};

/** The inbox bucket: forms are signed by a role that can only put into it; the function's own role looks. */
export function bucketInbox({ inbox, uploadRole, account }: BucketInboxSettings): UploadInbox {
  assertTemplate(inbox.template);
  let looking: ReturnType<typeof connect> | undefined;
  const { bucket, prefix, suffix } = inbox;
  return {
    prefix,
    suffix,
    vaultKey: (key, vaultPrefix) => vaultKeyOf(inbox, vaultPrefix, key),
    async form({ key, minBytes, maxBytes, expires }) {
      const expiresSeconds = Math.max(1, Math.round((expires.getTime() - Date.now()) / 1000));
      const { client } = await connect({ credentials: uploadCredentials(uploadRole, expiresSeconds) });
      try {
        return await signForm(client, { bucket, key, minBytes, maxBytes, expiresSeconds });
      } catch (cause) {
        // Nothing was sent but the question for the role's session.
        const message = `the upload role gives no session (${(cause as Error).name})`;
        throw new SealdropError('credentials_missing', message, { cause });
      } finally {
        client.destroy();
      }
    },
    async find(below) {
      return findTagged(await (looking ??= connect({})), { bucket, prefix: below, tag: STATUS_TAG, account });
    },
  };
}

export interface BucketInboxSettings {
  readonly inbox: InboxSettings;
  readonly uploadRole: string;
  readonly account: string;
}

const MIN_SESSION_SECONDS = 900;
/** A role that assumes another gets an hour at most. */
const MAX_SESSION_SECONDS = 3600;

/** Of a session that begins now: a form dies with the credentials that signed it. */
function uploadCredentials(role: string, seconds: number) {
  const DurationSeconds = Math.min(MAX_SESSION_SECONDS, Math.max(MIN_SESSION_SECONDS, seconds));
  const region = process.env['AWS_REGION'];
  return fromTemporaryCredentials({
    params: { RoleArn: role, RoleSessionName: 'sealdrop-upload', DurationSeconds },
    ...(region !== undefined && { clientConfig: { region } }),
  });
}
