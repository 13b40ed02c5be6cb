/** `get --range` and `cat --range` */
import { basename } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseAddress } from '../address.js';
import type { Vault } from '../config/settings.js';
import { SealdropError } from '../errors.js';
import type { PlaintextRange } from '../ports.js';
import { printable } from '../printable.js';
import { getRange, type RangeReport } from '../transfer/get-range.js';
import type { Target } from '../transfer/target.js';
import type { Environment } from './command.js';
import { withFolderHint } from './objects.js';
import * as shared from './options.js';
import type { Output } from './output.js';
import { startProgress } from './progress.js';

export interface RangeOptions {
  range?: PlaintextRange;
  releaseUnverified?: boolean;
}

export function rangeOption(command: Command): Command {
  return command.addOption(
    new Option(
      '--range <first-last>',
      'these bytes alone (0-99, 100-, or -50 for the last 50); of s3ec objects with --release-unverified',
    )
      .conflicts(['recursive', 'preserve'])
      .argParser(parseRange),
  );
}

/** For where whole objects are never released unverified. @throws SealdropError `usage` */
export function assertNoRangeOptions({ range, releaseUnverified }: RangeOptions): void {
  if (releaseUnverified === true && range === undefined)
    throw new SealdropError('usage', '--release-unverified is for a part: it needs --range');
}

function parseRange(text: string): PlaintextRange {
  const [, first = '', last = ''] = /^(\d{0,15})-(\d{0,15})$/.exec(text) ?? [];
  if (first === '' && last === '')
    throw new InvalidArgumentError('It must be as 0-99, 100- or -50: first and last byte, both included.');
  if (first === '') return { suffix: Number(last) };
  return { first: Number(first), ...(last !== '' && { last: Number(last) }) };
}

type OpenPart = (
  source: string,
  openTarget: (key: string, vault: Vault) => Promise<Target>,
) => Promise<{ report: RangeReport; size?: number }>;

/** The keys are read once, whatever number of objects there is. */
export async function openParts(
  range: PlaintextRange,
  options: RangeOptions & shared.DecryptOptions & shared.StoreOptions & shared.BindingOptions,
  { environment, output, command }: { environment: Environment; output: Output; command: 'get' | 'cat' },
): Promise<OpenPart> {
  const { parts, signal } = environment;
  const ranges = await parts.openRanges(shared.decryptSettings(options));
  const { moved, unbound, context, releaseUnverified } = options;
  return async (source, openTarget) => {
    if (parseAddress(source).kind === 'stdio')
      throw new SealdropError('usage', 'a range is read of an object, and standard input is none');
    const vault = await parts.openVault(source, 'read', shared.storeSettings(options));
    const { store, key, binding, allowed } = vault;
    const progress = startProgress(output, printable(basename(source)));
    try {
      assertNamesObject(source, key);
      const report = await getRange({
        ...{
          store,
          key,
          ranges,
          range,
          signal,
          binding,
          allowed,
          moved,
          unbound,
          context,
          releaseUnverified,
        },
        openTarget: async () => openTarget(key, vault),
        onFound: (bytes) => progress.total(bytes),
        onProgress: (bytes) => progress.done(bytes),
      }).catch(async (error: unknown) => {
        throw command === 'get' ? await withFolderHint(error, store, key, { command, signal }) : error;
      });
      return { report };
    } finally {
      progress.stop();
      store.close();
    }
  };
}

/** @throws SealdropError `usage` */
export function assertNamesObject(name: string, key: string): void {
  if (key !== '' && !key.endsWith('/')) return;
  throw new SealdropError('usage', `${printable(name)} names no object`, {
    hint: 'see what there is: sealdrop ls; with -r all that lies below it is meant',
  });
}
