/** Which of the ways to prove what arrives a store takes. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ChecksumMode } from '../ports.js';
import type { RawStore } from '../raw-store.js';
import { note, ok, setting, type Found } from './finding.js';
import { answered, isDone, type Scratch } from './scratch.js';

const BODY = Buffer.from('sealdrop looks which checksums are taken');

export async function checkChecksums(scratch: Scratch): Promise<Found[]> {
  const md5 = createHash('md5').update(BODY).digest('base64');
  const byCrc = await put(scratch, {
    'x-amz-checksum-crc32': crc32Text(BODY),
    'x-amz-sdk-checksum-algorithm': 'CRC32',
  });
  const byMd5 = await put(scratch, { 'content-md5': md5 });
  const inUse = modeOf(scratch.raw);
  const better: ChecksumMode = byMd5.taken ? 'md5' : 'signature';
  return [
    byCrc.taken
      ? ok(byCrc.echoed ? 'CRC32 is checked' : 'CRC32 is taken, and not said to be checked')
      : refused('CRC32 headers are refused', byCrc.answer, inUse === 'crc32' ? better : undefined, scratch),
    byMd5.taken
      ? ok('Content-MD5 is taken')
      : refused('Content-MD5 is refused', byMd5.answer, inUse === 'md5' ? 'signature' : undefined, scratch),
    await trailer(scratch),
  ];
}

function refused(text: string, answer: string, instead: ChecksumMode | undefined, { raw }: Scratch): Found {
  const said = `${text} (${answer})`;
  if (instead === undefined) return note(`${said}: sealdrop does not send them to it`);
  return setting(said, { checksum: instead }, raw.traits);
}

/** What `auto` comes to: docs/stores.md. */
export function modeOf({ traits, url, aws }: RawStore): Exclude<ChecksumMode, 'auto'> {
  const { checksum = 'auto' } = traits;
  if (checksum !== 'auto') return checksum;
  return url.protocol === 'http:' ? 'signature' : aws ? 'crc32' : 'md5';
}

async function put(
  scratch: Scratch,
  headers: Record<string, string>,
): Promise<{ taken: boolean; echoed: boolean; answer: string }> {
  const answer = await scratch.send({ method: 'PUT', key: 'checksum', headers, body: BODY });
  const echoed = answer.headers['x-amz-checksum-crc32'] !== undefined;
  return { taken: isDone(answer), echoed, answer: answered(answer) };
}

/** The form that AWS's SDKs choose by themselves. sealdrop doesn't; others who use the store want to know. */
async function trailer(scratch: Scratch): Promise<Found> {
  const name = 'x-amz-checksum-crc32';
  const chunk = `${BODY.length.toString(16)}\r\n${BODY.toString()}\r\n0\r\n${name}:${crc32Text(BODY)}\r\n\r\n`;
  const answer = await scratch.send({
    method: 'PUT',
    key: 'trailer',
    body: Buffer.from(chunk),
    headers: {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': String(BODY.length),
      'content-encoding': 'aws-chunked',
      'x-amz-trailer': name,
    },
  });
  const advice = 'sealdrop sends none; for other tools: request_checksum_calculation = when_required';
  if (!isDone(answer)) return note(`checksums in trailers are refused (${answered(answer)}): ${advice}`);
  const got = await scratch.send({ method: 'GET', key: 'trailer' });
  if (got.body.equals(BODY)) return ok('checksums in trailers are understood');
  return note(`checksums in trailers are stored as if they were content: ${advice}`);
}

function crc32Text(body: Buffer): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64');
}
