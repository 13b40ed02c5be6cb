/** `DELETE /v1/objects/{key+}`. To delete what is not there is no failure, as in S3. */
import type { Handler } from './api.js';
import { NOT_KEPT } from './http.js';
import { vaultKeyOf } from './object-key.js';
import type { VaultPlace } from './put-object.js';

export interface DeleteObjectOptions {
  readonly withVault: <T>(use: (vault: VaultPlace) => Promise<T>) => Promise<T>;
}

export function deleteObject({ withVault }: DeleteObjectOptions): Handler {
  return async ({ request, principal, parameter }) =>
    withVault(async ({ store, prefix }) => {
      const key = vaultKeyOf(prefix, principal, parameter);
      await store.remove(key, { signal: request.signal });
      return { status: 204, headers: NOT_KEPT };
    });
}
