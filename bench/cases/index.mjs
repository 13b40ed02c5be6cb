import { cores } from './cores.mjs';
import { envelope } from './envelope.mjs';
import { memory } from './memory.mjs';
import { range } from './range.mjs';
import { slow } from './slow.mjs';
import { small } from './small.mjs';
import { soak } from './soak.mjs';
import { get, put } from './transfer.mjs';

/** What can be named on the command line, in the order of docs/performance.md. */
export const CASES = { envelope, cores, put, get, small, memory, slow, range, soak };
/** What CI measures. */
export const QUICK = ['envelope', 'put', 'get', 'small'];
