/**
 * One family of errors. Callers branch on `code`, never on text.
 *
 * The codes of class `integrity` say what was wrong with a message. What a reader was handed before one of them
 * was thrown had passed its check.
 */

const EXIT_OF_CLASS = {
  failed: 1,
  usage: 2,
  not_found: 3,
  access_denied: 4,
  integrity: 5,
  partial: 6,
  interrupted: 130,
} as const;

type ErrorClass = keyof typeof EXIT_OF_CLASS;

const CLASS_OF_CODE = {
  // usage: what was asked for cannot be done as asked
  usage: 'usage',
  invalid_config: 'usage',
  key_not_storable: 'usage',
  key_required: 'usage',
  invalid_key: 'usage',
  weak_key: 'usage',
  key_passphrase: 'usage',
  key_exposed: 'usage',
  private_key_in_public_key_set: 'usage',
  reserved_context: 'usage',
  secret_malformed: 'usage',
  foreign_bucket: 'usage',
  foreign_key: 'usage',
  event_malformed: 'usage',
  not_a_vault: 'usage',
  target_in_vault: 'usage',
  same_file: 'usage',
  // requests to the API
  invalid_request: 'usage',
  unauthorized: 'access_denied',
  forbidden: 'access_denied',
  route_not_found: 'not_found',
  method_not_allowed: 'usage',
  unsupported_media_type: 'usage',
  upload_not_found: 'not_found',
  upload_not_taken: 'failed',
  busy: 'failed',
  listen_failed: 'failed',
  // not found
  source_not_found: 'not_found',
  key_file_not_found: 'not_found',
  object_not_found: 'not_found',
  bucket_not_found: 'not_found',
  secret_missing: 'not_found',
  deployment_not_found: 'not_found',
  dead_letter_not_found: 'not_found',
  run_not_found: 'not_found',
  key_not_in_set: 'not_found',
  kms_key_not_found: 'not_found',
  // access
  access_denied: 'access_denied',
  credentials_missing: 'access_denied',
  sse_key_required: 'access_denied',
  sse_key_wrong: 'access_denied',
  // integrity
  not_an_envelope: 'integrity',
  unsupported_version: 'integrity',
  policy: 'integrity',
  wrong_key_or_header: 'integrity',
  commitment: 'integrity',
  frame_auth: 'integrity',
  frame_order: 'integrity',
  truncated: 'integrity',
  trailing_data: 'integrity',
  wrong_object: 'integrity',
  signature: 'integrity',
  // objects of the S3 Encryption Client
  malformed_header: 'integrity',
  mixed_formats: 'integrity',
  instruction_file: 'integrity',
  wrong_context: 'integrity',
  content_auth: 'integrity',
  checksum: 'integrity',
  not_as_stored: 'integrity',
  // the rest
  partial: 'partial',
  interrupted: 'interrupted',
  target_exists: 'failed',
  precondition_failed: 'failed',
  condition_not_kept: 'failed',
  order_unknown: 'failed',
  too_many_deletions: 'failed',
  source_changed: 'failed',
  source_unreadable: 'failed',
  target_unwritable: 'failed',
  disk_full: 'failed',
  too_large: 'failed',
  too_large_for_lambda: 'failed',
  out_of_time: 'failed',
  secrets_unavailable: 'failed',
  not_s3: 'failed',
  endpoint_unreachable: 'failed',
  store_unavailable: 'failed',
  store_refused: 'failed',
  upload_corrupted: 'failed',
  aws_unavailable: 'failed',
  aws_refused: 'failed',
  run_failed: 'failed',
  function_failed: 'failed',
  output_closed: 'failed',
  internal: 'failed',
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof CLASS_OF_CODE;

export interface ErrorDetails {
  /** What the user can do about it, in one sentence. */
  hint?: string;
  /** True where the same call may succeed later without anything being changed. */
  retryable?: boolean;
  cause?: unknown;
}

export class SealdropError extends Error {
  override readonly name = 'SealdropError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
  }
}

export function isSealdropError(error: unknown): error is SealdropError {
  return error instanceof SealdropError;
}

/** True for every error that says a message is not what its writer made, or may not be opened by policy. */
export function isIntegrityError(error: unknown): error is SealdropError {
  return isSealdropError(error) && CLASS_OF_CODE[error.code] === 'integrity';
}

/** The command's exit code for an error: see docs/errors.md. */
export function exitCodeOf(error: unknown): number {
  return isSealdropError(error) ? EXIT_OF_CLASS[CLASS_OF_CODE[error.code]] : EXIT_OF_CLASS.failed;
}

/** The `code` of a Node system error (`ENOENT`), wherever in the chain of causes it is. */
export function systemCode(error: unknown): string | undefined {
  let at = error as { code?: unknown; cause?: unknown } | null | undefined;
  // Judged by its shape: an error of another realm is no instance of this one's Error.
  for (let depth = 0; typeof at === 'object' && at !== null && depth < 5; depth++) {
    if (typeof at.code === 'string' && /^E[A-Z0-9]+$/.test(at.code)) return at.code;
    at = at.cause as typeof at;
  }
  return undefined;
}

/** @throws SealdropError `interrupted` where the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interrupted(signal.reason);
}

/** The error that an aborted signal becomes, whatever its reason is. */
export function interrupted(cause?: unknown): SealdropError {
  return new SealdropError('interrupted', 'interrupted', { cause });
}
