/** Reads what a user names as a key, wherever it is kept. What asks AWS is loaded when it is needed. */
import { open } from 'node:fs/promises';
import { SealdropError, systemCode } from './errors.js';
import { assertNoKey } from './key-input.js';
import type { AwsSettings } from './operations.js';
import { printable } from './printable.js';
import { parseKeyLocation, shownLocation, type KeyLocation } from './secrets/key-location.js';
import type { KeptValue } from './kept.js';

/** Far more than a set of keys has; a name may be that of anything. */
const MAX_BYTES = 1024 * 1024;
const TILDE = 'the shell left the ~ as it is: put a space before it in place of =, or write the whole path';

/**
 * The bytes of a key or a key set: a file's path, `secretsmanager:NAME`, or `ssm:NAME`.
 * @param hint what to do where a file is missing
 * @throws SealdropError `usage`, `key_file_not_found`, `invalid_key`, `secret_missing`, `access_denied`, `secrets_unavailable`
 */
export async function readKeySource(text: string, hint?: string, aws: AwsSettings = {}): Promise<Buffer> {
  assertNoKey(text, 'what is given as a key');
  const location = parseKeyLocation(text);
  if (location.kind === 'file') return readKeyFile(location.path, hint);
  const value = await openKept(location, aws);
  try {
    const kept = await value.read();
    if (kept !== undefined) return kept.bytes.reveal();
    throw new SealdropError('secret_missing', `${shownLocation(location)} does not exist, or has no value`, {
      hint: 'check its name, --region and --profile; a file of that name is written with ./ before it',
    });
  } finally {
    value.close();
  }
}

/** @throws SealdropError `usage` where no region is set */
export async function openKept(
  location: KeyLocation & { kind: 'secret' | 'parameter' },
  aws: AwsSettings = {},
): Promise<KeptValue> {
  const { assertRegion, clientSettings } = await import('./aws/clients.js');
  const region = regionOf(location.name) ?? aws.region;
  const settings = clientSettings({ ...aws, ...(region !== undefined && { region }) });
  if (location.kind === 'parameter') {
    const { SSMClient } = await import('@aws-sdk/client-ssm');
    const { keptParameter } = await import('./secrets/kept-parameter.js');
    const client = new SSMClient(settings);
    await assertRegion(client.config.region);
    return keptParameter(client, location.name);
  }
  const { SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const { keptSecret } = await import('./secrets/kept-secret.js');
  const client = new SecretsManagerClient(settings);
  await assertRegion(client.config.region);
  return keptSecret(client, location.name);
}

/** An ARN says where it is. */
const regionOf = (name: string): string | undefined => /^arn:[^:]*:[^:]*:([^:]+):/.exec(name)?.[1];

/** @throws SealdropError `usage`, `key_file_not_found`, `invalid_key` */
export async function readKeyFile(path: string, hint?: string): Promise<Buffer> {
  assertNoKey(path, 'what is given as a key');
  try {
    const handle = await open(path, 'r');
    try {
      const pieces: Buffer[] = [];
      let size = 0;
      // By what comes: pipes, and files of /proc, have no size that is told.
      for await (const piece of handle.createReadStream({ autoClose: false, end: MAX_BYTES })) {
        pieces.push(piece as Buffer);
        size += (piece as Buffer).length;
      }
      if (size <= MAX_BYTES) return Buffer.concat(pieces);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw unreadable(path, cause, hint);
  }
  throw new SealdropError('invalid_key', `${printable(path)} is larger than a key set can be`, {
    hint: 'name the file of the key, not of the data',
  });
}

function unreadable(path: string, cause: unknown, hint: string | undefined): SealdropError {
  const code = systemCode(cause);
  const shown = printable(path);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const advice = path.startsWith('~/') ? TILDE : hint;
    return new SealdropError('key_file_not_found', `there is no key file ${shown}`, {
      cause,
      ...(advice !== undefined && { hint: advice }),
    });
  }
  return new SealdropError('invalid_key', `cannot read the key file ${shown}: ${code ?? 'unknown error'}`, {
    cause,
  });
}
