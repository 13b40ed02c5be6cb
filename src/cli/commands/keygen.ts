import { open, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { SealdropError, systemCode } from '../../errors.js';
import type { KeyPair } from '../../config/settings.js';
import { printable } from '../../printable.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import { askNewPassphrase } from '../passphrase.js';
import { assertOutsideVaults } from '../targets.js';

interface KeygenOptions extends shared.OutputOptions {
  passphrase?: boolean;
  passphraseFile?: string;
}

const EXAMPLES = `
Examples:
  sealdrop keygen
  sealdrop keygen ~/keys --passphrase

Makes private_key.pem (PKCS#8, readable by you alone) and public_key.pem: RSA of 4,096 bits. The public key encrypts
and may go anywhere. The private key opens everything: keep it, and a copy, where nothing is encrypted.`;

export function keygenCommand(environment: Environment): Command {
  const command = new Command('keygen')
    .description('make a key pair')
    .argument('[directory]', 'where the two files go', '.')
    .addOption(new Option('--passphrase', 'lock the private key; the passphrase is asked for'))
    .addOption(
      new Option('--passphrase-file <file>', 'lock the private key with the first line of this file'),
    );
  return shared
    .outputOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, options: KeygenOptions) => {
      const output = openOutput(environment, options);
      await assertOutsideVaults(directory, environment.parts);
      const locked = options.passphrase === true || options.passphraseFile !== undefined;
      const passphrase = locked ? await askNewPassphrase(options.passphraseFile) : undefined;
      const files = {
        privateKey: join(directory, 'private_key.pem'),
        publicKey: join(directory, 'public_key.pem'),
      };
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

/** Making a key takes a second or more, and knows no signals. */
async function orInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Makes both files or none, and never replaces one. @returns the fingerprint */
export async function writeKeyPair(
  files: { privateKey: string; publicKey: string },
  make: () => Promise<KeyPair>,
): Promise<string> {
  const privateFile = await create(files.privateKey, 0o600);
  try {
    const publicFile = await create(files.publicKey, 0o644);
    try {
      const pair = await make();
      await finish(privateFile, pair.privateKey.reveal());
      await finish(publicFile, pair.publicKey);
      return pair.fingerprint;
    } catch (error) {
      await publicFile.close().catch(() => undefined);
      await unlink(files.publicKey);
      throw error;
    }
  } catch (error) {
    await privateFile.close().catch(() => undefined);
    await unlink(files.privateKey);
    throw error;
  }
}

async function create(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, 'wx', mode);
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST')
      throw new SealdropError('target_exists', `${printable(path)} is there already`, {
        hint: 'a key that is gone opens nothing any more, so none is replaced: name another directory',
      });
    if (systemCode(cause) === 'ENOENT')
      throw new SealdropError('target_unwritable', `the directory ${printable(dirname(path))} is not there`, {
        cause,
        hint: `make it first: mkdir -p ${printable(dirname(path))}`,
      });
    throw new SealdropError(
      'target_unwritable',
      `cannot write ${printable(path)}: ${systemCode(cause) ?? 'error'}`,
      {
        cause,
      },
    );
  }
}

async function finish(file: FileHandle, text: string): Promise<void> {
  await file.writeFile(text);
  await file.sync();
  await file.close();
}
