import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { mkdir, realpath } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { CONFIG_NAME, parseConfig } from '../../config/config.js';
import { recordTrust } from '../../config/trust.js';
import { SealdropError } from '../../errors.js';
import { isKeyFile } from '../../key-input.js';
import { printable, shellQuoted } from '../../printable.js';
import { ACCOUNTS, PROVIDERS } from '../../store-traits.js';
import { writeNewFile } from '../../transfer/target.js';
import { configFolder } from '../../user-folders.js';
import { ask, isTerminal, type Question } from '../ask.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';

interface InitOptions extends shared.StoreOptions, shared.OutputOptions {
  vaultName?: string;
  address?: string;
  binding?: 'required' | 'allow';
  publicKey: string[];
  privateKey: string[];
  keyName?: string;
  keyNamespace?: string;
  user?: boolean;
  /** An answer; as an option it is one of --store-option. */
  account?: string;
}

const EXAMPLES = `
Examples:
  sealdrop init
  sealdrop init --vault-name lab --address s3://bucket-test/in/ --provider abci --public-key public_key.pem
  sealdrop init --user --vault-name share --address file:///mnt/share/vault

Writes ${CONFIG_NAME} here, and never over one. Then lab:data/x is the object data/x in that vault, for every
command that is run here; with --user for every command of yours. It holds no secrets: credentials stay where the AWS
tools look.`;

export function initCommand(environment: Environment): Command {
  const command = new Command('init')
    .description('write a configuration: a vault by name, and its keys')
    .addOption(new Option('--vault-name <name>', 'what the vault is called in NAME:key'))
    .addOption(new Option('--address <address>', 's3://bucket/prefix or file:///directory'))
    .addOption(
      new Option('--binding <rule>', 'whether messages that name no key are refused').choices([
        'required',
        'allow',
      ]),
    )
    .addOption(list('--public-key <file>', 'public key or key set to encrypt to; may be repeated'))
    .addOption(list('--private-key <file>', 'private key or key set; may be repeated'))
    .addOption(new Option('--key-name <name>', 'name of a bare key in messages'))
    .addOption(new Option('--key-namespace <name>', 'its namespace'))
    .addOption(new Option('--user', 'write your own configuration, which is used everywhere'));
  shared.placeOptions(command);
  return shared
    .outputOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (options: InitOptions) => {
      const output = openOutput(environment, options);
      const answered = isComplete(options) ? options : await asked(options, environment);
      assertAccount(answered);
      const path = options.user === true ? join(configFolder(), 'config.json') : CONFIG_NAME;
      const bytes = Buffer.from(`${JSON.stringify(documentOf(answered), null, 2)}\n`);
      // Judged before it is written.
      await parseConfig(bytes, path);
      await assertKeys(answered, environment);
      if (options.user === true) await mkdir(configFolder(), { recursive: true, mode: 0o700 });
      await write(path, bytes);
      const real = await realpath(path);
      if (options.user !== true) await recordTrust(real, bytes);
      const { vaultName = '', address } = answered;
      output.result(
        { config: real, vault: vaultName, address },
        `wrote ${printable(path)}: ${printable(vaultName)}:key is a key in ${printable(address ?? '')}\n` +
          `see whether all is well: sealdrop doctor ${shellQuoted(vaultName)}:`,
      );
    });
}

/** @throws SealdropError where a file is missing, or a public key is none */
async function assertKeys({ publicKey, privateKey }: InitOptions, { parts }: Environment): Promise<void> {
  if (publicKey.length > 0) await parts.readPublicKeys({ publicKeys: publicKey });
  for (const file of privateKey)
    // It may be locked, and nothing here needs it.
    if (isKeyFile(file) && !existsSync(file))
      throw new SealdropError('key_file_not_found', `there is no key file ${printable(file)}`);
}

/** @throws SealdropError `usage` where the endpoint of the provider could not be told */
function assertAccount(options: InitOptions): void {
  const name = accountOf(options);
  if (name === undefined || (options.account ?? options.storeOption?.account) !== undefined) return;
  throw new SealdropError('usage', `the endpoint of ${options.provider} needs an ${name}`, {
    hint: 'name it: --store-option account=NAME',
  });
}

/** What the account is called that the endpoint begins with. */
const accountOf = (options: InitOptions): string | undefined =>
  isS3(options) && options.provider && options.endpointUrl === undefined
    ? ACCOUNTS[options.provider]
    : undefined;

const list = (flags: string, description: string) =>
  new Option(flags, description)
    .argParser((value: string, before: string[]) => [...before, value])
    .default([], 'none');

const isComplete = ({ vaultName, address }: InitOptions) => vaultName !== undefined && address !== undefined;

async function write(path: string, bytes: Buffer): Promise<void> {
  await writeNewFile(path, bytes, 0o600).catch((error: unknown) => {
    if (!(error instanceof SealdropError) || error.code !== 'target_exists') throw error;
    throw new SealdropError('target_exists', `${printable(path)} is there already`, {
      hint: 'change it by hand (docs/config.md), and then: sealdrop trust',
    });
  });
}

async function asked(options: InitOptions, { signal }: Environment): Promise<InitOptions> {
  if (!isTerminal())
    throw new SealdropError('usage', 'what the vault is called and where it is has to be said', {
      hint: 'there is no terminal to ask at: give --vault-name NAME and --address ADDRESS',
    });
  const said: Record<string, string> = {};
  for (const question of QUESTIONS) {
    const so = { ...options, ...said };
    if (so[question.field] === undefined && question.when?.(so) !== false)
      said[question.field] = await ask({ ...question, text: question.textOf?.(so) ?? question.text }, signal);
  }
  const given = Object.fromEntries(Object.entries(said).filter(([, answer]) => answer !== ''));
  const { publicKey } = options;
  const keys = publicKey.length === 0 ? await ask(PUBLIC_KEY, signal) : '';
  return { ...options, ...given, publicKey: keys === '' ? publicKey : [keys] };
}

type Field = 'vaultName' | 'address' | 'provider' | 'endpointUrl' | 'account' | 'region' | 'profile';

interface InitQuestion extends Question {
  readonly field: Field;
  readonly when?: (options: InitOptions) => boolean;
  /** In place of `text`. */
  readonly textOf?: (options: InitOptions) => string | undefined;
}

const isS3 = ({ address }: InitOptions) => address?.startsWith('s3://') === true;
const OWN_ENDPOINT = ['minio', 'ceph', 'custom', ''];

const QUESTIONS: readonly InitQuestion[] = [
  { field: 'vaultName', text: 'Name of the vault', usual: 'vault' },
  {
    field: 'address',
    text: 'Its address (s3://bucket/prefix/ or file:///directory)',
    check: (answer) => (/^(s3|file):\/\/./.test(answer) ? undefined : 'it begins with s3:// or file:///'),
  },
  { field: 'provider', text: 'Kind of store', usual: 'custom', choices: PROVIDERS, when: isS3 },
  {
    field: 'endpointUrl',
    text: "URL of its endpoint (empty: what AWS's settings say)",
    optional: true,
    when: (options) => isS3(options) && OWN_ENDPOINT.includes(options.provider ?? ''),
  },
  {
    field: 'account',
    text: 'Account',
    textOf: (options) => accountOf(options)?.replace(/^./, (letter) => letter.toUpperCase()),
    check: (answer) => (/^[a-z0-9-]+$/i.test(answer) ? undefined : 'it is letters, digits and hyphens'),
    when: (options) => accountOf(options) !== undefined && options.storeOption?.account === undefined,
  },
  {
    field: 'region',
    text: 'Region',
    optional: true,
    when: (options) => isS3(options) && ['aws', 'b2', 'wasabi', 'oracle'].includes(options.provider ?? ''),
  },
  {
    field: 'profile',
    text: 'Profile of the AWS configuration files (empty: the usual credentials)',
    optional: true,
    when: isS3,
  },
];

const PUBLIC_KEY: Question = { text: 'Public key to encrypt to (a file; empty: none)', optional: true };

function documentOf(options: InitOptions): object {
  const { vaultName = '', address, binding, publicKey, privateKey, keyName, keyNamespace } = options;
  const { endpointUrl, region, profile, provider, account, storeOption, user } = options;
  // In the user's own file paths begin elsewhere.
  const path = (file: string) => (user === true ? resolve(file) : relative('.', file) || file);
  const key = (input: string) => (isKeyFile(input) ? path(input) : input);
  const caBundle = options.caBundle === undefined ? undefined : path(options.caBundle);
  const vault = {
    address,
    binding,
    provider,
    endpointUrl,
    region,
    profile,
    caBundle,
    account,
    ...storeOption,
  };
  const named = { keyName, keyNamespace };
  const keys = {
    ...(publicKey.length > 0 && { publicKeys: publicKey.map(key) }),
    ...(privateKey.length > 0 && { privateKeys: privateKey.map(key) }),
    ...named,
  };
  const hasKeys = Object.values(keys).some((value) => value !== undefined);
  return { vaults: { [vaultName]: vault }, ...(hasKeys && { keys }) };
}
