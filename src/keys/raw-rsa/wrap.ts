/**
 * A keyring that wraps data keys with RSA-OAEP and cannot unwrap them.
 *
 * The AWS Encryption SDK's own raw RSA keyring holds both directions in one class; an encryptor built on this one
 * has no code that could open what it wrote.
 * Source: AWS Encryption SDK specification, framework/raw-rsa-keyring.md.
 */
import { constants, publicEncrypt, randomBytes, type KeyObject } from 'node:crypto';
import {
  EncryptedDataKey,
  KeyringTraceFlag,
  unwrapDataKey,
  type NodeEncryptionMaterial,
} from '@aws-crypto/material-management-node';
import type { OaepHash, WrappingKeys } from '../../ports.js';
import { DEFAULT_OAEP_HASH } from '../names.js';
import { wrappingKeysOf, WrapOnlyKeyring, type WrappingKey } from '../wrapping-keys.js';
import { rsaRecipient } from './recipient.js';

export interface PublicWrappingKey {
  namespace: string;
  name: string;
  publicKey: KeyObject;
  oaepHash?: OaepHash;
}

class RsaWrapKeyring extends WrapOnlyKeyring {
  readonly #key: PublicWrappingKey;

  constructor(key: PublicWrappingKey) {
    super();
    this.#key = key;
  }

  async _onEncrypt(material: NodeEncryptionMaterial): Promise<NodeEncryptionMaterial> {
    const { namespace, name, publicKey, oaepHash = DEFAULT_OAEP_HASH } = this.#key;
    if (!material.hasUnencryptedDataKey) {
      const trace = {
        keyNamespace: namespace,
        keyName: name,
        flags: KeyringTraceFlag.WRAPPING_KEY_GENERATED_DATA_KEY,
      };
      material.setUnencryptedDataKey(randomBytes(material.suite.keyLengthBytes), trace);
    }
    const dataKey = unwrapDataKey(material.getUnencryptedDataKey());
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const encryptedDataKey = publicEncrypt({ key: publicKey, padding, oaepHash }, dataKey);
    const edk = new EncryptedDataKey({ providerId: namespace, providerInfo: name, encryptedDataKey });
    return material.addEncryptedDataKey(edk, KeyringTraceFlag.WRAPPING_KEY_ENCRYPTED_DATA_KEY);
  }
}

/** @throws SealdropError `usage` */
export function rsaWrappingKey(key: PublicWrappingKey): WrappingKey {
  return { recipient: rsaRecipient(key), keyring: new RsaWrapKeyring(key) };
}

/**
 * Data keys are wrapped to every one of the keys; any one of their private halves opens the message.
 * @throws SealdropError `key_required`, `usage`
 */
export function rsaWrappingKeys(keys: readonly PublicWrappingKey[]): WrappingKeys {
  return wrappingKeysOf(keys.map(rsaWrappingKey));
}
