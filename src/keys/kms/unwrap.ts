/**
 * Unwrapping data keys by AWS KMS: with keys that are named, or that lie in accounts that are named.
 *
 * Source: AWS Encryption SDK specification, framework/aws-kms/aws-kms-keyring.md and aws-kms-discovery-keyring.md
 * ("OnDecrypt").
 */
import { DecryptCommand } from '@aws-sdk/client-kms';
import {
  KeyringTraceFlag,
  type EncryptedDataKey,
  type NodeDecryptionMaterial,
} from '@aws-crypto/material-management-node';
import { SealdropError } from '../../errors.js';
import { KMS_NAMESPACE } from '../key-set-document.js';
import { UnwrapOnlyKeyring } from '../unwrapping.js';
import type { KmsClients } from './client.js';
import { kmsError } from './errors.js';
import { parseKmsArn, type KmsArn, type KmsKeyName } from './names.js';

export interface KmsUnwrapOptions {
  readonly clients: KmsClients;
  readonly keys: readonly KmsKeyName[];
  /** AWS accounts of which every key may open a message. */
  readonly accounts: readonly string[];
}

const FLAGS =
  KeyringTraceFlag.WRAPPING_KEY_DECRYPTED_DATA_KEY | KeyringTraceFlag.WRAPPING_KEY_VERIFIED_ENC_CTX;

/** Other keys, ciphertexts and contexts than the key's own: the message may be meant for somebody else. */
const NOT_OURS = /^(IncorrectKeyException|InvalidCiphertextException)$/;

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
    { id, region }: KmsKeyName,
  ): Promise<boolean> {
    const { clients } = this.#options;
    const command = new DecryptCommand({
      KeyId: id,
      CiphertextBlob: encryptedDataKey,
      EncryptionContext: { ...material.encryptionContext },
      ...(clients.grantTokens.length > 0 && { GrantTokens: clients.grantTokens }),
    });
    const client = await clients.in(region);
    const answer = await client.send(command).catch((error: unknown) => {
      if (NOT_OURS.test((error as Error).name)) return undefined;
      throw kmsError(error, id, 'kms:Decrypt');
    });
    const plaintext = answer?.Plaintext;
    // An alias that means another key than the one that the message names.
    if (plaintext === undefined || answer?.KeyId !== providerInfo) return false;
    if (plaintext.length !== material.suite.keyLengthBytes) return false;
    const dataKey = new Uint8Array(plaintext);
    plaintext.fill(0);
    material.setUnencryptedDataKey(dataKey, {
      keyNamespace: KMS_NAMESPACE,
      keyName: providerInfo,
      flags: FLAGS,
    });
    return true;
  }
}
