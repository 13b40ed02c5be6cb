/** What is asked of wrapping keys, whichever envelope they wrap for. */
import { SealdropError } from '../errors.js';
import { KMS_NAMESPACE } from './key-set-document.js';

/**
 * Specification, framework/raw-rsa-keyring.md and raw-aes-keyring.md ("Key Namespace"): it would be taken for a KMS key.
 * @throws SealdropError `usage`
 */
export function assertOwnNamespace(namespace: string): void {
  if (namespace !== KMS_NAMESPACE) return;
  throw new SealdropError('usage', `the key namespace ${KMS_NAMESPACE} belongs to AWS KMS`, {
    hint: 'choose another',
  });
}

export function noWrappingKey(): SealdropError {
  return new SealdropError('key_required', 'there is no public key to encrypt with', {
    hint: 'name one: --public-key FILE, or make a pair: sealdrop keygen',
  });
}
