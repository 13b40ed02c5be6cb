import { existsSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Vault } from '../../config/settings.js';
import { exitCodeOf, SealdropError } from '../../errors.js';
import { FolderGateway, type AfterStore, type GatewayEvent } from '../../gateway/folder.js';
import { printable } from '../../printable.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import { formatBytes, type Output } from '../output.js';
import {
  assertKeysApart,
  assertMoveTarget,
  DEFAULTS,
  loadIdempotencyKey,
  mustBeDirectory,
  preparePlaces,
} from '../serve-places.js';

interface ServeOptions extends shared.EncryptOptions, shared.StoreOptions, shared.OutputOptions {
  inbox?: string;
  vault?: string;
  once?: boolean;
  defaults?: boolean;
  after: 'keep' | 'move' | 'delete';
  moveTo?: string;
  settle: number;
  idempotencyKey?: string;
}

const EXAMPLES = `
Examples:
  sealdrop serve --inbox inbox --vault s3://lab/in/ --public-key public_key.pem --endpoint-url https://s3.v3.abci.ai
  sealdrop serve --inbox inbox --vault file:///mnt/share/vault --public-key public_key.pem --once
  sealdrop serve --defaults

A file is taken when it has not changed for a while: a writer that pauses for longer than --settle is taken for
finished, so choose a longer one with --after delete, or write under a temporary name and rename. It is kept in the
inbox unless --after says otherwise, and not encrypted again unless its size or time changes. Hidden files and folders,
links, and names that end in ~ .part .partial .tmp .crdownload are left alone.`;

export function serveCommand(environment: Environment): Command {
  const command = new Command('serve')
    .description('watch a folder and encrypt into a vault what lands in it')
    .addOption(new Option('--inbox <directory>', 'folder to watch').env('SEALDROP_INBOX'))
    .addOption(
      new Option('--vault <address>', 's3://bucket/prefix/ or file:///directory').env('SEALDROP_VAULT'),
    )
    .addOption(new Option('--once', 'encrypt what is there and end'))
    .addOption(
      new Option('--after <action>', 'what happens to a stored file')
        .choices(['keep', 'move', 'delete'])
        .default('keep'),
    )
    .addOption(new Option('--move-to <directory>', 'where --after move puts files (default: INBOX-done)'))
    .addOption(
      new Option('--settle <seconds>', 'how long a file must not have changed')
        .argParser(shared.seconds)
        .default(2),
    )
    .addOption(
      new Option(
        '--idempotency-key <file>',
        'secret by which objects stored before are known; made if missing',
      ).env('SEALDROP_IDEMPOTENCY_KEY'),
    )
    .addOption(
      new Option(
        '--defaults',
        `use ${DEFAULTS.inbox}/ ${DEFAULTS.vault}/ keys/ here for what is not named, and make them`,
      ),
    );
  shared.encryptOptions(command);
  return shared
    .outputOptions(shared.storeOptions(command))
    .addHelpText('after', EXAMPLES)
    .action((options: ServeOptions) => serve(options, environment));
}

async function serve(options: ServeOptions, environment: Environment): Promise<void> {
  const output = openOutput(environment, options);
  const places = await preparePlaces(options, environment, output);
  const encryptor = await environment.parts.openEncryptor(
    shared.encryptSettings({ ...options, publicKey: places.publicKeys }),
  );
  await mustBeDirectory(places.inbox);
  const vault = await environment.parts.openVault(places.vault, 'write', shared.storeSettings(options));
  try {
    if (vault.created) output.note(`made a new vault: ${printable(vault.store.address(''))}`);
    await assertKeysApart(places, vault);
    const after = afterStore(options, places.inbox);
    if (after.action === 'move') await assertMoveTarget(after.to, places.inbox, vault);
    const gateway = await FolderGateway.open({
      inbox: places.inbox,
      store: vault.store,
      prefix: vault.key,
      encryptor,
      idempotencyKey: await loadIdempotencyKey(places.idempotencyKey),
      after,
      settleMs: options.settle * 1000,
      report: reporter(output, vault, places.privateKey),
    });
    for (const { fingerprint } of encryptor.recipients) output.note(`encrypting to ${fingerprint}`);
    const doing = options.once === true ? 'reading' : 'watching';
    output.note(`${doing} ${printable(places.inbox)} -> ${printable(vault.store.address(vault.key))}`);
    await runGateway(gateway, options, environment, output);
  } finally {
    vault.store.close();
  }
}

function afterStore({ after, moveTo }: ServeOptions, inbox: string): AfterStore {
  if (after !== 'move') {
    if (moveTo !== undefined) throw new SealdropError('usage', '--move-to goes with --after move');
    return { action: after };
  }
  return { action: 'move', to: resolve(moveTo ?? `${resolve(inbox)}-done`) };
}

async function runGateway(
  gateway: FolderGateway,
  options: ServeOptions,
  environment: Environment,
  output: Output,
): Promise<void> {
  const { signal } = environment;
  if (options.once !== true) {
    output.note('interrupt to end (Ctrl-C)');
    await gateway.run(signal);
    output.note('stopped');
    return;
  }
  await gateway.runOnce(signal);
  signal.throwIfAborted();
  const { stored, duplicate, failed } = gateway.counts;
  output.note(`${stored} stored, ${duplicate} there already, ${failed} failed`);
  if (failed === 0) return;
  const some = stored + duplicate > 0;
  environment.exitCode = exitCodeOf(some ? new SealdropError('partial', 'some failed') : gateway.lastError);
}

/** A line for each file; after the first stored one, the command that gets it back. */
function reporter(
  output: Output,
  vault: Vault,
  privateKey: string | undefined,
): (event: GatewayEvent) => void {
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
        output.note(`get it back: ${getCommandLine(address, event.vaultKey, privateKey)}`);
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
      case 'changed':
        output.result(event, `kept ${name}: it changed after it was stored`);
        return;
    }
  };
}

/** As it can be typed here, with the endpoint that this run was given. */
function getCommandLine(address: string, key: string, privateKey: string | undefined): string {
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
  ];
  return [...ownName(), ...words.map(quoted)].join(' ');
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
  return script.endsWith('.js') ? ['node', quoted(relative(process.cwd(), script))] : ['sealdrop'];
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`;
}
