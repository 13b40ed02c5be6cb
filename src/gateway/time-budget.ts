/** What fits into the time that a function has. */
import { SealdropError } from '../errors.js';
import type { FormatName } from '../ports.js';
import { shellQuoted } from '../printable.js';

/** Bytes of plaintext in a second: less than a small function does with a store that is near. */
const BYTES_PER_SECOND = 16 * 1024 * 1024;
/** Milliseconds for what is not streaming. */
const OVERHEAD = 5_000;
/** Before the end: to remove an upload that isn't finished, and to say so. Less where there is little time in all. */
const MARGIN = 15_000;

/** What the command has to name that does it elsewhere. */
export type Way = {
  /** Of the vault, where it is not AWS's own. */
  readonly endpoint?: string | undefined;
} & (PutAs | { readonly command: string });

interface PutAs {
  readonly from: string;
  readonly to: string;
  readonly format: FormatName;
}

export interface TimeBudget {
  /** Fires before the time is over. */
  readonly signal: AbortSignal;
  /** Whether it is worth beginning with something. */
  enough: () => boolean;
  /**
   * @param bytes of plaintext
   * @param way for the command that does it elsewhere
   * @throws SealdropError `too_large_for_lambda` for what would not fit into all of the time either; `out_of_time`
   * (retryable) for what doesn't fit into what is left
   */
  admit: (bytes: number, way: Way) => void;
  end: () => void;
}

/**
 * @param left milliseconds that are left now
 * @param maxBytes what is refused whatever time there is
 */
export function timeBudget(
  left: () => number,
  maxBytes: number,
  bytesPerSecond = BYTES_PER_SECOND,
): TimeBudget {
  const all = left();
  const margin = Math.min(MARGIN, all / 4);
  const stopping = new AbortController();
  const timer = setTimeout(
    () => stopping.abort('the time of the function is over'),
    Math.max(0, all - margin),
  );
  timer.unref();
  return {
    signal: stopping.signal,
    enough: () => left() > margin + Math.min(OVERHEAD, all / 4),
    admit(bytes, way) {
      const needed = OVERHEAD + (bytes / bytesPerSecond) * 1000;
      if (bytes > maxBytes || needed > Math.max(all - margin, 2 * OVERHEAD)) throw tooLarge(bytes, way);
      if (needed <= left() - margin || all < 2 * OVERHEAD) return;
      throw new SealdropError('out_of_time', `${bytes} bytes don't fit into what is left of the time`, {
        retryable: true,
      });
    },
    end: () => clearTimeout(timer),
  };
}

function tooLarge(bytes: number, way: Way): SealdropError {
  const { endpoint } = way;
  const at = endpoint === undefined ? '' : ` --endpoint-url ${shellQuoted(endpoint)}`;
  return new SealdropError('too_large_for_lambda', `${bytes} bytes don't fit into the time of a function`, {
    hint: `do it on a machine with time: ${'command' in way ? way.command : putCommand(way, bytes)}${at}`,
  });
}

function putCommand({ from, to, format }: PutAs, bytes: number): string {
  const as = format === 'esdk' ? '' : ` --format ${format}`;
  return `aws s3 cp ${shellQuoted(from)} - | sealdrop put - ${shellQuoted(to)} --public-key FILE --expected-size ${bytes}${as}`;
}
