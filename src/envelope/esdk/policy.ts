/** What a reader accepts at all. Judged before any key is unwrapped, so a refused object costs no key operation. */
import { SealdropError } from '../../errors.js';
import type { CommitmentPolicyName } from '../../ports.js';
import type { Header } from './header.js';

export interface ReadPolicy {
  /** Names as in the AWS Encryption SDK. Default REQUIRE_ENCRYPT_REQUIRE_DECRYPT: committing suites only. */
  commitmentPolicy?: CommitmentPolicyName;
  /** Default 20. */
  maxWrappedKeys?: number;
  /** Bytes that may have to be kept in memory until a tag is checked. Default 64 MiB. */
  maxFrameLength?: number;
}

const MAX_WRAPPED_KEYS = 20;
export const MAX_FRAME_LENGTH = 64 * 1024 * 1024;

/** @throws SealdropError `policy` */
export function assertAllowed({ suite, info }: Header, policy: ReadPolicy, held: boolean): void {
  const commitment = policy.commitmentPolicy ?? 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT';
  if (!suite.committing && commitment === 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT')
    throw new SealdropError('policy', `the message does not commit to its data key (suite ${info.suiteId})`, {
      hint: 'such a message can be made to open differently under two keys; if you trust its writer: --commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT',
    });
  const maxKeys = policy.maxWrappedKeys ?? MAX_WRAPPED_KEYS;
  if (info.wrappedKeys.length > maxKeys)
    throw new SealdropError(
      'policy',
      `the message has ${info.wrappedKeys.length} wrapped keys, allowed are ${maxKeys}`,
      {
        hint: 'each may cost a private key operation; if that is meant: --max-wrapped-keys',
      },
    );
  const maxFrame = policy.maxFrameLength ?? MAX_FRAME_LENGTH;
  if (info.frameLength > maxFrame && !held)
    throw new SealdropError(
      'policy',
      `the message has frames of ${info.frameLength} bytes, allowed are ${maxFrame}`,
      {
        hint: 'a frame is kept in memory until it is checked: get the object into a file, or raise --max-frame-length',
      },
    );
}
