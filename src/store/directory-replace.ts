/** Other metadata for an object in a directory: its body stays, and gets another modification time. */
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { SealdropError } from '../errors.js';
import type { ReplaceOptions } from '../ports.js';
import { printable } from '../printable.js';
import { etagOf, exclusively, failedCondition, type Target } from './directory-write.js';
import { openObject } from './safe-path.js';
import { readSidecar, writeSidecar } from './sidecar.js';

/**
 * The sidecar holds the old metadata and the new until the body's time says which of them count: whoever looks meanwhile,
 * or after a crash, finds one of the two.
 */
export async function replaceSidecar(target: Target, options: ReplaceOptions): Promise<BigIntStats> {
  const { root, key } = target;
  return exclusively(join(root, key), async () => {
    const opened = await openObject(root, key);
    if (opened === undefined) throw failedCondition(target);
    const { handle, stat } = opened;
    try {
      const { ifMatch, ifMetadata, metadata } = options;
      const before = (await readSidecar(root, key, stat)) ?? {};
      if (etagOf(stat) !== ifMatch) throw failedCondition(target);
      if (ifMetadata !== undefined && !isDeepStrictEqual({ ...ifMetadata }, before))
        throw failedCondition(target);
      assertOwn(stat, target);
      const time = timeAfter(stat);
      const planned = { size: stat.size, mtimeNs: BigInt(time * TICKS) * TICK };
      await writeSidecar(root, key, { stamp: planned, metadata }, { stamp: stat, metadata: before });
      const now = await touched(handle, time);
      // Also for file systems that keep no time so exact.
      await writeSidecar(root, key, { stamp: now, metadata });
      return now;
    } finally {
      await handle.close();
    }
  });
}

/** The new time would be that of the other links too, and their metadata would belong to no body any more. */
function assertOwn({ nlink }: BigIntStats, { address }: Target): void {
  if (nlink === 1n) return;
  throw new SealdropError('store_refused', `the file of ${printable(address)} has ${nlink} hard links`, {
    hint: 'put a copy of it in its place first: cp -p FILE COPY && mv COPY FILE',
  });
}

async function touched(handle: FileHandle, time: number): Promise<BigIntStats> {
  await handle.utimes(time, time);
  await handle.sync();
  return handle.stat({ bigint: true });
}

/** Times are given in seconds, as a floating-point number: this fraction of one comes through exactly. */
const TICKS = 64;
/** In nanoseconds. */
const TICK = 1_000_000_000n / BigInt(TICKS);

/** Now, or else the next that is later than the body's: another ETag in any case. */
function timeAfter({ mtimeNs }: BigIntStats): number {
  const now = Math.floor((Date.now() / 1000) * TICKS);
  const next = Number(mtimeNs / TICK) + 1;
  return Math.max(now, next) / TICKS;
}
