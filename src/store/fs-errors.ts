import { isSealdropError, SealdropError, systemCode, type ErrorCode } from '../errors.js';
import { printable } from '../printable.js';

interface Meaning {
  code: ErrorCode;
  text: string;
  hint?: string;
  retryable?: boolean;
}

const FULL: Meaning = {
  code: 'disk_full',
  text: 'there is no room left',
  hint: 'make room on the disk, or raise the quota',
};
const DENIED: Meaning = { code: 'access_denied', text: 'the file system refuses access' };
const BLOCKED: Meaning = {
  code: 'key_not_storable',
  text: 'a file stands where a directory is needed, or the reverse',
  hint: 'a directory can hold "a" or "a/b", not both: choose a different key',
};
const BUSY: Meaning = {
  code: 'store_unavailable',
  text: 'the system is short of resources',
  retryable: true,
};

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: {
    ...FULL,
    hint: 'the file is larger than the file system or the limit of this process (ulimit -f) allows',
  },
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: { ...DENIED, text: 'the file system is read-only' },
  ENOTDIR: BLOCKED,
  EISDIR: BLOCKED,
  ENOENT: { code: 'object_not_found', text: 'there is no such object' },
  ELOOP: { code: 'object_not_found', text: 'it is a symbolic link, which is never followed' },
  ENAMETOOLONG: { code: 'key_not_storable', text: 'the path is too long for this file system' },
  EMFILE: BUSY,
  ENFILE: BUSY,
  EAGAIN: BUSY,
};

/** What a failed file operation on an object means. Errors of ours pass unchanged. */
export function fsError(error: unknown, address: string): unknown {
  if (isSealdropError(error)) return error;
  const code = systemCode(error);
  if (code === undefined) return error;
  const { text, ...meaning } = MEANINGS[code] ?? { code: 'store_refused', text: 'the file system refuses' };
  const { code: ours, ...details } = meaning;
  return new SealdropError(ours, `${printable(address)}: ${text} (${code})`, { ...details, cause: error });
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}
