import type { OaepHash } from '../ports.js';

/** What a bare PEM is called in messages, so that the ABCI guide's programs open them (design, "Envelopes"). */
export const DEFAULT_KEY_NAMESPACE = 'MyAppKeys';
export const DEFAULT_KEY_NAME = 'S3RSAKey';

export const MIN_MODULUS_BITS = 2048;

export const DEFAULT_OAEP_HASH: OaepHash = 'sha256';
