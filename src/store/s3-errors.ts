/** What a failed request means, told by names, status and codes: never by the text of a message. */
import { isSealdropError, SealdropError, type ErrorCode, type ErrorDetails, interrupted } from '../errors.js';
import { printable } from '../printable.js';
import { rangeRefused } from './ranges.js';

/** What was asked, for the message. */
export interface Asked {
  readonly address: string;
  readonly endpoint: string;
}

/** What an error of the SDK says of itself. */
export interface Facts {
  readonly name: string;
  readonly status: number | undefined;
  /** Of Node or of the TLS library: ECONNREFUSED, CERT_HAS_EXPIRED, HPE_INVALID_CONSTANT. */
  readonly code: string | undefined;
  /** How often the request was sent; more than once means that an earlier one may have been carried out. */
  readonly attempts: number;
  /** The store answered in S3's way. */
  readonly answered: boolean;
}

interface SdkError extends Error {
  $fault?: string;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  code?: unknown;
}

export function factsOf(error: unknown): Facts {
  if (!(error instanceof Error))
    return { name: '', status: undefined, code: undefined, attempts: 1, answered: false };
  const { name, $metadata, $fault } = error as SdkError;
  return {
    name,
    status: $metadata?.httpStatusCode,
    code: codeOf(error),
    attempts: $metadata?.attempts ?? 1,
    answered: $fault !== undefined,
  };
}

function codeOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code } = at as SdkError;
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)) return code;
  }
  return undefined;
}

/** Thrown by the client's own check of answers; not one of the SDK's errors, so it is not sent again. */
export class NotS3Answer extends Error {
  override readonly name = 'NotS3Answer';
}

export const isPrecondition = ({ status, name }: Facts): boolean =>
  status === 412 || name === 'PreconditionFailed';
export const isConflict = ({ status, name }: Facts): boolean =>
  status === 409 && (name === 'ConditionalRequestConflict' || name === 'OperationAborted');
export const isNotImplemented = ({ status, name }: Facts): boolean =>
  status === 501 || name === 'NotImplemented';
/** What a store says to a header that it doesn't know. */
export const isRefusal = (facts: Facts): boolean =>
  isNotImplemented(facts) || (facts.status === 400 && facts.name !== 'RequestTimeout');
export const isNoSuchUpload = ({ name }: Facts): boolean => name === 'NoSuchUpload';
export const isNotFound = ({ status }: Facts): boolean => status === 404;
export const isDenied = ({ status }: Facts): boolean => status === 403 || status === 401;
/** The connection failed, so whether the request was carried out is unknown. */
export const isUnanswered = (facts: Facts): boolean =>
  facts.status === undefined && (facts.code !== undefined || facts.name === 'TimeoutError');

/** The error of ours for an error of the SDK. Errors of ours pass unchanged. */
export function s3Error(error: unknown, asked: Asked): SealdropError {
  if (isSealdropError(error)) return error;
  const facts = factsOf(error);
  if (facts.name === 'AbortError') return interrupted(error);
  if (facts.name === 'CredentialsProviderError' || facts.name === 'TokenProviderError')
    return noCredentials(error);
  if (error instanceof NotS3Answer) return notS3(asked, error.message, error);
  if (!facts.answered && facts.code !== undefined) return connectionError(error, facts.code, asked);
  if (facts.name === 'TimeoutError') return connectionError(error, 'ETIMEDOUT', asked);
  if (!facts.answered && facts.status !== undefined && facts.status < 500)
    return notS3(asked, `answered ${facts.status} with something else than S3's XML`, error);
  if (facts.status === undefined)
    return new SealdropError('internal', `${printable(asked.address)}: the request could not be made`, {
      cause: error,
    });
  return answerError(error, { ...facts, status: facts.status }, asked);
}

export function notS3({ endpoint }: Asked, what: string, cause?: unknown): SealdropError {
  return new SealdropError('not_s3', `${endpoint} is not an S3 endpoint: it ${what}`, {
    cause,
    hint: 'check --endpoint-url: the address of the S3 API and not of a web page or console, with its port, and https:// where it speaks TLS',
  });
}

function noCredentials(cause: unknown): SealdropError {
  return new SealdropError('credentials_missing', 'no credentials for the store were found', {
    cause,
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --profile NAME',
  });
}

const CERTIFICATE = /CERT|^UNABLE_TO_|^ERR_TLS_/;
const CONNECTION_HINTS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host name does not exist: check --endpoint-url and --region',
  EAI_AGAIN: 'the host name could not be looked up: check the network',
  ECONNREFUSED: 'nothing listens there: check --endpoint-url and its port',
  EPROTO: 'it does not speak TLS there: check whether --endpoint-url begins with http:// or https://',
};

function connectionError(cause: unknown, code: string, { address, endpoint }: Asked): SealdropError {
  if (code.startsWith('HPE_')) return notS3({ address, endpoint }, `does not speak HTTP (${code})`, cause);
  if (CERTIFICATE.test(code))
    return new SealdropError(
      'endpoint_unreachable',
      `the certificate of ${endpoint} is not trusted (${code})`,
      {
        cause,
        hint: 'give the certificate of its authority with --ca-bundle FILE (or AWS_CA_BUNDLE)',
      },
    );
  const hint = code.startsWith('ERR_SSL_') ? CONNECTION_HINTS.EPROTO : CONNECTION_HINTS[code];
  const message = `${printable(address)}: the connection to ${endpoint} failed (${code})`;
  return new SealdropError('endpoint_unreachable', message, { retryable: true, cause, hint });
}

interface Meaning extends ErrorDetails {
  code: ErrorCode;
  text: string;
}

const denied = (hint: string): Meaning => ({ code: 'access_denied', text: 'access is denied', hint });
const CORRUPTED: Meaning = { code: 'upload_corrupted', text: 'the bytes arrived damaged', retryable: true };

const BY_NAME: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: {
    code: 'bucket_not_found',
    text: 'there is no such bucket',
    hint: 'check the name, and the endpoint and region that it is at',
  },
  InvalidBucketName: {
    code: 'bucket_not_found',
    text: 'no bucket can have that name',
    hint: 'names have 3 to 63 small letters, digits, dots and hyphens',
  },
  NoSuchKey: { code: 'object_not_found', text: 'there is no such object' },
  NotFound: { code: 'object_not_found', text: 'there is no such object' },
  AccessDenied: denied(
    'the credentials lack the permission for this, or the bucket belongs to somebody else',
  ),
  InvalidAccessKeyId: denied(
    'the store does not know this access key: check the profile or the environment, and the endpoint',
  ),
  SignatureDoesNotMatch: denied(
    'the secret key does not fit the access key (or a proxy changes requests, or the region is wrong)',
  ),
  ExpiredToken: denied('the session has ended: sign in again'),
  InvalidToken: denied('the session token is not valid: sign in again'),
  RequestTimeTooSkewed: denied('the clock of this machine is wrong: set it'),
  RequestExpired: denied('the clock of this machine is wrong: set it'),
  EntityTooLarge: { code: 'too_large', text: 'it is larger than the store allows' },
  PreconditionFailed: { code: 'precondition_failed', text: 'the object is not what it was expected to be' },
  BadDigest: CORRUPTED,
  XAmzContentSHA256Mismatch: CORRUPTED,
  XAmzContentChecksumMismatch: CORRUPTED,
  SlowDown: { code: 'store_unavailable', text: 'the store asks to slow down', retryable: true },
  RequestTimeout: { code: 'store_unavailable', text: 'the store waited too long for bytes', retryable: true },
};

/** The answer said in S3's words what is wrong; answers to HEAD have none. */
export const isNamed = ({ name }: Facts): boolean => Object.hasOwn(BY_NAME, name);

function answerError(
  cause: unknown,
  { name, status }: Facts & { status: number },
  asked: Asked,
): SealdropError {
  if (status === 416) return rangeRefused(asked.address, cause);
  const { code, text, ...details } = BY_NAME[name] ?? byStatus(status);
  const shown =
    /^[A-Za-z][A-Za-z0-9.]{2,60}$/.test(name) && name !== 'Unknown' && name !== 'Error' ? name : status;
  const said = code === 'store_refused' && status !== 501 && shown !== status ? sayingOf(cause) : '';
  return new SealdropError(code, `${printable(asked.address)}: ${text} (${shown}${said})`, {
    ...details,
    cause,
  });
}

const MAX_SAYING = 200;

/** The store's own explanation: nobody else knows what is wrong with a request of this kind. */
function sayingOf(cause: unknown): string {
  const said = cause instanceof Error ? printable(cause.message).trim() : '';
  return said === '' ? '' : `: ${said.slice(0, MAX_SAYING)}`;
}

function byStatus(status: number): Meaning {
  if (status === 401 || status === 403) return BY_NAME.AccessDenied!;
  if (status === 404) return BY_NAME.NotFound!;
  if (status === 412) return BY_NAME.PreconditionFailed!;
  if (status === 413) return BY_NAME.EntityTooLarge!;
  if (status === 501) return { code: 'store_refused', text: 'the store does not know this request' };
  if (status >= 500 || status === 429)
    return { code: 'store_unavailable', text: 'the store is not available', retryable: true };
  return { code: 'store_refused', text: 'the store refuses this request' };
}
