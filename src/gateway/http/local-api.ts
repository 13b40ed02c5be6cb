/** The API on this machine: the routes of the deployed one, and the places that its signed URLs lead to. */
import { ROUTES } from '../../contract.js';
import { SealdropError } from '../../errors.js';
import type { Decryptor, Encryptor, ObjectStore, PublicKeyInfo } from '../../ports.js';
import type { Secret } from '../../secret.js';
import { createApi, routeKey, type AccessEntry, type Handler } from '../api/api.js';
import { decryptObject, type DecryptEntry } from '../api/decrypt-object.js';
import { deleteObject } from '../api/delete-object.js';
import { json, type ApiRequest, type ApiResponse } from '../api/http.js';
import { getDocument } from '../api/openapi.js';
import { problemResponse } from '../api/problem.js';
import { listKeys } from '../api/public-keys.js';
import { putObject } from '../api/put-object.js';
import { listObjects, showObject, type ReadableVault } from '../api/read-objects.js';
import { createUpload, showUpload } from '../api/uploads.js';
import { EVENTS_PATH, receiveEvents, type EventSink } from './events.js';
import { Forms, FORM_PATH } from './forms.js';
import { CIPHERTEXT_PATH, linkTo, serveCiphertext } from './links.js';
import { Signer } from './signed.js';
import { Turns } from './turns.js';

/** Each upload holds some parts in memory. */
const UPLOADS_AT_ONCE = 8;
/** So that the parts stay at 16 MiB. */
const MAX_PUT_BYTES = 150 * 1024 * 1024 * 1024;
const UPLOAD_EXPIRY_SECONDS = 3600;

export interface LocalApiOptions {
  readonly store: ObjectStore;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  readonly encryptor: Encryptor;
  /** Where there is an inbox as well. */
  readonly idempotencyKey?: Secret<Buffer> | undefined;
  readonly publicKeys: () => readonly PublicKeyInfo[];
  readonly allowDelete: boolean;
  readonly decrypt?: LocalDecryption;
  /** Where a webhook's notifications go; without it there is no such place. */
  readonly events?: EventSink;
  readonly report: (entry: AccessEntry) => void;
}

export interface LocalDecryption {
  readonly decryptor: Decryptor;
  readonly prefixes: readonly string[];
  readonly audit: (entry: DecryptEntry) => void;
}

export function createLocalApi(options: LocalApiOptions): (request: ApiRequest) => Promise<ApiResponse> {
  const signer = new Signer();
  const turns = new Turns(UPLOADS_AT_ONCE);
  const forms = new Forms({ ...options, signer, turns });
  const api = createApi({ handlers: handlersOf(options, { signer, turns, forms }), report: options.report });
  const signed = { signer, store: options.store };
  return async (request) => {
    const { method, path = '' } = request;
    if (path.startsWith(FORM_PATH) && method === 'POST')
      return reported('POST form', request, options, () => forms.receive(request));
    if (path.startsWith(CIPHERTEXT_PATH) && (method === 'GET' || method === 'HEAD'))
      return reported(`${method} ciphertext`, request, options, () => serveCiphertext(signed, request));
    const { events } = options;
    if (path === EVENTS_PATH && method === 'POST' && events !== undefined)
      return reported('POST /v1/events', request, options, () => receiveEvents(events, request));
    return api(request);
  };
}

interface Shared {
  readonly signer: Signer;
  readonly turns: Turns;
  readonly forms: Forms;
}

function handlersOf(options: LocalApiOptions, { signer, turns, forms }: Shared): Record<string, Handler> {
  const { store, prefix, encryptor, idempotencyKey, publicKeys } = options;
  const vault: ReadableVault = { store, prefix, link: (key, { base }) => linkTo(signer, key, base) };
  const withVault = <T>(use: (parts: ReadableVault) => Promise<T>): Promise<T> => use(vault);
  const put = putObject({ withParts: (use) => use({ store, prefix, encryptor, idempotencyKey }) });
  const uploads = { inbox: forms, withVault, expirySeconds: UPLOAD_EXPIRY_SECONDS };
  const show = showObject({ withVault });
  const all: Record<string, Handler> = {
    'PUT /v1/objects/{key+}': async (call) => {
      assertSize(call.request);
      return turns.take(call.principal.id, () => put(call));
    },
    'GET /v1/objects': listObjects({ withVault }),
    'HEAD /v1/objects/{key+}': show,
    'GET /v1/objects/{key+}': show,
    ...(options.allowDelete && { 'DELETE /v1/objects/{key+}': deleteObject({ withVault }) }),
    'POST /v1/uploads': createUpload(uploads),
    'GET /v1/uploads/{id}': showUpload(uploads),
    'GET /v1/keys': listKeys(async () => publicKeys()),
    'GET /v1/health': async () => json(200, { status: 'ok' }),
    ...(options.decrypt && { 'POST /v1/decrypt/{key+}': decryption(options.decrypt, vault) }),
  };
  const document = 'GET /v1/openapi.json';
  const routes = ROUTES.map(routeKey).filter((key) => key === document || Object.hasOwn(all, key));
  return { ...all, [document]: getDocument({ routes, security: 'token', maxPutBytes: MAX_PUT_BYTES }) };
}

/** Of what is announced; a body of unknown size ends at the limit of its parts. */
function assertSize({ body: { size = 0 } }: ApiRequest): void {
  if (size <= MAX_PUT_BYTES) return;
  throw new SealdropError('too_large', `a body has at most ${MAX_PUT_BYTES} bytes here`, {
    hint: 'cut it, or store it with sealdrop put',
  });
}

function decryption(
  { decryptor, prefixes, audit }: LocalDecryption,
  { store, prefix }: ReadableVault,
): Handler {
  return decryptObject({ withParts: (use) => use({ store, prefix, decryptor }), prefixes, audit });
}

/** What is behind a signed URL: no route of the document, since clients are told where it is. */
async function reported(
  route: string,
  { method }: ApiRequest,
  { report }: LocalApiOptions,
  act: () => Promise<ApiResponse>,
): Promise<ApiResponse> {
  const began = performance.now();
  const entry = (status: number) => ({
    method,
    route,
    status,
    milliseconds: Math.round(performance.now() - began),
  });
  try {
    const answer = await act();
    report(entry(answer.status));
    return answer;
  } catch (error) {
    const problem = problemResponse(error);
    report({ ...entry(problem.status), error });
    return method === 'HEAD' ? { ...problem, body: '' } : problem;
  }
}
