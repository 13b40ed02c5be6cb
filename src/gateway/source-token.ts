/**
 * `sealdrop-source`: which version of which source an object was made from, so that a gateway knows after a restart
 * what it has stored. A secret of the deployment proves the claim; without a valid token nothing follows from it.
 * It holds no digest of the plaintext, and no ETag (a single-part ETag is the plaintext's MD5).
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../secret.js';

export interface SourceVersion {
  /** Which inbox. */
  inbox: string;
  key: string;
  /** Whatever changes when the source's content does. */
  version: string;
}

const PREFIX = 'v1';

export function sourceToken(secret: Secret<Buffer>, source: SourceVersion, vaultKey: string): string {
  const version = mac(secret, ['version', source.inbox, source.key, source.version]);
  return [PREFIX, version, mac(secret, ['token', version, vaultKey])].join('.');
}

/** Whether a token says that an object under `vaultKey` was made from exactly this source version. */
export function isTokenOf(
  token: string | undefined,
  secret: Secret<Buffer>,
  source: SourceVersion,
  vaultKey: string,
): boolean {
  const expected = Buffer.from(sourceToken(secret, source, vaultKey));
  const found = Buffer.from(token ?? '');
  return found.length === expected.length && timingSafeEqual(found, expected);
}

function mac(secret: Secret<Buffer>, fields: readonly string[]): string {
  return createHmac('sha256', secret.reveal()).update(JSON.stringify(fields)).digest('base64url');
}
