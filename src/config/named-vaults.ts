/** Parts that know the vaults of a configuration: `lab:data/x` is `data/x` in the vault `lab`. */
import { existsSync } from 'node:fs';
import { parseAddress, type Address } from '../address.js';
import { SealdropError } from '../errors.js';
import type { ReadPolicy } from '../ports.js';
import { printable } from '../printable.js';
import { keyProblem } from '../vault-key.js';
import { layered, type Config } from './config.js';
import type { EncryptSettings, Parts, StoreSettings } from './settings.js';

/** @param readSse reads the key of SSE-C that a vault names */
export function withConfig(
  parts: Parts,
  config: Config,
  readSse: (keyFile: string) => Promise<Pick<StoreSettings, 'sse'>>,
): Parts {
  return {
    ...parts,
    async openVault(address, use, given = {}) {
      const { place, binding, allowed, settings: found, sseKeyFile, key } = located(address, config, given);
      const keyed = sseKeyFile !== undefined && found.sse === undefined ? await readSse(sseKeyFile) : {};
      const settings = { ...found, ...keyed };
      const vault = await parts.openVault(place, use, settings);
      // A directory says itself, in its marker; either of them may ask for more.
      const required = binding === 'required' || vault.binding === 'required';
      const named = key !== undefined && {
        whole: key === '',
        prefix: vault.key.slice(0, vault.key.length - key.length),
      };
      return { ...vault, ...named, ...(allowed && { allowed }), binding: required ? 'required' : 'allow' };
    },
    openEncryptor: (given) => parts.openEncryptor({ ...given, ...writingOf(given, config) }),
    openInboxBucket: (bucket, given) => parts.openInboxBucket(bucket, layered(config.defaults, given)),
    async openBucketAdmin(address, given) {
      const { place, settings } = located(address, config, given);
      return parts.openBucketAdmin(place, settings);
    },
    openRawStore: (bucket, given) => parts.openRawStore(bucket, layered(config.defaults, given)),
  };
}

export interface Located {
  /** Of the kinds s3, file and stdio. */
  readonly place: Address;
  readonly binding: 'required' | 'allow';
  readonly allowed?: ReadPolicy;
  readonly settings: StoreSettings;
  readonly sseKeyFile?: string;
  /** Of a vault's name: the key behind it. */
  readonly key?: string;
}

/**
 * Where an address leads, and with which settings: those given, of options and environment, go before the
 * configuration's.
 * @throws SealdropError `usage` for a name that no vault has, `key_not_storable`
 */
export function located(address: string | Address, config: Config, given: StoreSettings = {}): Located {
  const parsed = typeof address === 'string' ? parseAddress(address) : address;
  if (parsed.kind === 'file' && !parsed.named && config.vaults.has(parsed.path)) assertNotName(parsed.path);
  if (parsed.kind !== 'named')
    return { place: parsed, binding: 'allow', settings: layered(config.defaults, given) };
  const vault = config.vaults.get(parsed.vault);
  if (vault === undefined) throw unknownVault(parsed, [...config.vaults.keys()]);
  assertInside(parsed.key);
  const place = parseAddress(`${vault.address.replace(/\/$/, '')}/${parsed.key}`);
  const settings = layered(config.defaults, vault.settings, given);
  const { binding, sseKeyFile, commitmentPolicy, allowLegacy } = vault;
  const allowed = { commitmentPolicy, allowLegacy };
  const file = sseKeyFile !== undefined && { sseKeyFile };
  return { place, binding, allowed, settings, key: parsed.key, ...file };
}

/** What a vault says of what is written there: its policy counts for a format that is named, too. */
function writingOf(
  { vault: address, format, commitmentPolicy }: EncryptSettings,
  { vaults }: Config,
): Pick<EncryptSettings, 'format' | 'commitmentPolicy'> {
  const parsed = address === undefined ? undefined : parseAddress(address);
  const vault = parsed?.kind === 'named' ? vaults.get(parsed.vault) : undefined;
  if (vault === undefined) return {};
  const policy = commitmentPolicy ?? vault.commitmentPolicy;
  return { format: format ?? vault.format, ...(policy && { commitmentPolicy: policy }) };
}

/** @throws SealdropError `usage` where a vault is called so, and nothing lies there */
function assertNotName(path: string): void {
  if (existsSync(path)) return;
  throw new SealdropError('usage', `there is no ${printable(path)} here, and a vault is called so`, {
    hint: `a vault's name has a colon behind it: ${printable(path)}:`,
  });
}

/** A key that leads out of the vault's prefix, or that stores would alias, is none of it. */
function assertInside(key: string): void {
  const problem = key === '' ? undefined : keyProblem(key.replace(/\/$/, ''));
  if (problem === undefined) return;
  throw new SealdropError('key_not_storable', `${printable(key)} cannot be a key in a vault: ${problem}`);
}

function unknownVault(
  { vault: name, key }: { vault: string; key: string },
  known: readonly string[],
): SealdropError {
  const here = `a file of that name is written ./${printable(`${name}:${key}`)}`;
  return new SealdropError('usage', `there is no vault named ${printable(name)}`, {
    hint:
      known.length === 0
        ? `no configuration that is used here names any: sealdrop init makes one, and sealdrop trust approves one of this directory; ${here}`
        : `configured: ${known.join(', ')}; ${here}`,
  });
}
