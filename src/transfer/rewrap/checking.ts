/**
 * A message that is read by a checker on its way to the store. The checker is a step ahead: the store is told that the
 * message has ended, and completes it, only after all of it was found right. Nothing is kept of it.
 */
import { crc32 } from 'node:zlib';
import { SealdropError } from '../../errors.js';
import type { ByteSource, Decryptor, Inspector, MessageInfo } from '../../ports.js';

/** How a new message was found right: its tags and content, or its framing and size alone. */
export type Proof = 'opened' | 'framing';

/** What went into a message, added up on its way. */
export class Sum {
  size = 0;
  #crc = 0;

  add(piece: Uint8Array): void {
    this.size += piece.length;
    this.#crc = crc32(piece, this.#crc);
  }

  equals(other: Sum): boolean {
    return this.size === other.size && this.#crc === other.#crc;
  }
}

export async function* summed(
  source: ByteSource,
  sum: Sum,
  onBytes: (total: number) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    sum.add(piece);
    onBytes(sum.size);
    yield piece;
  }
}

export interface NewMessage {
  /** The pairs that it must carry. */
  readonly context: Readonly<Record<string, string>>;
  /** What went into it; complete when the message is. */
  readonly plaintext: Sum;
  readonly inspector: Inspector;
  /** What opens it, where anything at hand does. */
  readonly opener: Decryptor | undefined;
}

/**
 * The message, piece by piece, while it is checked.
 * @throws SealdropError through the iterator: `internal` where it is not what it should be
 */
export async function* checked(message: ByteSource, expected: NewMessage): AsyncGenerator<Uint8Array> {
  const branch = new Branch();
  let failure: { error: unknown } | undefined;
  const checking = assertRight(branch, expected).then(
    () => branch.leave(),
    (error: unknown) => {
      failure = { error };
      branch.leave();
    },
  );
  try {
    for await (const piece of message) {
      await branch.offer(piece);
      if (failure !== undefined) throw failure.error;
      yield piece;
    }
    branch.end();
    await checking;
    if (failure !== undefined) throw failure.error;
  } finally {
    branch.end();
    await checking;
  }
}

async function assertRight(message: ByteSource, expected: NewMessage): Promise<void> {
  const { opener, inspector, plaintext } = expected;
  if (opener === undefined) {
    const { info, plaintextSize } = await inspector.scan(message);
    if (plaintextSize !== plaintext.size || !carries(info, expected)) throw notRight();
    return;
  }
  const found = new Sum();
  let context = false;
  const accept = (info: MessageInfo) => void (context = carries(info, expected));
  for await (const piece of opener.decrypt(message, { accept })) found.add(piece);
  if (!context || !found.equals(plaintext)) throw notRight();
}

/** But for the pair that a signed message has besides. */
function carries(
  { context: { 'aws-crypto-public-key': _, ...found } }: MessageInfo,
  { context }: NewMessage,
) {
  const names = Object.keys(context);
  return names.length === Object.keys(found).length && names.every((name) => found[name] === context[name]);
}

const notRight = (): SealdropError =>
  new SealdropError(
    'internal',
    'the new message is not what went into it: it was not stored, and the old one stays',
    {
      hint: 'this is a fault of sealdrop or of this machine: try again, and report it',
    },
  );

/** A source that another loop feeds, one piece at a time. */
class Branch implements AsyncIterableIterator<Uint8Array> {
  #take: ((piece: IteratorResult<Uint8Array>) => void) | undefined;
  #wake: (() => void) | undefined;
  #over = false;

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Resolves when the reader has done with the piece, or reads no more. */
  async offer(value: Uint8Array): Promise<void> {
    await this.#asked();
    this.#give({ done: false, value });
    await this.#asked();
  }

  end(): void {
    this.#over = true;
    this.#give({ done: true, value: undefined });
  }

  /** The reader has seen enough. */
  leave(): void {
    this.#over = true;
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#over) return { done: true, value: undefined };
    return new Promise((resolve) => {
      this.#take = resolve;
      this.#wake?.();
    });
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.leave();
    return { done: true, value: undefined };
  }

  #give(piece: IteratorResult<Uint8Array>): void {
    const take = this.#take;
    this.#take = undefined;
    take?.(piece);
  }

  async #asked(): Promise<void> {
    if (this.#take !== undefined || this.#over) return;
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}
