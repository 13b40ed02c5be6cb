import type { KeyObject } from 'node:crypto';
import type { Secret } from '../secret.js';
import type { KeySetEntry } from './key-set-document.js';

/** A key to be put into a set. */
export interface ForeignKey {
  readonly publicKey?: KeyObject;
  readonly privateKey?: KeyObject;
  /** What the private half was locked by. */
  readonly passphrase?: Secret;
  readonly secretKey?: Buffer;
  readonly kmsArn?: string;
  /** What its file calls it. */
  readonly name?: string;
  /** What a key set says of it. */
  readonly entry?: KeySetEntry;
}
