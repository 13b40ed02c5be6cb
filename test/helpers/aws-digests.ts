/** Plaintexts for a deployment, and the search for what must not be known of them: their MD5, which S3's ETags are. */
import { createCipheriv, createHash } from 'node:crypto';

/** Bytes of their own for every number. */
export function contentOf(number: number, size: number): Buffer {
  const counter = Buffer.alloc(16);
  counter.writeUInt32BE(number);
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), counter).update(Buffer.alloc(size));
}

export const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();

/** A digest in every spelling that might be written down. */
export interface Forbidden {
  readonly name: string;
  readonly spellings: readonly Buffer[];
}

/** @param etag of the plaintext object, where it is no MD5 of the whole (`...-3`) */
export function forbidden(name: string, bytes: Uint8Array, etag?: string): Forbidden {
  const digest = md5(bytes);
  const texts = [digest.toString('hex'), digest.toString('hex').toUpperCase(), digest.toString('base64')];
  texts.push(digest.toString('base64url'), ...(etag === undefined ? [] : [etag.replaceAll('"', '')]));
  return { name, spellings: [digest, ...texts.map((text) => Buffer.from(text.replace(/=+$/, '')))] };
}

/** Names of those whose digest is found. */
export function digestsIn(where: Uint8Array | string, digests: readonly Forbidden[]): string[] {
  const bytes = Buffer.from(where);
  return digests.filter(({ spellings }) => spellings.some((s) => bytes.includes(s))).map(({ name }) => name);
}
