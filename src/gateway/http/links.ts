/** Ciphertext by a signed URL, as a bucket serves it: for vaults whose store cannot, and so that clients see one API. */
import type { ObjectStore } from '../../ports.js';
import type { ApiRequest, ApiResponse } from '../api/http.js';
import type { Link } from '../api/read-objects.js';
import type { Signer } from './signed.js';

export const CIPHERTEXT_PATH = '/v1/ciphertext/';
const LINK_SECONDS = 900;

interface Named {
  readonly key: string;
}

export async function linkTo(signer: Signer, key: string, base: string): Promise<Link> {
  const expires = new Date(Date.now() + LINK_SECONDS * 1000);
  const named: Named = { key };
  return { url: `${base}${CIPHERTEXT_PATH}${signer.sign('ciphertext', named, expires)}`, expires };
}

/** GET and HEAD, a range of bytes too. @throws SealdropError `forbidden`, what the store throws */
export async function serveCiphertext(
  { signer, store }: { signer: Signer; store: ObjectStore },
  request: ApiRequest,
): Promise<ApiResponse> {
  const { key } = signer.open<Named>('ciphertext', request.path!.slice(CIPHERTEXT_PATH.length));
  const { size, modified } = await store.head(key, { signal: request.signal });
  const headers = {
    'content-type': 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-store',
    'accept-ranges': 'bytes',
    'last-modified': modified.toUTCString(),
  };
  const range = rangeOf(request.headers['range'], size);
  const length = String(range === undefined ? size : range.last - range.first + 1);
  const all = {
    ...headers,
    'content-length': length,
    ...(range !== undefined && { 'content-range': `bytes ${range.first}-${range.last}/${size}` }),
  };
  const status = range === undefined ? 200 : 206;
  if (request.method === 'HEAD') return { status, headers: all };
  const { body } = await store.get(key, { range, signal: request.signal });
  return { status, headers: all, body };
}

/** One range that lies in the object; any other is left out, as RFC 9110 allows, and the whole is sent. */
function rangeOf(header: string | undefined, size: number): { first: number; last: number } | undefined {
  const match = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header ?? '');
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Math.min(match[2] === '' ? size - 1 : Number(match[2]), size - 1);
  return first <= last ? { first, last } : undefined;
}
