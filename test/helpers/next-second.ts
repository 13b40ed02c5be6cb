import { setTimeout as sleep } from 'node:timers/promises';

/** Until the clock shows another second: stores tell times in seconds. */
export const nextSecond = () => sleep(1_020 - (Date.now() % 1_000));
