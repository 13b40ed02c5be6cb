/** Unwrapping data keys with raw AES keys, by the AWS Encryption SDK's keyring. */
import { type EncryptedDataKey, type NodeDecryptionMaterial } from '@aws-crypto/material-management-node';
import { RawAesKeyringNode } from '@aws-crypto/raw-aes-keyring-node';
import { UnwrapOnlyKeyring } from '../unwrapping.js';
import { keyringInput, type SecretWrappingKey } from './names.js';

/** Trying is safe: the wrapped key is authenticated, with the message's context. */
export class AesUnwrapKeyring extends UnwrapOnlyKeyring {
  readonly #keyrings: readonly RawAesKeyringNode[];

  constructor(keys: readonly SecretWrappingKey[]) {
    super();
    // By UTF-8, as everybody sorts the context; and by UTF-16, as the SDK for JavaScript does unless it is told.
    this.#keyrings = keys.flatMap((key) =>
      [true, false].map((utf8Sorting) => new RawAesKeyringNode({ ...keyringInput(key), utf8Sorting })),
    );
  }

  async _onDecrypt(
    material: NodeDecryptionMaterial,
    wrapped: EncryptedDataKey[],
  ): Promise<NodeDecryptionMaterial> {
    for (const keyring of this.#keyrings) {
      for (const edk of wrapped) {
        if (material.hasValidKey()) return material;
        // What is no wrapped key of this keyring's form throws: it may be anything.
        await keyring.onDecrypt(material, [edk]).catch(() => undefined);
      }
    }
    return material;
  }
}
