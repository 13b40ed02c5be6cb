/**
 * A keyring that wraps data keys by AWS KMS and asks it for nothing else: GenerateDataKey where it makes the data key,
 * Encrypt where another key has made it.
 *
 * Source: AWS Encryption SDK specification, framework/aws-kms/aws-kms-keyring.md ("OnEncrypt").
 */
import {
  EncryptedDataKey,
  KeyringTraceFlag,
  unwrapDataKey,
  type NodeEncryptionMaterial,
} from '@aws-crypto/material-management-node';
import { KMS_NAMESPACE } from '../key-set-document.js';
import { WrapOnlyKeyring, type WrappingKey } from '../wrapping-keys.js';
import type { KmsClients } from './client.js';
import { encryptDataKey, generateDataKey, malformedAnswer, type KmsWrapped } from './data-key.js';
import { parseKmsArn, type KmsKeyName } from './names.js';
import { kmsRecipient } from './recipient.js';
import type { KmsRequest } from './request.js';

const { WRAPPING_KEY_ENCRYPTED_DATA_KEY, WRAPPING_KEY_SIGNED_ENC_CTX, WRAPPING_KEY_GENERATED_DATA_KEY } =
  KeyringTraceFlag;
const WRAPPED = WRAPPING_KEY_ENCRYPTED_DATA_KEY | WRAPPING_KEY_SIGNED_ENC_CTX;

class KmsWrapKeyring extends WrapOnlyKeyring {
  readonly #key: KmsKeyName;
  readonly #clients: KmsClients;

  constructor(key: KmsKeyName, clients: KmsClients) {
    super();
    this.#key = key;
    this.#clients = clients;
  }

  async _onEncrypt(material: NodeEncryptionMaterial): Promise<NodeEncryptionMaterial> {
    const request = { clients: this.#clients, key: this.#key, context: material.encryptionContext };
    const wrapped = material.hasUnencryptedDataKey
      ? await encryptDataKey(request, unwrapDataKey(material.getUnencryptedDataKey()))
      : await this.#generate(request, material);
    return material.addEncryptedDataKey(this.#entry(wrapped), WRAPPED);
  }

  async #generate(request: KmsRequest, material: NodeEncryptionMaterial): Promise<KmsWrapped> {
    const { dataKey, ...wrapped } = await generateDataKey(request, material.suite.keyLengthBytes);
    const keyName = wrapped.keyId ?? this.#key.id;
    const flags = WRAPPING_KEY_GENERATED_DATA_KEY | WRAPPED;
    material.setUnencryptedDataKey(dataKey, { keyNamespace: KMS_NAMESPACE, keyName, flags });
    return wrapped;
  }

  /** Under the name that KMS says, which is the key's ARN also where an alias was asked for. */
  #entry({ keyId: providerInfo = '', wrappedKey: encryptedDataKey }: KmsWrapped): EncryptedDataKey {
    if (parseKmsArn(providerInfo)?.kind !== 'key') throw malformedAnswer(this.#key.id);
    return new EncryptedDataKey({ providerId: KMS_NAMESPACE, providerInfo, encryptedDataKey });
  }
}

export function kmsWrappingKey(key: KmsKeyName, clients: KmsClients): WrappingKey {
  return { keyring: new KmsWrapKeyring(key, clients), recipient: kmsRecipient(key) };
}
