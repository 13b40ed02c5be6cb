/** Secrets of AWS Secrets Manager, by name. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { Secret } from '../secret.js';
import type { SecretReader } from './secret-reader.js';

const HINT =
  'make it, or name another in the settings of the deployment, and fill it: nothing is encrypted before';

/** @param client default: AWS's own settings say where it is, and the function's role who asks */
export function secretsManager(client = new SecretsManagerClient({ maxAttempts: 3 })): SecretReader {
  return {
    async read(name) {
      const answer = await client
        .send(new GetSecretValueCommand({ SecretId: name }))
        .catch((cause: unknown) => {
          throw readError(name, cause);
        });
      const { SecretString: text, SecretBinary: bytes } = answer;
      const value = bytes === undefined ? Buffer.from(text ?? '') : Buffer.from(bytes);
      if (value.length === 0)
        throw new SealdropError('secret_missing', `the secret ${printable(name)} is empty`, { hint: HINT });
      return new Secret(value);
    },
  };
}

/** No cause is kept: an error of the client could hold its answer. */
function readError(name: string, error: unknown): SealdropError {
  const { name: said, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  const shown = `the secret ${printable(name)}`;
  // A secret that is going to be deleted is refused as an invalid request.
  if (said === 'ResourceNotFoundException' || said === 'InvalidRequestException')
    return new SealdropError('secret_missing', `${shown} does not exist, or has no value`, { hint: HINT });
  if (said === 'AccessDeniedException' || said === 'DecryptionFailure')
    return new SealdropError('access_denied', `${shown} may not be read (${said})`, {
      // AWS says the same of a secret that is not there: the policy names it by its full ARN, which it doesn't have.
      hint: "it may not exist; if it does, the function's role needs secretsmanager:GetSecretValue on it, and kms:Decrypt on its key",
    });
  const what = $metadata?.httpStatusCode ?? said;
  return new SealdropError('secrets_unavailable', `${shown} could not be read (${what})`, {
    retryable: true,
  });
}
