/**
 * No client-side encryption: the bytes as they are, for objects that the store alone shall encrypt. Nothing of them is
 * authenticated, and nothing binds them to their key.
 */
import { SealdropError } from '../errors.js';
import type { ByteSource, Decryptor, Encryptor, MessageInfo } from '../ports.js';
import { beginsAsMessage, LOOKED_AT } from './esdk/beginning.js';

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
  unauthenticated: true,
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

function assertNoMessage(start: Uint8Array): void {
  if (!beginsAsMessage(start)) return;
  throw new SealdropError('usage', 'this is an encrypted message, and no plain file', {
    hint: 'leave --format plain out, and give the private key',
  });
}
