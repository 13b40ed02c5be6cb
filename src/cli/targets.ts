import { stat } from 'node:fs/promises';
import { parseAddress } from '../address.js';
import type { Parts, Vault } from '../config/settings.js';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';

/**
 * A vault address that is a directory's must not name the very file on the other side.
 * @throws SealdropError `same_file`
 */
export async function assertDistinct(path: string, address: string): Promise<void> {
  const other = parseAddress(address);
  if (other.kind !== 'file') return;
  const [a, b] = await Promise.all([path, other.path].map((p) => stat(p).catch(() => undefined)));
  if (a && b && a.dev === b.dev && a.ino === b.ino)
    throw new SealdropError('same_file', `${printable(path)} is source and target at once`);
}

/**
 * Reading takes any directory (docs/decisions/0004): a copy of a vault, and one that was mistyped.
 * @returns what there is to say of the latter: `not_a_vault`
 */
export async function outsideVaults({ store, key }: Vault, parts: Parts): Promise<SealdropError | undefined> {
  const root = parseAddress(store.address(''));
  if (root.kind !== 'file' || (await parts.vaultAround(root.path)) !== undefined) return undefined;
  return new SealdropError('not_a_vault', `${printable(store.address(key))} does not lie in a vault`, {
    hint: 'check the address: a directory is a vault by the file .sealdrop-vault in it, which the first put makes',
  });
}

/**
 * Plaintext and private keys do not belong in a vault.
 * @throws SealdropError `target_in_vault`
 */
export async function assertOutsideVaults(path: string, parts: Parts): Promise<void> {
  const root = await parts.vaultAround(path);
  if (root === undefined) return;
  throw new SealdropError('target_in_vault', `${printable(path)} lies in the vault ${printable(root)}`, {
    hint: 'a vault is for ciphertext alone: name a target outside of it',
  });
}
