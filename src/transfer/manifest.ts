/**
 * A list of what was stored, kept elsewhere than in the vault: it finds what a store lost, or brought back from before.
 * It holds digests of ciphertext alone. Lines of JSON; of several for one key the last counts.
 */
import { open } from 'node:fs/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable, printableJson } from '../printable.js';
import { DurableLines } from './durable-lines.js';

export interface ManifestEntry {
  /** The vault key. */
  readonly key: string;
  /** Bytes as stored. */
  readonly size: number;
  /** Of the bytes as stored, in hex. */
  readonly sha256: string;
}

/** Adds to a manifest, which may be there already. */
export class ManifestWriter {
  readonly #lines: DurableLines;

  private constructor(lines: DurableLines) {
    this.#lines = lines;
  }

  /** @throws SealdropError `target_unwritable`; `usage` where something else than a manifest is there */
  static async open(path: string): Promise<ManifestWriter> {
    // What is there has to be a manifest: a wrong name must not spoil a file.
    await readManifest(path).catch((error: unknown) => {
      if ((error as SealdropError).code !== 'source_not_found') throw error;
    });
    return new ManifestWriter(await DurableLines.open(path));
  }

  /** Durable when it resolves: what was stored and stands in no manifest would not be missed. */
  async add({ key, size, sha256 }: ManifestEntry): Promise<void> {
    await this.#lines.add(printableJson({ key, size, sha256 }));
  }

  async close(): Promise<void> {
    await this.#lines.close();
  }
}

/** @throws SealdropError `source_not_found`, `source_unreadable`, `usage` with the line that is none of a manifest */
export async function readManifest(path: string): Promise<Map<string, ManifestEntry>> {
  const handle = await open(path).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT')
      throw new SealdropError('source_not_found', `there is no manifest ${printable(path)}`, { cause });
    throw new SealdropError(
      'source_unreadable',
      `cannot read ${printable(path)}: ${systemCode(cause) ?? 'unknown error'}`,
      { cause },
    );
  });
  const entries = new Map<string, ManifestEntry>();
  try {
    if (!(await handle.stat()).isFile())
      throw new SealdropError('usage', `${printable(path)} is no manifest: it is no file`);
    let number = 0;
    let wrong = 0;
    for await (const line of handle.readLines({ autoClose: false })) {
      number++;
      const entry = parse(line);
      if (entry !== undefined) entries.set(entry.key, entry);
      // The beginning of one of ours, torn when its machine went down.
      else if (!line.startsWith(BEGINNING.slice(0, line.length))) wrong ||= number;
    }
    if (wrong > 0)
      throw new SealdropError('usage', `${printable(path)} is no manifest: line ${wrong}`, {
        hint: 'a manifest is what put --manifest FILE writes',
      });
  } finally {
    await handle.close();
  }
  return entries;
}

const BEGINNING = '{"key":"';

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
