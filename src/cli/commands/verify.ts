import { Command, Option } from 'commander';
import { isSealdropError, SealdropError } from '../../errors.js';
import type { Decryptor, Inspector } from '../../ports.js';
import { printable } from '../../printable.js';
import { verify, type VerifyReport } from '../../transfer/verify.js';
import { forEach, openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import { formatBytes, type Output } from '../output.js';
import { startProgress } from '../progress.js';
import { verifyManifest } from '../verify-manifest.js';

interface VerifyOptions
  extends shared.DecryptOptions, shared.StoreOptions, shared.OutputOptions, shared.BindingOptions {
  manifest?: string;
}

const EXAMPLES = `
Examples:
  sealdrop verify s3://lab/2026/results.csv --endpoint-url https://s3.v3.abci.ai
  sealdrop verify s3://lab/2026/results.csv --private-key private_key.pem --endpoint-url https://s3.v3.abci.ai
  sealdrop verify s3://lab/2026/ --manifest stored.jsonl --endpoint-url https://s3.v3.abci.ai

Without the private key this finds accidents (cut off, wrong size, changed at rest) and proves no integrity: whoever
can write to the store can make a message that passes. With the private key every byte is authenticated. Only a
manifest, kept elsewhere, tells that an object was deleted or is an older one: put --manifest FILE writes it.`;

export function verifyCommand(environment: Environment): Command {
  const command = new Command('verify')
    .description('check objects without taking them out')
    .argument('<object...>', 's3://bucket/key or file:///directory/key')
    .addOption(
      new Option('--manifest <file>', 'compare a vault, or a prefix in it, with what put --manifest wrote'),
    );
  shared.decryptOptions(shared.readingOptions(command));
  shared.bindingOptions(command);
  return shared
    .outputOptions(shared.fetchOptions(shared.storeOptions(command)))
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], options: VerifyOptions) => {
      const output = openOutput(environment, options);
      if (options.manifest !== undefined)
        return againstManifest(names, options.manifest, options, environment);
      const inspector = await environment.parts.openInspector();
      const decryptor =
        shared.namesOpeningKeys(options) || options.format === 'plain'
          ? await openDecryptor(options, environment)
          : undefined;
      await forEach(names, environment, output, (name) =>
        verifyOne(name, { inspector, decryptor, options, environment, output }),
      );
      if (!isAuthenticated(decryptor, options) && environment.exitCode === 0)
        output.note('checked without the private key: this finds accidents and proves no integrity');
    });
}

/** Undefined where the only key that is named is a set of public halves. */
async function openDecryptor(options: VerifyOptions, { parts }: Environment): Promise<Decryptor | undefined> {
  const settings = shared.decryptSettings(options);
  return parts.openDecryptor(settings).catch((error: unknown) => {
    if (isSealdropError(error) && error.code === 'key_required') return undefined;
    throw error;
  });
}

async function againstManifest(
  names: readonly string[],
  manifest: string,
  options: VerifyOptions,
  environment: Environment,
): Promise<void> {
  if (names.length > 1) throw new SealdropError('usage', 'a manifest is of one vault: name one address');
  const vault = await environment.parts.openVault(names[0]!, 'read', shared.storeSettings(options));
  try {
    await verifyManifest(manifest, vault, { environment, output: environment.output! });
  } finally {
    vault.store.close();
  }
}

const isAuthenticated = (decryptor: Decryptor | undefined, { format }: VerifyOptions): boolean =>
  decryptor !== undefined && format !== 'plain';

interface VerifyContext {
  inspector: Inspector;
  decryptor?: Decryptor;
  options: VerifyOptions;
  environment: Environment;
  output: Output;
}

async function verifyOne(name: string, context: VerifyContext): Promise<void> {
  const { inspector, decryptor, options, environment, output } = context;
  const vault = await environment.parts.openVault(name, 'read', shared.storeSettings(options));
  const progress = startProgress(output, printable(name));
  try {
    const { store, key, binding, allowed } = vault;
    const { moved, unbound, context: required } = options;
    if (key === '' || key.endsWith('/'))
      throw new SealdropError('usage', `${printable(name)} names no object`);
    const report = await verify({
      ...{ store, key, binding, moved, unbound, context: required, inspector, decryptor, allowed },
      signal: environment.signal,
      onFound: (bytes) => progress.total(bytes),
      onProgress: (bytes) => progress.done(bytes),
    });
    progress.stop();
    print(name, report, output, isAuthenticated(decryptor, options));
    throwFailure(name, report);
  } finally {
    progress.stop();
    vault.store.close();
  }
}

function print(
  name: string,
  { checks, size, bound, info }: VerifyReport,
  output: Output,
  authenticated: boolean,
): void {
  if (output.json) {
    output.document({ name, size, authenticated, bound, suite: info?.suite, checks });
    return;
  }
  output.note(`${printable(name)} (${formatBytes(size)} stored)`);
  for (const { name: check, result, detail } of checks)
    output.note(`  ${result.padEnd(7)} ${check.padEnd(10)} ${printable(detail)}`);
}

function throwFailure(name: string, { checks, failure }: VerifyReport): void {
  if (failure !== undefined) throw failure;
  const failed = checks.find((check) => check.result === 'failed');
  if (failed === undefined) return;
  throw new SealdropError('checksum', `${printable(name)}: ${failed.detail}`, {
    hint: 'what the store holds is not what was stored, or its metadata was changed; the private key tells',
  });
}
