/** Secrets of whoever runs the local API, in files that others cannot read. */
import { open } from 'node:fs/promises';
import { SealdropError, systemCode } from '../errors.js';
import { digestOf, readTokens, type Tokens } from '../gateway/http/tokens.js';
import { printable } from '../printable.js';

const OTHERS = 0o007;
const MAX_BYTES = 1024 * 1024;

/** @throws SealdropError `usage`, `key_file_not_found`, `key_exposed` */
export async function loadTokens(path: string): Promise<Tokens> {
  return readTokens(await readPrivateFile(path), path);
}

/** SHA-256 of the one token of a webhook. @throws as `loadTokens` */
export async function loadWebhookToken(path: string): Promise<Buffer> {
  const token = (await readPrivateFile(path)).trim();
  if (/^[!-~]{22,}$/.test(token)) return digestOf(token);
  throw new SealdropError('usage', `${printable(path)} must hold one token of at least 22 characters`, {
    hint: 'make one: (umask 077; openssl rand -base64 32 > FILE)',
  });
}

async function readPrivateFile(path: string): Promise<string> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new SealdropError('key_file_not_found', `there is no token file ${printable(path)}`, {
        cause,
        hint: 'make it: (umask 077; echo "lab/ $(openssl rand -base64 32)" > FILE)',
      });
    throw new SealdropError('usage', `cannot read the token file ${printable(path)}: ${code ?? 'error'}`, {
      cause,
    });
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > MAX_BYTES)
      throw new SealdropError('usage', `the token file ${printable(path)} is no file of tokens`);
    if ((stats.mode & OTHERS) !== 0)
      throw new SealdropError('key_exposed', `everybody on this machine may read ${printable(path)}`, {
        hint: `keep it to yourself: chmod 600 ${printable(path)}; and make new tokens`,
      });
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
