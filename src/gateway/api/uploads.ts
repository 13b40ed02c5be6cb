/** `POST /v1/uploads` and `GET /v1/uploads/{id}`: what is too large for a request goes into the inbox by a form. */
import { randomBytes } from 'node:crypto';
import { UPLOADS_FOLDER } from '../../contract.js';
import { SealdropError } from '../../errors.js';
import { keyProblem } from '../../vault-key.js';
import type { Handler } from './api.js';
import { json } from './http.js';
import type { Principal } from './principal.js';
import type { VaultPlace } from './put-object.js';
import { readJson } from './read-request.js';
import { MAX_UPLOAD_BYTES, SCHEMAS, UPLOAD_ID } from './schemas.js';

export interface FormRequest {
  /** Of the principal. */
  readonly owner: string;
  /** The exact key in the inbox. */
  readonly key: string;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly expires: Date;
  /** Of the API, for forms that it takes itself. */
  readonly base: string;
}

export interface UploadForm {
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface Arrived {
  readonly key: string;
  /** `stored`, or `failed:CODE`. */
  readonly status?: string;
}

export interface UploadInbox {
  /** Only keys that begin and end so are taken. */
  readonly prefix: string;
  readonly suffix: string;
  /** Where an object of the inbox will stand in the vault. @throws SealdropError `key_not_storable` */
  vaultKey(key: string, vaultPrefix: string): string;
  form(request: FormRequest): Promise<UploadForm>;
  /** The object whose key begins so. */
  find(prefix: string): Promise<Arrived | undefined>;
}

export interface UploadsOptions {
  readonly inbox: UploadInbox;
  readonly withVault: <T>(use: (vault: VaultPlace) => Promise<T>) => Promise<T>;
  readonly expirySeconds: number;
}

interface UploadRequest {
  name: string;
  size?: number;
}

export function createUpload({ inbox, withVault, expirySeconds }: UploadsOptions): Handler {
  return async ({ request, principal }) => {
    const { name, size } = await readJson<UploadRequest>(request, SCHEMAS.UploadRequest);
    const id = randomBytes(16).toString('base64url');
    const key = inboxKeyOf(inbox, `${principal.prefix}${UPLOADS_FOLDER}${id}/${name}`);
    return withVault(async ({ prefix }) => {
      const below = ownKey(inbox.vaultKey(key, prefix), prefix, principal, id);
      const expires = new Date(Date.now() + expirySeconds * 1000);
      const maxBytes = size ?? MAX_UPLOAD_BYTES;
      const { base } = request;
      const { url, fields } = await inbox.form({
        owner: principal.id,
        ...{ key, minBytes: size ?? 0, maxBytes, expires, base },
      });
      return json(201, { id, key: below, url, fields, maxBytes, expires: expires.toISOString() });
    });
  };
}

/** @throws SealdropError `key_not_storable`, `invalid_request`, `upload_not_taken` */
function inboxKeyOf(inbox: UploadInbox, name: string): string {
  // S3 puts the name of the sender's file in the place of this.
  if (name.includes('${filename}'))
    throw new SealdropError('invalid_request', 'a name cannot hold ${filename}', {
      hint: 'choose another name',
    });
  const key = inbox.prefix + name;
  const problem = keyProblem(name) ?? keyProblem(key);
  if (problem !== undefined)
    throw new SealdropError('key_not_storable', `the name cannot be stored: ${problem}`, {
      hint: 'choose another name',
    });
  if (key.endsWith(inbox.suffix)) return key;
  throw new SealdropError('upload_not_taken', 'the inbox takes only names with a certain end', {
    hint: `give the upload a name that ends in ${inbox.suffix}`,
  });
}

/** The key for the caller. @throws SealdropError `upload_not_taken` where it would be no key of theirs */
function ownKey(vaultKey: string, vaultPrefix: string, principal: Principal, id: string): string {
  const own = `${vaultPrefix}${principal.prefix}`;
  if (vaultKey.startsWith(`${own}${UPLOADS_FOLDER}${id}/`)) return vaultKey.slice(own.length);
  throw new SealdropError(
    'upload_not_taken',
    "the deployment's key template puts uploads outside of your prefix",
    {
      hint: 'ask whoever runs it for a template of {rest}; PUT /v1/objects/{key+} works in any case',
    },
  );
}

export function showUpload({ inbox, withVault }: UploadsOptions): Handler {
  return async ({ request, principal, parameter: id }) => {
    if (!new RegExp(UPLOAD_ID).test(id)) throw notFound();
    const folder = `${principal.prefix}${UPLOADS_FOLDER}${id}/`;
    return withVault(async ({ store, prefix }) => {
      const own = `${prefix}${principal.prefix}`;
      for await (const { key } of store.list(prefix + folder, { signal: request.signal }))
        return json(200, { id, key: key.slice(own.length), status: 'stored' });
      const arrived = await inbox.find(inbox.prefix + folder);
      if (arrived === undefined) throw notFound();
      const key = ownKey(inbox.vaultKey(arrived.key, prefix), prefix, principal, id);
      return json(200, { id, key, ...statusOf(arrived.status) });
    });
  };
}

function statusOf(tag: string | undefined): { status: 'waiting' | 'stored' | 'failed'; code?: string } {
  if (tag === 'stored') return { status: 'stored' };
  const code = /^failed:([a-z][a-z0-9_]*)$/.exec(tag ?? '')?.[1];
  return code === undefined ? { status: 'waiting' } : { status: 'failed', code };
}

function notFound(): SealdropError {
  return new SealdropError('upload_not_found', 'no upload with this id has arrived', {
    hint: 'it is known when its form was sent to the end; ids of others are never shown',
  });
}
