/** Uploads in parts: which parts are taken, and what becomes of them. */
import { createHash } from 'node:crypto';
import { completion } from './conditions.js';
import { broken, note, ok, setting, type Found } from './finding.js';
import { answered, isDone, textOf, unquoted, type Scratch } from './scratch.js';

const MIB = 1024 * 1024;
const LEAST = 5 * MIB;
/** Tried where the least of S3 is too little. */
const LARGER = [8 * MIB, 16 * MIB, 32 * MIB];
const MANY = [10_000, 5_000, 1_000, 500, 100];

export async function checkMultipart(scratch: Scratch): Promise<Found[]> {
  const sized = await checkSizes(scratch);
  if (sized.verdict === 'broken') return [sized];
  const least = sized.settings?.minPartSize ?? leastOf(scratch);
  return [sized, await checkNumbers(scratch), await checkUnequal(scratch, least), await checkAbort(scratch)];
}

/** Two parts of this size and a small last one. @returns why not, or undefined, and the ETag of the whole */
async function upload(
  scratch: Scratch,
  key: string,
  sizes: readonly number[],
): Promise<{ refused?: string; etag?: string; parts: Buffer[] }> {
  const parts = sizes.map((size, i) => Buffer.alloc(size, i + 1));
  const id = await scratch.begin(key);
  if (id === undefined) return { refused: 'no upload is begun', parts };
  const etags: string[] = [];
  for (const [i, body] of parts.entries()) {
    const query = { uploadId: id, partNumber: String(i + 1) };
    const part = await scratch.send({ method: 'PUT', key, query, body });
    if (!isDone(part)) return { refused: answered(part), parts };
    etags.push(part.headers.etag ?? '');
  }
  const done = await scratch.send({ method: 'POST', key, query: { uploadId: id }, body: completion(etags) });
  if (!isDone(done) || textOf(done, 'Code') !== undefined) return { refused: answered(done), parts };
  const head = await scratch.send({ method: 'HEAD', key });
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (Number(head.headers['content-length']) !== total) return { refused: 'its size is another', parts };
  return { etag: unquoted(head.headers.etag), parts };
}

const leastOf = ({ raw }: Scratch): number => Math.max(LEAST, raw.traits.minPartSize ?? 0);

async function checkSizes(scratch: Scratch): Promise<Found> {
  const least = leastOf(scratch);
  const first = await upload(scratch, 'multipart', [least, least, 1000]);
  if (first.refused === undefined) {
    const shape = isUsual(first.etag ?? '', first.parts)
      ? 'the ETag is as S3 makes it'
      : 'the ETag is made in another way, and not relied on';
    return ok(`parts of ${least / MIB} MiB; ${shape}`);
  }
  for (const size of LARGER.filter((each) => each > least)) {
    const { refused } = await upload(scratch, 'multipart', [size, size, 1000]);
    if (refused === undefined)
      return setting(
        `parts must be larger than ${least / MIB} MiB`,
        { minPartSize: size },
        scratch.raw.traits,
      );
  }
  return broken(
    `an upload in parts is refused: ${first.refused}`,
    'objects up to one part can be stored: choose a large --part-size',
  );
}

function isUsual(etag: string, parts: readonly Buffer[]): boolean {
  const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest();
  return etag === `${md5(Buffer.concat(parts.map(md5))).toString('hex')}-${parts.length}`;
}

/** Whether the highest number of a part that S3 has is taken. */
async function checkNumbers(scratch: Scratch): Promise<Found> {
  const { maxParts = 10_000 } = scratch.raw.traits;
  const id = await scratch.begin('numbers');
  if (id === undefined) return note('the number of parts was not tried');
  for (const number of MANY) {
    const query = { uploadId: id, partNumber: String(number) };
    const part = await scratch.send({ method: 'PUT', key: 'numbers', query, body: Buffer.from('part') });
    if (!isDone(part)) continue;
    if (number >= maxParts) return ok(`up to ${maxParts} parts`);
    return { verdict: 'setting', text: `only ${number} parts are taken`, settings: { maxParts: number } };
  }
  return broken('parts beyond the 100th are refused');
}

async function checkUnequal(scratch: Scratch, least: number): Promise<Found> {
  const { refused } = await upload(scratch, 'unequal', [least + MIB, least, 1000]);
  if (refused === undefined) return ok('parts may differ in size');
  return note(`all parts but the last must have one size (${refused}): sealdrop sends them so`);
}

async function checkAbort(scratch: Scratch): Promise<Found> {
  const id = await scratch.begin('aborted');
  if (id === undefined) return note('aborting was not tried');
  const query = { uploadId: id };
  await scratch.send({
    method: 'PUT',
    key: 'aborted',
    query: { ...query, partNumber: '1' },
    body: Buffer.from('x'),
  });
  const aborted = await scratch.send({ method: 'DELETE', key: 'aborted', query });
  const parts = await scratch.send({ method: 'GET', key: 'aborted', query });
  if (isDone(aborted) && parts.status === 404) return ok('an upload can be aborted');
  return note(
    `an aborted upload stays for a while (${answered(aborted)}): docs/stores.md, "Unfinished uploads"`,
  );
}
