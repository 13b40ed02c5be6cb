/** The real thing, with the settings that were found: put, get, list and remove as every command does them. */
import { randomBytes } from 'node:crypto';
import { isSealdropError, type SealdropError } from '../errors.js';
import type { ByteSource, ObjectStore, PutOptions } from '../ports.js';
import type { StoreTraits } from '../store-traits.js';
import { broken, ok, warning, type Found } from './finding.js';

const MIB = 1024 * 1024;

export const leastPart = ({ minPartSize = 0 }: StoreTraits): number => Math.max(5 * MIB, minPartSize);

/**
 * @param prefix with a slash at its end; everything is removed again
 * @param partSize more than this is sent in parts
 */
export async function rehearse(
  store: ObjectStore,
  prefix: string,
  { partSize, signal }: { partSize: number; signal: AbortSignal },
): Promise<Found[]> {
  const small = await tried(() => putAndGet(store, `${prefix}small`, 1000, signal));
  if (small.verdict === 'broken') return [small];
  const large = await tried(() => putAndGet(store, `${prefix}large`, 2 * partSize + 1000, signal));
  const listed = await tried(() => listing(store, prefix, large.verdict === 'broken' ? 1 : 2, signal));
  return [small, large, listed, await tried(() => overwriting(store, `${prefix}small`, signal))];
}

async function tried(run: () => Promise<Found>): Promise<Found> {
  try {
    return await run();
  } catch (error) {
    if (!isSealdropError(error) || error.code === 'interrupted') throw error;
    return broken(error.message, error.hint);
  }
}

async function putAndGet(store: ObjectStore, key: string, size: number, signal: AbortSignal): Promise<Found> {
  const content = randomBytes(size);
  const { checked } = await store.put(key, piecesOf(content), { size, metadata: {}, signal });
  const { body } = await store.get(key, { signal });
  const pieces: Buffer[] = [];
  for await (const piece of body as AsyncIterable<Buffer>) pieces.push(Buffer.from(piece));
  if (!Buffer.concat(pieces).equals(content)) return broken(`${size} bytes do not come back as they went`);
  const how = { signature: 'its signature', crc32: 'CRC32', 'etag-md5': 'MD5', fsync: 'fsync', size: '' }[
    checked
  ];
  const text = `put and got ${size} bytes`;
  if (how === '')
    return warning(`${text}; the store proves no more than their number`, 'take another --checksum');
  return ok(`${text}, proven by ${how}`);
}

async function* piecesOf(content: Buffer): ByteSource {
  for (let at = 0; at < content.length; at += MIB) yield content.subarray(at, at + MIB);
}

async function listing(
  store: ObjectStore,
  prefix: string,
  count: number,
  signal: AbortSignal,
): Promise<Found> {
  let found = 0;
  for await (const { key } of store.list(prefix, { signal })) if (key.startsWith(prefix)) found++;
  return found >= count ? ok('listed') : broken(`${found} of ${count} objects are listed`);
}

/** What `--no-overwrite` needs. */
async function overwriting(store: ObjectStore, key: string, signal: AbortSignal): Promise<Found> {
  const options: PutOptions = { size: 1, condition: { absent: true }, signal };
  const refused = await store.put(key, piecesOf(Buffer.from('x')), options).then(
    () => undefined,
    (error: SealdropError) => error,
  );
  if (refused?.code === 'precondition_failed') return ok('an object is not replaced with --no-overwrite');
  if (refused !== undefined) throw refused;
  return broken('an object was replaced with --no-overwrite');
}
