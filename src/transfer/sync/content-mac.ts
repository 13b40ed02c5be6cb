/**
 * A digest of content that shows nothing to whoever has no sync key: keyed, and bound to the vault key, so that equal files
 * don't show either. It stands in the object's metadata; without the key nobody can make one that fits.
 */
import { createHmac } from 'node:crypto';
import type { Secret } from '../../secret.js';

/** Metadata entry. */
export const CONTENT_MAC = 'sealdrop-content-mac';
const DOMAIN = 'sealdrop-content-mac v1\0';

/** Bytes of a sync key. */
export const SYNC_KEY_BYTES = 32;

/**
 * @param sha256 of the content: of a fixed length and last, so that no other key and content give the same bytes
 * @returns HMAC-SHA256, base64url
 */
export function contentMac(syncKey: Secret<Buffer>, vaultKey: string, sha256: Buffer): string {
  return createHmac('sha256', syncKey.reveal())
    .update(DOMAIN)
    .update(vaultKey)
    .update('\0')
    .update(sha256)
    .digest('base64url');
}
