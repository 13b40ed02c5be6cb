/** Lines that are added to a file, each of them on the disk when that is said. */
import { open, type FileHandle } from 'node:fs/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';

export class DurableLines {
  readonly #handle: FileHandle;
  readonly #path: string;
  #lines = '';
  #durable = false;
  #turn: Promise<unknown> = Promise.resolve();
  #failure: SealdropError | undefined;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /**
   * @param afterTorn a line to put behind one that is not whole
   * @throws SealdropError `target_unwritable`
   */
  static async open(path: string, { afterTorn }: { afterTorn?: string } = {}): Promise<DurableLines> {
    try {
      const handle = await open(path, 'a+', 0o600);
      await endTornLine(handle, afterTorn).catch(async (error: unknown) => {
        await handle.close();
        throw error;
      });
      return new DurableLines(handle, path);
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }

  /** Behind what a file has, which was opened for appending. */
  static of(handle: FileHandle, path: string): DurableLines {
    return new DurableLines(handle, path);
  }

  /**
   * @param line without its end. Resolves when it is durable; `passing`: when it outlives this process
   * @throws SealdropError `target_unwritable`
   */
  async add(line: string, { passing = false } = {}): Promise<void> {
    this.#lines += `${line}\n`;
    this.#durable ||= !passing;
    // What comes while one write is under way is written together after it.
    const turn = this.#turn.then(async () => this.#write());
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  async #write(): Promise<void> {
    const lines = this.#lines;
    const durable = this.#durable;
    this.#lines = '';
    this.#durable = false;
    try {
      if (this.#failure === undefined && lines !== '') {
        await this.#handle.appendFile(lines);
        if (durable) await this.#handle.datasync();
      }
    } catch (cause) {
      this.#failure = unwritable(this.#path, cause);
    }
    // Of all whose lines were among those.
    if (this.#failure !== undefined) throw this.#failure;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** After a line that a machine which went down did not write to its end. */
async function endTornLine(handle: FileHandle, afterTorn?: string): Promise<void> {
  if (await endsInLine(handle)) await handle.appendFile(afterTorn === undefined ? '\n' : `\n${afterTorn}\n`);
}

/** Whether the last line has no end. */
export async function endsInLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString() !== '\n';
}

function unwritable(path: string, cause: unknown): SealdropError {
  const why = systemCode(cause) ?? 'unknown error';
  return new SealdropError('target_unwritable', `cannot write ${printable(path)}: ${why}`, { cause });
}
