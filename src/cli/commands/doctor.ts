import { Command } from 'commander';
import { parseAddress, type Address } from '../../address.js';
import { CONFIG_NAME, readNamed } from '../../config/config.js';
import { located } from '../../config/named-vaults.js';
import type { StoreSettings } from '../../config/settings.js';
import { storeOptionsOf } from '../../config/store-options.js';
import { examine, worst } from '../../doctor/examine.js';
import { broken, note, ok, warning, type Finding, type Found, type Verdict } from '../../doctor/finding.js';
import { checkKeyFiles } from '../../doctor/keys.js';
import { leastPart, rehearse } from '../../doctor/rehearsal.js';
import { isSealdropError, SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import type { StoreTraits } from '../../store-traits.js';
import { openOutput, type Environment } from '../command.js';
import { keyAccessOf } from '../key-options.js';
import * as shared from '../options.js';
import type { Output } from '../output.js';

interface DoctorOptions extends shared.StoreOptions, shared.DecryptOptions, shared.OutputOptions {
  publicKey: string[];
  recipient: string[];
}

const EXAMPLES = `
Examples:
  sealdrop doctor lab:
  sealdrop doctor s3://lab/in/ --endpoint-url https://s3.v3.abci.ai --public-key public_key.pem
  sealdrop doctor --json

Without an address: the keys, the configuration and every vault in it. It tries things out below the address, in a
folder of its own, and removes them again; about 40 MB go up. What it sets in the end can be pasted behind any command.
Exit codes: 0 all is well (or worth a warning), 1 something does not work, 6 it works with the settings named.`;

export function doctorCommand(environment: Environment): Command {
  const command = new Command('doctor')
    .description('find out what works with a store, and what has to be set for it')
    .argument('[vault]', 'its name, s3://bucket/prefix or file:///directory');
  shared.recipientOptions(command);
  shared.decryptOptions(command);
  return shared
    .outputOptions(shared.storeOptions(command))
    .addHelpText('after', EXAMPLES)
    .action(async (vault: string | undefined, options: DoctorOptions) => {
      const output = openOutput(environment, options);
      const consultation = new Consultation(output);
      const names = [...(environment.config?.config.vaults.keys() ?? [])];
      await consultation.run('keys', () => checkKeyFiles(keysOf(options, environment)));
      await consultation.run('configuration', () => checkConfiguration(environment));
      consultation.end('local');
      const addresses = vault === undefined ? names.map((name) => `${name}:`) : [addressOf(vault, names)];
      for (const address of addresses) await checkVault(address, options, environment, consultation);
      environment.exitCode = EXIT[consultation.verdict];
    });
}

const EXIT: Record<Verdict, number> = { ok: 0, note: 0, warning: 0, setting: 6, broken: 1 };

/** What is said on the way, and in the end. */
class Consultation {
  readonly #output: Output;
  #findings: Finding[] = [];
  verdict: Verdict = 'ok';

  constructor(output: Output) {
    this.#output = output;
  }

  say(finding: Finding): void {
    this.#findings.push(finding);
    if (this.#output.json) return;
    const { check, verdict, text, advice, settings } = finding;
    this.#output.data(`${verdict.padEnd(8)} ${check.padEnd(14)} ${printable(text)}`);
    const more = [...(advice === undefined ? [] : [advice]), ...storeOptionsOf(settings ?? {})];
    for (const line of more) this.#output.data(`${''.padEnd(23)} -> ${printable(line)}`);
  }

  async run(check: string, examined: () => Promise<Found[]>): Promise<void> {
    for (const found of await examined()) this.say({ check, ...found });
  }

  /** @param settings that follow */
  end(address: string, settings: StoreTraits = {}): void {
    const verdict = worst(this.#findings.map((finding) => finding.verdict));
    this.verdict = worst([this.verdict, verdict]);
    const storeOptions = storeOptionsOf(settings);
    if (this.#output.json)
      this.#output.document({ address, verdict, findings: this.#findings, settings, storeOptions });
    else if (storeOptions.length > 0)
      this.#output.data(
        `\nset for this store:     ${storeOptions.join(' ')}\n` +
          `or in its configuration: ${JSON.stringify(settings).slice(1, -1)}`,
      );
    this.#findings = [];
  }
}

function keysOf(options: DoctorOptions, { parts }: Environment): Parameters<typeof checkKeyFiles>[0] {
  const { publicKey, recipient, keySet, keyName, keyNamespace, oaepHash } = options;
  const named = { publicKey, recipient, ...(keySet !== undefined && { keySet }) };
  const encrypting = {
    ...shared.encryptSettings({ ...named, keyName, keyNamespace, oaepHash }),
    keyAccess: keyAccessOf(options),
  };
  const decrypting = shared.decryptSettings(options);
  return {
    openEncryptor: shared.namesRecipients(named) ? () => parts.openEncryptor(encrypting) : undefined,
    openDecryptor: shared.namesOpeningKeys(options) ? () => parts.openDecryptor(decrypting) : undefined,
  };
}

async function checkConfiguration({ config }: Environment): Promise<Found[]> {
  if (config === undefined) return [];
  const { files, warning: unused } = config;
  const found: Found[] = files.map((path) => ok(`${path} is used`));
  if (unused !== undefined) found.push(warning(unused.text, unused.hint));
  else if (files.length === 0) found.push(note('none is used'));
  for (const path of files.filter((each) => each.endsWith(CONFIG_NAME)))
    found.push(...(await deployments(path)));
  return found;
}

/** They are `cdk deploy`'s, and are looked at here all the same. */
async function deployments(path: string): Promise<Found[]> {
  const text = (await readNamed(path)).bytes.toString();
  if (!Object.hasOwn(JSON.parse(text) as object, 'deployments')) return [];
  const { parseDeployments } = await import('../../config/read-deployments.js');
  try {
    const names = Object.keys(parseDeployments(text, path));
    return [ok(`deployments: ${names.join(', ')}`)];
  } catch (error) {
    if (!isSealdropError(error)) throw error;
    return [broken(error.message.replaceAll(/\s*\n\s*/g, ' '), error.hint)];
  }
}

/** A name may stand without its colon. */
function addressOf(text: string, names: readonly string[]): string {
  return names.includes(text) ? `${text}:` : text;
}

async function checkVault(
  address: string,
  options: DoctorOptions,
  environment: Environment,
  consultation: Consultation,
): Promise<void> {
  const { config } = environment;
  const given = shared.storeSettings(options);
  const { place, settings } =
    config === undefined
      ? { place: parseAddress(address), settings: given }
      : located(address, config.config, given);
  if (place.kind === 's3') return checkStore(address, place, settings, { environment, consultation });
  if (place.kind !== 'file') throw new SealdropError('usage', `${printable(address)} is no vault`);
  await consultation.run('directory', () => checkDirectory(place, environment));
  consultation.end(address);
}

async function checkStore(
  address: string,
  { bucket, key }: Address & { kind: 's3' },
  settings: StoreSettings,
  { environment, consultation }: { environment: Environment; consultation: Consultation },
): Promise<void> {
  const { parts, signal } = environment;
  const raw = await parts.openRawStore(bucket, settings);
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  try {
    const found = await examine({
      ...{ raw, prefix, signal },
      async openStore(traits) {
        const partSize = leastPart({ ...raw.traits, ...traits });
        const all = { ...settings, partSize, traits: { ...settings.traits, ...traits } };
        return (await parts.openVault({ kind: 's3', bucket, key: '' }, 'read', all)).store;
      },
      onFinding: (finding) => consultation.say(finding),
    });
    consultation.end(address, found);
  } finally {
    raw.close();
  }
}

/** Whether the first put would make it a vault: it says so itself, and makes none. */
async function unmade(place: Address & { kind: 'file' }, { parts }: Environment): Promise<Found> {
  const path = place.path.replace(/(?<=.)\/$/, '');
  try {
    (await parts.openVault({ ...place, path: `${path}/` }, 'plan')).store.close();
  } catch (error) {
    if (!isSealdropError(error) || error.code !== 'not_a_vault') throw error;
    return broken(`${path} does not lie in a vault`, error.hint);
  }
  return warning(`${path} is no vault yet`, 'the first sealdrop put into it makes it one');
}

async function checkDirectory(place: Address & { kind: 'file' }, environment: Environment): Promise<Found[]> {
  const { parts, signal } = environment;
  const root = await parts.vaultAround(place.path);
  if (root === undefined) return [await unmade(place, environment)];
  const { store } = await parts.openVault(place, 'read');
  const prefix = `sealdrop-doctor-${process.pid}/`;
  try {
    return [
      ok(`a vault at ${root}`),
      ...(await rehearse(store, prefix, { partSize: leastPart({}), signal })),
    ];
  } finally {
    for (const name of ['small', 'large']) await store.remove(prefix + name).catch(() => undefined);
    store.close();
  }
}
