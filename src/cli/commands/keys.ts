import { Command } from 'commander';
import type { Environment } from '../command.js';
import { addCommand, importCommand, removeCommand, retireCommand } from './keys-change.js';
import { publishCommand, rotateCommand } from './keys-publish.js';
import { exportPublicCommand, fingerprintCommand, listCommand, showCommand } from './keys-show.js';

const EXAMPLES = `
Examples:
  sealdrop keys add --key-set keys.json
  sealdrop keys list --key-set keys.json
  sealdrop keys export-public --key-set keys.json --out public.json
  sealdrop keys rotate --key-set keys.json --name sealdrop/prod/public-keys

A key set is a file, or a secret, of named keys: active ones are encrypted to, retired ones only open. Say where it is
with --key-set or SEALDROP_KEY_SET. docs/keys.md says which keys belong where.`;

export function keysCommand(environment: Environment): Command {
  const command = new Command('keys')
    .description('look after the keys of a key set, publish and rotate them')
    .helpCommand(false)
    .addHelpText('after', EXAMPLES);
  const members = [
    listCommand,
    showCommand,
    addCommand,
    importCommand,
    exportPublicCommand,
    retireCommand,
    removeCommand,
    fingerprintCommand,
    publishCommand,
    rotateCommand,
  ];
  for (const member of members) command.addCommand(member(environment));
  return command;
}
