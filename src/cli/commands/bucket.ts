import { Command, InvalidArgumentError, Option } from 'commander';
import { SealdropError } from '../../errors.js';
import type { BucketAdmin, DefaultEncryption, ObjectStore } from '../../ports.js';
import { printable } from '../../printable.js';
import {
  checkEncryption,
  probeEncryption,
  type EncryptionReport,
  type EncryptionVerdict,
} from '../../transfer/check-encryption.js';
import { createBucket } from '../../transfer/create-bucket.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import type { Output } from '../output.js';
import { parseSse } from '../sse-options.js';

interface CreateOptions extends shared.StoreOptions, shared.OutputOptions {
  encrypted?: { algorithm: string; keyId?: string } | true;
  allowSseC?: boolean;
  versioned?: boolean;
  existing?: boolean;
}

interface CheckOptions extends shared.StoreOptions, shared.OutputOptions {
  probe?: boolean;
  limit: number;
}

const LIMIT = 1000;
const EXIT_OF_VERDICT: Record<EncryptionVerdict, number> = {
  encrypted: 0,
  'not-encrypted': 1,
  unknown: 3,
  incomplete: 6,
};

const SAID: Record<Exclude<EncryptionVerdict, 'incomplete'>, string> = {
  encrypted: 'encrypted by the store',
  'not-encrypted': 'not encrypted by the store',
  unknown: 'cannot tell, there is no object to look at',
};

const EXAMPLES = `
Examples:
  sealdrop bucket create s3://dataset --encrypted --endpoint-url https://minio.example:9000
  sealdrop bucket check s3://dataset --endpoint-url https://s3.abci.ai`;

const CREATE_EXAMPLES = `
Examples:
  sealdrop bucket create s3://dataset --encrypted --endpoint-url https://minio.example:9000
  sealdrop bucket create s3://dataset --encrypted=aws:kms:alias/lab --versioned
  sealdrop bucket create s3://dataset --allow-sse-c

What cannot be set as asked leaves no bucket behind. With --existing the settings go to a bucket that is there;
encryption is never switched on where objects lie that are not encrypted, since they would stay so.`;

const CHECK_EXAMPLES = `
Examples:
  sealdrop bucket check s3://dataset --endpoint-url https://s3.abci.ai
  sealdrop bucket check s3://dataset/2026/ --limit 100000 --json
  sealdrop bucket check s3://empty --probe

Asks the store of each object how it encrypts it at rest, and lists those that it does not. --probe also writes a small
object as new ones are written, looks at it and removes it. What a store says of itself is not proven.
Exit codes: 0 encrypted, 1 not, 3 cannot tell because there is no object, 6 encrypted as far as --limit goes.`;

export function bucketCommand(environment: Environment): Command {
  return new Command('bucket')
    .description('make a bucket, or see whether its store encrypts what lies in it')
    .helpCommand(false)
    .addHelpText('after', EXAMPLES)
    .addCommand(createCommand(environment))
    .addCommand(checkCommand(environment));
}

function createCommand(environment: Environment): Command {
  const command = new Command('create')
    .description('make a bucket')
    .argument('<bucket>', 's3://bucket')
    .addOption(
      new Option(
        '--encrypted [kind]',
        'the store encrypts all new objects by default: AES256 (without a kind), aws:kms, aws:kms:KEY',
      ).argParser(parseEncrypted),
    )
    .addOption(
      new Option(
        '--allow-sse-c',
        'take objects under SSE-C, which new buckets of AWS refuse since April 2026',
      ),
    )
    .addOption(new Option('--versioned', 'keep old versions of objects'))
    .addOption(new Option('--existing', 'set what is asked for in a bucket that is there already'));
  return shared
    .outputOptions(shared.configOption(shared.placeOptions(command)))
    .addHelpText('after', CREATE_EXAMPLES)
    .action(async (address: string, options: CreateOptions) => {
      const output = openOutput(environment, options);
      const { encrypted, allowSseC, versioned, existing } = options;
      const encryption = encrypted === true ? { algorithm: 'AES256' } : encrypted;
      await withBucket(address, options, environment, async ({ admin, store, prefix }) => {
        if (prefix !== '')
          throw new SealdropError('usage', `${printable(address)} names more than a bucket: s3://bucket`);
        // Other stores may have made others.
        if (existing !== true) assertName(admin.address.slice('s3://'.length));
        const settings = { encryption, allowSseC, versioned, existing };
        const created = await createBucket({ admin, store, ...settings, signal: environment.signal });
        const set = [
          ...(encryption === undefined ? [] : [`encrypts new objects (${encryption.algorithm})`]),
          ...(allowSseC === true ? ['takes SSE-C'] : []),
          ...(versioned === true ? ['versioned'] : []),
        ];
        const text = `${created ? 'made' : 'set'} ${printable(admin.address)}`;
        output.result(
          { address: admin.address, created, encryption: encryption?.algorithm, allowSseC, versioned },
          set.length === 0 ? text : `${text}: ${set.join(', ')}`,
        );
      });
    });
}

/**
 * By the rule of S3, whatever else the store would take. Source:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 * @throws SealdropError `usage`
 */
function assertName(name: string): void {
  const isAddress = /^\d+(\.\d+){3}$/.test(name);
  if (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..') && !isAddress) return;
  throw new SealdropError('usage', `${printable(name)} is no name for a bucket`, {
    hint: 'names have 3 to 63 small letters, digits, dots and hyphens, begin and end with a letter or digit, have no two dots in a row, and are no IP address',
  });
}

function checkCommand(environment: Environment): Command {
  const command = new Command('check')
    .description('see whether the store encrypts what lies in a bucket')
    .argument('<bucket>', 's3://bucket or s3://bucket/prefix')
    .addOption(new Option('--probe', 'also write an object, look at it and remove it'))
    .addOption(new Option('--limit <n>', 'objects to look at').argParser(shared.positive).default(LIMIT));
  return shared
    .outputOptions(shared.configOption(shared.placeOptions(command)))
    .addHelpText('after', CHECK_EXAMPLES)
    .action(async (address: string, options: CheckOptions) => {
      const output = openOutput(environment, options);
      const { signal } = environment;
      await withBucket(address, options, environment, async ({ admin, store, prefix }) => {
        const unencryptedKeys: string[] = [];
        const onUnencrypted = (key: string) => void unencryptedKeys.push(key);
        const report = await checkEncryption({ store, prefix, limit: options.limit, signal, onUnencrypted });
        const found: Found = {
          ...report,
          address: prefix === '' ? admin.address : store.address(prefix),
          unencryptedKeys: unencryptedKeys.sort(),
          defaultEncryption: await defaultOf(admin, signal),
          ...(options.probe === true && {
            probe: (await probeEncryption({ store, admin }, prefix, signal)) ?? 'none',
          }),
        };
        const verdict = verdictOf(found);
        environment.exitCode = EXIT_OF_VERDICT[verdict];
        if (output.json) output.document({ ...found, verdict });
        else print({ ...found, verdict }, output);
      });
    });
}

/** It is no proof and not to be had everywhere, so the check does without. */
const defaultOf = (admin: BucketAdmin, signal: AbortSignal): Promise<DefaultEncryption> =>
  admin.encryption(signal).catch(() => {
    signal.throwIfAborted();
    return { state: 'unknown' };
  });

interface Found extends EncryptionReport {
  address: string;
  unencryptedKeys: string[];
  defaultEncryption: DefaultEncryption;
  probe?: string;
}

/** Objects that were encrypted on request say nothing of the next one; the probe does. */
function verdictOf({ verdict, probe }: Found): EncryptionVerdict {
  if (probe === 'none') return 'not-encrypted';
  return verdict === 'unknown' && probe !== undefined ? 'encrypted' : verdict;
}

function print(found: Found, output: Output): void {
  const { verdict, objects, more, unencrypted, encryptions, probe } = found;
  const first = `the first ${objects} ${objects === 1 ? 'object' : 'objects'}`;
  const said =
    verdict === 'incomplete' ? `${first} encrypted by the store, the others not looked at` : SAID[verdict];
  output.data(`${printable(found.address)}: ${said}`);
  for (const key of found.unencryptedKeys) output.data(`  not encrypted by the store: ${printable(key)}`);
  const kinds = Object.entries(encryptions).map(([kind, count]) => `${count} ${printable(kind)}`);
  if (objects > 0) {
    const counts = [...kinds, ...(unencrypted > 0 ? [`${unencrypted} not encrypted`] : [])];
    output.note(
      `${more ? 'the first ' : ''}${objects} ${objects === 1 ? 'object' : 'objects'}: ${counts.join(', ')}`,
    );
  }
  if (more) output.note('hint: there are more objects: look at them too with --limit');
  output.note(`default encryption: ${described(found.defaultEncryption)}`);
  if (probe !== undefined)
    output.note(`a new object: ${probe === 'none' ? 'not encrypted' : printable(probe)}`);
  else if (verdict === 'unknown') output.note('hint: --probe writes an object, looks at it and removes it');
}

function described(found: DefaultEncryption): string {
  if (found.state === 'set')
    return `${printable(found.algorithm)}${found.allowsSseC ? '' : ' (objects under SSE-C are refused)'}`;
  return found.state === 'none' ? 'none' : 'the store does not say';
}

interface Opened {
  admin: BucketAdmin;
  store: ObjectStore;
  prefix: string;
}

async function withBucket(
  address: string,
  options: CreateOptions | CheckOptions,
  { parts }: Environment,
  act: (opened: Opened) => Promise<void>,
): Promise<void> {
  // What a vault is configured to ask for says nothing of its bucket.
  const settings = { ...shared.storeSettings(options), sse: { kind: 'none' } as const };
  const admin = await parts.openBucketAdmin(address, settings);
  const { store, key: prefix } = await parts.openVault(address, 'read', settings);
  try {
    await act({ admin, store, prefix });
  } finally {
    store.close();
    admin.close();
  }
}

function parseEncrypted(value: string): { algorithm: string; keyId?: string } {
  const sse = /^(AES256|aws:kms)/.test(value) ? parseSse(value) : undefined;
  if (sse?.kind === 'AES256') return { algorithm: sse.kind };
  if (sse?.kind === 'aws:kms') return { algorithm: sse.kind, ...(sse.keyId && { keyId: sse.keyId }) };
  throw new InvalidArgumentError(
    'It must be AES256, aws:kms or aws:kms:KEY, or nothing: name the bucket before it then.',
  );
}
