import type { Secret } from '../secret.js';

/** Named secrets of a deployment. */
export interface SecretReader {
  /**
   * The bytes of a secret's current version, read anew at every call.
   * @throws SealdropError `secret_missing`, `access_denied`, `secrets_unavailable` (retryable)
   */
  read(name: string): Promise<Secret<Buffer>>;
}
