/** Reading a message up to its header, to decide what becomes of it, and then all of it from one request. */
import type { ByteSource, Decryptor, DecryptOptions, MessageInfo } from '../../ports.js';

/** A source whose beginning can be looked at before it is read. */
export class Peekable {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #seen: Uint8Array[] = [];

  constructor(source: ByteSource) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  /** What is read here comes again in `whole`. To be left before that begins. */
  get beginning(): ByteSource {
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      const piece = await this.#pieces.next();
      // Copied: the source may use its memory again.
      if (piece.done !== true) this.#seen.push(Uint8Array.from(piece.value));
      return piece;
    };
    // Without `return`: the reader who has seen enough doesn't end the source.
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async *whole(): AsyncGenerator<Uint8Array> {
    try {
      for (let seen = this.#seen.shift(); seen !== undefined; seen = this.#seen.shift()) yield seen;
      for (let piece = await this.#pieces.next(); piece.done !== true; piece = await this.#pieces.next())
        yield piece.value;
    } finally {
      await this.#pieces.return?.();
    }
  }
}

export interface Opening {
  /** Authenticated, and accepted. */
  readonly info: MessageInfo;
  /**
   * What a frame longer than is held in memory, or a message in one block, has in it comes before it was authenticated: only
   * the end says that all is right. Until then nothing that is made of it may be seen.
   */
  readonly plaintext: ByteSource;
}

/**
 * Opens a message as far as its first frame, so that what its header says can be used before the rest comes.
 * @param accept judges the authenticated header
 * @throws SealdropError an integrity code, and what `accept` throws
 */
export async function beginOpening(
  message: ByteSource,
  decryptor: Decryptor,
  accept: (info: MessageInfo) => void,
  beside: Pick<DecryptOptions, 'parts' | 'allowed'> = {},
): Promise<Opening> {
  let info: MessageInfo | undefined;
  const opened = decryptor.decrypt(message, {
    ...beside,
    held: true,
    accept: (judged) => {
      accept(judged);
      info = judged;
      return undefined;
    },
  });
  const pieces = opened[Symbol.asyncIterator]();
  const first = await pieces.next();
  return { info: info!, plaintext: resumed(first, pieces) };
}

async function* resumed(
  first: IteratorResult<Uint8Array>,
  pieces: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await pieces.next()) yield next.value;
  } finally {
    await pieces.return?.();
  }
}
