/** Wrapping keys of AWS KMS, by their names. */
import type { WrappingKey } from '../wrapping-keys.js';
import { KmsClients, type KmsOptions } from './client.js';
import { parseKmsKey } from './names.js';
import { kmsWrappingKey } from './wrap.js';

/** @returns makes a key of an ARN or alias; they share their connections. It throws SealdropError `invalid_key`. */
export function kmsWrapper(options: KmsOptions = {}): (id: string) => WrappingKey {
  const clients = new KmsClients(options);
  return (id) => kmsWrappingKey(parseKmsKey(id, 'kms:'), clients);
}
