/**
 * No client-side encryption: the bytes as they are, for objects that the store alone shall encrypt. Nothing of them is
 * authenticated, and nothing binds them to their key.
 */
import { SealdropError } from '../errors.js';
import type { ByteSource, Decryptor, Encryptor, MessageInfo } from '../ports.js';
import { suiteById } from './esdk/suites.js';

export const plainEncryptor: Encryptor = {
  format: 'plain',
  recipients: [],
  encrypt: (source) => source,
  ciphertextSize: (bytes) => ({ bytes, exact: true }),
};

const INFO: MessageInfo = {
  format: 'plain',
  version: 0,
  suite: 'none',
  suiteId: 'none',
  committing: false,
  signed: false,
  frameLength: 0,
  headerLength: 0,
  messageId: '',
  context: {},
  wrappedKeys: [],
};

export const plainDecryptor: Decryptor = {
  async *decrypt(source, { accept } = {}) {
    accept?.(INFO);
    yield* afterLook(source);
  },
};

/** What is encrypted must not pass for the file that it was made of. @throws SealdropError `usage` */
async function* afterLook(source: ByteSource): AsyncGenerator<Uint8Array> {
  let start: Uint8Array | undefined = new Uint8Array(0);
  for await (const piece of source) {
    if (start === undefined) {
      yield piece;
      continue;
    }
    start = Buffer.concat([start, piece]);
    if (start.length < LOOKED_AT) continue;
    assertNoMessage(start);
    yield start;
    start = undefined;
  }
  if (start !== undefined && start.length > 0) yield start;
}

const LOOKED_AT = 4;

/** Version 1: version, type, suite. Version 2: version, suite, and a message id (message-header.md of the specification). */
function assertNoMessage(start: Uint8Array): void {
  const [version, second = 0, third = 0, fourth = 0] = start;
  const id = version === 1 && second === 0x80 ? (third << 8) | fourth : (second << 8) | third;
  if (suiteById(id)?.messageVersion !== version) return;
  throw new SealdropError('usage', 'this is an encrypted message, and no plain file', {
    hint: 'leave --format plain out, and give the private key',
  });
}
