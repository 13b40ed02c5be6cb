import { randomBytes } from 'node:crypto';
import { lstat, mkdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { SealdropError } from '../../errors.js';
import type { KeyPair } from '../../config/settings.js';
import { printable } from '../../printable.js';
import { writeNewFile } from '../../transfer/target.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import type { Output } from '../output.js';
import { askNewPassphrase, sourceOf, type PassphraseOptions } from '../passphrase.js';
import { keyEnv, md5Of } from '../sse-options.js';
import { newSyncKey } from '../sync-key.js';
import { assertOutsideVaults } from '../targets.js';

interface KeygenOptions extends shared.OutputOptions, PassphraseOptions {
  passphrase?: boolean;
  sseC?: string | true;
  syncKey?: string;
}

const EXAMPLES = `
Examples:
  sealdrop keygen
  sealdrop keygen ~/keys --passphrase
  sealdrop keygen --sse-c lab.env

Makes private_key.pem (PKCS#8, readable by you alone) and public_key.pem: RSA of 4,096 bits. The public key encrypts
and may go anywhere. The private key opens everything: keep it, and a copy, where nothing is encrypted.

With --sse-c: one file with a key for the store's own encryption (put --sse-env FILE), which the store does not keep.`;

export function keygenCommand(environment: Environment): Command {
  const command = new Command('keygen')
    .description('make a key pair, or a key for SSE-C')
    .argument('[directory]', 'where the two files go; made if missing', '.')
    .addOption(new Option('--passphrase', 'lock the private key; the passphrase is asked for'))
    .addOption(
      new Option('--passphrase-file <file>', 'lock the private key with the first line of this file'),
    )
    .addOption(shared.passphraseFd())
    .addOption(
      new Option('--sse-c [file]', 'make a key for SSE-C in place of a pair (default: .env)').conflicts([
        'passphrase',
        'passphraseFile',
        'passphraseFd',
      ]),
    )
    .addOption(
      new Option('--sync-key <file>', 'make a key for sync --checksum in place of a pair').conflicts([
        'passphrase',
        'passphraseFile',
        'passphraseFd',
        'sseC',
      ]),
    );
  return shared
    .outputOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, options: KeygenOptions) => {
      const output = openOutput(environment, options);
      if (options.sseC !== undefined) {
        const file = options.sseC === true ? join(directory, '.env') : options.sseC;
        return makeCustomerKey(file, environment, output);
      }
      if (options.syncKey !== undefined) return makeSyncKey(options.syncKey, environment, output);
      await assertOutsideVaults(directory, environment.parts);
      const source = sourceOf(options);
      const locked = options.passphrase === true || source !== undefined;
      const passphrase = locked ? await askNewPassphrase(source) : undefined;
      const files = {
        privateKey: join(directory, 'private_key.pem'),
        publicKey: join(directory, 'public_key.pem'),
      };
      await makeDirectory(directory);
      const fingerprint = await writeKeyPair(files, () =>
        orInterrupted(environment.parts.generateKeyPair(passphrase), environment.signal),
      );
      output.result(
        { ...files, fingerprint, locked },
        `${printable(files.privateKey)}  opens everything: keep it, and a copy, where nothing is encrypted\n` +
          `${printable(files.publicKey)}   encrypts, and may go anywhere\n` +
          `fingerprint ${fingerprint}`,
      );
    });
}

async function makeCustomerKey(file: string, { parts }: Environment, output: Output): Promise<void> {
  await assertOutsideVaults(file, parts);
  await makeDirectory(dirname(file));
  await assertAbsent(file, 'file');
  const key = randomBytes(32);
  const md5 = md5Of(key);
  await writeNewFile(file, Buffer.from(keyEnv(key)), 0o600);
  output.result(
    { file, md5 },
    `${printable(file)}  reads what is stored under it, and the store keeps no copy: keep it, and a copy of your own`,
  );
}

async function makeSyncKey(file: string, { parts }: Environment, output: Output): Promise<void> {
  await assertOutsideVaults(file, parts);
  await makeDirectory(dirname(file));
  await assertAbsent(file, 'file');
  await writeNewFile(file, Buffer.from(newSyncKey()), 0o600);
  output.result(
    { file },
    `${printable(file)}  compares contents: every machine that syncs the tree needs it, and it opens nothing`,
  );
}

/** Keys are for their owner: a directory made for them is, too. */
export async function makeDirectory(path: string, mode = 0o700): Promise<void> {
  await mkdir(path, { recursive: true, mode }).catch((cause: unknown) => {
    throw new SealdropError('target_unwritable', `cannot make the directory ${printable(path)}`, {
      cause,
      hint: 'a file is in its way, or you may not write there: name another directory',
    });
  });
}

/** Making a key takes a second or more, and knows no signals. */
async function orInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/**
 * Makes both files, each whole or not at all, and never replaces one. The private key comes first: a public key without
 * it would encrypt what nobody can open.
 * @returns the fingerprint
 */
export async function writeKeyPair(
  files: { privateKey: string; publicKey: string },
  make: () => Promise<KeyPair>,
): Promise<string> {
  for (const path of [files.privateKey, files.publicKey]) await assertAbsent(path);
  const pair = await make();
  await writeNewFile(files.privateKey, Buffer.from(pair.privateKey.reveal()), 0o600);
  try {
    await writeNewFile(files.publicKey, Buffer.from(pair.publicKey), 0o644);
  } catch (error) {
    await unlink(files.privateKey).catch(() => undefined);
    throw error;
  }
  return pair.fingerprint;
}

async function assertAbsent(path: string, other: 'file' | 'directory' = 'directory'): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  throw new SealdropError('target_exists', `${printable(path)} is there already`, {
    hint: `a key that is gone opens nothing any more, so none is replaced: name another ${other}`,
  });
}
