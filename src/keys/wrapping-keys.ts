/** Wrapping keys of every kind as one: a data key is wrapped to all of them, and any one opens the message. */
import {
  KeyringNode,
  MultiKeyringNode,
  type NodeDecryptionMaterial,
} from '@aws-crypto/material-management-node';
import { SealdropError } from '../errors.js';
import type { Recipient, WrappingKeys } from '../ports.js';
import { noWrappingKey } from './wrapping-rules.js';

/** One key, ready to wrap with. The keyring makes the data key where there is none yet. */
export interface WrappingKey {
  readonly keyring: KeyringNode;
  readonly recipient: Recipient;
}

export abstract class WrapOnlyKeyring extends KeyringNode {
  async _onDecrypt(): Promise<NodeDecryptionMaterial> {
    throw new SealdropError('internal', 'this keyring only wraps');
  }
}

// More than our own reader accepts by default.
const MAX_RECIPIENTS = 20;

/**
 * The first key makes the data key; the others wrap it. A key that is named twice is taken once.
 * @throws SealdropError `key_required`, `usage`
 */
export function wrappingKeysOf(keys: readonly WrappingKey[]): WrappingKeys {
  const distinct = [...new Map(keys.map((key) => [idOf(key), key])).values()];
  const [first, ...rest] = distinct;
  if (first === undefined) throw noWrappingKey();
  if (distinct.length > MAX_RECIPIENTS)
    throw new SealdropError(
      'usage',
      `a message goes to at most ${MAX_RECIPIENTS} keys, these are ${distinct.length}`,
    );
  const children = rest.map(({ keyring }) => keyring);
  return {
    keyring:
      children.length === 0 ? first.keyring : new MultiKeyringNode({ generator: first.keyring, children }),
    recipients: distinct.map(({ recipient }) => recipient),
  };
}

const idOf = ({ recipient: { namespace, name, fingerprint } }: WrappingKey): string =>
  JSON.stringify([namespace, name, fingerprint]);
