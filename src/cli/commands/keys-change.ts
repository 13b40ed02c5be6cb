import { Command, InvalidArgumentError, Option } from 'commander';
import { SealdropError } from '../../errors.js';
import type { Imported, KeyDescription, KeySet } from '../../key-sets.js';
import { printable } from '../../printable.js';
import type { Environment } from '../command.js';
import { confirm } from '../confirm.js';
import {
  assertThere,
  documentOf,
  keyNameOptions,
  kindOf,
  nameOf,
  namesOf,
  newPassphrase,
  setOptions,
  stateOf,
  withKeySet,
  type KeyNameOptions,
  type SetOptions,
} from '../key-set-command.js';
import type { Output } from '../output.js';
import { sourceOf } from '../passphrase.js';

interface AddOptions extends SetOptions, KeyNameOptions {
  aes?: 128 | 192 | 256;
  always?: boolean;
  passphrase?: boolean;
}

const ADD_EXAMPLES = `
Examples:
  sealdrop keys add --key-set keys.json
  sealdrop keys add --key-set keys.json --key-name recovery --always --passphrase
  sealdrop keys add --key-set keys.json --aes 256

Makes an RSA key of 4,096 bits, active at once, in a set that is made where it is missing. A key for a passphrase is
locked by the one of the set's other keys: a set has one. With --always it is encrypted to whenever this set is in use.`;

export function addCommand(environment: Environment): Command {
  const command = new Command('add')
    .description('make a new key in a set')
    .addOption(
      new Option('--aes <bits>', 'a raw AES key of 128, 192 or 256 bits in place of RSA').argParser(aesBits),
    )
    .addOption(new Option('--always', 'encrypt to it also where recipients are named one by one'))
    .addOption(new Option('--passphrase', 'lock the private half; the passphrase is asked for'))
    .addOption(new Option('--no-passphrase', "don't lock it, though other keys of the set are"));
  return setOptions(keyNameOptions(command), 'to lock it with')
    .addHelpText('after', ADD_EXAMPLES)
    .action((options: AddOptions) =>
      withKeySet(environment, options, 'change', async ({ set, output }) => {
        const { aes, always } = options;
        const isNew = !set.exists;
        if (aes !== undefined && (options.passphrase === true || options.passphraseFd !== undefined))
          throw new SealdropError('usage', 'an AES key cannot be locked by a passphrase', {
            hint: 'keep the set where nobody else reads it',
          });
        const wanted = options.passphrase === true || sourceOf(options) !== undefined;
        const lock = options.passphrase === false ? false : wanted ? newPassphrase(options) : undefined;
        const key = await set.add({
          ...namesOf(options),
          ...(aes !== undefined && { aes }),
          ...(always === true && { always }),
          ...(lock !== undefined && { lock }),
        });
        output.result(
          { keySet: set.shown, created: isNew, key: documentOf(key) },
          [
            ...(isNew ? [madeSet(set)] : []),
            `made ${nameOf(key)} (${kindOf(key)}${key.locked ? ', locked' : ''}) in ${set.shown}`,
            `fingerprint ${key.fingerprint}`,
          ].join('\n'),
        );
        if (aes !== undefined)
          output.warn(
            'whoever encrypts with an AES key can decrypt',
            'gateways take no such key; machines that must not decrypt are given RSA keys',
          );
      }),
    );
}

const madeSet = ({ shown, kind }: KeySet): string => {
  const care =
    kind === 'file' ? 'keep it, and a copy, where nothing is encrypted' : 'whoever may read it can do so';
  return `made a new key set: ${shown}\nit opens everything that is encrypted to it: ${care}`;
};

function aesBits(value: string): 128 | 192 | 256 {
  const bits = Number(value);
  if (bits === 128 || bits === 192 || bits === 256) return bits;
  throw new InvalidArgumentError('It must be 128, 192 or 256.');
}

interface ImportOptions extends SetOptions, KeyNameOptions {
  aes?: boolean;
  always?: boolean;
  retired?: boolean;
  unlock?: boolean;
}

const IMPORT_EXAMPLES = `
Examples:
  sealdrop keys import private_key.pem --key-set keys.json
  sealdrop keys import colleague.jwk --key-name colleague --key-set keys.json
  sealdrop keys import kms:arn:aws:kms:us-east-1:111122223333:key/ID --key-set keys.json
  sealdrop keys import secretsmanager:sealdrop/prod/private-keys --key-set keys.json

Reads PEM and DER (PKCS#1, PKCS#8, locked too, SPKI, certificates), JWK and JWK sets, and key sets. A private half is
tried before it is taken; what is locked stays locked by its passphrase. A bare key is named MyAppKeys/S3RSAKey where
that is free, as in the ABCI guide. Objects name the key that opens them: give an old key the name that they have.`;

export function importCommand(environment: Environment): Command {
  const command = new Command('import')
    .description('put existing keys into a set')
    .argument('<sources...>', 'files, secretsmanager:NAME, ssm:NAME or kms:ARN')
    .addOption(new Option('--aes', 'the file is a raw AES key: 16, 24 or 32 bytes'))
    .addOption(new Option('--always', 'encrypt to it also where recipients are named one by one'))
    .addOption(new Option('--retired', 'only open with it').conflicts('always'))
    .addOption(new Option('--unlock', 'keep private halves without their passphrase'));
  return setOptions(keyNameOptions(command), 'of the private keys')
    .addHelpText('after', IMPORT_EXAMPLES)
    .action((sources: string[], options: ImportOptions) =>
      withKeySet(environment, options, 'change', async ({ set, output }) => {
        const { aes, always, retired, unlock } = options;
        if (sources.length > 1 && options.keyName !== undefined)
          throw new SealdropError('usage', '--key-name is for one key, and there are several files');
        for (const source of sources) {
          const isNew = !set.exists;
          const imported = await set.import(source, {
            ...namesOf(options),
            ...(aes === true && { aes }),
            ...(always === true && { always }),
            ...(retired === true && { retired }),
            ...(unlock === true && { unlock }),
          });
          if (isNew && !output.json) output.note(`made a new key set: ${set.shown}`);
          for (const each of imported) sayImported(each, source, output);
        }
      }),
    );
}

function sayImported({ key, outcome }: Imported, source: string, output: Output): void {
  const what = {
    imported: 'imported',
    completed: 'added the private half of',
    changed: 'changed the state of',
    present: 'has already',
  };
  const text = `${what[outcome]} ${nameOf(key)} (${kindOf(key)}, ${stateOf(key)}${key.locked ? ', locked' : ''})`;
  output.result(
    { source, outcome, key: documentOf(key) },
    outcome === 'present' ? `the set ${text}: ${printable(source)}` : `${printable(source)}: ${text}`,
  );
}

interface RetireOptions extends SetOptions {
  undo?: boolean;
}

const RETIRE_EXAMPLES = `
Examples:
  sealdrop keys retire S3RSAKey --key-set keys.json
  sealdrop keys retire S3RSAKey --undo --key-set keys.json

A retired key still opens what was encrypted to it, and nothing new is. The last active key cannot be retired: make the
next one first, or use rotate, which does both. A key of --always is always encrypted to no more, also after --undo.
Publish the set afterwards, so that encryptors know.`;

export function retireCommand(environment: Environment): Command {
  const command = new Command('retire')
    .description('encrypt to keys no more, and keep them for opening')
    .argument('<keys...>', 'name, namespace/name, or the beginning of a fingerprint')
    .addOption(new Option('--undo', 'encrypt to them again'));
  return setOptions(command)
    .addHelpText('after', RETIRE_EXAMPLES)
    .action((selectors: string[], options: RetireOptions) =>
      withKeySet(environment, options, 'change', async ({ set, output }) => {
        const undo = options.undo === true;
        assertThere(set);
        const had = undo
          ? []
          : selectors.map((selector) => set.find(selector)).filter(({ always }) => always);
        const keys = undo ? await set.activate(selectors) : await set.retire(selectors);
        for (const key of keys)
          output.result(documentOf(key), `${undo ? 'active again' : 'retired'}: ${nameOf(key)}`);
        for (const name of new Set(had.map(nameOf)))
          output.warn(
            `${name} was always encrypted to, and is no more, also after --undo`,
            'to make it so again: sealdrop keys import its public half with --always',
          );
        const active = set.keys.filter(({ state }) => state === 'active');
        if (!undo && active.every(({ always }) => always))
          output.warn(
            `${active.map(nameOf).join(', ')} alone ${active.length === 1 ? 'opens' : 'open'} what is encrypted from now on`,
            'they are recovery keys, always encrypted to: make a key for every day by sealdrop keys add',
          );
      }),
    );
}

interface RemoveOptions extends SetOptions {
  yes?: boolean;
}

const REMOVE_EXAMPLES = `
Examples:
  sealdrop keys remove colleague --key-set keys.json
  sealdrop keys remove S3RSAKey --key-set keys.json --yes

What was encrypted to a key alone can never be opened without its private half: such a key is removed only when that is
confirmed. To encrypt to it no more, retire it.`;

export function removeCommand(environment: Environment): Command {
  const command = new Command('remove')
    .description('remove keys from a set')
    .argument('<keys...>', 'name, namespace/name, or the beginning of a fingerprint')
    .addOption(new Option('-y, --yes', "don't ask"));
  return setOptions(command)
    .addHelpText('after', REMOVE_EXAMPLES)
    .action((selectors: string[], options: RemoveOptions) =>
      withKeySet(environment, options, 'change', async ({ set, output }) => {
        assertThere(set);
        const keys = selectors.map((selector) => set.find(selector));
        const lost = keys.filter(({ holds }) => holds === 'private' || holds === 'secret');
        if (lost.length > 0 && options.yes !== true) await confirmLoss(lost, set, environment, output);
        for (const key of await set.remove(selectors))
          output.result({ ...documentOf(key), removed: true }, `removed ${nameOf(key)} from ${set.shown}`);
      }),
    );
}

async function confirmLoss(
  lost: readonly KeyDescription[],
  { shown }: KeySet,
  { signal }: Environment,
  output: Output,
): Promise<void> {
  for (const key of lost)
    output.note(
      `${nameOf(key)} has its private half in ${shown}: what was encrypted to it alone opens no more, unless there is a copy`,
    );
  const question = lost.length === 1 ? 'remove it for good?' : 'remove them for good?';
  if (
    !(await confirm(
      question,
      signal,
      'if that is meant: --yes; to keep it for opening: sealdrop keys retire',
    ))
  )
    throw new SealdropError('interrupted', 'nothing was removed');
}
