/** What can be known of an object without a key. It proves no integrity: see docs/security.md. */
import { Readable } from 'node:stream';
import { SealdropError } from '../../errors.js';
import type {
  ByteSource,
  Inspector,
  MessageInfo,
  ObjectParts,
  ScanResult,
  SizeEstimate,
} from '../../ports.js';
import { CBC, TAG_BYTES } from './algorithms.js';
import { assertPossibleSize } from './body-size.js';
import { infoOf, readHeader, suiteIdText, type S3ecHeader } from './header.js';

export const s3ecInspector: Inspector = { inspect, scan, plaintextSize };

async function inspect(source: ByteSource, parts?: ObjectParts): Promise<MessageInfo> {
  try {
    return infoOf(await read(parts));
  } finally {
    await close(source);
  }
}

async function scan(source: ByteSource, parts?: ObjectParts): Promise<ScanResult> {
  const header = await read(parts).catch(async (error: unknown) => {
    await close(source);
    throw error;
  });
  let size = 0;
  for await (const piece of source) size += piece.length;
  assertPossibleSize(header.content, size);
  const info = infoOf(header);
  return { info, frames: 1, plaintextSize: plaintextSize(info, size).bytes, ciphertextSize: size };
}

/** With CBC, padding of 1 to 16 bytes is encrypted with it. */
function plaintextSize({ suiteId }: MessageInfo, size: number): SizeEstimate {
  if (suiteId !== suiteIdText(CBC)) return { bytes: Math.max(0, size - TAG_BYTES), exact: true };
  return { bytes: Math.max(0, size - 1), exact: false, least: Math.max(0, size - 16) };
}

async function read(parts: ObjectParts | undefined): Promise<S3ecHeader> {
  if (parts === undefined)
    throw new SealdropError(
      'not_an_envelope',
      'an object of the S3 Encryption Client can be read only with its metadata',
      {
        hint: 'name it by its address in the store',
      },
    );
  return readHeader(parts);
}

/** A stream that nothing was read from is closed by no iterator. */
async function close(source: ByteSource): Promise<void> {
  if (source instanceof Readable) source.destroy();
  else await source[Symbol.asyncIterator]().return?.();
}
