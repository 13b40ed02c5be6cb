/** `GET /v1/objects`, and `HEAD` and `GET /v1/objects/{key+}`: what is there, and where its ciphertext can be had. */
import type { ObjectInfo } from '../../ports.js';
import { isSealdropError } from '../../errors.js';
import { readMetadata } from '../../transfer/metadata.js';
import type { Handler } from './api.js';
import { json } from './http.js';
import { vaultKeyOf, vaultPrefixOf } from './object-key.js';
import type { VaultPlace } from './put-object.js';
import { readQuery } from './read-request.js';
import { DEFAULT_PAGE, LIST_QUERY } from './schemas.js';

export interface Link {
  readonly url: string;
  readonly expires: Date;
}

export interface ReadableVault extends VaultPlace {
  /** A URL that gives the ciphertext to whoever has it. */
  link(key: string, request: { readonly base: string }): Promise<Link>;
}

export interface ReadObjectsOptions {
  readonly withVault: <T>(use: (vault: ReadableVault) => Promise<T>) => Promise<T>;
}

/** Requests to the store at the same time, for one page. */
const AT_ONCE = 16;

interface ListQuery {
  prefix?: string;
  limit?: number;
  cursor?: string;
}

export function listObjects({ withVault }: ReadObjectsOptions): Handler {
  return async ({ request, principal }) => {
    const { prefix = '', limit = DEFAULT_PAGE, cursor } = readQuery<ListQuery>(request.query, LIST_QUERY);
    return withVault(async (vault) => {
      const own = `${vault.prefix}${principal.prefix}`;
      const begin = vaultPrefixOf(vault.prefix, principal, prefix);
      const after = cursor === undefined ? undefined : own + Buffer.from(cursor, 'base64url').toString();
      const page: ObjectInfo[] = [];
      let more = false;
      for await (const info of vault.store.list(begin, { signal: request.signal, after })) {
        // A store that answers with other keys, or does not know where to go on, shows nothing of others.
        if (!info.key.startsWith(begin) || (after !== undefined && !isAfter(info.key, after))) continue;
        more = page.length === limit;
        if (more) break;
        page.push(info);
      }
      const objects = await inOrder(page, (info) => described(vault, info, own.length, request.signal));
      const last = page.at(-1)?.key.slice(own.length);
      return json(200, {
        objects,
        ...(more && last !== undefined && { cursor: Buffer.from(last).toString('base64url') }),
      });
    });
  };
}

/** In the order of lists. */
const isAfter = (key: string, other: string): boolean =>
  Buffer.compare(Buffer.from(key), Buffer.from(other)) > 0;

/** Listings carry no metadata. */
async function described(vault: VaultPlace, info: ObjectInfo, cut: number, signal?: AbortSignal) {
  const { metadata } = await vault.store.head(info.key, { signal }).catch((error: unknown) => {
    // Removed meanwhile: it was there when the list was made.
    if (isSealdropError(error) && error.code === 'object_not_found') return info;
    throw error;
  });
  return { key: info.key.slice(cut), ...facts({ ...info, metadata }) };
}

function facts({ size: storedSize, modified, metadata }: ObjectInfo) {
  const { size } = readMetadata(metadata);
  return { storedSize, modified: modified.toISOString(), ...(size !== undefined && { size }) };
}

async function inOrder<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE)
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(act))));
  return results;
}

/** For GET and HEAD. */
export function showObject({ withVault }: ReadObjectsOptions): Handler {
  return async ({ request, principal, parameter }) =>
    withVault(async (vault) => {
      const key = vaultKeyOf(vault.prefix, principal, parameter);
      const info = await vault.store.head(key, { signal: request.signal });
      const known = facts(info);
      const { fingerprints } = readMetadata(info.metadata);
      const { url, expires } = await vault.link(key, request);
      const document = {
        ...{ key: parameter, vaultKey: key, ...known, fingerprints },
        ...{ url, expires: expires.toISOString() },
      };
      return json(200, document, {
        'sealdrop-stored-size': String(known.storedSize),
        ...(known.size !== undefined && { 'sealdrop-size': String(known.size) }),
        'last-modified': info.modified.toUTCString(),
      });
    });
}
