/** What can be known of a message without a key. It proves no integrity: see docs/security.md. */
import { SealdropError } from '../../errors.js';
import type { ByteSource, Inspector, MessageInfo, ScanResult } from '../../ports.js';
import { ByteReader } from '../byte-reader.js';
import { contentOf, readUnits } from './body.js';
import { readHeader } from './header.js';
import { plaintextSize } from './sizes.js';
import { suiteById } from './suites.js';

export const esdkInspector: Inspector = {
  inspect,
  scan,
  plaintextSize: (info, size) => plaintextSize(suiteById(Number(info.suiteId))!, info, size),
};

async function inspect(source: ByteSource): Promise<MessageInfo> {
  const reader = new ByteReader(source);
  try {
    return (await readHeader(reader)).info;
  } finally {
    await reader.close();
  }
}

async function scan(source: ByteSource): Promise<ScanResult> {
  const reader = new ByteReader(source);
  try {
    const header = await readHeader(reader);
    let frames = 0;
    let size = 0;
    // A limit of 0 cuts every frame into pieces: nothing is decrypted, so nothing has to wait for its tag.
    for await (const unit of readUnits(reader, header, true, 0)) {
      for await (const piece of contentOf(unit)) size += piece.length;
      await unit.tag();
      frames++;
    }
    if (header.suite.signature) await skipFooter(reader);
    if (!(await reader.atEnd()))
      throw new SealdropError('trailing_data', 'there are bytes after the message');
    return { info: header.info, frames, plaintextSize: size, ciphertextSize: reader.position };
  } finally {
    await reader.close();
  }
}

async function skipFooter(reader: ByteReader): Promise<void> {
  const length = await reader.read(2);
  const expected = length.length === 2 ? length.readUInt16BE(0) : 1;
  if ((await reader.read(expected)).length < expected)
    throw new SealdropError('truncated', 'the message ends within its signature');
}
