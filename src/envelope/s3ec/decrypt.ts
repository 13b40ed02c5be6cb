/**
 * Decryption: the content has one tag, at its end. Until that was checked nothing is released, but to a caller who keeps it
 * back himself or asked for it by name.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/decryption.md and client.md (delayed authentication).
 */
import { createDecipheriv, type Decipher, type DecipherGCM } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import type { ByteSource, DecryptOptions, Decryptor, ReadPolicy, S3ecUnwrappingKeys } from '../../ports.js';
import { giveBack } from '../../give-back.js';
import { ByteReader } from '../byte-reader.js';
import { PIECE } from '../pieces.js';
import { TAG_BYTES } from './algorithms.js';
import { assertPossibleSize, trailingData, truncated } from './body-size.js';
import { withContentKey } from './content-key.js';
import { infoOf, readHeader, type S3ecHeader } from './header.js';
import { V3_AAD, V3_IV } from './key-derivation.js';
import { assertAllowed, policyOf } from './policy.js';

/** What is kept in memory until the tag was checked. */
const MAX_KEPT = 64 * 1024 * 1024;

export interface S3ecDecryptorOptions extends ReadPolicy {
  /** Consulted only after the policy allowed the object. */
  readonly keys: S3ecUnwrappingKeys;
}

/** Its `decrypt` needs `parts` of the object. */
export function createS3ecDecryptor(options: S3ecDecryptorOptions): Decryptor {
  return { decrypt: (source, call = {}) => decryptObject(source, options, call) };
}

async function* decryptObject(
  source: ByteSource,
  { keys, ...own }: S3ecDecryptorOptions,
  { parts, accept, allowed, held = false, unverified = false, transient = false }: DecryptOptions,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  try {
    if (parts === undefined) throw bodyAlone();
    const header = await readHeader(parts);
    assertAllowed(header, policyOf(own, allowed));
    assertPossibleSize(header.content, parts.size);
    let early = held || unverified;
    // Whoever judges the header may still say that it keeps everything back.
    if (!early && accept === undefined) assertKeepable(parts.size);
    const decipher = await withContentKey(header, keys, (key) => makeDecipher(header, key));
    if (accept?.(infoOf(header)) === 'held') early = true;
    if (!early) assertKeepable(parts.size);
    const plaintext = openContent(reader, decipher, header, parts.size);
    for await (const piece of early ? plaintext : atTheEnd(plaintext)) {
      yield piece;
      if (transient) giveBack(piece);
    }
  } finally {
    await reader.close();
  }
}

function makeDecipher({ content, iv }: S3ecHeader, key: Buffer): Decipher | DecipherGCM {
  const bits = 8 * key.length;
  if (content.mode === 'cbc') return createDecipheriv(`aes-${bits}-cbc`, key, iv!);
  const options = { authTagLength: TAG_BYTES };
  if (!content.committing) return createDecipheriv(`aes-${bits}-gcm` as 'aes-256-gcm', key, iv!, options);
  return createDecipheriv('aes-256-gcm', key, V3_IV, options).setAAD(V3_AAD);
}

/** Plaintext as it comes; its last bytes, and the end, only where the whole is what was written. */
async function* openContent(
  reader: ByteReader,
  decipher: Decipher | DecipherGCM,
  { content }: S3ecHeader,
  size: number,
): AsyncGenerator<Buffer> {
  const tagBytes = content.mode === 'gcm' ? TAG_BYTES : 0;
  for (let left = size - tagBytes; left > 0;) {
    const piece = await exactly(reader, Math.min(left, PIECE));
    left -= piece.length;
    const clear = decipher.update(piece);
    if (clear.length > 0) yield clear;
  }
  const tag = await exactly(reader, tagBytes);
  if (!(await reader.atEnd())) throw trailingData();
  const last = finish(decipher, tag);
  if (last.length > 0) yield last;
}

/** One error for everything that is wrong with a content: a padding told apart from others would open it byte by byte. */
function finish(decipher: Decipher | DecipherGCM, tag: Buffer): Buffer {
  try {
    if (tag.length > 0) (decipher as DecipherGCM).setAuthTag(tag);
    return decipher.final();
  } catch {
    throw new SealdropError('content_auth', 'the content was altered, or belongs to another key', {
      hint: 'nothing of it is to be trusted: take an older version or a copy',
    });
  }
}

async function exactly(reader: ByteReader, length: number): Promise<Buffer> {
  const bytes = await reader.read(length);
  if (bytes.length < length) throw truncated();
  return bytes;
}

async function* atTheEnd(plaintext: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const kept: Buffer[] = [];
  for await (const piece of plaintext) kept.push(piece);
  yield* kept;
}

function assertKeepable(size: number): void {
  if (size <= MAX_KEPT + TAG_BYTES) return;
  throw new SealdropError('too_large', `${size} bytes that can only be checked as a whole`, {
    hint: 'get the object into a file: it appears there when all was checked',
  });
}

function bodyAlone(): SealdropError {
  return new SealdropError('not_an_envelope', 'of an s3ec object the body alone cannot be opened', {
    hint: 'its key lies in its metadata or its instruction file: read it from its store',
  });
}
