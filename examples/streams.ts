// The envelope alone: encrypt and decrypt in a pipeline of streams, and tell errors apart by their codes.
import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, gunzipSync } from 'node:zlib';
import { decryptStream, encryptStream, generateKeyPair, isIntegrityError, type ErrorCode } from 'sealdrop';

const pair = await generateKeyPair();
const publicKeys = [Buffer.from(pair.publicKey)];
const privateKeys = [Buffer.from(pair.privateKey.reveal())];
const text = Buffer.from('one line of a log\n'.repeat(200_000));

/** Where a pipeline ends here; a file or a socket would do as well. */
function collector(into: Buffer[]): Writable {
  return new Writable({
    write: (piece: Buffer, _encoding, done) => {
      into.push(piece);
      done();
    },
  });
}

// Compress first: what is encrypted cannot be compressed any more. The context can be read by anybody, changed by nobody.
const message: Buffer[] = [];
const encrypt = await encryptStream({ publicKeys, context: { project: 'lab' } });
await pipeline(Readable.from([text]), createGzip(), encrypt, collector(message));

async function open(bytes: Buffer): Promise<Buffer> {
  const opened: Buffer[] = [];
  const decrypt = await decryptStream({ privateKeys, context: { project: 'lab' } });
  await pipeline(Readable.from([bytes]), decrypt, collector(opened));
  return Buffer.concat(opened);
}

/** Branch on codes, never on texts: docs/errors.md has them all. */
async function codeOf(attempt: Promise<unknown>): Promise<ErrorCode | 'fine'> {
  try {
    await attempt;
    return 'fine';
  } catch (error) {
    if (isIntegrityError(error)) return error.code;
    throw error;
  }
}

const whole = Buffer.concat(message);
assert.deepEqual(gunzipSync(await open(whole)), text);

const flipped = Buffer.from(whole);
flipped[flipped.length - 20]! ^= 1;
assert.equal(await codeOf(open(flipped)), 'frame_auth');
assert.equal(await codeOf(open(whole.subarray(0, -1))), 'truncated');
assert.equal(await codeOf(open(text)), 'not_an_envelope');

console.log(`${text.length} bytes became ${whole.length}; a changed, a cut and a plain one were refused`);
