import { Command } from 'commander';
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { forEach, openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';

interface ListOptions extends shared.StoreOptions, shared.OutputOptions {}

const LS_EXAMPLES = `
Examples:
  sealdrop ls s3://lab/2026/ --endpoint-url https://s3.v3.abci.ai
  sealdrop ls file:///mnt/share/vault --json

Sizes are those of the encrypted objects. Everything after the bucket is a prefix, as in S3.`;

const RM_EXAMPLES = `
Examples:
  sealdrop rm s3://lab/2026/results.csv --endpoint-url https://s3.v3.abci.ai

In a versioned bucket older versions stay, as with every S3 tool.`;

export function lsCommand(environment: Environment): Command {
  const command = new Command('ls')
    .description('list the objects of a vault')
    .argument('<vault>', 's3://bucket/prefix or file:///directory');
  return shared
    .outputOptions(shared.storeOptions(command))
    .addHelpText('after', LS_EXAMPLES)
    .action(async (address: string, options: ListOptions) => {
      const output = openOutput(environment, options);
      const { store, key } = await environment.parts.openVault(
        address,
        'read',
        shared.storeSettings(options),
      );
      let empty = true;
      try {
        for await (const { key: found, size, modified, etag } of store.list(key, {
          signal: environment.signal,
        })) {
          empty = false;
          const time = modified.toISOString();
          if (output.json)
            output.document({ key: found, address: store.address(found), size, modified: time, etag });
          else
            output.data(
              `${time.slice(0, 19).replace('T', ' ')} ${String(size).padStart(14)} ${printable(found)}`,
            );
        }
        if (empty) output.note(`nothing there begins with ${printable(store.address(key))}`);
      } finally {
        store.close();
      }
    });
}

export function rmCommand(environment: Environment): Command {
  const command = new Command('rm')
    .description('remove objects from a vault')
    .argument('<object...>', 'addresses');
  return shared
    .outputOptions(shared.storeOptions(command))
    .addHelpText('after', RM_EXAMPLES)
    .action(async (addresses: string[], options: ListOptions) => {
      const output = openOutput(environment, options);
      const { signal, parts } = environment;
      await forEach(addresses, environment, output, async (address) => {
        const { store, key } = await parts.openVault(address, 'read', shared.storeSettings(options));
        try {
          if (key === '' || key.endsWith('/'))
            throw new SealdropError('usage', `${printable(address)} names no single object`);
          // S3 answers that it removed what was never there; a typing mistake should not pass for success.
          await store.head(key, { signal });
          await store.remove(key, { signal });
          output.result(
            { address: store.address(key), removed: true },
            `removed ${printable(store.address(key))}`,
          );
        } finally {
          store.close();
        }
      });
    });
}
