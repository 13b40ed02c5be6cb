import { SealdropError } from '../../errors.js';

/** Milliseconds that a client may wait before it is better told to come again. */
const PATIENCE = 10_000;

interface Waiting {
  readonly who: string;
  readonly begin: () => void;
}

/**
 * So many at a time, and for one caller no more than half of them: whoever never ends keeps nobody else from theirs.
 * The others wait, in the order in which they came.
 */
export class Turns {
  /** Who has a turn, once for each. */
  readonly #holders: string[] = [];
  readonly #waiting: Waiting[] = [];

  readonly #atOnce: number;
  readonly #patience: number;

  constructor(atOnce: number, patience = PATIENCE) {
    this.#atOnce = atOnce;
    this.#patience = patience;
  }

  /** @throws SealdropError `busy` where there is no turn in time; what `act` throws */
  async take<T>(who: string, act: () => Promise<T>): Promise<T> {
    await this.#turnOf(who);
    try {
      return await act();
    } finally {
      remove(this.#holders, who);
      this.#next();
    }
  }

  #turnOf(who: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        who,
        begin: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        remove(this.#waiting, waiting);
        reject(busy());
      }, this.#patience);
      this.#waiting.push(waiting);
      this.#next();
    });
  }

  #next(): void {
    const next = this.#waiting.find(({ who }) => this.#hasRoomFor(who));
    if (next === undefined) return;
    remove(this.#waiting, next);
    this.#holders.push(next.who);
    next.begin();
  }

  #hasRoomFor(who: string): boolean {
    const own = this.#holders.filter((holder) => holder === who).length;
    return this.#holders.length < this.#atOnce && own < this.#atOnce / 2;
  }
}

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
}

function busy(): SealdropError {
  return new SealdropError('busy', 'too many uploads are under way', {
    hint: 'try again when some have ended',
    retryable: true,
  });
}
