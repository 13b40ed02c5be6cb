/**
 * A keyring that wraps data keys by AWS KMS and asks it for nothing else: GenerateDataKey where it makes the data key,
 * Encrypt where another key has made it.
 *
 * Source: AWS Encryption SDK specification, framework/aws-kms/aws-kms-keyring.md ("OnEncrypt").
 */
import { EncryptCommand, GenerateDataKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import {
  EncryptedDataKey,
  KeyringTraceFlag,
  unwrapDataKey,
  type NodeEncryptionMaterial,
} from '@aws-crypto/material-management-node';
import { SealdropError } from '../../errors.js';
import type { Recipient } from '../../ports.js';
import { printable } from '../../printable.js';
import { KMS_NAMESPACE } from '../key-set-document.js';
import { WrapOnlyKeyring, type WrappingKey } from '../wrapping-keys.js';
import type { KmsClients } from './client.js';
import { kmsError } from './errors.js';
import { kmsFingerprint, parseKmsArn, type KmsKeyName } from './names.js';

/** What KMS answers of a data key, as far as a message carries it. */
interface Wrapped {
  KeyId?: string | undefined;
  CiphertextBlob?: Uint8Array | undefined;
}

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
    const client = await this.#clients.in(this.#key.region);
    const answer = material.hasUnencryptedDataKey
      ? await this.#wrap(client, material)
      : await this.#generate(client, material);
    return material.addEncryptedDataKey(this.#entry(answer), WRAPPED);
  }

  async #generate(client: KMSClient, material: NodeEncryptionMaterial): Promise<Wrapped> {
    const NumberOfBytes = material.suite.keyLengthBytes;
    const command = new GenerateDataKeyCommand({ ...this.#request(material), NumberOfBytes });
    const { Plaintext: plaintext, ...answer } = await client.send(command).catch((error: unknown) => {
      throw kmsError(error, this.#key.id, 'kms:GenerateDataKey');
    });
    if (plaintext?.length !== NumberOfBytes) throw this.#malformed();
    // In memory of its own, and nowhere else: the answer may share its memory with others.
    const dataKey = new Uint8Array(plaintext);
    plaintext.fill(0);
    const keyName = answer.KeyId ?? this.#key.id;
    const flags = WRAPPING_KEY_GENERATED_DATA_KEY | WRAPPED;
    material.setUnencryptedDataKey(dataKey, { keyNamespace: KMS_NAMESPACE, keyName, flags });
    return answer;
  }

  async #wrap(client: KMSClient, material: NodeEncryptionMaterial): Promise<Wrapped> {
    const Plaintext = unwrapDataKey(material.getUnencryptedDataKey());
    return client
      .send(new EncryptCommand({ ...this.#request(material), Plaintext }))
      .catch((error: unknown) => {
        throw kmsError(error, this.#key.id, 'kms:Encrypt');
      });
  }

  #request({ encryptionContext }: NodeEncryptionMaterial) {
    const GrantTokens = this.#clients.grantTokens;
    return {
      KeyId: this.#key.id,
      EncryptionContext: { ...encryptionContext },
      ...(GrantTokens.length > 0 && { GrantTokens }),
    };
  }

  /** Under the name that KMS says, which is the key's ARN also where an alias was asked for. */
  #entry({ KeyId: providerInfo = '', CiphertextBlob: encryptedDataKey }: Wrapped): EncryptedDataKey {
    if (parseKmsArn(providerInfo)?.kind !== 'key' || !encryptedDataKey?.length) throw this.#malformed();
    return new EncryptedDataKey({ providerId: KMS_NAMESPACE, providerInfo, encryptedDataKey });
  }

  #malformed(): SealdropError {
    const message = `the KMS key ${printable(this.#key.id)}: the answer holds no data key`;
    return new SealdropError('aws_refused', message, {
      hint: 'what answers may not be AWS KMS: check AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL if they are set',
    });
  }
}

export function kmsWrappingKey(key: KmsKeyName, clients: KmsClients): WrappingKey {
  return { keyring: new KmsWrapKeyring(key, clients), recipient: recipientOf(key) };
}

/** Source: AWS KMS API reference, Encrypt ("CiphertextBlob", "KeyId"): at most so many. */
const MAX_WRAPPED_BYTES = 6144;
const MAX_NAME_BYTES = 2048;
/** Of the shortest data key, 16 bytes, with a nonce and a tag; and of the shortest ARN of a key. */
const MIN_WRAPPED_BYTES = 16 + 12 + 16;
const MIN_NAME_BYTES = 'arn:aws:kms:::key/'.length;

function recipientOf({ id, isKey }: KmsKeyName): Recipient {
  const asked = Buffer.byteLength(id);
  const infoBytes = isKey ? asked : MAX_NAME_BYTES;
  return {
    namespace: KMS_NAMESPACE,
    name: id,
    fingerprint: kmsFingerprint(id),
    wrappedBytes: MAX_WRAPPED_BYTES,
    infoBytes,
    slack: MAX_WRAPPED_BYTES - MIN_WRAPPED_BYTES + (isKey ? 0 : MAX_NAME_BYTES - MIN_NAME_BYTES),
  };
}
