/** Where objects go that no vault key is bound into: those of the S3 Encryption Client. */
import { SealdropError } from '../errors.js';
import type { Encryptor, ObjectStore } from '../ports.js';
import { printable } from '../printable.js';

const isUnbound = ({ begin }: Encryptor): boolean => begin !== undefined;

/** A directory that is made a vault for such objects takes them. */
export const newVaultFor = (encryptor: Encryptor): { newBinding?: 'allow' } =>
  isUnbound(encryptor) ? { newBinding: 'allow' } : {};

/**
 * Nothing is stored that the vault's readers would refuse.
 * @throws SealdropError `usage`
 */
export function assertTakes(
  { store, binding }: { store: ObjectStore; binding: 'required' | 'allow' },
  encryptor: Encryptor,
): void {
  if (binding === 'allow' || !isUnbound(encryptor)) return;
  throw new SealdropError(
    'usage',
    `${printable(store.address(''))} takes only objects that name their keys, and those of ${encryptor.format} name none`,
    {
      hint: 'store them with --format esdk, or let the vault take others: "binding": "allow" in its configuration, and in the file .sealdrop-vault of a directory (docs/formats.md)',
    },
  );
}

/** @throws SealdropError `usage` for what such an object has no authenticated place for */
export function assertCarries(
  encryptor: Encryptor,
  { preserve, emptyDirectories }: { preserve?: boolean; emptyDirectories?: boolean },
): void {
  if (!isUnbound(encryptor)) return;
  const option =
    preserve === true ? '--preserve' : emptyDirectories === true ? '--empty-directories' : undefined;
  if (option === undefined) return;
  throw new SealdropError(
    'usage',
    `${option} is for --format esdk: an ${encryptor.format} object has no place for it`,
    {
      hint: `leave ${option} out, or store with --format esdk`,
    },
  );
}
