import { Command, Option } from 'commander';
import { apiOptions } from '../api-options.js';
import type { Environment } from '../command.js';
import * as shared from '../options.js';
import { serveFormatOption } from '../serve-format.js';
import { bucketOptions, DEFAULTS, type ServeOptions } from '../serve-options.js';

const EXAMPLES = `
Examples:
  sealdrop serve --inbox inbox --vault s3://lab/in/ --public-key public_key.pem --endpoint-url https://s3.v3.abci.ai
  sealdrop serve --inbox inbox --vault file:///mnt/share/vault --public-key public_key.pem --once
  sealdrop serve --listen 127.0.0.1:8080 --token-file tokens --vault file:///mnt/share/vault --public-key public_key.pem
  sealdrop serve --defaults

A file is taken when it has not changed for a while: a writer that pauses for longer than --settle is taken for
finished, so choose a longer one with --after delete, or write under a temporary name and rename. It is kept in the
inbox unless --after says otherwise, and not encrypted again unless its size or time changes. Hidden files and folders,
links, and names that end in ~ .part .partial .tmp .crdownload are left alone.`;

export function serveCommand(environment: Environment): Command {
  const command = new Command('serve')
    .description('encrypt into a vault what lands in a folder, or comes through an API')
    .addOption(
      new Option('--inbox <directory>', 'folder to watch, or s3://bucket/prefix/').env('SEALDROP_INBOX'),
    )
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
      new Option('--keys-ttl <seconds>', 'how long keys are used before they are read again')
        .argParser(shared.seconds)
        .default(300),
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
  bucketOptions(apiOptions(command));
  shared.encryptOptions(serveFormatOption(command));
  return shared
    .outputOptions(shared.storeOptions(command))
    .addHelpText('after', EXAMPLES)
    .action(async (options: ServeOptions) => {
      // With all that a gateway is made of, which other commands don't wait for.
      const { serve } = await import('../serve.js');
      await serve(options, environment);
    });
}
