import { stat } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { SealdropError } from '../../errors.js';
import type { KeyDescription, KeySet } from '../../key-sets.js';
import { printable } from '../../printable.js';
import { openFileTarget } from '../../transfer/target.js';
import type { Environment } from '../command.js';
import {
  assertThere,
  documentOf,
  heldOf,
  kindOf,
  nameOf,
  setOptions,
  stateOf,
  withKeySet,
  type SetOptions,
} from '../key-set-command.js';

const LIST_EXAMPLES = `
Examples:
  sealdrop keys list --key-set keys.json
  sealdrop keys list --key-set secretsmanager:sealdrop/prod/public-keys --json

A line for each key: whether it is encrypted to (active; always: also where recipients are named one by one; retired:
it only opens), its name in messages, its kind, what of it the set has, and its fingerprint. A bare key is shown too.`;

export function listCommand(environment: Environment): Command {
  const command = new Command('list').description('list the keys of a set');
  return setOptions(command, 'of a bare private key')
    .addHelpText('after', LIST_EXAMPLES)
    .action((options: SetOptions) =>
      withKeySet(environment, options, 'read', async ({ set, output }) => {
        assertThere(set);
        if (output.json) for (const key of set.keys) output.document(documentOf(key));
        else output.data(table(set.keys).join('\n'));
      }),
    );
}

function table(keys: readonly KeyDescription[]): string[] {
  const rows = keys.map((key) => [stateOf(key), nameOf(key), kindOf(key), heldOf(key), key.fingerprint]);
  const widths = rows[0]!.map((_cell, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}

const SHOW_EXAMPLES = `
Examples:
  sealdrop keys show --key-set keys.json
  sealdrop keys show S3RSAKey --key-set keys.json

A key is named by its name, namespace/name, or the first 8 characters or more of its fingerprint. Nothing private is
shown.`;

export function showCommand(environment: Environment): Command {
  const command = new Command('show')
    .description('show keys of a set in full, and their public halves')
    .argument('[keys...]', 'keys to show (default: all)');
  return setOptions(command, 'of a bare private key')
    .addHelpText('after', SHOW_EXAMPLES)
    .action((selectors: string[], options: SetOptions) =>
      withKeySet(environment, options, 'read', async ({ set, output }) => {
        for (const key of chosen(set, selectors))
          if (output.json) output.document({ ...documentOf(key), publicKey: key.publicKey });
          else output.data(inFull(key));
      }),
    );
}

function chosen(set: KeySet, selectors: readonly string[]): readonly KeyDescription[] {
  assertThere(set);
  return selectors.length === 0 ? set.keys : selectors.map((selector) => set.find(selector));
}

function inFull(key: KeyDescription): string {
  const rows: [string, string | undefined][] = [
    ['state', key.always ? 'active, always encrypted to' : key.state],
    ['kind', kindOf(key)],
    ['holds', heldOf(key)],
    ['created', key.created],
    ['fingerprint', key.fingerprint],
  ];
  const lines = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${name.padEnd(13)} ${printable(value)}`],
  );
  return [nameOf(key), ...lines, ...(key.publicKey === undefined ? [] : [key.publicKey.trimEnd()])].join(
    '\n',
  );
}

const FINGERPRINT_EXAMPLES = `
Examples:
  sealdrop keys fingerprint --key-set public_key.pem
  sealdrop keys fingerprint S3RSAKey --key-set keys.json

SHA-256 of the public half (SPKI, DER) as base64url: what put prints, and what objects have in their metadata. Compare
it by another way than the key came. That of a KMS key is of its ARN, that of an AES key tells nothing of the key.`;

export function fingerprintCommand(environment: Environment): Command {
  const command = new Command('fingerprint')
    .description('print the fingerprints of keys')
    .argument('[keys...]', 'keys of the set (default: all)');
  return setOptions(command, 'of a bare private key')
    .addHelpText('after', FINGERPRINT_EXAMPLES)
    .action((selectors: string[], options: SetOptions) =>
      withKeySet(environment, options, 'read', async ({ set, output }) => {
        const keys = chosen(set, selectors);
        for (const key of keys) {
          const { namespace, name, fingerprint } = key;
          if (output.json) output.document({ namespace, name, fingerprint });
          else output.data(`${fingerprint}  ${nameOf(key)}`);
        }
      }),
    );
}

interface ExportOptions extends SetOptions {
  out?: string;
  pem?: boolean;
}

const EXPORT_EXAMPLES = `
Examples:
  sealdrop keys export-public --key-set keys.json --out public.json
  sealdrop keys export-public S3RSAKey --pem --key-set keys.json > public_key.pem

What comes out encrypts, and may go anywhere. Raw AES keys have no public half and are left out.`;

export function exportPublicCommand(environment: Environment): Command {
  const command = new Command('export-public')
    .description('write the public halves of a set, for whoever encrypts')
    .argument('[keys...]', 'keys to write (default: all)')
    .addOption(new Option('--out <file>', 'write to a file, which may be an older public set'))
    .addOption(new Option('--pem', 'one RSA key as PEM, in place of a key set'));
  return setOptions(command, 'of a bare private key')
    .addHelpText('after', EXPORT_EXAMPLES)
    .action((selectors: string[], options: ExportOptions) =>
      withKeySet(environment, options, 'read', async ({ set, output }) => {
        assertThere(set);
        const { document, keys, left } = set.exportPublic(selectors);
        const text = options.pem === true ? onePem(keys) : document;
        for (const key of left)
          output.note(`left out: ${nameOf(key)} is an AES key, and all of it is secret`);
        if (options.out === undefined) {
          if (output.json) output.document({ keys: keys.map(documentOf), content: text });
          else process.stdout.write(text);
          return;
        }
        await assertReplaceable(options.out, environment);
        await replace(options.out, text);
        output.result(
          { file: options.out, keys: keys.map(documentOf) },
          `wrote ${keys.length === 1 ? nameOf(keys[0]!) : `${keys.length} keys`} to ${printable(options.out)}`,
        );
      }),
    );
}

function onePem(keys: readonly KeyDescription[]): string {
  if (keys.length === 1 && keys[0]!.publicKey !== undefined) return keys[0]!.publicKey;
  throw new SealdropError('usage', '--pem is for one RSA key', {
    hint: `name it: ${keys
      .filter(({ kind }) => kind === 'rsa')
      .map(nameOf)
      .join(', ')}`,
  });
}

/** An older public set may be replaced; whatever else has the name stays. */
async function assertReplaceable(path: string, { parts }: Environment): Promise<void> {
  const there = await parts.openKeySet(`./${path}`.replace(/^\.\/(?=\/)/, ''), {}).catch((cause: unknown) => {
    throw new SealdropError('target_exists', `${printable(path)} is there, and is no public key set`, {
      cause,
      hint: 'name another file with --out',
    });
  });
  there.close();
  if (!there.keys.some(({ holds }) => holds === 'private' || holds === 'secret')) return;
  throw new SealdropError('target_exists', `${printable(path)} holds private keys, which would be lost`, {
    hint: 'name another file with --out',
  });
}

/** Others may read it, and whoever may change it could have them encrypt to a key of theirs. */
async function replace(path: string, text: string): Promise<void> {
  const before = await stat(path).catch(() => undefined);
  const mode = (before?.mode ?? ~process.umask()) & 0o644;
  const target = await openFileTarget(path, { overwrite: true, mode });
  try {
    await target.write(Buffer.from(text));
    await target.commit();
  } catch (error) {
    await target.discard();
    throw error;
  }
}
