/** Failures as RFC 9457 problem documents: one table from the error's code to the status. */
import { isIntegrityError, isSealdropError, SealdropError, type ErrorCode } from '../../errors.js';
import { NOT_KEPT, type ApiResponse } from './http.js';

interface Kind {
  readonly status: number;
  readonly title: string;
  /** Whether the error's own message and hint were written for the caller. Others name buckets and endpoints. */
  readonly open?: true;
}

const KINDS: Partial<Record<ErrorCode, Kind>> = {
  invalid_request: { status: 400, title: 'The request is not valid', open: true },
  event_malformed: { status: 400, title: 'This is no notification of a new object' },
  key_not_storable: { status: 400, title: 'The key cannot be stored', open: true },
  unauthorized: { status: 401, title: 'Credentials are missing or not valid', open: true },
  forbidden: { status: 403, title: 'Not allowed', open: true },
  route_not_found: { status: 404, title: 'There is no such route', open: true },
  object_not_found: { status: 404, title: 'There is no such object' },
  upload_not_found: { status: 404, title: 'There is no such upload', open: true },
  method_not_allowed: { status: 405, title: 'The route does not have this method', open: true },
  upload_not_taken: { status: 409, title: 'The inbox would not take the upload', open: true },
  target_exists: { status: 412, title: 'There is an object already' },
  precondition_failed: { status: 412, title: 'The object is not what it was expected to be' },
  too_large: { status: 413, title: 'Too large', open: true },
  unsupported_media_type: { status: 415, title: 'The body is of another type', open: true },
  source_changed: { status: 400, title: 'The body has not the length that was announced' },
  access_denied: { status: 502, title: 'The vault refused, or a secret of the deployment may not be read' },
  credentials_missing: { status: 502, title: 'The vault refused' },
  bucket_not_found: { status: 502, title: 'The vault refused' },
  not_s3: { status: 502, title: 'The vault refused' },
  store_refused: { status: 502, title: 'The vault refused' },
  upload_corrupted: { status: 502, title: 'The vault damaged what it was sent' },
  endpoint_unreachable: { status: 503, title: 'The vault cannot be reached' },
  store_unavailable: { status: 503, title: 'The vault is not available' },
  secrets_unavailable: { status: 503, title: 'The deployment cannot read its secrets' },
  busy: { status: 503, title: 'Too much at once', open: true },
  interrupted: { status: 503, title: 'Interrupted' },
  disk_full: { status: 507, title: 'The vault is full' },
};

/** For messages that may not be opened: what is wrong with one is the code's to say. */
const NOT_OPENED = { status: 422, title: 'The object cannot be opened' };
const INTERNAL = { status: 500, title: 'Internal error' };
const RETRY_AFTER_SECONDS = '5';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail?: string;
  readonly hint?: string;
}

export function problemOf(error: unknown): Problem {
  const known = isSealdropError(error) ? error : new SealdropError('internal', 'internal error');
  const kind: Kind = KINDS[known.code] ?? (isIntegrityError(known) ? NOT_OPENED : INTERNAL);
  return {
    type: `urn:sealdrop:error:${known.code}`,
    title: kind.title,
    status: kind.status,
    code: known.code,
    ...(kind.open === true && { detail: known.message }),
    ...(kind.open === true && known.hint !== undefined && { hint: known.hint }),
  };
}

export function problemResponse(error: unknown, headers: ApiResponse['headers'] = {}): ApiResponse {
  const problem = problemOf(error);
  return {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      ...NOT_KEPT,
      ...(problem.status === 401 && { 'www-authenticate': 'Bearer' }),
      ...(problem.status === 503 && { 'retry-after': RETRY_AFTER_SECONDS }),
      ...headers,
    },
    body: JSON.stringify(problem),
  };
}
