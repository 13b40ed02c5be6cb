/** A value that is made at first use, and made anew after a while. */
export interface Cached<T> {
  /** The value, not older than its time to live. What fails is tried again at the next call. */
  current(): Promise<T>;
  /** A value that is not `stale`: made anew, unless somebody else has done so meanwhile. */
  refresh(stale: T): Promise<T>;
}

/**
 * @param ttlMs milliseconds that a value is used
 */
export function cached<T>(make: () => Promise<T>, ttlMs: number): Cached<T> {
  let held: { value: T; until: number } | undefined;
  let making: Promise<T> | undefined;

  const renew = async (): Promise<T> => {
    const value = await make();
    held = { value, until: Date.now() + ttlMs };
    return value;
  };
  const renewOnce = (): Promise<T> => (making ??= renew().finally(() => (making = undefined)));

  return {
    current: async () => (held !== undefined && Date.now() < held.until ? held.value : renewOnce()),
    refresh: async (stale) => (held !== undefined && held.value !== stale ? held.value : renewOnce()),
  };
}
