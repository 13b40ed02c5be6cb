/**
 * `POST /v1/decrypt/{key+}`: for deployments that hold a private key. Nothing is answered before the whole message was
 * authenticated, and only messages that were made for exactly this vault key are opened.
 */
import { isSealdropError, SealdropError } from '../../errors.js';
import type { Decryptor } from '../../ports.js';
import { get } from '../../transfer/get.js';
import type { Target } from '../../transfer/target.js';
import type { Handler, OwnCall } from './api.js';
import { NOT_KEPT, type ApiResponse } from './http.js';
import { vaultKeyOf } from './object-key.js';
import type { VaultPlace } from './put-object.js';

/** An answer of Lambda is at most 6 MB, in base64. */
export const MAX_DECRYPTED_BYTES = 4 * 1024 * 1024;

export interface DecryptParts extends VaultPlace {
  readonly decryptor: Decryptor;
}

export interface DecryptEntry {
  readonly principal: string;
  /** Below the vault's prefix. */
  readonly key: string;
  readonly outcome: 'opened' | 'refused';
  readonly code?: string;
  readonly bytes?: number;
}

export interface DecryptObjectOptions {
  readonly withParts: <T>(use: (parts: DecryptParts) => Promise<T>) => Promise<T>;
  /** Only keys below these are opened; counted below the vault's prefix, each with a slash at its end. */
  readonly prefixes: readonly string[];
  /** Every attempt, before its answer goes out. */
  readonly audit: (entry: DecryptEntry) => void;
}

export function decryptObject(options: DecryptObjectOptions): Handler {
  return async (call) => {
    const { principal, parameter } = call;
    const about = { principal: principal.id, key: `${principal.prefix}${parameter}` };
    try {
      const plaintext = await open(call, options);
      options.audit({ ...about, outcome: 'opened', bytes: plaintext.length });
      return answer(plaintext);
    } catch (error) {
      options.audit({ ...about, outcome: 'refused', code: isSealdropError(error) ? error.code : 'internal' });
      throw error;
    }
  };
}

async function open(
  { request, principal, parameter }: OwnCall,
  options: DecryptObjectOptions,
): Promise<Buffer> {
  // Before anything is read: the rules of keys, so that no other spelling passes the list.
  const allowed = vaultKeyOf('', principal, parameter);
  if (!options.prefixes.some((prefix) => prefix.endsWith('/') && allowed.startsWith(prefix)))
    throw new SealdropError('forbidden', 'objects under this key are not decrypted here');
  return options.withParts(async ({ store, prefix, decryptor }) => {
    const key = vaultKeyOf(prefix, principal, parameter);
    const { target, bytes } = held();
    await get({
      ...{ store, key, decryptor, target, signal: request.signal },
      binding: 'required',
    });
    return bytes();
  });
}

function held(): { target: Target; bytes: () => Buffer } {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const target: Target = {
    held: true,
    write: async (piece) => {
      size += piece.length;
      if (size > MAX_DECRYPTED_BYTES) throw tooLarge();
      pieces.push(Uint8Array.from(piece));
    },
    commit: async () => undefined,
    discard: async () => void pieces.splice(0),
  };
  return { target, bytes: () => Buffer.concat(pieces) };
}

function answer(plaintext: Buffer): ApiResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream', ...NOT_KEPT },
    body: plaintext,
  };
}

function tooLarge(): SealdropError {
  return new SealdropError(
    'too_large',
    `objects of more than ${MAX_DECRYPTED_BYTES} bytes are not decrypted here`,
    {
      hint: 'GET /v1/objects/{key+} gives the ciphertext: sealdrop get opens it',
    },
  );
}
