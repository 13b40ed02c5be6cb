/** What a failed request to AWS KMS means, told by names, status and codes: never by the text of a message. */
import { isSealdropError, SealdropError, systemCode } from '../../errors.js';
import { printable } from '../../printable.js';

const DENIED =
  /^(AccessDenied|AccessDeniedException|AuthFailure|ExpiredToken|ExpiredTokenException|IncompleteSignature|IncompleteSignatureException|InvalidClientTokenId|InvalidGrantTokenException|InvalidSignatureException|MissingAuthenticationToken|MissingAuthenticationTokenException|SignatureDoesNotMatch|UnrecognizedClientException)$/;
const PASSING =
  /Throttl|TooManyRequests|LimitExceeded|ServiceUnavailable|^(DependencyTimeoutException|KMSInternalException|KeyUnavailableException|InternalFailure)$/;
const UNUSABLE = /^(DisabledException|KMSInvalidStateException|InvalidKeyUsageException)$/;

/**
 * @param id what the key is called
 * @param action the permission that the request needs, as `kms:Decrypt`
 */
export function kmsError(error: unknown, id: string, action: string): SealdropError {
  if (isSealdropError(error)) return error;
  const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const key = `the KMS key ${printable(id)}`;
  // Whole: which principal, which action and which policy is what its reader needs.
  const said = printable(`${name}: ${message}`);
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError')
    return new SealdropError('credentials_missing', `${key}: no credentials for AWS were found`, {
      cause: error,
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --key-profile NAME',
    });
  if (name === 'SyntaxError')
    return new SealdropError('aws_refused', `${key}: what answers is not AWS KMS`, {
      cause: error,
      hint: 'AWS_ENDPOINT_URL is asked for keys too: name the store by --endpoint-url or AWS_ENDPOINT_URL_S3 in place of it',
    });
  if (name === 'NotFoundException')
    return new SealdropError('kms_key_not_found', `${key} is not there (${said})`, {
      cause: error,
      hint: 'check its ARN, and that it is a key of that region and account',
    });
  if (DENIED.test(name) || status === 401 || status === 403)
    return new SealdropError('access_denied', `${key}: access is denied (${said})`, {
      cause: error,
      hint: `both its key policy and your identity must allow ${action}; in another account, each of them by name`,
    });
  if (PASSING.test(name) || status === 429 || (status !== undefined && status >= 500))
    return new SealdropError('aws_unavailable', `${key}: KMS does not answer (${said})`, {
      cause: error,
      retryable: true,
    });
  if (status === undefined) return unreachable(error, key);
  return new SealdropError('aws_refused', `${key}: KMS refuses this (${said})`, {
    cause: error,
    hint: UNUSABLE.test(name)
      ? 'it must be a symmetric key for encryption, enabled, and not waiting for its deletion'
      : 'check which key is named, and the encryption context of the message',
  });
}

function unreachable(cause: unknown, key: string): SealdropError {
  const code = systemCode(cause) ?? (cause as Error).name;
  return new SealdropError('endpoint_unreachable', `${key}: KMS cannot be reached (${printable(code)})`, {
    cause,
    retryable: true,
    hint: 'check the network, the region in its ARN, and AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL if they are set',
  });
}
