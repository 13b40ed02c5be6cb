/** A vault opens with the private key alone: kept nowhere else, that key is lost. */
import { basename } from 'node:path';
import { printable } from '../printable.js';
import type { Output } from './output.js';

/** How a tree is stored without it. */
export const LEAVE_OUT = '--exclude private_key.pem leaves it out';

/** Of those that `keygen` makes, by their name. @param orElse what else can be done about it */
export function warnOfPrivateKey(file: string, output: Output, orElse?: string): void {
  if (basename(file) !== 'private_key.pem') return;
  output.warn(
    `${printable(file)} goes into the vault: a private key that lies only in a vault it opens cannot open it`,
    ['keep it, and a copy, elsewhere', ...(orElse === undefined ? [] : [orElse])].join('; '),
  );
}
