/** `put -r` */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vault } from '../config/settings.js';
import { exitCodeOf, SealdropError } from '../errors.js';
import type { Encryptor } from '../ports.js';
import { printable } from '../printable.js';
import type { ManifestWriter } from '../transfer/manifest.js';
import { parseAddress } from '../address.js';
import { isWithin } from '../real-path.js';
import { folderPrefix } from '../transfer/tree/names.js';
import {
  lookAt,
  putTree,
  treeSource,
  type TreeRootName,
  type TreeSource,
} from '../transfer/tree/put-tree.js';
import { walk } from '../transfer/tree/walk.js';
import type { TreeEvent } from '../transfer/tree/work.js';
import type { Environment } from './command.js';
import type { Output } from './output.js';
import { LEAVE_OUT, warnOfPrivateKey } from './private-key-warning.js';
import { startTreeProgress, type TreeProgress } from './progress.js';
import { DEFAULT_FILES, filterOf, type PutTreeOptions } from './tree-options.js';
import { TreeReporter } from './tree-report.js';

export interface PutTreeContext {
  /** Only when there is something to put into it: it may make a new one. */
  openVault: () => Promise<Vault>;
  encryptor: Encryptor;
  options: PutTreeOptions & { context: Record<string, string>; overwrite: boolean; preserve?: boolean };
  manifest?: ManifestWriter;
  environment: Environment;
  output: Output;
}

/** @throws SealdropError `usage`, `source_not_found`, what listing the vault fails with, `interrupted` */
export async function putTrees(names: readonly string[], context: PutTreeContext): Promise<void> {
  const { environment, output } = context;
  const roots: TreeRootName[] = [];
  const missing: { name: string; error: unknown }[] = [];
  for (const name of names)
    await lookAt(name).then(
      (root) => roots.push(root),
      (error: unknown) => missing.push({ name, error }),
    );
  if (roots.length === 0 && missing.length === 1) throw missing[0]!.error;
  for (const { name, error } of missing) output.error(error, { name });
  if (missing.length > 0) environment.exitCode = exitCodeOf(roots.length > 0 ? PARTIAL : missing[0]!.error);
  if (roots.length === 0) return;
  await assertNoClash(roots);
  const vault = await context.openVault();
  try {
    await assertApart(roots, vault.store.address(''));
    await putAll(
      roots.map((root) => treeSource(root, folderPrefix(vault.key))),
      vault,
      context,
    );
  } finally {
    vault.store.close();
  }
}

const PARTIAL = new SealdropError('partial', 'some failed');

async function putAll(sources: TreeSource[], { store }: Vault, context: PutTreeContext): Promise<void> {
  const { encryptor, options, environment, output, manifest } = context;
  const { signal } = environment;
  const reporter = new TreeReporter(environment, output, {
    done: 'stored',
    planned: 'would be stored',
    resumes: true,
  });
  const progress = startTreeProgress(output);
  const walking = { links: options.symlinks, filter: filterOf(options), signal };
  const counting = progress.shown ? countFiles(sources, walking, progress) : Promise.resolve();
  const describe = ({ file, key, put }: TreeEvent) => {
    const { plaintextSize, size, etag, version, checked } = put!;
    return { source: file, address: store.address(key), key, plaintextSize, size, etag, version, checked };
  };
  try {
    const report = await putTree({
      ...{ sources, store, encryptor, ...walking, width: options.files ?? DEFAULT_FILES },
      context: options.context,
      preserve: options.preserve,
      overwrite: options.overwrite,
      ...(manifest && {
        record: (entry) => manifest.add(entry),
        recorded: (stored) => manifest.has(stored),
      }),
      emptyDirectories: options.emptyDirectories,
      resume: options.resume,
      dryRun: options.dryRun,
      onBytes: (bytes) => progress.moved(bytes),
      onEvent: (event) => {
        if (event.outcome !== 'left_out') progress.fileDone();
        if (event.outcome === 'done' || event.outcome === 'planned')
          warnOfPrivateKey(event.file!, output, LEAVE_OUT);
        const names = { source: event.file!, address: store.address(event.key) };
        reporter.tell(event, names, () => describe(event));
      },
    });
    progress.stop();
    reporter.end(report);
  } finally {
    progress.stop();
    if (signal.aborted)
      output.note('what was stored stays: the same command with --resume goes on from there');
    await counting;
  }
}

async function countFiles(
  sources: readonly TreeSource[],
  walking: Parameters<typeof walk>[1],
  progress: TreeProgress,
): Promise<void> {
  try {
    for (const { name, directory } of sources) {
      if (!directory) progress.expect(0);
      else
        for await (const entry of walk(name, walking))
          if (entry.kind === 'file') progress.expect(Number(entry.stats.size));
    }
  } catch {
    // Whatever is wrong there, the one who stores it says so.
  }
}

/** @throws SealdropError `usage` where ciphertext would be encrypted again */
async function assertApart(sources: readonly TreeRootName[], vault: string): Promise<void> {
  const address = parseAddress(vault);
  if (address.kind !== 'file') return;
  for (const { name } of sources) {
    if (!(await isWithin(address.path, name)) && !(await isWithin(name, address.path))) continue;
    throw new SealdropError('usage', `${printable(name)} and the vault ${printable(vault)} overlap`, {
      hint: 'ciphertext would be encrypted again: name places that lie apart',
    });
  }
}

/** @throws SealdropError `usage` where two sources would be stored under the same keys */
async function assertNoClash(roots: readonly TreeRootName[]): Promise<void> {
  if (roots.length < 2) return;
  const tops: Place[] = [];
  for (const { name, below, directory } of roots)
    if (below === '') tops.push(...(await placesIn({ key: '', path: name, directory: true })));
    else tops.push({ key: below, path: name, directory });
  await assertApartAt(tops);
}

interface Place {
  readonly key: string;
  readonly path: string;
  /** Whether it is one itself, not by a link. */
  readonly directory: boolean;
}

/** Directories of one name go together, as far as nothing in them has one name. */
async function assertApartAt(places: readonly Place[]): Promise<void> {
  const byKey = new Map<string, Place[]>();
  for (const place of places) byKey.set(place.key, [...(byKey.get(place.key) ?? []), place]);
  for (const [key, same] of byKey) {
    if (same.length < 2) continue;
    if (!same.every(({ directory }) => directory))
      throw new SealdropError('usage', `two sources would be stored as ${printable(key)}`, {
        hint: 'one would replace the other: put them into different places',
      });
    await assertApartAt((await Promise.all(same.map(placesIn))).flat());
  }
}

/** What cannot be read is told when it is stored. */
async function placesIn({ key, path }: Place): Promise<Place[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.map((entry) => ({
    key: key === '' ? entry.name : `${key}/${entry.name}`,
    path: join(path, entry.name),
    directory: entry.isDirectory(),
  }));
}
