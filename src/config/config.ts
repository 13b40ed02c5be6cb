/** The configuration that a command goes by, from the files that there are. */
import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isSealdropError, SealdropError, systemCode } from '../errors.js';
import { isKeyFile } from '../key-input.js';
import { printable } from '../printable.js';
import type { FormatName, ReadPolicy } from '../ports.js';
import type { StoreTraits } from '../store-traits.js';
import { configFolder, homeFolder } from '../user-folders.js';
import type { ConfigDocument } from './schema.js';
import type { StoreSettings } from './settings.js';
import { trustIn, type Trust } from './trust.js';

export const CONFIG_NAME = 'sealdrop.config.json';
/** More than anybody writes; what is there may be anything. */
const MAX_BYTES = 1024 * 1024;

export interface VaultConfig extends ReadPolicy {
  /** `s3://bucket/prefix` or `file:///directory` */
  readonly address: string;
  readonly binding: 'required' | 'allow';
  /** What is written there. */
  readonly format?: FormatName;
  readonly settings: StoreSettings;
  /** The key of SSE-C, which is read when the vault is opened. */
  readonly sseKeyFile?: string;
}

export interface KeyConfig {
  readonly publicKeys?: readonly string[];
  readonly privateKeys?: readonly string[];
  readonly recipients?: readonly string[];
  readonly keySet?: string;
  readonly keyProfile?: string;
  readonly keyName?: string;
  readonly keyNamespace?: string;
}

/** Paths in it lead from where the command runs. */
export interface Config {
  readonly vaults: ReadonlyMap<string, VaultConfig>;
  readonly keys: KeyConfig;
  readonly defaults: StoreSettings;
  /** Bytes from which on an interrupted transfer can be gone on with. */
  readonly resumeFrom?: number | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  /** What it was read from. */
  readonly files: readonly string[];
  /** Of a file that is there and was not used. */
  readonly warning?: { readonly text: string; readonly hint: string };
}

const NOTHING: Config = { vaults: new Map(), keys: {}, defaults: {} };

/**
 * @param named the file that the user names, in place of the one in the working directory
 * @throws SealdropError `invalid_config`
 */
export async function loadConfig(named?: string): Promise<LoadedConfig> {
  const ofUser = await readIfThere(join(configFolder(), 'config.json'));
  let here: ConfigFile | undefined;
  try {
    here = named ? await readNamed(named) : await readIfThere(CONFIG_NAME);
  } catch (error) {
    if (named || !isSealdropError(error)) throw error;
    // Nobody has asked for it.
    return { ...(await used([ofUser])), warning: { text: error.message, hint: 'it is not used' } };
  }
  const trust = here === undefined || named ? 'trusted' : await trustIn(here.real, here.bytes);
  const loaded = await used([ofUser, trust === 'trusted' ? here : undefined]);
  if (here === undefined || trust === 'trusted' || !matters(here.bytes)) return loaded;
  return { ...loaded, warning: distrust(here.path, trust) };
}

async function used(files: readonly (ConfigFile | undefined)[]): Promise<LoadedConfig> {
  const there = files.filter((file) => file !== undefined);
  let config = NOTHING;
  for (const file of there) config = over(config, await parseConfig(file.bytes, file.real, file.path));
  return { config, files: there.map(({ path }) => path) };
}

function distrust(path: string, trust: Trust): { text: string; hint: string } {
  return {
    text: `${printable(path)} here is not used: ${trust === 'changed' ? 'it has changed since it was trusted' : 'it is not known whether it can be trusted'}`,
    hint: `look at what it says, and then: sealdrop trust`,
  };
}

/** What says nothing to the command, as one with deployments alone, need not be trusted. */
function matters(bytes: Uint8Array): boolean {
  try {
    const document = JSON.parse(Buffer.from(bytes).toString()) as object;
    return Object.keys(document).some((name) => !['$schema', 'deployments'].includes(name));
  } catch {
    return true;
  }
}

/**
 * @param path of the file itself, which relative paths in it begin at: where a link to it lies, others may have put keys
 * @param shown what messages call it
 * @throws SealdropError `invalid_config`
 */
export async function parseConfig(bytes: Uint8Array, path: string, shown = path): Promise<Config> {
  const { parseDocument } = await import('./mistakes.js');
  const { configSchema } = await import('./schema.js');
  const document = parseDocument(Buffer.from(bytes).toString(), printable(shown), configSchema, '; ');
  return configOf(document, dirname(path));
}

function configOf({ vaults = {}, keys = {}, defaults = {} }: ConfigDocument, folder: string): Config {
  const { resumeFrom, ...ofStores } = defaults;
  const from = (path: string) => {
    // No shell has seen it.
    if (path.startsWith('~/')) return join(homeFolder(), path.slice(2));
    return folder === process.cwd() ? path : resolve(folder, path);
  };
  // What lies in no file is called the same from everywhere.
  const key = (input: string) => (isKeyFile(input) ? from(input) : input);
  const { publicKeys, privateKeys, recipients, keySet, ...names } = keys;
  return {
    vaults: new Map(
      Object.entries(vaults).map(([name, { address, binding = 'required', sse, sseKeyFile, ...rest }]) => {
        const { format, commitmentPolicy, allowLegacy, ...store } = rest;
        const envelope = defined({ format, commitmentPolicy, allowLegacy });
        const settings = { ...settingsOf(store, from), ...sseOf(sse) };
        const file = sseKeyFile && { sseKeyFile: key(sseKeyFile) };
        return [name, { address, binding, ...envelope, settings, ...file }];
      }),
    ),
    keys: {
      ...(publicKeys && { publicKeys: publicKeys.map(key) }),
      ...(privateKeys && { privateKeys: privateKeys.map(key) }),
      ...(recipients && { recipients: recipients.map(key) }),
      ...(keySet !== undefined && { keySet: key(keySet) }),
      ...(names as KeyConfig),
    },
    defaults: settingsOf(ofStores, from),
    ...(resumeFrom !== undefined && { resumeFrom }),
  };
}

function sseOf(text: string | undefined): Pick<StoreSettings, 'sse'> {
  if (text === undefined || text === 'c') return {};
  if (text === 'AES256' || text === 'bucket') return { sse: { kind: text } };
  const keyId = text.slice('aws:kms:'.length);
  return { sse: { kind: 'aws:kms', ...(keyId !== '' && { keyId }) } };
}

type StoreDocument = Omit<NonNullable<ConfigDocument['defaults']>, 'resumeFrom'>;

function settingsOf(document: StoreDocument, from: (path: string) => string): StoreSettings {
  const { provider, endpointUrl, region, profile, account, caBundle, ...rest } = document;
  const { partSize, concurrency, memory, ...traits } = rest;
  return defined({
    ...{ provider, endpointUrl, region, profile, account, partSize, concurrency, memory },
    caBundle: caBundle && from(caBundle),
    traits,
  });
}

/** Of two files, the second goes before the first; a vault is taken whole. */
function over(first: Config, second: Config): Config {
  const { resumeFrom = first.resumeFrom } = second;
  return {
    vaults: new Map([...first.vaults, ...second.vaults]),
    keys: { ...first.keys, ...second.keys },
    defaults: layered(first.defaults, second.defaults),
    ...(resumeFrom !== undefined && { resumeFrom }),
  };
}

/** Settings of which the later ones go before the earlier ones, where they say something. */
export function layered(...layers: readonly StoreSettings[]): StoreSettings {
  const settings = Object.assign({}, ...layers.map(defined)) as StoreSettings;
  const traits = Object.assign({}, ...layers.map((layer) => defined(layer.traits ?? {}))) as StoreTraits;
  return { ...settings, traits };
}

const defined = <T extends object>(value: T): Partial<T> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Partial<T>;

export interface ConfigFile {
  readonly path: string;
  readonly real: string;
  readonly bytes: Buffer;
}

/** @throws SealdropError `invalid_config` where it is missing, unreadable or no file */
export async function readNamed(path: string): Promise<ConfigFile> {
  const file = await readIfThere(path);
  if (file !== undefined) return file;
  throw new SealdropError('invalid_config', `there is no file ${printable(path)}`, {
    hint: 'make one with: sealdrop init',
  });
}

/** @throws SealdropError `invalid_config` */
async function readIfThere(path: string): Promise<ConfigFile | undefined> {
  try {
    const real = await realpath(path);
    // A pipe of that name would be waited for.
    const handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return { path, real, bytes: await readAll(handle) };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new SealdropError(
      'invalid_config',
      `cannot read ${printable(path)}: ${code ?? (cause as Error).message}`,
      { cause },
    );
  }
}

/** By what comes, not by the size that is told: files of /proc have none, and go on for long. */
async function readAll(handle: FileHandle): Promise<Buffer> {
  if (!(await handle.stat()).isFile()) throw new Error('it is no regular file');
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of handle.createReadStream({ autoClose: false, end: MAX_BYTES })) {
    pieces.push(piece as Buffer);
    size += (piece as Buffer).length;
  }
  if (size > MAX_BYTES) throw new Error(`it is longer than ${MAX_BYTES} bytes`);
  return Buffer.concat(pieces);
}
