/** What the commands share that look after a key set. */
import { Option, type Command } from 'commander';
import { SealdropError } from '../errors.js';
import type { AskPassphrase, KeyDescription, KeySet } from '../key-sets.js';
import { printable, shellQuoted } from '../printable.js';
import { awsSettings } from './aws.js';
import { openOutput, type Environment } from './command.js';
import * as shared from './options.js';
import type { Output } from './output.js';
import { askNewPassphrase, onceFor, sourceOf, type PassphraseOptions } from './passphrase.js';
import { assertOutsideVaults } from './targets.js';

export interface SetOptions extends shared.OutputOptions, PassphraseOptions {
  keySet?: string;
  region?: string;
  profile?: string;
  caBundle?: string;
}

/** @param purpose of the passphrase, where one may be needed */
export function setOptions(command: Command, purpose?: string): Command {
  command.addOption(
    new Option('--key-set <set>', 'a file, secretsmanager:NAME or ssm:NAME').env('SEALDROP_KEY_SET'),
  );
  if (purpose !== undefined) shared.passphraseOptions(command, purpose);
  command
    .addOption(new Option('--region <name>', 'region of AWS that a secret is in'))
    .addOption(new Option('--profile <name>', 'profile of the AWS configuration files'))
    .addOption(new Option('--ca-bundle <file>', 'certificate authorities to trust, PEM'));
  return shared.outputOptions(shared.configOption(command));
}

export interface OpenedSet {
  readonly set: KeySet;
  readonly output: Output;
}

/** @param use `change` looks at whether private halves may lie where the set is */
export async function withKeySet(
  environment: Environment,
  options: SetOptions,
  use: 'read' | 'change',
  act: (opened: OpenedSet) => Promise<void>,
): Promise<void> {
  const output = openOutput(environment, options);
  const source = options.keySet;
  if (!source)
    throw new SealdropError('key_required', 'no key set is named', {
      hint: 'name it: --key-set FILE or --key-set secretsmanager:NAME (or SEALDROP_KEY_SET)',
    });
  if (source.startsWith('kms:'))
    throw new SealdropError('usage', `${printable(source)} is a key of AWS KMS, and no key set`, {
      hint: 'a key of KMS is put into a set: sealdrop keys import kms:ARN --key-set FILE',
    });
  const { parts } = environment;
  const set = await parts.openKeySet(source, { ...awsSettings(options), passphrase: onceFor(options) });
  try {
    if (use === 'change' && set.kind === 'file') await assertOutsideVaults(source, parts);
    if (set.exposed)
      output.warn(
        `others on this machine may read ${set.shown}, which has private keys in it`,
        `keep it to yourself: chmod 600 ${shellQuoted(source)}`,
      );
    await act({ set, output });
  } finally {
    set.close();
  }
}

export const newPassphrase = (options: SetOptions): AskPassphrase => {
  return () => askNewPassphrase(sourceOf(options));
};

/** @throws SealdropError `key_file_not_found`, `secret_missing` where there is no such set to read */
export function assertThere({ exists, kind, shown }: KeySet): void {
  if (exists) return;
  const hint = 'make one with its first key: sealdrop keys add, or sealdrop keys import';
  if (kind === 'file')
    throw new SealdropError('key_file_not_found', `there is no key set ${shown}`, { hint });
  throw new SealdropError('secret_missing', `${shown} does not exist, or has no value`, {
    hint: `check its name, --region and --profile; ${hint}`,
  });
}

export const nameOf = ({ namespace, name }: KeyDescription): string => printable(`${namespace}/${name}`);

const KINDS = { rsa: 'RSA', aes: 'AES', kms: 'KMS' };

export const kindOf = ({ kind, bits }: KeyDescription): string =>
  bits === undefined ? KINDS[kind] : `${KINDS[kind]} ${bits}`;

export const stateOf = ({ state, always }: KeyDescription): string => (always ? 'always' : state);

const HELD = { public: 'public half', private: 'both halves', secret: 'secret', nothing: 'name' };

export const heldOf = ({ holds, locked }: KeyDescription): string =>
  locked ? `${HELD[holds]}, locked` : HELD[holds];

/** As `--json` prints a key. */
export function documentOf(key: KeyDescription): object {
  const { namespace, name, kind, bits, state, always, holds, locked, created, fingerprint } = key;
  return { namespace, name, kind, bits, state, always, holds, locked, created, fingerprint };
}

export function keyNameOptions(command: Command): Command {
  return command
    .addOption(new Option('--key-name <name>', 'name that messages have for the key'))
    .addOption(new Option('--key-namespace <name>', 'its namespace (default: MyAppKeys)'))
    .hook('preAction', (own) => {
      // What a configuration says is what bare keys are called, and not what a new one shall be.
      for (const option of ['keyName', 'keyNamespace'])
        if (own.getOptionValueSource(option) === 'config') own.setOptionValue(option, undefined);
    });
}

export interface KeyNameOptions {
  keyName?: string;
  keyNamespace?: string;
}

export const namesOf = ({ keyName, keyNamespace }: KeyNameOptions) => ({
  ...(keyName !== undefined && { name: keyName }),
  ...(keyNamespace !== undefined && { namespace: keyNamespace }),
});
