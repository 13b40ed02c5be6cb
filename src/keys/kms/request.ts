/** What every request for a data key has in it. */
import type { KmsClients } from './client.js';
import type { KmsKeyName } from './names.js';

export interface KmsRequest {
  readonly clients: KmsClients;
  readonly key: KmsKeyName;
  readonly context: Readonly<Record<string, string>>;
}

export const requestInput = ({ clients: { grantTokens }, key, context }: KmsRequest) => ({
  KeyId: key.id,
  EncryptionContext: { ...context },
  ...(grantTokens.length > 0 && { GrantTokens: grantTokens }),
});
