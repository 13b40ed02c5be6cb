/**
 * Where the parts are joined: settings in, ports out. The command and the library both use it. What is heavy is
 * imported when it is needed, so that a command loads only what it runs.
 */
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { parseAddress, type Address } from './address.js';
import type {
  DecryptSettings,
  EncryptSettings,
  KeyInput,
  KeyPair,
  Parts,
  StoreSettings,
  Vault,
} from './config/settings.js';
import { SealdropError, systemCode } from './errors.js';
import type { Decryptor, Encryptor, Inspector } from './ports.js';
import { printable } from './printable.js';
import { realTarget } from './real-path.js';
import type { Secret } from './secret.js';

/**
 * @param use `write` may make a new directory a vault; `read` takes any directory
 * @throws SealdropError `usage`, `not_a_vault`
 */
export async function openVault(
  address: string | Address,
  use: 'read' | 'write',
  settings: StoreSettings = {},
): Promise<Vault> {
  const parsed = typeof address === 'string' ? parseAddress(address) : address;
  if (parsed.kind === 'stdio') throw new SealdropError('usage', 'standard input and output are no vault');
  if (parsed.kind === 'file') return openDirectory(parsed, use);
  const { openS3Store } = await import('./store/s3.js');
  const store = openS3Store({
    bucket: parsed.bucket,
    endpoint: settings.endpointUrl,
    region: settings.region,
    profile: settings.profile,
    caBundle: settings.caBundle,
    partSize: settings.partSize,
    checksum: settings.checksum,
    concurrency: settings.concurrency,
  });
  return { store, key: parsed.key, binding: 'allow', created: false };
}

async function openDirectory(address: Address & { kind: 'file' }, use: 'read' | 'write'): Promise<Vault> {
  const { createVault, findVaultRoot, openDirectoryStore } = await import('./store/directory.js');
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
  await createVault(root, 'required');
  const rest = path.slice(root.length + 1);
  return {
    store: openDirectoryStore({ root }),
    key: rest === '' ? '' : rest + slash,
    binding: 'required',
    created: true,
  };
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
  // One after the other: it takes no longer, and jest 29 mixes up modules that are linked at the same time.
  const { createEncryptor } = await import('./envelope/esdk/encrypt.js');
  const { SIGNED_SUITE } = await import('./envelope/esdk/suites.js');
  const { readPublicKeySet } = await import('./keys/key-set.js');
  const { rsaWrappingKeys } = await import('./keys/raw-rsa/wrap.js');
  const sets = await Promise.all(
    settings.publicKeys.map(async (key, i) =>
      readPublicKeySet(await readKey(key), keyName(key, i), settings),
    ),
  );
  return createEncryptor(rsaWrappingKeys(sets.flat()), {
    suite: settings.suite ?? (settings.sign === true ? SIGNED_SUITE : undefined),
    frameLength: settings.frameLength,
    commitmentPolicy: settings.commitmentPolicy,
  });
}

/** @throws SealdropError where keys are missing, damaged, locked or of the wrong kind */
export async function openDecryptor(settings: DecryptSettings): Promise<Decryptor> {
  const { createDecryptor } = await import('./envelope/esdk/decrypt.js');
  const { readPrivateKeySet } = await import('./keys/private-key-set.js');
  const { isLocked } = await import('./keys/private-key.js');
  const { RsaUnwrapKeyring } = await import('./keys/raw-rsa/unwrap.js');
  const keys = [];
  for (const [i, key] of settings.privateKeys.entries()) {
    const bytes = await readKey(key);
    const name = keyName(key, i);
    const passphrase = isLocked(bytes.toString('latin1')) ? await settings.passphrase?.(name) : undefined;
    keys.push(...readPrivateKeySet(bytes, name, { ...settings, passphrase }));
  }
  if (keys.length === 0)
    throw new SealdropError('key_required', 'opening needs a private key', {
      hint: 'name it: --private-key FILE (or SEALDROP_PRIVATE_KEY)',
    });
  return createDecryptor({
    keyring: new RsaUnwrapKeyring(keys),
    commitmentPolicy: settings.commitmentPolicy,
    maxWrappedKeys: settings.maxWrappedKeys,
    maxFrameLength: settings.maxFrameLength,
  });
}

export async function openInspector(): Promise<Inspector> {
  return (await import('./envelope/esdk/inspect.js')).esdkInspector;
}

function keyName(key: KeyInput, index: number): string {
  return typeof key === 'string' ? printable(key) : `key ${index + 1}`;
}

async function readKey(key: KeyInput): Promise<Buffer> {
  if (typeof key !== 'string') return Buffer.from(key);
  const path = key;
  try {
    return await readFile(path);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new SealdropError('key_file_not_found', `there is no key file ${printable(path)}`, {
        cause,
        hint: 'make a pair with: sealdrop keygen',
      });
    throw new SealdropError(
      'invalid_key',
      `cannot read the key file ${printable(path)}: ${code ?? 'unknown error'}`,
      {
        cause,
      },
    );
  }
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

async function vaultAround(path: string): Promise<string | undefined> {
  return (await (await import('./store/directory.js')).findVaultRoot(await realTarget(path)))?.root;
}

export const parts: Parts = {
  openVault,
  openEncryptor,
  openDecryptor,
  openInspector,
  generateKeyPair,
  vaultAround,
};
