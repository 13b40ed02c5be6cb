import { describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { cached } from '../../src/secrets/cached.js';

function counting(ttlMs: number) {
  let made = 0;
  const state = { fail: false };
  const cache = cached(async () => {
    await sleep(10);
    if (state.fail) throw new Error('not now');
    return { number: ++made };
  }, ttlMs);
  return { cache, state };
}

describe('a cached value', () => {
  test('is made once, also when it is asked for at the same time', async () => {
    const { cache } = counting(60_000);
    const [a, b] = await Promise.all([cache.current(), cache.current()]);
    expect(a).toEqual({ number: 1 });
    expect(b).toBe(a);
    expect(await cache.current()).toBe(a);
  });

  test('is made anew when its time is over', async () => {
    const { cache } = counting(30);
    await cache.current();
    await sleep(50);
    expect(await cache.current()).toEqual({ number: 2 });
  });

  test('that could not be made is tried again', async () => {
    const { cache, state } = counting(60_000);
    state.fail = true;
    await expect(cache.current()).rejects.toThrow('not now');
    state.fail = false;
    expect(await cache.current()).toEqual({ number: 1 });
  });

  test('is refreshed once, however many have found it stale', async () => {
    const { cache } = counting(60_000);
    const stale = await cache.current();
    const [a, b] = await Promise.all([cache.refresh(stale), cache.refresh(stale)]);
    expect(a).toEqual({ number: 2 });
    expect(b).toBe(a);
    expect(await cache.refresh(stale)).toBe(a);
    expect(await cache.current()).toBe(a);
  });
});
