/**
 * Unwrapping data keys by AWS KMS: with keys that are named, or that lie in accounts that are named.
 *
 * Source: AWS Encryption SDK specification, framework/aws-kms/aws-kms-keyring.md and aws-kms-discovery-keyring.md
 * ("OnDecrypt").
 */
import {
  KeyringTraceFlag,
  type EncryptedDataKey,
  type NodeDecryptionMaterial,
} from '@aws-crypto/material-management-node';
import { SealdropError } from '../../errors.js';
import { KMS_NAMESPACE } from '../key-set-document.js';
import { UnwrapOnlyKeyring } from '../unwrapping.js';
import type { KmsClients } from './client.js';
import { decryptDataKey } from './decrypt.js';
import { parseKmsArn, type KmsArn, type KmsKeyName } from './names.js';

export interface KmsUnwrapOptions {
  readonly clients: KmsClients;
  readonly keys: readonly KmsKeyName[];
  /** AWS accounts of which every key may open a message. */
  readonly accounts: readonly string[];
}

const FLAGS =
  KeyringTraceFlag.WRAPPING_KEY_DECRYPTED_DATA_KEY | KeyringTraceFlag.WRAPPING_KEY_VERIFIED_ENC_CTX;

/** An alias lies where its key does. KMS says whether it means that key. */
function mayMean(alias: string, { region, account }: KmsArn): boolean {
  const arn = parseKmsArn(alias);
  return arn === undefined || (arn.region === region && arn.account === account);
}

export class KmsUnwrapKeyring extends UnwrapOnlyKeyring {
  readonly #options: KmsUnwrapOptions;

  constructor(options: KmsUnwrapOptions) {
    super();
    this.#options = options;
  }

  /** What KMS refuses is told only where nothing else opens the message. */
  async _onDecrypt(
    material: NodeDecryptionMaterial,
    wrapped: EncryptedDataKey[],
  ): Promise<NodeDecryptionMaterial> {
    let failure: SealdropError | undefined;
    for (const edk of wrapped.filter(({ providerId }) => providerId === KMS_NAMESPACE)) {
      for (const key of this.#keysFor(edk.providerInfo)) {
        try {
          if (await this.#unwrap(material, edk, key)) return material;
        } catch (error) {
          if (!(error instanceof SealdropError)) throw error;
          failure ??= error;
        }
      }
    }
    if (failure !== undefined) throw failure;
    return material;
  }

  /** Whoever wrote the message chose its names: nothing is asked of keys that the caller has not allowed. */
  #keysFor(name: string): KmsKeyName[] {
    const arn = parseKmsArn(name);
    if (arn?.kind !== 'key') return [];
    const { keys, accounts } = this.#options;
    if (accounts.includes(arn.account)) return [{ id: name, region: arn.region, isKey: true }];
    return keys.filter((key) => (key.isKey ? key.id === name : mayMean(key.id, arn)));
  }

  /** @returns whether it was this key's */
  async #unwrap(
    material: NodeDecryptionMaterial,
    { providerInfo, encryptedDataKey }: EncryptedDataKey,
    key: KmsKeyName,
  ): Promise<boolean> {
    const request = { clients: this.#options.clients, key, context: material.encryptionContext };
    const opened = await decryptDataKey(request, encryptedDataKey);
    if (opened === undefined) return false;
    const { keyId, dataKey } = opened;
    // An alias that means another key than the one that the message names.
    if (keyId !== providerInfo || dataKey.length !== material.suite.keyLengthBytes) {
      dataKey.fill(0);
      return false;
    }
    material.setUnencryptedDataKey(dataKey, {
      keyNamespace: KMS_NAMESPACE,
      keyName: providerInfo,
      flags: FLAGS,
    });
    return true;
  }
}
