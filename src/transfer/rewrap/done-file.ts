/**
 * What a rewrap has done, so that one which was killed goes on where it was: lines of JSON, the first of which says what was
 * asked for. It holds keys and ETags alone. An object that was replaced since has another ETag, and is looked at again.
 */
import { open } from 'node:fs/promises';
import { SealdropError, systemCode } from '../../errors.js';
import { printable, printableJson } from '../../printable.js';
import { DurableLines } from '../durable-lines.js';

/** What was asked for: a file of something else is not gone on with. */
export interface RewrapAsked {
  /** Address of the store. */
  readonly store: string;
  readonly mode: string;
  /** Fingerprints. */
  readonly to: readonly string[];
}

export class DoneFile {
  readonly #lines: DurableLines;
  readonly #etags: ReadonlyMap<string, string>;

  private constructor(lines: DurableLines, etags: ReadonlyMap<string, string>) {
    this.#lines = lines;
    this.#etags = etags;
  }

  /**
   * Goes on with a file, or begins one.
   * @throws SealdropError `usage` for a file of something else, `source_unreadable`, `target_unwritable`
   */
  static async open(path: string, asked: RewrapAsked): Promise<DoneFile> {
    const found = await read(path);
    const first = printableJson({
      rewrap: 1,
      store: asked.store,
      mode: asked.mode,
      to: [...asked.to].sort(),
    });
    if (found !== undefined && found.first !== first)
      throw new SealdropError('usage', `${printable(path)} is not of this rewrap`, {
        hint: 'it is for one store and the same --to: name another file, or remove this one',
      });
    const lines = await DurableLines.open(path);
    if (found === undefined)
      await lines.add(first).catch(async (error: unknown) => {
        await lines.close();
        throw error;
      });
    return new DoneFile(lines, found?.etags ?? new Map());
  }

  /** Whether an earlier run has made the object that is there. */
  has(key: string, etag: string): boolean {
    return etag !== '' && this.#etags.get(key) === etag;
  }

  /** Durable when it resolves. */
  async add(key: string, etag: string): Promise<void> {
    await this.#lines.add(printableJson({ key, etag }));
  }

  async close(): Promise<void> {
    await this.#lines.close();
  }
}

/** Undefined where nothing is there, or nothing but the beginning of a first line. */
async function read(path: string): Promise<{ first: string; etags: Map<string, string> } | undefined> {
  const handle = await open(path).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw unreadable(path, systemCode(cause) ?? 'unknown error', cause);
  });
  if (handle === undefined) return undefined;
  try {
    if (!(await handle.stat()).isFile()) throw unreadable(path, 'it is no file');
    let first: string | undefined;
    const etags = new Map<string, string>();
    for await (const line of handle.readLines({ autoClose: false })) {
      first ??= line;
      // A line that was torn when its machine went down is of an object that is looked at again.
      const { key, etag } = parsed(line);
      if (typeof key === 'string' && typeof etag === 'string') etags.set(key, etag);
    }
    return first === undefined ? undefined : { first, etags };
  } finally {
    await handle.close();
  }
}

function parsed(line: string): { key?: unknown; etag?: unknown } {
  try {
    return Object(JSON.parse(line)) as object;
  } catch {
    return {};
  }
}

const unreadable = (path: string, why: string, cause?: unknown): SealdropError =>
  new SealdropError('source_unreadable', `cannot read ${printable(path)}: ${why}`, { cause });
