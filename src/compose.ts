/**
 * Where the parts are joined: settings in, ports out. The command and the library both use it. What is heavy is
 * imported when it is needed, so that a command loads only what it runs.
 */
import { access, readdir, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { parseAddress, type Address } from './address.js';
import {
  openS3ecUnwrappingKeys,
  openS3ecWrappingKey,
  openUnwrapping,
  openWrappingKeys,
  readPublicKeys,
} from './compose-keys.js';
import type {
  DecryptSettings,
  EncryptSettings,
  KeyPair,
  OpenedInbox,
  Parts,
  Rewrapping,
  StoreSettings,
  Vault,
  VaultUse,
} from './config/settings.js';
import { SealdropError } from './errors.js';
import type { AwsSettings, Operations } from './operations.js';
import type { BucketAdmin, Decryptor, Encryptor, Inspector, Ranges, UnverifiedRanges } from './ports.js';
import { printable } from './printable.js';
import type { RawStore } from './raw-store.js';
import { realTarget } from './real-path.js';
import type { Secret } from './secret.js';

/**
 * @param use `write` may make a new directory a vault; `plan` says so where it would, and makes none; `read` takes any
 *   directory
 * @throws SealdropError `usage`, `not_a_vault`
 */
export async function openVault(
  address: string | Address,
  use: VaultUse,
  settings: StoreSettings = {},
): Promise<Vault> {
  const parsed = typeof address === 'string' ? parseAddress(address) : address;
  if (parsed.kind === 'stdio') throw new SealdropError('usage', 'standard input and output are no vault');
  if (parsed.kind === 'file' && (settings.sse?.kind ?? 'none') !== 'none')
    throw new SealdropError('usage', 'a directory has no server-side encryption: leave --sse out');
  if (parsed.kind === 'named')
    throw new SealdropError(
      'usage',
      `${printable(parsed.vault)}: names a vault of a configuration, and there is none`,
    );
  if (parsed.kind === 'file') return openDirectory(parsed, use, settings.newBinding);
  const { openS3Store } = await import('./store/s3.js');
  const store = openS3Store({
    bucket: parsed.bucket,
    ...clientOptions(settings),
    partSize: settings.partSize,
    checksum: settings.checksum,
    concurrency: settings.concurrency,
    memory: settings.memory,
    sse: settings.sse,
  });
  return { store, key: parsed.key, binding: 'allow', created: false };
}

function clientOptions({
  endpointUrl: endpoint,
  region,
  profile,
  caBundle,
  provider,
  account,
  traits,
  mfaCode,
}: StoreSettings) {
  return { endpoint, region, profile, caBundle, provider, account, traits, mfaCode };
}

async function openDirectory(
  address: Address & { kind: 'file' },
  use: VaultUse,
  binding: Vault['binding'] = 'required',
): Promise<Vault> {
  const { createVault, findVaultRoot, openDirectoryStore, openUnmadeStore } =
    await import('./store/directory.js');
  const path = resolve(address.path);
  const slash = /[/\\]$|(^|\/)\.$/.test(address.path) ? '/' : '';
  const found = await findVaultRoot(path);
  if (found !== undefined) {
    const key = found.rest === '' ? '' : found.rest + slash;
    return { store: openDirectoryStore({ root: found.root }), key, binding: found.binding, created: false };
  }
  if (use === 'read') {
    const directory = slash !== '' || (await isDirectory(path));
    const root = directory ? path : dirname(path);
    const key = directory ? '' : basename(path);
    return { store: openDirectoryStore({ root }), key, binding: 'allow', created: false };
  }
  const root = address.named ? await newVaultRoot(slash === '' ? dirname(path) : path) : undefined;
  if (root === undefined) throw notAVault(address);
  const rest = path.slice(root.length + 1);
  const key = rest === '' ? '' : rest + slash;
  if (use === 'plan') return { store: openUnmadeStore({ root }), key, binding, created: false };
  await createVault(root, binding);
  return { store: openDirectoryStore({ root }), key, binding, created: true };
}

/** The directory that may become a vault: the first that is not there yet on the way to `directory`, or an empty one. */
async function newVaultRoot(directory: string): Promise<string | undefined> {
  let missing: string | undefined;
  for (let at = directory; ; at = dirname(at)) {
    if (await exists(at)) {
      if (missing !== undefined) return missing;
      return (await isDirectory(at)) && (await readdir(at)).length === 0 ? at : undefined;
    }
    missing = at;
  }
}

function notAVault({ path, named }: { path: string; named: boolean }): SealdropError {
  return new SealdropError('not_a_vault', `${printable(path)} does not lie in a vault`, {
    hint: named
      ? 'a vault is a new or empty directory, or one with a file .sealdrop-vault in it that holds {"version":1,"binding":"required"}'
      : 'an address is s3://bucket/key, or file:///directory/key for a directory',
  });
}

/** @throws SealdropError where keys are missing, damaged or of the wrong kind */
export async function openEncryptor(settings: EncryptSettings): Promise<Encryptor> {
  const { format = 'esdk', instructionFile } = settings;
  if (format === 's3ec' || format === 's3ec-v2') return openS3ecEncryptor(settings, format);
  if (instructionFile === true)
    throw new SealdropError('usage', `an instruction file is for objects of the S3 Encryption Client`, {
      hint: 'with --format s3ec or s3ec-v2; leave --instruction-file out',
    });
  if (format === 'plain') return (await import('./envelope/plain.js')).plainEncryptor;
  // One after the other: it takes no longer, and jest 29 mixes up modules that are linked at the same time.
  const { createEncryptor } = await import('./envelope/esdk/encrypt.js');
  const { SIGNED_SUITE } = await import('./envelope/esdk/suites.js');
  const { resumableMessages } = await import('./envelope/esdk/resumable.js');
  const keys = await openWrappingKeys(settings);
  const options = {
    suite: settings.suite ?? (settings.sign === true ? SIGNED_SUITE : undefined),
    frameLength: settings.frameLength,
    commitmentPolicy: settings.commitmentPolicy,
  };
  const resumable = resumableMessages(keys, options);
  return { ...createEncryptor(keys, options), ...(resumable && { resumable }) };
}

async function openS3ecEncryptor(settings: EncryptSettings, format: 's3ec' | 's3ec-v2'): Promise<Encryptor> {
  const { suite, sign, frameLength, commitmentPolicy, instructionFile } = settings;
  if (sign === true || (suite ?? frameLength) !== undefined)
    throw new SealdropError('usage', `suites, signatures and frames are those of --format esdk`, {
      hint: `leave --suite, --sign and --frame-length out with --format ${format}`,
    });
  const { createS3ecEncryptor } = await import('./envelope/s3ec/encrypt.js');
  const version = format === 's3ec' ? 3 : 2;
  return createS3ecEncryptor(await openS3ecWrappingKey(settings), {
    version,
    commitmentPolicy,
    instructionFile,
  });
}

/**
 * Opens objects of either envelope, unless the settings name one.
 * @throws SealdropError where keys are missing, damaged, locked or of the wrong kind
 */
export async function openDecryptor(settings: DecryptSettings): Promise<Decryptor> {
  if (settings.format === 'plain') return (await import('./envelope/plain.js')).plainDecryptor;
  return decryptorOf(await openUnwrapping(settings), settings);
}

type Unwrapping = Awaited<ReturnType<typeof openUnwrapping>>;

async function decryptorOf({ keyring, s3ec: keys }: Unwrapping, settings: DecryptSettings) {
  const { format, commitmentPolicy, allowLegacy, maxWrappedKeys, maxFrameLength } = settings;
  const esdk = async () => {
    const { createDecryptor } = await import('./envelope/esdk/decrypt.js');
    return createDecryptor({ keyring, commitmentPolicy, maxWrappedKeys, maxFrameLength });
  };
  const s3ec = async () => {
    const { createS3ecDecryptor } = await import('./envelope/s3ec/decrypt.js');
    return createS3ecDecryptor({ keys, commitmentPolicy, allowLegacy });
  };
  if (format === 'esdk') return esdk();
  if (format !== undefined) return s3ec();
  const { createAnyDecryptor } = await import('./envelope/any.js');
  return createAnyDecryptor({ esdk, s3ec });
}

async function openRewrapping(settings: DecryptSettings): Promise<Rewrapping> {
  const opened = await openUnwrapping(settings);
  return {
    decryptor: await decryptorOf(opened, settings),
    async headerRewrapper(to) {
      const { createHeaderRewrapper } = await import('./envelope/s3ec/rewrap-header.js');
      const { commitmentPolicy, allowLegacy } = settings;
      return createHeaderRewrapper({ keys: opened.s3ec, to, commitmentPolicy, allowLegacy });
    },
  };
}

/**
 * Ranges of s3ec objects, which nothing authenticates.
 * @throws SealdropError where keys are missing, damaged, locked or of the wrong kind
 */
export async function openUnverifiedRanges(settings: DecryptSettings): Promise<UnverifiedRanges> {
  const { createS3ecRanges } = await import('./envelope/s3ec/range.js');
  const { commitmentPolicy, allowLegacy } = settings;
  return createS3ecRanges({ keys: await openS3ecUnwrappingKeys(settings), commitmentPolicy, allowLegacy });
}

/**
 * Parts of objects of either envelope: what can be authenticated is, what can't is left to `unverified`.
 * @throws SealdropError where keys are missing, damaged, locked or of the wrong kind; `usage` for the format `plain`
 */
export async function openRanges(settings: DecryptSettings): Promise<Ranges> {
  if (settings.format === 'plain')
    throw new SealdropError('usage', 'of plain objects there are no ranges: any tool for S3 reads those');
  return rangesOf(await openUnwrapping(settings), settings);
}

async function openReading(settings: DecryptSettings) {
  if (settings.format === 'plain') return { decryptor: await openDecryptor(settings) };
  const opened = await openUnwrapping(settings);
  return { decryptor: await decryptorOf(opened, settings), ranges: await rangesOf(opened, settings) };
}

async function rangesOf({ keyring, s3ec: keys }: Unwrapping, settings: DecryptSettings): Promise<Ranges> {
  const { commitmentPolicy, allowLegacy, maxWrappedKeys, maxFrameLength } = settings;
  const format = settings.format === 'plain' ? undefined : settings.format;
  const { createAnyRanges } = await import('./envelope/any.js');
  return createAnyRanges({
    only: format === 's3ec-v2' ? 's3ec' : format,
    async esdk() {
      const { createRanges } = await import('./envelope/esdk/range.js');
      return createRanges({ keyring, commitmentPolicy, maxWrappedKeys, maxFrameLength });
    },
    async s3ec() {
      const { createS3ecRanges } = await import('./envelope/s3ec/range.js');
      return createS3ecRanges({ keys, commitmentPolicy, allowLegacy });
    },
  });
}

export async function openInspector(): Promise<Inspector> {
  const { createAnyInspector } = await import('./envelope/any.js');
  const { esdkInspector } = await import('./envelope/esdk/inspect.js');
  const { s3ecInspector } = await import('./envelope/s3ec/inspect.js');
  return createAnyInspector({ esdk: esdkInspector, s3ec: s3ecInspector });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

export async function generateKeyPair(passphrase?: Secret): Promise<KeyPair> {
  return (await import('./keys/generate.js')).generateKeyPem(passphrase);
}

async function readSecret(input: string, access: AwsSettings): Promise<Secret<Buffer>> {
  const { readKeySource } = await import('./key-source.js');
  const { Secret } = await import('./secret.js');
  return new Secret(await readKeySource(input, undefined, access));
}

async function openInboxBucket(bucket: string, settings: StoreSettings): Promise<OpenedInbox> {
  const { openS3Inbox } = await import('./store/s3-inbox.js');
  const { openS3Store } = await import('./store/s3.js');
  const options = { bucket, ...clientOptions(settings) };
  const store = openS3Store(options);
  return { inbox: openS3Inbox(options), list: (prefix, signal) => store.list(prefix, { signal }) };
}

async function openBucketAdmin(address: string | Address, settings: StoreSettings): Promise<BucketAdmin> {
  const parsed = typeof address === 'string' ? parseAddress(address) : address;
  if (parsed.kind !== 's3')
    throw new SealdropError('usage', 'the address names no bucket: a bucket is s3://bucket');
  const { openBucketAdmin: open } = await import('./store/s3-bucket-admin.js');
  return open({ bucket: parsed.bucket, ...clientOptions(settings) });
}

async function openRawStore(bucket: string, settings: StoreSettings): Promise<RawStore> {
  const raw = await import('./store/raw-s3.js');
  const { checksum } = settings;
  const traits = { ...settings.traits, ...(checksum && { checksum }) };
  return raw.openRawStore({ bucket, ...clientOptions(settings), traits });
}

async function vaultAround(path: string): Promise<string | undefined> {
  return (await (await import('./store/directory.js')).findVaultRoot(await realTarget(path)))?.root;
}

async function openOperations(settings: AwsSettings): Promise<Operations> {
  return (await import('./aws/operations.js')).openOperations(settings);
}

export const parts: Parts = {
  openVault,
  openEncryptor,
  openRecipients: async (settings) => (await import('./compose-rewrap.js')).openRecipients(settings),
  openDecryptor,
  openReading,
  openInspector,
  openRanges,
  openRewrapping,
  readPublicKeys,
  generateKeyPair,
  readSecret,
  openKeySet: async (source, settings) =>
    (await import('./compose-key-sets.js')).openKeySet(source, settings),
  vaultAround,
  openInboxBucket,
  openRawStore,
  openBucketAdmin,
  openOperations,
};
