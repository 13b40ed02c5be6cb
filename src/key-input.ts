/** How keys are named: by files, or by what is kept elsewhere. A key itself is no name. */
import { SealdropError } from './errors.js';

/** The ARN or alias behind `kms:`, or undefined where it is another kind of input. */
export function kmsKeyNamed(input: string | Uint8Array): string | undefined {
  return typeof input === 'string' && input.startsWith('kms:') ? input.slice('kms:'.length) : undefined;
}

/** Whether it names a file. One that is called like the others is written with `./` before it. */
export const isKeyFile = (input: string): boolean => !/^(kms|secretsmanager|ssm):/.test(input);

const MAX_PATH = 1024;
const MAX_SEGMENT = 255;

/**
 * Whether a value that is to name a file has a key in it: PEM, JSON, base64 or hex of DER, PEM or JSON, or base64 or hex
 * of the 16, 24 or 32 bytes that a secret has; or whether it is too long to be a name. Judged by the value alone, so that
 * it is the same whatever files there are. A path is taken for one where it could be either: base64 that ends in = is no
 * path, other base64 is one where it begins with a slash, or is without digits or letters of both cases. What has a
 * dot in it is never base64: a file that is called like a key is written with ./ before it.
 */
export function holdsKey(value: string): boolean {
  if (Buffer.byteLength(value) > MAX_PATH || /[\r\n]|-----BEGIN|^\s*\{/.test(value)) return true;
  if (value.split('/').some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT)) return true;
  return value.split(/\s/).some((word) => ENCODED_KEYS.some((form) => form.test(word)));
}

const ENCODED_KEYS = [
  // DER, PEM and JSON begin so.
  /^(MI|LS0tLS1CRUdJT|eyJ)[\w+/-]{60,}={0,2}$/,
  /^([\w+/-]{22}==|[\w+/-]{43}=)$/,
  /^(?!\/)(?=.*\d)(?=.*[a-z])(?=.*[A-Z])([\w+/-]{32}|[\w+/-]{43})$/,
  /^([\da-f]{32}|[\da-f]{48}|[\da-f]{64}|30[\da-f]{64,})$/i,
];

/**
 * Nothing of the value is shown.
 * @param named what the value is of: an option, a variable
 * @throws SealdropError `usage` for a key in place of the name of its file
 */
export function assertNoKey(value: string, named: string): void {
  if (holdsKey(value)) throw keyInPlaceOfName(named);
}

export function keyInPlaceOfName(named: string): SealdropError {
  return new SealdropError('usage', `${named} names a file, and holds a key itself`, {
    hint: 'give the path of the file that holds it; a file that is called like a key is written with ./ before it',
  });
}
