import type { KeyObject, webcrypto } from 'node:crypto';
import type { OaepHash } from '../../ports.js';

type CryptoKey = webcrypto.CryptoKey;
export type OaepAlgorithm = { readonly name: 'RSA-OAEP'; readonly hash: string };
type Import = (key: KeyObject, algorithm: OaepAlgorithm) => Promise<CryptoKey>;

const HASHES: Readonly<Record<OaepHash, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
};

/** Keys as WebCrypto wants them, made for each key and hash when they are used first: it costs as much as to use them. */
export function oncePerKey(importKey: Import): (key: KeyObject, hash: OaepHash) => Promise<CryptoKey> {
  const known = new WeakMap<KeyObject, Map<OaepHash, Promise<CryptoKey>>>();
  return async (key, hash) => {
    const ofKey = known.get(key) ?? new Map<OaepHash, Promise<CryptoKey>>();
    known.set(key, ofKey);
    const made = ofKey.get(hash) ?? importKey(key, { name: 'RSA-OAEP', hash: HASHES[hash] });
    ofKey.set(hash, made);
    return made;
  };
}
