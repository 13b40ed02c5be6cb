import { inspect } from 'node:util';

const REDACTED = '[secret]';

/** A value that cannot be printed by accident: string conversion, JSON and `inspect` show a placeholder. */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Call it where it is used and keep no copy. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
