import { SealdropError, interrupted, throwIfAborted } from '../errors.js';
import type { ByteSource } from '../ports.js';
import { printable } from '../printable.js';

export interface PullOptions {
  /** What the bytes are for, in messages. */
  address: string;
  /** Bytes that must come: no more and no less. */
  size?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The pieces of a source, watched: the signal is obeyed even while the source hangs, the announced size must be met,
 * and the source is let go of in every case.
 * @throws SealdropError `interrupted`, `source_changed`; and whatever the source throws
 */
export async function* pull(source: ByteSource, options: PullOptions): AsyncGenerator<Uint8Array> {
  const { size, signal } = options;
  const pieces = source[Symbol.asyncIterator]();
  let total = 0;
  let ended = false;
  // One listener for all pieces: there may be a hundred thousand of them.
  let giveUp: ((error: unknown) => void) | undefined;
  const abort = () => giveUp?.(interrupted(signal?.reason));
  signal?.addEventListener('abort', abort);
  try {
    for (;;) {
      throwIfAborted(signal);
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject;
        pieces.next().then(resolve, reject);
      });
      giveUp = undefined;
      if (next.done === true) break;
      total += next.value.length;
      if (size !== undefined && total > size) throw sizeMismatch(options, `more than ${size} bytes`);
      if (next.value.length > 0) yield next.value;
    }
    ended = true;
    if (size !== undefined && total < size) throw sizeMismatch(options, `${total} bytes instead of ${size}`);
  } catch (error) {
    if (giveUp !== undefined) {
      // It threw, and has ended; or it hangs, and would never answer `return` either: not waited for.
      ended = true;
      pieces.return?.().catch(() => undefined);
    }
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
    if (!ended) await pieces.return?.();
  }
}

function sizeMismatch({ address }: PullOptions, what: string): SealdropError {
  return new SealdropError(
    'source_changed',
    `${printable(address)} was not stored: the source gave ${what}`,
    {
      hint: 'the source changed while it was read, or the expected size given for it is wrong',
    },
  );
}
