/**
 * A keyring that unwraps data keys with RSA private keys. The AWS Encryption SDK's own holds up the process meanwhile
 * (docs/decisions/0021-rsa-on-threads.md).
 * Source: AWS Encryption SDK specification, framework/raw-rsa-keyring.md, OnDecrypt.
 */
import type { KeyObject } from 'node:crypto';
import {
  KeyringTraceFlag,
  type EncryptedDataKey,
  type NodeDecryptionMaterial,
} from '@aws-crypto/material-management-node';
import { OAEP_HASHES, type OaepHash } from '../../ports.js';
import { UnwrapOnlyKeyring } from '../unwrapping.js';
import { openOaep } from './oaep-open.js';
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
          const dataKey = await openOaep(key.privateKey, oaepHash, edk.encryptedDataKey);
          if (dataKey?.length === material.suite.keyLengthBytes)
            return material.setUnencryptedDataKey(dataKey, traceOf(edk));
          dataKey?.fill(0);
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

const traceOf = ({ providerId, providerInfo }: EncryptedDataKey) => ({
  keyNamespace: providerId,
  keyName: providerInfo,
  flags: KeyringTraceFlag.WRAPPING_KEY_DECRYPTED_DATA_KEY,
});
