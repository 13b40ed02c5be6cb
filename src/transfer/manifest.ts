/**
 * A list of what was stored, kept elsewhere than in the vault: it finds what a store lost, or brought back from before.
 * It holds digests of ciphertext alone. Lines of JSON; of several for one key the last counts.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable, printableJson } from '../printable.js';
import { DurableLines, endsInLine } from './durable-lines.js';

export interface ManifestEntry {
  /** The vault key. */
  readonly key: string;
  /** Bytes as stored. */
  readonly size: number;
  /** Of the bytes as stored, in hex. */
  readonly sha256: string;
}

export interface Manifest {
  readonly entries: Map<string, ManifestEntry>;
  /** Lines that cannot be read: what they named may be gone, and is not missed. */
  readonly damaged: number;
}

/** Adds to a manifest, which may be there already. */
export class ManifestWriter {
  readonly #lines: DurableLines;
  readonly #sizes: Map<string, number>;

  private constructor(lines: DurableLines, sizes: Map<string, number>) {
    this.#lines = lines;
    this.#sizes = sizes;
  }

  /** @throws SealdropError `target_unwritable`; `usage` where something else than a manifest is there */
  static async open(path: string): Promise<ManifestWriter> {
    // What is there has to be a manifest: a wrong name must not spoil a file.
    const { entries } = await readManifest(path).catch((error: unknown) => {
      if ((error as SealdropError).code !== 'source_not_found') throw error;
      return { entries: new Map<string, ManifestEntry>() };
    });
    const sizes = new Map([...entries.values()].map(({ key, size }) => [key, size]));
    return new ManifestWriter(await DurableLines.open(path, { afterTorn: TORN }), sizes);
  }

  /** Whether an object of this size stands in it. */
  has({ key, size }: Pick<ManifestEntry, 'key' | 'size'>): boolean {
    return this.#sizes.get(key) === size;
  }

  /** Durable when it resolves: what was stored and stands in no manifest would not be missed. */
  async add({ key, size, sha256 }: ManifestEntry): Promise<void> {
    await this.#lines.add(printableJson({ key, size, sha256 }));
    this.#sizes.set(key, size);
  }

  async close(): Promise<void> {
    await this.#lines.close();
  }
}

/** @throws SealdropError `source_not_found`, `source_unreadable`, `usage` with the line that is none of a manifest */
export async function readManifest(path: string): Promise<Manifest> {
  const handle = await open(path).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT')
      throw new SealdropError('source_not_found', `there is no manifest ${printable(path)}`, { cause });
    throw new SealdropError(
      'source_unreadable',
      `cannot read ${printable(path)}: ${systemCode(cause) ?? 'unknown error'}`,
      { cause },
    );
  });
  try {
    if (!(await handle.stat()).isFile())
      throw new SealdropError('usage', `${printable(path)} is no manifest: it is no file`);
    return await readLines(handle, path);
  } finally {
    await handle.close();
  }
}

const BEGINNING = '{"key":"';
/** Stands behind a line that was torn when its machine went down: the put whose line it was never said that it was done. */
const TORN = '{"torn":true}';

const isTorn = (line: string): boolean =>
  [BEGINNING, TORN].some((begin) => line.startsWith(begin.slice(0, line.length)));

async function readLines(handle: FileHandle, path: string): Promise<Manifest> {
  const entries = new Map<string, ManifestEntry>();
  let number = 0;
  let damaged = 0;
  /** Whether the line before is half of one. */
  let half = false;
  for await (const line of handle.readLines({ autoClose: false })) {
    number++;
    const entry = parse(line);
    if (entry !== undefined) entries.set(entry.key, entry);
    else if (line === TORN) damaged -= Number(half);
    else if (!isTorn(line))
      throw new SealdropError('usage', `${printable(path)} is no manifest: line ${number}`, {
        hint: 'a manifest is what put --manifest FILE writes',
      });
    else if (line !== '') damaged++;
    half = entry === undefined && line !== TORN && (half || line !== '');
  }
  // Nothing went on behind it.
  if (half && (await endsInLine(handle))) damaged--;
  return { entries, damaged };
}

function parse(line: string): ManifestEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { key, size, sha256 } = Object(value) as Partial<Record<string, unknown>>;
  const fits = typeof key === 'string' && Number.isSafeInteger(size) && /^[0-9a-f]{64}$/.test(String(sha256));
  return fits ? ({ key, size, sha256 } as ManifestEntry) : undefined;
}
