import { Command, Option } from 'commander';
import { SealdropError, type ErrorCode } from '../../errors.js';
import type { ObjectInfo, ObjectStore } from '../../ports.js';
import { printable } from '../../printable.js';
import { readMetadata } from '../../transfer/metadata.js';
import { inOrder } from '../../transfer/sync/in-order.js';
import { openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import { formatBytes } from '../output.js';
import { outsideVaults } from '../targets.js';
import { filterOf, filterOptions, FILTER_HELP, type TreeOptions } from '../tree-options.js';

interface ListOptions
  extends shared.StoreOptions, shared.OutputOptions, Pick<TreeOptions, 'include' | 'exclude'> {
  long?: boolean;
  tree?: boolean;
}

interface Listed extends ObjectInfo {
  /** As the metadata say, which nobody authenticates. */
  readonly plaintextSize?: number | undefined;
}

const UNSEEN: readonly ErrorCode[] = ['object_not_found', 'sse_key_required', 'sse_key_wrong'];

/** Requests at the same time for what a listing doesn't say. */
const LOOKS = 8;

const EXAMPLES = `
Examples:
  sealdrop ls s3://lab/2026/ --endpoint-url https://s3.v3.abci.ai
  sealdrop ls -l s3://lab/2026/ --include '*.csv'
  sealdrop ls --tree file:///mnt/share/vault
  sealdrop ls file:///mnt/share/vault --json

Everything after the bucket is a prefix, as in S3, and all below it is listed. Times are in UTC. Sizes are those of the
encrypted objects; -l asks for the plaintext's too, at the cost of a request for each object. That one stands in the
objects' metadata: whoever runs the store can change it.
${FILTER_HELP}`;

export function lsCommand(environment: Environment): Command {
  const command = new Command('ls')
    .description('list the objects of a vault')
    .argument('<vault>', 's3://bucket/prefix or file:///directory')
    .addOption(new Option('-l, --long', 'plaintext sizes too, and the sum'))
    .addOption(new Option('--tree', 'as a tree of folders'));
  return shared
    .outputOptions(shared.storeOptions(filterOptions(command)))
    .addHelpText('after', EXAMPLES)
    .action(async (address: string, options: ListOptions) => {
      const output = openOutput(environment, options);
      const { parts, signal } = environment;
      const vault = await parts.openVault(address, 'read', shared.storeSettings(options));
      const { store, key, prefix } = vault;
      // What a filter compares: below the folder that the prefix lies in.
      const folder = key.slice(0, key.lastIndexOf('/') + 1);
      // As they are named behind the vault's colon.
      const lines = new Lines({ folder, above: prefix ?? '' }, options);
      const sum = { objects: 0, bytes: 0 };
      try {
        for await (const found of listed(store, key, { folder, options, signal })) {
          sum.objects++;
          sum.bytes += found.size;
          if (output.json) output.document(document(store, found));
          else for (const line of lines.of(found)) output.data(line);
        }
        const outside = await outsideVaults(vault, parts);
        if (outside !== undefined && sum.objects === 0) throw outside;
        if (outside !== undefined) output.warn(outside.message, outside.hint);
        if (sum.objects === 0) output.note(`nothing there begins with ${printable(store.address(key))}`);
        else if (options.long === true || options.tree === true)
          output.note(
            `${sum.objects === 1 ? '1 object' : `${sum.objects} objects`}, ${formatBytes(sum.bytes)}`,
          );
      } finally {
        store.close();
      }
    });
}

async function* listed(
  store: ObjectStore,
  prefix: string,
  { folder, options, signal }: { folder: string; options: ListOptions; signal: AbortSignal },
): AsyncGenerator<Listed> {
  const filter = filterOf(options);
  const taken = async function* () {
    for await (const info of store.list(prefix, { signal }))
      if (filter.takes(info.key.slice(folder.length))) yield info;
  };
  if (options.long !== true) return yield* taken();
  const looked = inOrder(taken(), LOOKS, (info) =>
    withPlaintextSize(info, store, signal).catch((error: unknown) => ({ error })),
  );
  for await (const found of looked) {
    if ('error' in found) throw found.error;
    yield found;
  }
}

async function withPlaintextSize(info: ObjectInfo, store: ObjectStore, signal: AbortSignal): Promise<Listed> {
  try {
    const { metadata } = await store.head(info.key, { signal });
    return { ...info, plaintextSize: readMetadata(metadata).size };
  } catch (error) {
    // Gone since it was listed, or under a key of SSE-C that is not this command's.
    if (error instanceof SealdropError && UNSEEN.includes(error.code)) return info;
    throw error;
  }
}

function document(store: ObjectStore, { key, size, modified, etag, plaintextSize }: Listed): object {
  return { key, address: store.address(key), size, modified: modified.toISOString(), etag, plaintextSize };
}

/** Objects as lines; in a tree each folder that is come into has a line of its own before. */
class Lines {
  readonly #root: string;
  readonly #above: string;
  readonly #options: ListOptions;
  #folders: readonly string[] = [];

  constructor({ folder, above }: { folder: string; above: string }, options: ListOptions) {
    this.#root = folder;
    this.#above = above;
    this.#options = options;
  }

  *of(found: Listed): Generator<string> {
    const columns = this.#columns(found);
    if (this.#options.tree !== true) {
      yield `${columns} ${printable(found.key.slice(this.#above.length))}`;
      return;
    }
    const folders = found.key.slice(this.#root.length).split('/');
    const name = folders.pop()!;
    const shared = folders.findIndex((folder, i) => folder !== this.#folders[i]);
    for (let i = shared === -1 ? folders.length : shared; i < folders.length; i++)
      yield this.#line(' '.repeat(columns.length), i, `${folders[i]!}/`);
    this.#folders = folders;
    yield this.#line(columns, folders.length, name);
  }

  #line(columns: string, depth: number, name: string): string {
    return `${columns} ${'  '.repeat(depth)}${printable(name)}`;
  }

  #columns({ modified, size, plaintextSize }: Listed): string {
    const time = modified.toISOString().slice(0, 19).replace('T', ' ');
    const sizes = this.#options.long === true ? [size, plaintextSize ?? '-'] : [size];
    return [time, ...sizes.map((each) => String(each).padStart(14))].join(' ');
  }
}
