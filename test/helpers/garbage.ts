import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of buffers that somebody still holds: what nobody holds is collected first. */
export function heldBytes(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}
