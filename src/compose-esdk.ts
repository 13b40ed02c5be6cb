/** Encryption by the AWS Encryption SDK's format, for functions: all of it that a set of RSA keys takes. */
import { createEncryptor } from './envelope/esdk/encrypt.js';
import type { PublicSetKey } from './keys/key-set.js';
import { rsaWrappingKey } from './keys/raw-rsa/wrap.js';
import { wrappingKeysOf, type WrappingKey } from './keys/wrapping-keys.js';
import type { Encryptor } from './ports.js';

/** @throws SealdropError `key_required`, `usage` */
export function esdkEncryptor(set: readonly PublicSetKey[], byKms: (arn: string) => WrappingKey): Encryptor {
  const keys = set.map((key) => (key.kind === 'rsa' ? rsaWrappingKey(key) : byKms(key.arn)));
  return createEncryptor(wrappingKeysOf(keys));
}
