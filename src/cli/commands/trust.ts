import { Command } from 'commander';
import { CONFIG_NAME, parseConfig, readNamed, type Config } from '../../config/config.js';
import { storeOptionsOf } from '../../config/store-options.js';
import type { StoreSettings } from '../../config/settings.js';
import { recordTrust } from '../../config/trust.js';
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

function documentOf({ vaults, keys, defaults }: Config): object {
  const placeOf = ({ endpointUrl, provider, caBundle }: StoreSettings) => ({
    endpointUrl,
    provider,
    caBundle,
  });
  return {
    vaults: [...vaults].map(([name, { address, binding, settings }]) => ({
      ...{ name, address, binding },
      ...placeOf(settings),
    })),
    defaults: placeOf(defaults),
    publicKeys: keys.publicKeys ?? [],
    privateKeys: keys.privateKeys ?? [],
  };
}

function linesOf({ vaults, keys, defaults }: Config): string[] {
  const rows: [string, string][] = [];
  for (const [name, { address, binding, settings, sseKeyFile }] of vaults) {
    const more = [
      ...(sseKeyFile === undefined ? [] : [`--sse-key-file ${sseKeyFile}`]),
      ...(binding === 'allow' ? ['binding: allow'] : []),
    ];
    rows.push([`vault ${name}`, [address, ...said(settings), ...more].join(' ')]);
  }
  for (const path of keys.publicKeys ?? []) rows.push(['encrypts to', path]);
  for (const path of keys.privateKeys ?? []) rows.push(['opens with', path]);
  if (keys.keyName !== undefined) rows.push(['key name', keys.keyName]);
  if (keys.keyNamespace !== undefined) rows.push(['key namespace', keys.keyNamespace]);
  const common = said(defaults);
  if (common.length > 0) rows.push(['every store', common.join(' ')]);
  if (rows.length === 0) return ['  nothing for this command'];
  return rows.map(([what, value]) => `  ${what.padEnd(14)} ${printable(value)}`);
}

/** In words of the command line. */
function said(settings: StoreSettings): string[] {
  const { endpointUrl, region, profile, provider, caBundle, partSize, sse, account, traits } = settings;
  const options = {
    ...{ '--provider': provider, '--endpoint-url': endpointUrl, '--region': region, '--profile': profile },
    ...{
      '--ca-bundle': caBundle,
      '--part-size': partSize,
      '--sse': sse && (sse.kind === 'aws:kms' && sse.keyId !== undefined ? `aws:kms:${sse.keyId}` : sse.kind),
    },
  };
  return [
    ...Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`])),
    ...storeOptionsOf({ ...traits, ...(account !== undefined && { account }) }),
  ];
}
