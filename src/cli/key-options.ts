/** Options for key sets, and for keys that AWS keeps. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { KeyAccess } from '../config/settings.js';
import { askTokenCode } from './ask.js';

export interface KeyOptions {
  keySet?: string;
  keyProfile?: string;
  kmsGrantToken?: string[];
}

export function keyOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--key-set <file>', 'key set to encrypt to and to open with').env('SEALDROP_KEY_SET'),
    )
    .addOption(
      new Option('--key-profile <name>', 'profile for keys that AWS keeps (default: --profile)').env(
        'SEALDROP_KEY_PROFILE',
      ),
    )
    .addOption(
      new Option('--kms-grant-token <token>', 'of a grant that is new; may be repeated')
        .argParser(collect)
        .default([], 'none'),
    );
}

export function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

export function collectAccount(value: string, previous: string[]): string[] {
  if (!/^\d{12}$/.test(value)) throw new InvalidArgumentError('It must be an account, 12 digits.');
  return [...previous, value];
}

/** `--region` is the vault's, which may be elsewhere than AWS: a key's ARN names its own. */
export function keyAccessOf({ keyProfile, kmsGrantToken = [], ...rest }: KeyOptions): KeyAccess {
  const { profile, caBundle } = rest as { profile?: string; caBundle?: string };
  const named = keyProfile ?? profile;
  return {
    ...(named !== undefined && { profile: named }),
    ...(caBundle !== undefined && { caBundle }),
    grantTokens: kmsGrantToken,
    mfaCode: askTokenCode,
  };
}
