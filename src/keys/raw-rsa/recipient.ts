import type { KeyObject } from 'node:crypto';
import type { Recipient } from '../../ports.js';
import { fingerprintOf, modulusBits } from '../public-key.js';
import { assertOwnNamespace } from '../wrapping-rules.js';

/** @throws SealdropError `usage` */
export function rsaRecipient(key: { namespace: string; name: string; publicKey: KeyObject }): Recipient {
  const { namespace, name, publicKey } = key;
  assertOwnNamespace(namespace);
  return { namespace, name, fingerprint: fingerprintOf(publicKey), wrappedBytes: modulusBytes(publicKey) };
}

/** Of what is wrapped by it, too. */
export const modulusBytes = (key: KeyObject): number => Math.ceil(modulusBits(key) / 8);
