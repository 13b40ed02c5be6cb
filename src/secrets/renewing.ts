import { isSealdropError } from '../errors.js';
import type { Cached } from './cached.js';

/** Runs something with the current value, and once more with a new one where the vault refused its credentials. */
export function renewing<T>(parts: Cached<T>): <R>(use: (value: T) => Promise<R>) => Promise<R> {
  return async (use) => {
    const value = await parts.current();
    try {
      return await use(value);
    } catch (error) {
      if (!isSealdropError(error) || error.code !== 'access_denied') throw error;
      const renewed = await parts.refresh(value);
      // What was refused with these credentials is refused with these credentials.
      if (renewed === value) throw error;
      return use(renewed);
    }
  };
}
