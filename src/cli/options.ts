/** Options that several commands share. The environment variables stand beside them in every `--help`. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { DecryptSettings, EncryptSettings, StoreSettings } from '../config/settings.js';
import {
  CHECKSUM_MODES,
  COMMITMENT_POLICIES,
  OAEP_HASHES,
  type ChecksumMode,
  type CommitmentPolicyName,
  type OaepHash,
} from '../ports.js';

export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
}

export interface StoreOptions {
  endpointUrl?: string;
  region?: string;
  profile?: string;
  caBundle?: string;
  partSize?: number;
  checksum?: ChecksumMode;
  parallel?: number;
}

interface NameOptions {
  keyName?: string;
  keyNamespace?: string;
  oaepHash?: OaepHash;
  commitmentPolicy?: CommitmentPolicyName;
}

export interface EncryptOptions extends NameOptions {
  publicKey: string[];
  suite?: number;
  sign?: boolean;
  frameLength?: number;
}

export interface DecryptOptions extends NameOptions {
  privateKey: string[];
  passphraseFile?: string;
  maxWrappedKeys?: number;
  maxFrameLength?: number;
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
  return command
    .addOption(new Option('--endpoint-url <url>', 'the S3-compatible store').env('SEALDROP_ENDPOINT_URL'))
    .addOption(new Option('--region <name>', 'its region').env('SEALDROP_REGION'))
    .addOption(
      new Option('--profile <name>', 'profile of the AWS configuration files').env('SEALDROP_PROFILE'),
    )
    .addOption(
      new Option('--ca-bundle <file>', 'certificate authorities to trust, PEM').env('SEALDROP_CA_BUNDLE'),
    );
}

export function transferOptions(command: Command): Command {
  return command
    .addOption(new Option('--part-size <bytes>', 'size of multipart parts, as 16MiB').argParser(parseBytes))
    .addOption(
      new Option('--checksum <kind>', 'how the store checks parts (default: auto)').choices(CHECKSUM_MODES),
    )
    .addOption(new Option('--parallel <n>', 'parts in flight (default: 4)').argParser(positive));
}

function nameOptions(command: Command): Command {
  return command
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
      new Option('--commitment-policy <policy>', "the AWS Encryption SDK's")
        .choices(COMMITMENT_POLICIES)
        .env('SEALDROP_COMMITMENT_POLICY'),
    );
}

export function encryptOptions(command: Command): Command {
  return nameOptions(
    command
      .addOption(
        new Option('--public-key <file>', 'public key or key set to encrypt to; may be repeated')
          .env('SEALDROP_PUBLIC_KEY')
          .argParser(collect)
          .default([], 'none'),
      )
      .addOption(
        new Option('--sign', 'sign with suite 0x0578 (proves no identity, takes longer)').conflicts('suite'),
      )
      .addOption(new Option('--suite <id>', 'algorithm suite, as 0x0478').argParser(parseSuite))
      .addOption(
        new Option('--frame-length <bytes>', 'plaintext in a frame (default: 1MiB)').argParser(parseBytes),
      ),
  );
}

export function decryptOptions(command: Command): Command {
  return nameOptions(
    command
      .addOption(
        new Option('--private-key <file>', 'private key or key set; may be repeated')
          .env('SEALDROP_PRIVATE_KEY')
          .argParser(collect)
          .default([], 'none'),
      )
      .addOption(
        new Option('--passphrase-file <file>', "file with the private key's passphrase").env(
          'SEALDROP_PASSPHRASE_FILE',
        ),
      )
      .addOption(
        new Option('--max-wrapped-keys <n>', 'refuse messages with more (default: 20)').argParser(positive),
      )
      .addOption(
        new Option('--max-frame-length <bytes>', 'refuse longer frames (default: 64MiB)').argParser(
          parseBytes,
        ),
      ),
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

export function contextOption(command: Command, description: string): Command {
  return command.addOption(
    new Option('--context <name=value>', description).argParser(collectPair).default({}, 'none'),
  );
}

export function storeSettings(options: StoreOptions): StoreSettings {
  return { ...options, concurrency: options.parallel };
}

export function encryptSettings(options: EncryptOptions): EncryptSettings {
  const { publicKey, keyName, keyNamespace, ...rest } = options;
  return { ...rest, publicKeys: publicKey, name: keyName, namespace: keyNamespace };
}

export function decryptSettings(
  options: DecryptOptions,
  passphrase: DecryptSettings['passphrase'],
): DecryptSettings {
  const { privateKey, keyName, keyNamespace, ...rest } = options;
  return { ...rest, privateKeys: privateKey, name: keyName, namespace: keyNamespace, passphrase };
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
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
