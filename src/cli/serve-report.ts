/** What the gateway of a folder says of each file. */
import { existsSync } from 'node:fs';
import { basename, relative } from 'node:path';
import type { Vault } from '../config/settings.js';
import type { GatewayEvent } from '../gateway/folder.js';
import type { FormatName } from '../ports.js';
import { printable, shellQuoted } from '../printable.js';
import { formatBytes, type Output } from './output.js';

export interface HowToGet {
  /** Where the private key lies, if it was made here. */
  readonly privateKey: string | undefined;
  readonly format: FormatName;
}

/** A line for each file; after the first stored one, the command that gets it back. */
export function reporter(output: Output, vault: Vault, get: HowToGet): (event: GatewayEvent) => void {
  let explained = false;
  return (event) => {
    const name = printable(event.name);
    switch (event.outcome) {
      case 'stored':
      case 'duplicate': {
        const address = vault.store.address(event.vaultKey);
        const word = event.outcome === 'stored' ? 'stored' : 'there already:';
        output.result(
          { ...event, address },
          `${word} ${name} -> ${printable(address)} (${formatBytes(event.plaintextSize)})`,
        );
        // A name that cannot be typed is no part of a line to be typed, nor of any on a terminal.
        if (explained || printable(address) !== address) return;
        output.note(`get it back: ${getCommandLine(address, event.vaultKey, get)}`);
        explained = true;
        return;
      }
      case 'failed': {
        const { outcome, retryInMs } = event;
        output.error(event.error, { outcome, name: event.name, retryInMs });
        const next = retryInMs === undefined ? '' : `: tried again in ${Math.ceil(retryInMs / 1000)} s`;
        if (name !== '') output.note(`failed ${name}${next}`);
        return;
      }
      case 'skipped':
        output.result(event, `skipped ${name}: ${printable(event.reason)}`);
        return;
      case 'recovered':
        output.result(event, `put back ${name}: a run that was killed had not finished with it`);
        return;
      case 'stale': {
        const address = vault.store.address(event.vaultKey);
        output.result(
          { ...event, address },
          `kept ${name}: ${printable(address)} came later, through the API`,
        );
        return;
      }
      case 'changed':
        output.result(event, `kept ${name}: it changed after it was stored`);
        return;
    }
  };
}

/** As it can be typed here, with the endpoint that this run was given. */
function getCommandLine(address: string, key: string, { privateKey, format }: HowToGet): string {
  const endpoint = flagValue('--endpoint-url');
  const words = [
    'get',
    address,
    // One that begins with a dash would be an option.
    basename(key).replace(/^-/, './-'),
    '--private-key',
    // Moved away by now, as it should be.
    privateKey !== undefined && existsSync(privateKey) ? privateKey : 'PRIVATE_KEY.pem',
    ...(endpoint ? ['--endpoint-url', endpoint] : []),
    ...(format === 's3ec-v2' ? ['--commitment-policy', 'REQUIRE_ENCRYPT_ALLOW_DECRYPT'] : []),
  ];
  return [...ownName(), ...words.map(shellQuoted)].join(' ');
}

function flagValue(flag: string): string | undefined {
  const at = process.argv.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  const word = process.argv[at]!;
  return word.includes('=') ? word.slice(flag.length + 1) : process.argv[at + 1];
}

function ownName(): string[] {
  const script = process.argv[1] ?? '';
  // Installed, it is called by its name; in a clone, by its path.
  return script.endsWith('.js') ? ['node', shellQuoted(relative(process.cwd(), script))] : ['sealdrop'];
}
