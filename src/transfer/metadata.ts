/**
 * Object metadata: a copy for convenience, readable and changeable by whoever runs the store, never trusted.
 * It holds no digest of the plaintext.
 */
import { randomUUID } from 'node:crypto';
import { UPLOAD_ENTRY, type Encryptor } from '../ports.js';

export type Metadata = Readonly<Record<string, string>>;

const FORMAT = 'sealdrop-format';
const SIZE = 'sealdrop-size';
/** Fingerprints of whom it is wrapped to. */
export const KEYS = 'sealdrop-keys';
const SOURCE = 'sealdrop-source';
const MTIME = 'sealdrop-mtime';
// Stores allow 2 KB in all; a fingerprint has 43 characters.
const MAX_FINGERPRINTS = 20;

export interface ObjectFacts {
  format?: string;
  /** Plaintext bytes. */
  size?: number;
  fingerprints: string[];
  source?: string;
  /** Modification time of the file that it was made from, RFC 3339. */
  mtime?: string;
}

export function objectMetadata(
  encryptor: Encryptor,
  facts: { size?: number; source?: string; mtime?: string },
): Metadata {
  const fingerprints = encryptor.recipients.slice(0, MAX_FINGERPRINTS).map((r) => r.fingerprint);
  return {
    [FORMAT]: encryptor.format,
    ...(fingerprints.length > 0 && { [KEYS]: fingerprints.join(',') }),
    [UPLOAD_ENTRY]: randomUUID(),
    ...(facts.size !== undefined && { [SIZE]: String(facts.size) }),
    ...(facts.source !== undefined && { [SOURCE]: facts.source }),
    ...(facts.mtime !== undefined && { [MTIME]: facts.mtime }),
  };
}

/** What the metadata claims; whatever is malformed is left out. */
export function readMetadata(metadata: Metadata = {}): ObjectFacts {
  const size = metadata[SIZE];
  const keys = metadata[KEYS] ?? '';
  return {
    format: metadata[FORMAT],
    size: size !== undefined && /^\d{1,15}$/.test(size) ? Number(size) : undefined,
    fingerprints: keys.split(',').filter((f) => /^[\w-]{43}$/.test(f)),
    source: metadata[SOURCE],
    mtime: metadata[MTIME],
  };
}
