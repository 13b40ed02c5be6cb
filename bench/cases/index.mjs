import { envelope } from './envelope.mjs';
import { memory } from './memory.mjs';
import { slow } from './slow.mjs';
import { small } from './small.mjs';
import { get, put } from './transfer.mjs';

/** What can be named on the command line. */
export const CASES = { envelope, put, get, small, memory, slow };
/** What CI measures. */
export const QUICK = ['envelope', 'put', 'get', 'small'];
