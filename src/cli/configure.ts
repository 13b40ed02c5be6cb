/** What a configuration says of the command that is about to run: options come before it. */
import type { Command } from 'commander';
import { loadConfig, type KeyConfig } from '../config/config.js';
import { withConfig } from '../config/named-vaults.js';
import type { Environment } from './command.js';
import { assertNoKeys } from './no-keys.js';
import { keyAccessOf } from './key-options.js';
import { readSseSecret, sseSettings, type SseOptions } from './sse-options.js';

/**
 * Runs before every command; those without `--config` go by none.
 * @throws SealdropError `usage`, `invalid_config`
 */
export async function configure(command: Command, environment: Environment): Promise<void> {
  assertNoKeys(command);
  if (!takes(command, 'config')) return;
  // A variable that is set to nothing names none.
  const named = (command.getOptionValue('config') as string | undefined) || undefined;
  environment.config = await loadConfig(named);
  const { config } = environment.config;
  const { parts } = environment;
  const secretOf = async (keyFile: string) => {
    const bytes = await readSseSecret(keyFile, parts, keyAccessOf(command.opts()));
    return bytes && { sseKey: bytes };
  };
  environment.parts = withConfig(parts, config, async (sseKeyFile) =>
    sseSettings({ sse: { kind: 'c' }, sseKeyFile, ...(await secretOf(sseKeyFile)) }),
  );
  const { sseKeyFile } = command.opts<SseOptions>();
  if (sseKeyFile !== undefined)
    command.setOptionValueWithSource('sseKey', (await secretOf(sseKeyFile))?.sseKey, 'implied');
  const given = (option: string) => takes(command, option) && isGiven(command, option);
  // Keys that are named by themselves would go before the key set that the user names.
  const chosen = ['keySet', ...BY_THEMSELVES].some(given);
  for (const [option, value] of optionsOf(config.keys)) {
    if (value === undefined || !takes(command, option) || given(option)) continue;
    if (chosen && BY_THEMSELVES.includes(option)) continue;
    command.setOptionValueWithSource(option, value, 'config');
  }
}

const BY_THEMSELVES = ['publicKey', 'recipient'];

const optionsOf = ({ publicKeys, privateKeys, recipients, ...rest }: KeyConfig) =>
  Object.entries({ publicKey: publicKeys, privateKey: privateKeys, recipient: recipients, ...rest });

const takes = (command: Command, option: string): boolean =>
  command.options.some((each) => each.attributeName() === option);

function isGiven(command: Command, option: string): boolean {
  const source = command.getOptionValueSource(option);
  return source !== undefined && source !== 'default';
}
