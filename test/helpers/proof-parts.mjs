// What the proofs of memory share.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';

const MIB = 1024 * 1024;

/** Random enough that nothing on the way could compress or repeat it. @returns SHA-256 of it, hex */
export async function makeFile(path, mebibytes) {
  const file = await open(path, 'w');
  const hash = createHash('sha256');
  const block = randomBytes(MIB);
  for (let i = 0; i < mebibytes; i++) {
    block.writeUInt32BE(i, (i * 4096) % MIB);
    hash.update(block);
    await file.write(block);
  }
  await file.close();
  return hash.digest('hex');
}

/** Peak of resident memory in MB (10^6 bytes), as the kernel keeps it; 0 where the process has ended. */
export function peakOf(pid) {
  try {
    return (
      (Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024) / 1e6
    );
  } catch {
    return 0; // it has just ended
  }
}
