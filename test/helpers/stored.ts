/** Objects as a store would serve them, with what was asked for. */
import { createRanges } from '../../src/envelope/esdk/range.js';
import type { DecryptorOptions } from '../../src/envelope/esdk/decrypt.js';
import { RsaUnwrapKeyring } from '../../src/keys/raw-rsa/unwrap.js';
import type { OpenedObject, PlaintextRange, StoredObject } from '../../src/ports.js';
import { collect, drain, type Outcome } from './bytes.js';
import { NAMES, type Pair } from './keys.js';

export interface Served extends StoredObject {
  /** First and last byte of each request after the first. */
  readonly asked: [number, number][];
}

/** @param ahead bytes that the first request brings */
export function served(bytes: Buffer, { ahead = 64 * 1024, chunk = 1 << 20 } = {}): Served {
  const asked: [number, number][] = [];
  return {
    asked,
    metadata: {},
    size: bytes.length,
    instruction: () => Promise.resolve(undefined),
    beginning: Buffer.from(bytes.subarray(0, ahead)),
    async *fetch(first, last) {
      asked.push([first, last]);
      for (let at = first; at <= last; at += chunk) yield bytes.subarray(at, Math.min(at + chunk, last + 1));
    },
  };
}

/** Counts how often a data key was unwrapped. */
export class CountingKeyring extends RsaUnwrapKeyring {
  unwrapped = 0;

  constructor(pair: Pair) {
    super([{ ...NAMES, privateKey: pair.privateKey, oaepHash: 'sha256' }]);
  }

  override async _onDecrypt(...args: Parameters<RsaUnwrapKeyring['_onDecrypt']>) {
    this.unwrapped++;
    return super._onDecrypt(...args);
  }
}

export const rangesFor = (pair: Pair, options: Omit<DecryptorOptions, 'keyring'> = {}) =>
  createRanges({ ...options, keyring: new CountingKeyring(pair) });

export async function part(opened: OpenedObject, range: PlaintextRange): Promise<Buffer> {
  return collect((await opened.range(range)).content);
}

/** What came of a part before it failed, and why it did. */
export async function partOrError(
  open: () => Promise<OpenedObject>,
  range: PlaintextRange,
): Promise<Outcome> {
  try {
    return await drain((await (await open()).range(range)).content);
  } catch (error) {
    return { released: Buffer.alloc(0), error };
  }
}
