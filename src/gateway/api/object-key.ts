/** From the keys that callers name to keys of the vault, and back. */
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { keyProblem } from '../../vault-key.js';
import type { Principal } from './principal.js';

/**
 * The vault's key for a key of the caller. Both obey the key rules, so the one cannot leave the caller's prefix.
 * @param vaultPrefix empty, or with a slash at its end
 * @throws SealdropError `key_not_storable`
 */
export function vaultKeyOf(vaultPrefix: string, principal: Principal, key: string): string {
  const whole = `${vaultPrefix}${principal.prefix}${key}`;
  const problem = keyProblem(key) ?? keyProblem(whole);
  if (problem === undefined) return whole;
  throw new SealdropError('key_not_storable', `the key ${printable(key)} cannot be stored: ${problem}`, {
    hint: 'stores keep such keys under another name, where one object can overwrite another: choose a different key',
  });
}

/**
 * The beginning of the vault's keys that begin with what the caller named.
 * @throws SealdropError `invalid_request`
 */
export function vaultPrefixOf(vaultPrefix: string, principal: Principal, prefix: string): string {
  // Any letter makes a key of the beginning of one.
  const problem = prefix === '' ? undefined : keyProblem(`${prefix}x`);
  if (problem !== undefined)
    throw new SealdropError('invalid_request', `no key begins with ${printable(prefix)}: ${problem}`);
  return `${vaultPrefix}${principal.prefix}${prefix}`;
}
