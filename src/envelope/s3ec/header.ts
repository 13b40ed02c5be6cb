/** What an object says of its encryption, read and checked as far as it can be without a key. */
import type { ContentAlgorithm, S3ecVersion, WrapAlgorithm } from './algorithms.js';

export interface S3ecHeader {
  readonly version: S3ecVersion;
  readonly content: ContentAlgorithm;
  readonly wrap: WrapAlgorithm;
  readonly wrappedKey: Buffer;
  /** Material description, or KMS context with the reserved pair: as stored. */
  readonly description: Readonly<Record<string, string>>;
  /** Of V1 and V2. */
  readonly iv?: Buffer;
  /** Of V3: 28 bytes each. */
  readonly messageId?: Buffer;
  readonly commitment?: Buffer;
  /** Where the wrapped key lies. */
  readonly at: 'metadata' | 'instruction-file';
}
