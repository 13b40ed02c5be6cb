/** What a failed request to a service of AWS means, told by names, status and codes: never by the text of a message. */
import { interrupted, isSealdropError, SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';

interface SdkError extends Error {
  $metadata?: { httpStatusCode?: number };
}

const DENIED =
  /^(AccessDenied|AccessDeniedException|AuthFailure|ExpiredToken|ExpiredTokenException|IncompleteSignature|InvalidClientTokenId|InvalidSignatureException|MissingAuthenticationToken|SignatureDoesNotMatch|UnrecognizedClientException)$/;
const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|ServiceUnavailable/;

/** @param what was asked, for the message: `the queue URL` */
export function awsError(error: unknown, what: string): SealdropError {
  if (isSealdropError(error)) return error;
  const { name, $metadata } = error as SdkError;
  const status = $metadata?.httpStatusCode;
  const about = printable(what);
  if (name === 'AbortError') return interrupted(error);
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError')
    return new SealdropError('credentials_missing', 'no credentials for AWS were found', {
      cause: error,
      hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --profile NAME',
    });
  if (DENIED.test(name) || status === 401 || status === 403)
    return new SealdropError('access_denied', `${about}: access is denied (${shown(name, status)})`, {
      cause: error,
      hint: 'docs/operations.md says which permissions each command needs',
    });
  if (status === undefined) return unreachable(error, about);
  if (status >= 500 || status === 429 || THROTTLED.test(name))
    return new SealdropError('aws_unavailable', `${about}: AWS does not answer (${shown(name, status)})`, {
      cause: error,
      retryable: true,
    });
  return new SealdropError('aws_refused', `${about}: AWS refuses this (${shown(name, status)})`, {
    cause: error,
    hint: 'check --region, --profile and AWS_ENDPOINT_URL: they say which AWS is asked',
  });
}

function unreachable(cause: unknown, about: string): SealdropError {
  const code = systemCode(cause) ?? (cause as Error).name;
  return new SealdropError('endpoint_unreachable', `${about}: AWS cannot be reached (${printable(code)})`, {
    cause,
    retryable: true,
    hint: 'check the network, --region, and AWS_ENDPOINT_URL if it is set',
  });
}

const shown = (name: string, status: number | undefined): string =>
  /^[A-Za-z][\w.]{2,80}$/.test(name) && name !== 'Error' ? name : String(status ?? 'no answer');
