import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { interrupted, isSealdropError, SealdropError } from '../../errors.js';
import type { KeySet, Publication, Published, PublishOptions } from '../../key-sets.js';
import { shellQuoted } from '../../printable.js';
import type { Environment } from '../command.js';
import { confirm } from '../confirm.js';
import {
  assertThere,
  documentOf,
  keyNameOptions,
  kindOf,
  nameOf,
  namesOf,
  setOptions,
  withKeySet,
  type KeyNameOptions,
  type SetOptions,
} from '../key-set-command.js';
import { seconds } from '../options.js';
import type { Output } from '../output.js';

interface TargetOptions extends SetOptions {
  name?: string;
  withPrivate?: string;
  kmsKey?: string;
  tag: Record<string, string>;
  yes?: boolean;
}

function targetOptions(command: Command): Command {
  return command
    .addOption(new Option('--name <name>', 'secret for the public halves, or ssm:NAME'))
    .addOption(new Option('--with-private <name>', 'secret for the whole set, for what decrypts'))
    .addOption(
      new Option('--kms-key <key>', "key of AWS KMS to encrypt the secrets with, in place of AWS's own"),
    )
    .addOption(
      new Option('--tag <name=value>', 'tag of the secrets; may be repeated')
        .argParser(collectTag)
        .default({}, 'none'),
    )
    .addOption(new Option('-y, --yes', "don't ask before keys are dropped that are there now"));
}

function collectTag(value: string, previous: Record<string, string>): Record<string, string> {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be name=value.');
  const name = value.slice(0, at);
  if (/^(aws|sealdrop):/i.test(name))
    throw new InvalidArgumentError(`Tags that begin with ${name.split(':')[0]}: are taken.`);
  return { ...previous, [name]: value.slice(at + 1) };
}

const PUBLISH_EXAMPLES = `
Examples:
  sealdrop keys publish --key-set keys.json --name sealdrop/prod/public-keys
  sealdrop keys publish --key-set keys.json --name sealdrop/prod/public-keys --with-private sealdrop/prod/private-keys
  sealdrop keys publish --key-set keys.json --name ssm:/lab/public-keys

Makes the secrets or replaces what they hold, the private one first. Nothing private ever goes to --name. Private halves
that are locked are unlocked for --with-private: a function has nobody to ask. On standard output comes the policy
that whoever reads a secret needs. Running encryptors have the new keys within secretsTtlSeconds (5 minutes).`;

export function publishCommand(environment: Environment): Command {
  const command = targetOptions(
    new Command('publish').description('put the public halves of a set where encryptors read them'),
  );
  return setOptions(command, 'of the private halves')
    .addHelpText('after', PUBLISH_EXAMPLES)
    .action((options: TargetOptions) =>
      withKeySet(environment, options, 'read', async ({ set, output }) => {
        assertThere(set);
        const targets = targetsOf(options);
        if (targets === undefined)
          throw new SealdropError('usage', 'the name of the secret is missing', {
            hint: 'name it: --name sealdrop/NAME/public-keys',
          });
        const publication = await set.publication(targets);
        await confirmDropped(publication, options, environment, output);
        await write(publication, (published) => sayPublished(published, output, true));
      }),
    );
}

function targetsOf({ name, withPrivate, kmsKey, tag }: TargetOptions): PublishOptions | undefined {
  if (name !== undefined)
    return {
      name,
      tags: tag,
      ...(withPrivate !== undefined && { withPrivate }),
      ...(kmsKey !== undefined && { kmsKey }),
    };
  if (withPrivate !== undefined)
    throw new SealdropError('usage', '--with-private goes with --name', {
      hint: 'name the secret for the public halves as well: --name NAME',
    });
  return undefined;
}

/** Who reads them would be without those keys. */
async function confirmDropped(
  { dropped, left }: Publication,
  { yes }: TargetOptions,
  { signal }: Environment,
  output: Output,
): Promise<void> {
  for (const key of left)
    output.warn(`${nameOf(key)} is an AES key and is not published: encryptors don't encrypt to it`);
  for (const { address, keys } of dropped)
    for (const key of keys)
      output.note(`${address} has ${nameOf(key)} (${kindOf(key)}), which this set has not`);
  if (dropped.length === 0 || yes === true) return;
  if (!(await confirm('replace what is there?', signal, 'if that is meant: --yes')))
    throw new SealdropError('interrupted', 'nothing was published');
}

async function write(
  publication: Publication,
  say: (published: Published) => void,
  wait?: () => Promise<void>,
) {
  const secret = await publication.writePrivate();
  if (secret !== undefined) say(secret);
  if (secret !== undefined) await wait?.();
  say(await publication.writePublic());
}

function sayPublished(published: Published, output: Output, withPolicy: boolean): void {
  const { address, arn, content, created, keys, policy } = published;
  if (output.json)
    return output.document({ address, arn, content, created, keys: keys.map(documentOf), policy });
  const active = keys.filter(({ state }) => state === 'active');
  const halves = content === 'public' ? 'public halves' : 'private halves too';
  output.note(
    `${created ? 'made' : 'wrote'} ${address}: ${keys.length} ${keys.length === 1 ? 'key' : 'keys'} (${active.length} active), ${halves}`,
  );
  if (!withPolicy) return;
  output.note(`whoever ${content === 'public' ? 'encrypts' : 'decrypts'} needs:`);
  output.data(JSON.stringify(policy, null, 2));
}

interface RotateOptions extends TargetOptions, KeyNameOptions {
  wait?: number;
  config?: string;
}

const ROTATE_EXAMPLES = `
Examples:
  sealdrop keys rotate --key-set keys.json
  sealdrop keys rotate --key-set keys.json --name sealdrop/prod/public-keys
  sealdrop keys rotate --key-set keys.json --name lab/public --with-private lab/private --wait 300
  sealdrop keys rotate S3RSAKey --key-set keys.json

Makes the next key and retires those that it replaces (all that this set can open and that are not always encrypted
to), in one write; then publishes, the private set first. Old objects open as before. A function that decrypts reads
its keys every 5 minutes: --wait lets it have the new one before anybody encrypts to it.`;

export function rotateCommand(environment: Environment): Command {
  const command = new Command('rotate')
    .description('make the next key, retire the old one, publish')
    .argument('[key]', 'the key to replace (default: all that the set can open)');
  targetOptions(command).addOption(
    new Option('--wait <seconds>', 'between the private set and the public one').argParser(seconds),
  );
  return setOptions(keyNameOptions(command), 'of the private halves')
    .addHelpText('after', ROTATE_EXAMPLES)
    .action((selector: string | undefined, options: RotateOptions) =>
      withKeySet(environment, options, 'change', async ({ set, output }) => {
        const targets = targetsOf(options);
        const { added, retired } = await set.rotate(
          selector,
          namesOf(options),
          targets && {
            options: targets,
            confirm: (publication) => confirmDropped(publication, options, environment, output),
          },
        );
        output.result(
          { keySet: set.shown, added: documentOf(added), retired: retired.map(documentOf) },
          [
            `made ${nameOf(added)} (${kindOf(added)}${added.locked ? ', locked' : ''}) in ${set.shown}`,
            `fingerprint ${added.fingerprint}`,
            ...retired.map((key) => `retired: ${nameOf(key)}`),
          ].join('\n'),
        );
        if (targets === undefined)
          return output.note(
            'encryptors get it when the set is published: sealdrop keys publish, or export-public',
          );
        await publishRotated(set, targets, options, environment, output);
      }),
    );
}

async function publishRotated(
  set: KeySet,
  targets: PublishOptions,
  options: RotateOptions,
  { signal }: Environment,
  output: Output,
): Promise<void> {
  const { wait = 0 } = options;
  const pause = async () => {
    if (wait === 0) return;
    output.note(`waiting ${wait} s for what decrypts`);
    await sleep(wait * 1000, undefined, { signal }).catch((cause: unknown) => {
      throw interrupted(cause);
    });
  };
  try {
    // Whoever reads what was there before has the rights.
    const say = (published: Published) => sayPublished(published, output, published.created);
    await write(await set.publication(targets), say, pause);
  } catch (error) {
    if (!isSealdropError(error)) throw error;
    const { code, message, retryable } = error;
    throw new SealdropError(code, message, { cause: error, retryable, hint: goOn(options) });
  }
}

/** Rotating once more would make yet another key. */
function goOn(options: RotateOptions): string {
  const given: [option: string, value: string | undefined][] = [
    ['--key-set', options.keySet],
    ['--name', options.name],
    ['--with-private', options.withPrivate],
    ['--kms-key', options.kmsKey],
    ...Object.entries(options.tag).map(([name, value]): [string, string] => ['--tag', `${name}=${value}`]),
    ['--region', options.region],
    ['--profile', options.profile],
    ['--ca-bundle', options.caBundle],
    ['--passphrase-file', options.passphraseFile],
    ['--config', options.config],
  ];
  const args = given.flatMap(([option, value]) =>
    value === undefined ? [] : [` ${option} ${shellQuoted(value)}`],
  );
  const yes = options.yes === true ? ' --yes' : '';
  return `the set has the new key; publish it with: sealdrop keys publish${args.join('')}${yes}`;
}
