/** What wrapping with a raw AES key has in common with unwrapping. */
import { createHmac } from 'node:crypto';
import {
  RawAesWrappingSuiteIdentifier,
  type WrappingSuiteIdentifier,
} from '@aws-crypto/raw-aes-keyring-node';
import type { Secret } from '../../secret.js';

export interface SecretWrappingKey {
  readonly namespace: string;
  readonly name: string;
  /** 16, 24 or 32 bytes. */
  readonly secretKey: Secret<Buffer>;
}

/** What the SDK's keyring is made with, but for the order of the context. */
export function keyringInput({ namespace, name, secretKey }: SecretWrappingKey) {
  const key = secretKey.reveal();
  return {
    keyNamespace: namespace,
    keyName: name,
    // In memory of its own, as the SDK asks for.
    unencryptedMasterKey: new Uint8Array(key),
    wrappingSuite: SUITES[key.length]!,
  };
}

const SUITES: Readonly<Record<number, WrappingSuiteIdentifier>> = {
  16: RawAesWrappingSuiteIdentifier.AES128_GCM_IV12_TAG16_NO_PADDING,
  24: RawAesWrappingSuiteIdentifier.AES192_GCM_IV12_TAG16_NO_PADDING,
  32: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
};

/** Of a key that has no public half: it tells keys apart, and says nothing of the key. base64url. */
export const secretKeyFingerprint = (secretKey: Secret<Buffer>): string =>
  createHmac('sha256', secretKey.reveal()).update('sealdrop fingerprint').digest('base64url');
