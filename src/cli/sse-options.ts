/** Options for the encryption that a store does itself. SSE-C keys come from files, never from arguments. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { KeyAccess, Parts } from '../config/settings.js';
import { SealdropError, systemCode } from '../errors.js';
import { isKeyFile } from '../key-input.js';
import type { FormatName, ServerSideEncryption } from '../ports.js';
import { printable } from '../printable.js';
import { Secret } from '../secret.js';

export type SseChoice = Exclude<ServerSideEncryption, { kind: 'c' }> | { readonly kind: 'c' };

export interface SseOptions {
  sse?: SseChoice;
  sseKeyFile?: string;
  sseEnv?: string;
  /** Content of what `sseKeyFile` names, where that is no file. */
  sseKey?: Secret<Buffer> | undefined;
}

/** The names of the reference's programs: Qiita, "S3のオブジェクトをSSE-Cで暗号化/復号化してみる". */
const KEY_NAME = 'SSE_CUSTOMER_KEY_BASE64';
const MD5_NAME = 'SSE_CUSTOMER_KEY_MD5';

const KEY_BYTES = 32;
const MAX_FILE = 64 * 1024;

export function sseOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--sse <kind>',
        "encryption by the store besides ours: AES256, aws:kms[:KEY], c (your key), bucket (the bucket's default, or fail), none",
      )
        .env('SEALDROP_SSE')
        .argParser(parseSse),
    )
    .addOption(
      new Option(
        '--sse-key-file <file>',
        'key for --sse c: 32 bytes, or base64 of them, in a file or in secretsmanager:NAME',
      ).env('SEALDROP_SSE_KEY_FILE'),
    )
    .addOption(
      new Option(
        '--sse-env <file>',
        `key for --sse c: an .env file with ${KEY_NAME}, as keygen --sse-c makes it`,
      ).env('SEALDROP_SSE_ENV'),
    );
}

export interface PlainOptions extends SseOptions {
  format?: FormatName;
  context?: Readonly<Record<string, string>>;
}

/** Whoever leaves our encryption out says by name what shall be in its place. @throws SealdropError `usage` */
export function assertPlain({ format, sse, sseKeyFile, sseEnv, context = {} }: PlainOptions): void {
  if (format !== 'plain') return;
  if (Object.keys(context).length > 0)
    throw new SealdropError('usage', 'a plain object has no message that could carry a --context');
  if ((sse ?? sseKeyFile ?? sseEnv) !== undefined) return;
  throw new SealdropError(
    'usage',
    '--format plain leaves the encryption to the store, and no --sse says which',
    {
      hint: 'name it: --sse AES256, aws:kms, c or bucket; with --sse none the store gets and keeps plaintext',
    },
  );
}

export function parseSse(value: string): SseChoice {
  if (value === 'AES256' || value === 'c' || value === 'bucket' || value === 'none') return { kind: value };
  const kms = /^aws:kms(?::(.+))?$/.exec(value);
  if (kms === null)
    throw new InvalidArgumentError('It must be one of AES256, aws:kms, aws:kms:KEY, c, bucket, none.');
  return { kind: 'aws:kms', keyId: kms[1] };
}

/**
 * @returns the encryption, and the profile that an .env file names
 * @throws SealdropError `usage`, `key_file_not_found`, `invalid_key`
 */
export function sseSettings({ sse, sseKeyFile, sseEnv, sseKey }: SseOptions): {
  sse?: ServerSideEncryption;
  profile?: string;
} {
  const file = sseKeyFile ?? sseEnv;
  if (file !== undefined && sse !== undefined && sse.kind !== 'c')
    throw new SealdropError('usage', `a key of your own is for --sse c, and not for --sse ${sse.kind}`);
  if (sseKeyFile !== undefined && sseEnv !== undefined)
    throw new SealdropError('usage', 'the key is named twice: give --sse-key-file or --sse-env');
  if (file === undefined) {
    if (sse?.kind !== 'c') return sse === undefined ? {} : { sse };
    throw new SealdropError('key_required', '--sse c needs your key', {
      hint: 'name it: --sse-key-file FILE or --sse-env FILE; make one with sealdrop keygen --sse-c',
    });
  }
  if (sseKeyFile !== undefined) return { sse: customerKey(keyIn(sseKey?.reveal() ?? readSmall(file), file)) };
  const { key, profile } = readKeyEnv(file);
  return { sse: customerKey(key), ...(profile && { profile }) };
}

/**
 * What lies in no file is read before the command begins. Undefined for a file.
 * @throws SealdropError `usage`, and what reading it fails with
 */
export async function readSseSecret(
  keyFile: string,
  { readSecret }: Pick<Parts, 'readSecret'>,
  access: KeyAccess,
): Promise<Secret<Buffer> | undefined> {
  if (isKeyFile(keyFile)) return undefined;
  if (keyFile.startsWith('secretsmanager:')) return readSecret(keyFile, access);
  throw new SealdropError(
    'usage',
    `${printable(keyFile)} holds no key for --sse c: name a file or secretsmanager:NAME`,
  );
}

const customerKey = (key: Buffer): ServerSideEncryption => ({ kind: 'c', key: new Secret(key) });

export const md5Of = (key: Buffer): string => createHash('md5').update(key).digest('base64');

/** As the reference's programs and shell scripts read it: what is empty is theirs, for their users to fill in. */
export const keyEnv = (key: Buffer): string =>
  [
    "BUCKET_NAME=''",
    "KEY=''",
    `${KEY_NAME}='${key.toString('base64')}'`,
    `${MD5_NAME}='${md5Of(key)}'`,
    "PROFILE=''",
    '',
  ].join('\n');

function readKeyEnv(path: string): { key: Buffer; profile: string | undefined } {
  const { [KEY_NAME]: base64, [MD5_NAME]: md5, PROFILE: profile } = parseEnv(readSmall(path).toString());
  if (!base64) throw invalidKey(`${printable(path)} has no ${KEY_NAME}`);
  const key = decoded(base64);
  if (key === undefined)
    throw invalidKey(`${KEY_NAME} in ${printable(path)} is not base64 of ${KEY_BYTES} bytes`);
  if (md5 && !isSame(Buffer.from(md5), Buffer.from(md5Of(key))))
    throw invalidKey(`${printable(path)}: ${MD5_NAME} is not the MD5 of the key`);
  return { key, profile };
}

const isSame = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

/** The key itself, or base64 of it with white space around. */
function keyIn(bytes: Buffer, path: string): Buffer {
  const key = bytes.length === KEY_BYTES ? bytes : decoded(bytes.toString('latin1').trim());
  if (key === undefined)
    throw invalidKey(`${printable(path)} is not a key: ${KEY_BYTES} bytes, or base64 of them`);
  return key;
}

function decoded(base64: string): Buffer | undefined {
  const key = /^[\w+/-]{43}=?$/.test(base64) ? Buffer.from(base64, 'base64') : undefined;
  return key?.length === KEY_BYTES ? key : undefined;
}

function invalidKey(message: string): SealdropError {
  return new SealdropError('invalid_key', message, { hint: 'make one with: sealdrop keygen --sse-c FILE' });
}

function readSmall(path: string): Buffer {
  try {
    if (statSync(path).size > MAX_FILE) throw invalidKey(`${printable(path)} is too large for a key`);
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof SealdropError) throw cause;
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new SealdropError('key_file_not_found', `there is no key file ${printable(path)}`, {
        cause,
        hint: 'make a key for SSE-C with: sealdrop keygen --sse-c FILE',
      });
    throw invalidKey(`cannot read the key file ${printable(path)}: ${code ?? 'unknown error'}`);
  }
}
