/**
 * Wrapping data keys with raw AES keys, by the AWS Encryption SDK's keyring. It holds both directions, as the key does:
 * whoever wraps with it can unwrap, so gateways have no part of this.
 */
import { RawAesKeyringNode } from '@aws-crypto/raw-aes-keyring-node';
import type { WrappingKey } from '../wrapping-keys.js';
import { keyringInput, type SecretWrappingKey } from './names.js';
import { aesRecipient } from './recipient.js';

/** @throws SealdropError `usage` */
export function aesWrappingKey(key: SecretWrappingKey): WrappingKey {
  return {
    recipient: aesRecipient(key),
    // The context's order is part of what is authenticated: as every other implementation sorts it.
    keyring: new RawAesKeyringNode({ ...keyringInput(key), utf8Sorting: true }),
  };
}
