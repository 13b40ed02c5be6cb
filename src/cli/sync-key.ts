/** The key that syncs compare content by: 32 random bytes as base64, in a file that nobody else reads. */
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { Secret } from '../secret.js';
import { SYNC_KEY_BYTES } from '../transfer/sync/content-mac.js';

export const newSyncKey = (): string => `${randomBytes(SYNC_KEY_BYTES).toString('base64')}\n`;

/** @throws SealdropError `key_file_not_found`, `invalid_key`, `key_exposed` */
export async function readSyncKey(path: string): Promise<Secret<Buffer>> {
  const shown = printable(path);
  const [stats, text] = await Promise.all([stat(path), readFile(path, 'latin1')]).catch((cause: unknown) => {
    throw new SealdropError(
      'key_file_not_found',
      `cannot read the sync key ${shown}: ${systemCode(cause) ?? 'unknown error'}`,
      { cause, hint: 'make one, for all machines that sync this tree: sealdrop keygen --sync-key FILE' },
    );
  });
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== SYNC_KEY_BYTES || key.toString('base64') !== text.trim())
    throw new SealdropError('invalid_key', `${shown} is no sync key`, {
      hint: 'it holds 32 bytes as base64: sealdrop keygen --sync-key FILE makes one',
    });
  if ((stats.mode & 0o077) !== 0)
    throw new SealdropError('key_exposed', `others on this machine may read ${shown}`, {
      hint: `keep it to yourself: chmod 600 ${shown}`,
    });
  return new Secret(key);
}
