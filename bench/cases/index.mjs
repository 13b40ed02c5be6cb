import { envelope } from './envelope.mjs';
import { get, put } from './transfer.mjs';

/** What can be named on the command line. */
export const CASES = { envelope, put, get };
