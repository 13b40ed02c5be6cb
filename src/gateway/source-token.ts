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

/** Where an object of the source stands, and who can open it. */
export interface Destination {
  vaultKey: string;
  /** Fingerprints. What was encrypted to other keys is no duplicate: those may be lost. */
  recipients: readonly string[];
}

export function sourceToken(secret: Secret<Buffer>, source: SourceVersion, to: Destination): string {
  const version = mac(secret, ['version', source.inbox, source.key, source.version]);
  const token = mac(secret, ['token', version, to.vaultKey, ...[...to.recipients].sort()]);
  return [PREFIX, version, token].join('.');
}

/** Whether a token says that an object was made from exactly this source version for this destination. */
export function isTokenOf(
  token: string | undefined,
  secret: Secret<Buffer>,
  source: SourceVersion,
  to: Destination,
): boolean {
  const expected = Buffer.from(sourceToken(secret, source, to));
  const found = Buffer.from(token ?? '');
  return found.length === expected.length && timingSafeEqual(found, expected);
}

function mac(secret: Secret<Buffer>, fields: readonly string[]): string {
  return createHmac('sha256', secret.reveal()).update(JSON.stringify(fields)).digest('base64url');
}
