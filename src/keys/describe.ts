/** The keys of a set as they may be shown: nothing private is in what is returned. */
import type { KeyDescription } from '../key-sets.js';
import { Secret } from '../secret.js';
import { kindOf, type KeySetEntry } from './key-set-document.js';
import { kmsFingerprint } from './kms/names.js';
import { fingerprintOf, isLocked, modulusBits, readPublicKey } from './public-key.js';
import { secretKeyFingerprint } from './raw-aes/names.js';

/** @param entry of a set that was read by `readManagedSet`: RSA keys have their public half */
export function describe(entry: KeySetEntry): KeyDescription {
  const { namespace, name, state, always = false, created } = entry;
  const shared = { namespace, name, state, always, ...(created !== undefined && { created }) };
  const kind = kindOf(entry);
  if (kind === 'kms')
    return { ...shared, kind, holds: 'nothing', locked: false, fingerprint: kmsFingerprint(name) };
  if (kind === 'aes') {
    const secretKey = new Secret(Buffer.from(entry.secretKey!, 'base64'));
    const fingerprint = secretKeyFingerprint(secretKey);
    return {
      ...shared,
      kind,
      bits: secretKey.reveal().length * 8,
      holds: 'secret',
      locked: false,
      fingerprint,
    };
  }
  const publicKey = readPublicKey(Buffer.from(entry.publicKey!), name);
  return {
    ...shared,
    kind,
    bits: modulusBits(publicKey),
    holds: entry.privateKey === undefined ? 'public' : 'private',
    locked: isLocked(entry.privateKey ?? ''),
    fingerprint: fingerprintOf(publicKey),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}
