import type { OaepHash } from '../ports.js';

/** What a bare PEM is called in messages, so that the ABCI guide's programs open them (design, "Envelopes"). */
export const DEFAULT_KEY_NAMESPACE = 'MyAppKeys';
export const DEFAULT_KEY_NAME = 'S3RSAKey';

export const MIN_MODULUS_BITS = 2048;
/** Of OpenSSL, which does nothing with larger ones. */
export const MAX_MODULUS_BITS = 16_384;

export const DEFAULT_OAEP_HASH: OaepHash = 'sha256';
