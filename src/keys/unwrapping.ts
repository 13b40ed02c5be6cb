/** Keys of several kinds that open messages, as one keyring. Imported by what decrypts alone. */
import {
  KeyringNode,
  type EncryptedDataKey,
  type NodeDecryptionMaterial,
  type NodeEncryptionMaterial,
} from '@aws-crypto/material-management-node';
import { SealdropError } from '../errors.js';

export abstract class UnwrapOnlyKeyring extends KeyringNode {
  async _onEncrypt(): Promise<NodeEncryptionMaterial> {
    throw new SealdropError('internal', 'this keyring only unwraps');
  }
}

/** One after the other: those that are at hand are named before those that have to be asked for. */
export class AnyOfKeyring extends UnwrapOnlyKeyring {
  readonly #keyrings: readonly KeyringNode[];

  constructor(keyrings: readonly KeyringNode[]) {
    super();
    this.#keyrings = keyrings;
  }

  async _onDecrypt(
    material: NodeDecryptionMaterial,
    wrapped: EncryptedDataKey[],
  ): Promise<NodeDecryptionMaterial> {
    for (const keyring of this.#keyrings) {
      await keyring.onDecrypt(material, wrapped);
      if (material.hasValidKey()) return material;
    }
    return material;
  }
}
