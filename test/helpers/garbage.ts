import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/**
 * Bytes of buffers that somebody still holds: what nobody holds is collected first. Twice, because a collection that
 * was under way already keeps what it had marked, and one that just ended may still be freeing beside the program.
 */
export function heldBytes(): number {
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}
