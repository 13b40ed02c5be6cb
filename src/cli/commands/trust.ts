import { Command } from 'commander';
import { CONFIG_NAME, parseConfig, readNamed, type Config, type KeyConfig } from '../../config/config.js';
import { storeOptionsOf } from '../../config/store-options.js';
import type { StoreSettings } from '../../config/settings.js';
import { recordTrust } from '../../config/trust.js';
import type { ServerSideEncryption } from '../../ports.js';
import { printable } from '../../printable.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';

const EXAMPLES = `
Examples:
  sealdrop trust
  sealdrop trust project/sealdrop.config.json

A configuration decides where things are stored, and which keys open them. One that came with a downloaded tree is not
used until you have approved it here; a change of the file has to be approved again.`;

export function trustCommand(environment: Environment): Command {
  const command = new Command('trust')
    .description('show what a configuration sets, and use it from now on')
    .argument('[file]', 'the configuration', CONFIG_NAME);
  return shared
    .outputOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, options: shared.OutputOptions) => {
      const output = openOutput(environment, options);
      const { real, bytes } = await readNamed(path);
      const config = await parseConfig(bytes, real);
      await recordTrust(real, bytes);
      if (output.json) output.document({ config: real, ...documentOf(config) });
      else output.data([`${printable(real)} is trusted. It sets:`, ...linesOf(config)].join('\n'));
    });
}

/** In words of the file. */
function documentOf({ vaults, keys, defaults, resumeFrom }: Config): object {
  return {
    vaults: [...vaults].map(([name, { settings, sseKeyFile, ...rest }]) => ({
      ...{ name, ...rest, ...storeOf(settings) },
      ...(sseKeyFile !== undefined && { sse: 'c', sseKeyFile }),
    })),
    defaults: { ...storeOf(defaults), ...(resumeFrom !== undefined && { resumeFrom }) },
    ...{ publicKeys: [], privateKeys: [], ...keys },
  };
}

const storeOf = ({ traits, sse, ...rest }: StoreSettings): object => ({
  ...rest,
  ...traits,
  ...(sse && { sse: sseText(sse) }),
});

const sseText = (sse: ServerSideEncryption): string =>
  sse.kind === 'aws:kms' && sse.keyId !== undefined ? `aws:kms:${sse.keyId}` : sse.kind;

const WORDS: Readonly<Record<keyof KeyConfig, string>> = {
  publicKeys: 'encrypts to',
  recipients: 'encrypts to',
  keySet: 'key set',
  privateKeys: 'opens with',
  keyProfile: 'key profile',
  keyName: 'key name',
  keyNamespace: 'key namespace',
};

function linesOf({ vaults, keys, defaults, resumeFrom }: Config): string[] {
  const rows: [string, string][] = [];
  for (const [name, vault] of vaults) {
    const { address, binding, settings, sseKeyFile, format, commitmentPolicy, allowLegacy } = vault;
    const more = [
      ...(sseKeyFile === undefined ? [] : [`--sse c --sse-key-file ${sseKeyFile}`]),
      ...(binding === 'allow' ? ['binding: allow'] : []),
      ...(format === undefined ? [] : [`--format ${format}`]),
      ...(commitmentPolicy === undefined ? [] : [`--commitment-policy ${commitmentPolicy}`]),
      ...(allowLegacy === true ? ['--allow-legacy'] : []),
    ];
    rows.push([`vault ${name}`, [address, ...said(settings), ...more].join(' ')]);
  }
  for (const [field, what] of Object.entries(WORDS))
    for (const value of [keys[field as keyof KeyConfig] ?? []].flat()) rows.push([what, value]);
  const common = said(defaults);
  if (common.length > 0) rows.push(['every store', common.join(' ')]);
  if (resumeFrom !== undefined) rows.push(['resumes', `transfers from ${resumeFrom} bytes on`]);
  if (rows.length === 0) return ['  nothing for this command'];
  return rows.map(([what, value]) => `  ${what.padEnd(14)} ${printable(value)}`);
}

/** In words of the command line. */
function said(settings: StoreSettings): string[] {
  const { endpointUrl, region, profile, provider, caBundle, account, traits } = settings;
  const { partSize, concurrency, memory, sse } = settings;
  const options = {
    ...{ '--provider': provider, '--endpoint-url': endpointUrl, '--region': region, '--profile': profile },
    ...{ '--ca-bundle': caBundle, '--part-size': partSize, '--parallel': concurrency },
    '--memory': memory,
    '--sse': sse && sseText(sse),
  };
  return [
    ...Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`])),
    ...storeOptionsOf({ ...traits, ...(account !== undefined && { account }) }),
  ];
}
