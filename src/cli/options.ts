/** Options that several commands share. The environment variables stand beside them in every `--help`. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { DecryptSettings, EncryptSettings, StoreSettings } from '../config/settings.js';
import { parseStoreOptions, STORE_OPTION_NAMES, type ByHand } from '../config/store-options.js';
import {
  CHECKSUM_MODES,
  COMMITMENT_POLICIES,
  ENCRYPTING_FORMATS,
  FORMATS,
  OAEP_HASHES,
  type ChecksumMode,
  type CommitmentPolicyName,
  type FormatName,
  type OaepHash,
} from '../ports.js';
import { PROVIDERS, type ProviderName } from '../store-traits.js';
import { askTokenCode } from './ask.js';
import { collect, collectAccount, keyOptions, keyAccessOf, type KeyOptions } from './key-options.js';
import { onceFor, type PassphraseOptions } from './passphrase.js';
import { assertPlain, sseOptions, sseSettings, type PlainOptions, type SseOptions } from './sse-options.js';

export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
}

export interface StoreOptions extends SseOptions {
  endpointUrl?: string;
  region?: string;
  profile?: string;
  caBundle?: string;
  provider?: ProviderName;
  storeOption?: ByHand;
  partSize?: number;
  checksum?: ChecksumMode;
  parallel?: number;
  memory?: number;
}

interface NameOptions {
  keyName?: string;
  keyNamespace?: string;
  oaepHash?: OaepHash;
  commitmentPolicy?: CommitmentPolicyName;
  format?: FormatName;
}

export interface InstructionOptions {
  instructionFile?: boolean;
}

export interface EncryptOptions extends NameOptions, KeyOptions {
  publicKey: string[];
  recipient?: string[];
  suite?: number;
  sign?: boolean;
  frameLength?: number;
}

export interface DecryptOptions extends NameOptions, KeyOptions, PassphraseOptions {
  privateKey: string[];
  kmsDiscovery?: string[];
  maxWrappedKeys?: number;
  maxFrameLength?: number;
  allowLegacy?: boolean;
}

export interface BindingOptions {
  moved?: boolean;
  unbound?: boolean;
  context: Record<string, string>;
}

export function outputOptions(command: Command): Command {
  return command
    .addOption(new Option('--json', 'print results as JSON, a line each'))
    .addOption(new Option('-q, --quiet', 'print errors only'));
}

export function storeOptions(command: Command): Command {
  return configOption(placeOptions(sseOptions(command)));
}

export function configOption(command: Command): Command {
  return command.addOption(
    new Option('--config <file>', 'configuration to use (docs/config.md)').env('SEALDROP_CONFIG'),
  );
}

/** Where a store is, and of which kind. */
export function placeOptions(command: Command): Command {
  return command
    .addOption(new Option('--endpoint-url <url>', 'the S3-compatible store').env('SEALDROP_ENDPOINT_URL'))
    .addOption(new Option('--region <name>', 'its region').env('SEALDROP_REGION'))
    .addOption(
      new Option('--profile <name>', 'profile of the AWS configuration files').env('SEALDROP_PROFILE'),
    )
    .addOption(
      new Option('--ca-bundle <file>', 'certificate authorities to trust, PEM').env('SEALDROP_CA_BUNDLE'),
    )
    .addOption(
      new Option('--provider <kind>', 'kind of store, which sets what suits it')
        .choices(PROVIDERS)
        .env('SEALDROP_PROVIDER'),
    )
    .addOption(
      new Option(
        '--store-option <name=value>',
        `how the store differs from that: ${STORE_OPTION_NAMES.join(', ')}; may be repeated`,
      )
        .env('SEALDROP_STORE_OPTIONS')
        .argParser(collectStoreOptions),
    );
}

export function transferOptions(command: Command): Command {
  return command
    .addOption(new Option('--part-size <bytes>', 'size of multipart parts, as 16MiB').argParser(parseBytes))
    .addOption(
      new Option('--checksum <kind>', 'how the store checks parts (default: auto)').choices(CHECKSUM_MODES),
    )
    .addOption(parallelOption())
    .addOption(memoryOption());
}

/** Of commands that fetch whole objects. */
export function fetchOptions(command: Command): Command {
  return command.addOption(parallelOption()).addOption(memoryOption());
}

const parallelOption = () =>
  new Option('--parallel <n>', 'parts under way (default: as many as are faster)').argParser(positive);

const memoryOption = () =>
  new Option('--memory <bytes>', 'what the buffers of transfers may take (default: 96MiB)').argParser(
    parseBytes,
  );

function nameOptions(command: Command): Command {
  return keyOptions(command)
    .addOption(
      new Option('--key-name <name>', 'name of a bare key in messages (default: S3RSAKey)').env(
        'SEALDROP_KEY_NAME',
      ),
    )
    .addOption(
      new Option('--key-namespace <name>', 'its namespace (default: MyAppKeys)').env(
        'SEALDROP_KEY_NAMESPACE',
      ),
    )
    .addOption(new Option('--oaep-hash <hash>', 'hash of RSA-OAEP').choices(OAEP_HASHES))
    .addOption(
      new Option('--commitment-policy <policy>', "the AWS Encryption SDK's and S3 Encryption Client's")
        .choices(COMMITMENT_POLICIES)
        .env('SEALDROP_COMMITMENT_POLICY'),
    );
}

export function encryptOptions(command: Command): Command {
  return nameOptions(encryptingOptions(command));
}

export function decryptOptions(command: Command): Command {
  return nameOptions(decryptingOptions(command));
}

/** For what goes either way. */
export function bothWaysOptions(command: Command): Command {
  return nameOptions(decryptingOptions(encryptingOptions(command)));
}

/** Who may open what is encrypted. */
export function recipientOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--public-key <file>', 'public key or key set to encrypt to; may be repeated')
        .env('SEALDROP_PUBLIC_KEY')
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(
      new Option('--recipient <file>', 'the same, and raw AES keys; may be repeated')
        .env('SEALDROP_RECIPIENT')
        .argParser(collect)
        .default([], 'none'),
    );
}

function encryptingOptions(command: Command): Command {
  return recipientOptions(command)
    .addOption(
      new Option('--sign', 'sign with suite 0x0578 (proves no identity, takes longer)').conflicts('suite'),
    )
    .addOption(new Option('--suite <id>', 'algorithm suite, as 0x0478').argParser(parseSuite))
    .addOption(
      new Option('--frame-length <bytes>', 'plaintext in a frame (default: 1MiB)').argParser(parseBytes),
    );
}

/** @param purpose as `of the private keys` */
export function passphraseOptions(command: Command, purpose: string): Command {
  return command
    .addOption(
      new Option('--passphrase-file <file>', `file with the passphrase ${purpose}`).env(
        'SEALDROP_PASSPHRASE_FILE',
      ),
    )
    .addOption(passphraseFd());
}

export const passphraseFd = (): Option =>
  new Option('--passphrase-fd <n>', 'file descriptor to read it from')
    .argParser(descriptor)
    .conflicts('passphraseFile');

function descriptor(value: string): number {
  if (!/^\d{1,4}$/.test(value)) throw new InvalidArgumentError('It must be a number, as 3.');
  return Number(value);
}

function decryptingOptions(command: Command): Command {
  command
    .addOption(
      new Option('--private-key <file>', 'private key or key set; may be repeated')
        .env('SEALDROP_PRIVATE_KEY')
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(
      new Option('--kms-discovery <account>', 'AWS account whose KMS keys may open; may be repeated')
        .argParser(collectAccount)
        .default([], 'none'),
    );
  return passphraseOptions(command, 'of the private key')
    .addOption(
      new Option('--max-wrapped-keys <n>', 'refuse messages with more (default: 20)').argParser(positive),
    )
    .addOption(
      new Option('--max-frame-length <bytes>', 'refuse longer frames (default: 64MiB)').argParser(parseBytes),
    );
}

export function bindingOptions(command: Command): Command {
  return contextOption(
    command
      .addOption(new Option('--moved', 'accept a message that was made for another key'))
      .addOption(new Option('--unbound', 'accept a message that names no key, where the vault requires it')),
    'pair that the message must carry; may be repeated',
  );
}

const FORMAT_HELP =
  "s3ec, s3ec-v2: the S3 Encryption Client's objects (docs/formats.md); plain: not encrypted by us, only by the store (--sse)";

/** For commands that may do without client-side encryption: a gateway never does. */
export function formatOption(command: Command): Command {
  return command.addOption(
    new Option('--format <format>', `what is written: esdk (default); ${FORMAT_HELP}`).choices(FORMATS),
  );
}

/** What is read tells itself apart; named, nothing else is taken. */
export function readingOptions(command: Command): Command {
  return command
    .addOption(new Option('--format <format>', `take nothing but esdk; ${FORMAT_HELP}`).choices(FORMATS))
    .addOption(legacyOption());
}

const legacyOption = (): Option =>
  new Option(
    '--allow-legacy',
    "read the S3 Encryption Client's old objects, which nothing authenticates, where the commitment policy allows them",
  );

export function instructionOption(command: Command): Command {
  return command.addOption(
    new Option('--instruction-file', 'with --format s3ec: keep the wrapped key in an object KEY.instruction'),
  );
}

/** For what goes either way, and always encrypts. */
export function syncFormatOptions(command: Command): Command {
  return instructionOption(command)
    .addOption(
      new Option('--format <format>', 'what is written: esdk (default), s3ec or s3ec-v2').choices(
        ENCRYPTING_FORMATS,
      ),
    )
    .addOption(legacyOption());
}

export function contextOption(command: Command, description: string): Command {
  return command.addOption(
    new Option('--context <name=value>', description).argParser(collectPair).default({}, 'none'),
  );
}

export function storeSettings(options: StoreOptions): StoreSettings {
  const { storeOption: { account, ...traits } = {}, parallel, sse: _kind, ...rest } = options;
  return {
    ...sseSettings(options),
    ...rest,
    traits,
    mfaCode: askTokenCode,
    concurrency: parallel,
    ...(account !== undefined && { account }),
  };
}

/** @param vault where it goes */
export function encryptSettings(
  options: EncryptOptions & PlainOptions & InstructionOptions,
  vault?: string,
): EncryptSettings {
  assertPlain(options);
  const { publicKey, recipient, keyName, keyNamespace, ...rest } = options;
  const keyAccess = keyAccessOf(options);
  return {
    ...rest,
    ...(vault !== undefined && { vault }),
    publicKeys: publicKey,
    recipients: recipient,
    keyAccess,
    name: keyName,
    namespace: keyNamespace,
  };
}

/** Whether any key is named that could open something. */
export const namesOpeningKeys = ({ privateKey, keySet, kmsDiscovery = [] }: DecryptOptions): boolean =>
  privateKey.length + kmsDiscovery.length > 0 || Boolean(keySet);

export const namesRecipients = ({ publicKey, recipient = [], keySet }: EncryptOptions): boolean =>
  publicKey.length + recipient.length > 0 || Boolean(keySet);

export function decryptSettings(options: DecryptOptions): DecryptSettings {
  const { privateKey, keyName, keyNamespace, ...rest } = options;
  const keyAccess = keyAccessOf(options);
  const passphrase = onceFor(options);
  return { ...rest, privateKeys: privateKey, keyAccess, name: keyName, namespace: keyNamespace, passphrase };
}

function collectStoreOptions(value: string, previous: ByHand | undefined): ByHand {
  return { ...previous, ...parseStoreOptions(value) };
}

function collectPair(value: string, previous: Record<string, string>): Record<string, string> {
  const at = value.indexOf('=');
  if (at < 1 || at === value.length - 1) throw new InvalidArgumentError('It must be name=value.');
  const name = value.slice(0, at);
  if (Object.hasOwn(previous, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...previous, [name]: value.slice(at + 1) };
}

export function positive(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('It must be a number from 1.');
  return Number(value);
}

/** Seconds, up to a day. */
export function seconds(value: string): number {
  const parsed = positive(value);
  if (parsed > 86_400) throw new InvalidArgumentError('It must be a number from 1 to 86400.');
  return parsed;
}

const UNITS: Record<string, number> = { '': 1, B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** `16777216`, `16MiB`, `16M`: units of 1,024. */
export function parseBytes(value: string): number {
  const match = /^(\d{1,15})\s*(?:([KMGT])(?:i?B)?|B)?$/i.exec(value);
  if (!match) throw new InvalidArgumentError('It must be a number of bytes, as 16777216 or 16MiB.');
  return Number(match[1]) * UNITS[(match[2] ?? '').toUpperCase()]!;
}

function parseSuite(value: string): number {
  if (!/^0x[0-9a-f]{4}$/i.test(value)) throw new InvalidArgumentError('It must be an id, as 0x0478.');
  return Number(value);
}
