/** Vectors of s3ec objects, and the one key that opens them. */
import { createDecipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SealdropError } from '../../src/errors.js';
import type { CommitmentPolicyName, S3ecSealedKey, S3ecUnwrappingKeys } from '../../src/ports.js';

export interface S3ecVector {
  did: string;
  /** null: it opens. */
  code: string | null;
  released: { length: number; sha256: string };
  /** How often a key is asked. */
  asked: number;
  commitmentPolicy?: CommitmentPolicyName;
  allowLegacy?: boolean;
  metadata: Record<string, string>;
  /** Bytes of the instruction file and of the body, base64. */
  instruction?: string;
  message: string;
}

const FILES = ['intact', 'header', 'changed', 'instruction', 'content'] as const;
const here = (path: string) => readFileSync(new URL(`../vectors/${path}`, import.meta.url), 'utf8');

export const s3ecVectors = FILES.map(
  (file) => [file, JSON.parse(here(`s3ec-${file}.json`)) as S3ecVector[]] as const,
);

const WRAPPING_KEY = Buffer.from(here('keys/test-only-s3ec.aes.hex').trim(), 'hex');
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** The vectors' raw AES key, which counts how often it is asked. What KMS is asked for it refuses, as for a wrong context. */
export function countingKeys(): S3ecUnwrappingKeys & { readonly asked: () => number } {
  let asked = 0;
  return {
    asked: () => asked,
    async unwrap({ algorithm, wrappedKey, contentAlgorithm }: S3ecSealedKey): Promise<Buffer> {
      asked++;
      if (algorithm !== 'AES/GCM')
        throw new SealdropError('wrong_context', 'the context is not the wrapped one');
      const end = wrappedKey.length - TAG_BYTES;
      const decipher = createDecipheriv('aes-256-gcm', WRAPPING_KEY, wrappedKey.subarray(0, IV_BYTES))
        .setAAD(Buffer.from(contentAlgorithm))
        .setAuthTag(wrappedKey.subarray(end));
      const dataKey = decipher.update(wrappedKey.subarray(IV_BYTES, end));
      try {
        decipher.final();
      } catch (cause) {
        throw new SealdropError('wrong_key_or_header', 'no key opens it', { cause });
      }
      return dataKey;
    },
  };
}
