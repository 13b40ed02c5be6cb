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
  KeyringNode,
  KeyringTraceFlag,
  MultiKeyringNode,
  unwrapDataKey,
  type NodeDecryptionMaterial,
  type NodeEncryptionMaterial,
} from '@aws-crypto/material-management-node';
import { SealdropError } from '../../errors.js';
import type { OaepHash, Recipient, WrappingKeys } from '../../ports.js';
import { DEFAULT_OAEP_HASH } from '../names.js';
import { fingerprintOf, modulusBits } from '../public-key.js';

export interface PublicWrappingKey {
  namespace: string;
  name: string;
  publicKey: KeyObject;
  oaepHash?: OaepHash;
}

class RsaWrapKeyring extends KeyringNode {
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

  async _onDecrypt(): Promise<NodeDecryptionMaterial> {
    throw new SealdropError('internal', 'this keyring only wraps');
  }
}

/** Data keys are wrapped to every one of the keys; any one of their private halves opens the message. */
export function rsaWrappingKeys(keys: readonly PublicWrappingKey[]): WrappingKeys {
  assertUsable(keys);
  const [first, ...rest] = keys.map((key) => new RsaWrapKeyring(key));
  if (first === undefined)
    throw new SealdropError('key_required', 'there is no public key to encrypt with', {
      hint: 'name one: --public-key FILE, or make a pair: sealdrop keygen',
    });
  return {
    keyring: rest.length === 0 ? first : new MultiKeyringNode({ generator: first, children: rest }),
    recipients: keys.map(recipientOf),
  };
}

// More than our own reader accepts by default.
const MAX_RECIPIENTS = 20;

function assertUsable(keys: readonly PublicWrappingKey[]): void {
  if (keys.length > MAX_RECIPIENTS)
    throw new SealdropError(
      'usage',
      `a message goes to at most ${MAX_RECIPIENTS} keys, these are ${keys.length}`,
    );
  // Specification, framework/raw-rsa-keyring.md ("Key Namespace"): it would be taken for a KMS key.
  if (keys.some((key) => key.namespace === 'aws-kms'))
    throw new SealdropError('usage', 'the key namespace aws-kms belongs to AWS KMS', {
      hint: 'choose another',
    });
}

function recipientOf({ namespace, name, publicKey }: PublicWrappingKey): Recipient {
  return {
    namespace,
    name,
    fingerprint: fingerprintOf(publicKey),
    wrappedBytes: Math.ceil(modulusBits(publicKey) / 8),
  };
}
