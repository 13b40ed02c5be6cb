/** A request and an answer, whatever carried them: an event of API Gateway, or a connection to the local server. */
import type { Readable } from 'node:stream';
import type { ByteSource } from '../../ports.js';
import type { Principal } from './principal.js';

export interface ApiRequest {
  readonly method: string;
  /** Decoded exactly once. Undefined where its encoding is broken. */
  readonly path: string | undefined;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: RequestBody;
  /** Where this API is, without a slash at the end: `https://host`. */
  readonly base: string;
  /** @throws SealdropError `unauthorized`, `forbidden` */
  authenticate(): Principal;
  /** No route was chosen for it, and so none's authorizer has run: none is served. */
  readonly unrouted?: boolean;
  readonly signal?: AbortSignal;
}

export interface RequestBody {
  /** Bytes, where the client said how many. */
  readonly size?: number;
  /** From the beginning. A body that is not held whole can be read once: a second reader gets nothing but an error. */
  read(): ByteSource;
}

export interface ApiResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Left out of the answer to a HEAD. */
  readonly body?: string | Uint8Array | Readable;
}

/** What is said here is for whoever asked, now. */
export const NOT_KEPT = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

export function json(status: number, document: object, headers: ApiResponse['headers'] = {}): ApiResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', ...NOT_KEPT, ...headers },
    body: JSON.stringify(document),
  };
}
