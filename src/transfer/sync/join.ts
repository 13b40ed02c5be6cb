/** Several listings side by side, none of them held as a whole. */
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';

export interface Located {
  /** Below the root of its listing, with slashes. */
  readonly path: string;
}

type Sides = Readonly<Record<string, Located>>;

export type Joined<S extends Sides> = Located & { readonly [Side in keyof S]?: S[Side] };

/**
 * Walks through listings at once: what has one path comes together. Each must be in the order of its paths' UTF-8 bytes,
 * without repeats.
 * @throws SealdropError `store_refused` where one isn't: of such a listing nobody can say what is missing in it
 */
export async function* joined<S extends Sides>(listings: {
  readonly [Side in keyof S]: AsyncIterable<S[Side]>;
}): AsyncGenerator<Joined<S>> {
  const cursors = Object.entries(listings).map(([side, listing]) => new Cursor(side, listing as Listing));
  try {
    await Promise.all(cursors.map(async (cursor) => cursor.advance()));
    for (;;) {
      const path = cursors.map(({ path }) => path).reduce(earlier);
      if (path === undefined) return;
      const here = cursors.filter((cursor) => cursor.path === path);
      yield { path, ...Object.fromEntries(here.map(({ side, entry }) => [side, entry])) } as Joined<S>;
      await Promise.all(here.map(async (cursor) => cursor.advance()));
    }
  } finally {
    await Promise.all(cursors.map(async (cursor) => cursor.close()));
  }
}

type Listing = AsyncIterable<Located>;

class Cursor {
  readonly side: string;
  entry: Located | undefined;
  readonly #iterator: AsyncIterator<Located>;

  constructor(side: string, listing: Listing) {
    this.side = side;
    this.#iterator = listing[Symbol.asyncIterator]();
  }

  get path(): string | undefined {
    return this.entry?.path;
  }

  async advance(): Promise<void> {
    const result = await this.#iterator.next();
    const next = result.done === true ? undefined : result.value;
    if (next !== undefined && this.path !== undefined && compareKeys(this.path, next.path) >= 0)
      throw new SealdropError(
        'store_refused',
        `a listing is not in the order of its names: ${printable(next.path)} comes after ${printable(this.path)}`,
        { hint: 'nothing was removed for it; sealdrop doctor tells what the store gets wrong' },
      );
    this.entry = next;
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

const earlier = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined || (b !== undefined && compareKeys(b, a) < 0) ? b : a;

/** By UTF-8 bytes, as S3 lists; JavaScript compares UTF-16, where the order of some characters is another. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
