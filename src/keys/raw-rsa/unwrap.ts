/** Unwrapping data keys with RSA private keys, by the AWS Encryption SDK's raw RSA keyring. */
import type { KeyObject } from 'node:crypto';
import { type EncryptedDataKey, type NodeDecryptionMaterial } from '@aws-crypto/material-management-node';
import { RawRsaKeyringNode } from '@aws-crypto/raw-rsa-keyring-node';
import { OAEP_HASHES, type OaepHash } from '../../ports.js';
import { UnwrapOnlyKeyring } from '../unwrapping.js';
import { modulusBytes } from './recipient.js';

export interface PrivateWrappingKey {
  /** Both names, or neither: a key without names is tried on every wrapped key of a message. */
  namespace?: string;
  name?: string;
  privateKey: KeyObject;
  /** Default: each that the AWS Encryption SDK has, since messages do not record it. */
  oaepHash?: OaepHash;
}

/**
 * Trying is safe: OAEP tells a wrong key or hash apart, and a committing message proves the data key.
 * What a caller sees is one failure, whichever key, name or hash did not fit.
 */
export class RsaUnwrapKeyring extends UnwrapOnlyKeyring {
  readonly #keys: readonly PrivateWrappingKey[];

  constructor(keys: readonly PrivateWrappingKey[]) {
    super();
    this.#keys = keys;
  }

  async _onDecrypt(
    material: NodeDecryptionMaterial,
    wrapped: EncryptedDataKey[],
  ): Promise<NodeDecryptionMaterial> {
    for (const edk of wrapped) {
      for (const key of this.#keys.filter((candidate) => fits(candidate, edk))) {
        for (const oaepHash of key.oaepHash === undefined ? OAEP_HASHES : [key.oaepHash]) {
          await keyringFor(key, edk, oaepHash).onDecrypt(material, [edk]);
          if (material.hasValidKey()) return material;
        }
      }
    }
    return material;
  }
}

function fits({ namespace, name, privateKey }: PrivateWrappingKey, edk: EncryptedDataKey): boolean {
  const sameName = name === undefined || (name === edk.providerInfo && namespace === edk.providerId);
  const sameLength = edk.encryptedDataKey.byteLength === modulusBytes(privateKey);
  return sameName && sameLength;
}

function keyringFor(
  { privateKey }: PrivateWrappingKey,
  edk: EncryptedDataKey,
  oaepHash: OaepHash,
): RawRsaKeyringNode {
  return new RawRsaKeyringNode({
    // The SDK's type says string, its code hands the value to privateDecrypt: no second copy of the key in memory.
    rsaKey: { privateKey: privateKey as unknown as string },
    keyNamespace: edk.providerId,
    keyName: edk.providerInfo,
    oaepHash,
  });
}
