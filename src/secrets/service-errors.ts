/** What a failed request for a value means to whoever runs the command. No cause is kept: it could hold the value. */
import { isSealdropError, SealdropError, systemCode } from '../errors.js';

const MISSING = /^(ResourceNotFoundException|ParameterNotFound|ParameterVersionNotFound)$/;
const DENIED =
  /^(AccessDenied|AccessDeniedException|DecryptionFailure|EncryptionFailure|ExpiredToken|ExpiredTokenException|IncompleteSignature|InvalidClientTokenId|InvalidSignatureException|KMSAccessDeniedException|MissingAuthenticationToken|SignatureDoesNotMatch|UnrecognizedClientException)$/;
const BUSY = /Throttl|TooManyRequests|TooManyUpdates|InternalServiceError|InternalServerError/;

export const nameOf = (error: unknown): string => (error as Error).name;
export const isMissing = (error: unknown): boolean => MISSING.test(nameOf(error));

/**
 * @param shown how the user named it
 * @param action what was asked for, as a policy says it
 */
export function serviceError(error: unknown, shown: string, action: string): SealdropError {
  if (isSealdropError(error)) return error;
  const name = nameOf(error);
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  const said = /^[A-Za-z]{3,60}$/.test(name) ? name : String(status ?? 'no answer');
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError')
    return new SealdropError('credentials_missing', 'no credentials for AWS were found', {
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --profile NAME',
    });
  if (isMissing(error))
    return new SealdropError('secret_missing', `${shown} does not exist`, {
      hint: 'check its name, --region and --profile',
    });
  if (DENIED.test(name) || status === 403)
    return new SealdropError('access_denied', `${shown}: access is denied (${said})`, {
      hint: `it needs ${action}, and with a key of KMS of its own the right to use that too; it may also not exist`,
    });
  // Secrets Manager's word for a secret that is about to be deleted.
  if (name === 'InvalidRequestException' && /deleted|deletion/i.test((error as Error).message))
    return new SealdropError('secret_missing', `${shown} is about to be deleted`, {
      hint: 'restore it (aws secretsmanager restore-secret), or choose another name',
    });
  if (status === undefined || status >= 500 || status === 429 || BUSY.test(name))
    return new SealdropError(
      'secrets_unavailable',
      `${shown} cannot be reached (${systemCode(error) ?? said})`,
      { retryable: true, hint: 'check the network, --region, and AWS_ENDPOINT_URL if it is set' },
    );
  return new SealdropError('aws_refused', `${shown}: AWS refuses ${action} (${said})`, {
    hint: 'check the name, --kms-key and the tags',
  });
}

export function changedMeanwhile(shown: string): SealdropError {
  return new SealdropError('precondition_failed', `${shown} was changed by somebody else meanwhile`, {
    retryable: true,
    hint: 'nothing was written: look at what it holds now, and run this again',
  });
}
