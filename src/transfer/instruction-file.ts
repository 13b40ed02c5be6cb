/**
 * The object `KEY.instruction`, in which an s3ec object's wrapped key may lie.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/data-format/metadata-strategy.md.
 */
import { isSealdropError, SealdropError } from '../errors.js';
import {
  INSTRUCTION_SUFFIX,
  MAX_INSTRUCTION_BYTES,
  type ObjectInfo,
  type ObjectStore,
  type RemoveOptions,
  type WriteCondition,
} from '../ports.js';
import { printable } from '../printable.js';

/** S3's limit, and what file systems and stores made of them take of a segment. */
const MAX_KEY_BYTES = 1024;
const MAX_SEGMENT_BYTES = 255;

/** Of the file's metadata: `UPLOAD_ENTRY` of the object that it was written for. Other clients' files have none. */
export const OBJECT_ENTRY = 'sealdrop-object';

export interface InstructionFile {
  readonly info: ObjectInfo;
  readonly bytes: Buffer;
}

export const instructionKey = (key: string): string => key + INSTRUCTION_SUFFIX;

/** Whether an object of that key and size may be an instruction file: its content tells. */
export const mayBeInstructionFile = ({ key, size }: Pick<ObjectInfo, 'key' | 'size'>): boolean =>
  key.endsWith(INSTRUCTION_SUFFIX) && key.length > INSTRUCTION_SUFFIX.length && size <= MAX_INSTRUCTION_BYTES;

/**
 * What lies under `KEY.instruction`, whatever it is; undefined where nothing does, or no such key can be.
 * @throws SealdropError `instruction_file` where it is larger than one ever is, and what the store throws
 */
export async function readInstruction(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<InstructionFile | undefined> {
  const at = instructionKey(key);
  if (Buffer.byteLength(at) > MAX_KEY_BYTES) return undefined;
  try {
    const { info, body } = await store.get(at, signal && { signal });
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of body) {
      pieces.push(Buffer.from(piece as Uint8Array));
      size += (piece as Uint8Array).length;
      if (size > MAX_INSTRUCTION_BYTES) throw tooLarge(store.address(at));
    }
    return { info, bytes: Buffer.concat(pieces) };
  } catch (error) {
    if (isSealdropError(error) && (error.code === 'object_not_found' || isTooLong(at, error)))
      return undefined;
    throw error;
  }
}

/** Stores that keep segments as names of files refuse such a key, each with an error of its own. */
const isTooLong = (key: string, { code }: SealdropError): boolean =>
  ['key_not_storable', 'store_refused'].includes(code) &&
  Buffer.byteLength(key.slice(key.lastIndexOf('/') + 1)) > MAX_SEGMENT_BYTES;

function tooLarge(address: string): SealdropError {
  return new SealdropError(
    'instruction_file',
    `${printable(address)} is larger than ${MAX_INSTRUCTION_BYTES} bytes: it is no instruction file`,
  );
}

const WRAPPED_KEYS = ['x-amz-key', 'x-amz-key-v2', 'x-amz-3'];

/** A JSON object with a wrapped key in it. No message and no ciphertext is one. */
export function isInstructionFile(bytes: Buffer): boolean {
  try {
    const found: unknown = JSON.parse(bytes.toString('utf8'));
    return (
      typeof found === 'object' && found !== null && WRAPPED_KEYS.some((name) => Object.hasOwn(found, name))
    );
  } catch {
    return false;
  }
}

/** The instruction file of a key, if that is what lies there. */
export async function findInstruction(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<InstructionFile | undefined> {
  const found = await readInstruction(store, key, signal).catch((error: unknown) => {
    if (isSealdropError(error) && error.code === 'instruction_file') return undefined;
    throw error;
  });
  return found !== undefined && isInstructionFile(found.bytes) ? found : undefined;
}

/**
 * Removes an object, and then its instruction file where it has one: without the object it opens nothing. The file is looked
 * for before, so that one which comes with another object meanwhile stays.
 */
export async function removeWithInstruction(
  store: ObjectStore,
  key: string,
  options: RemoveOptions = {},
): Promise<void> {
  const { signal } = options;
  const found = await findInstruction(store, key, signal);
  await store.remove(key, options);
  if (found === undefined) return;
  await store
    .remove(found.info.key, { ifMatch: found.info.etag, ...(signal && { signal }) })
    .catch(unlessOther);
}

function unlessOther(error: unknown): void {
  if (!isSealdropError(error) || error.code !== 'precondition_failed') throw error;
}

/**
 * For an object whose key ends as those of instruction files do: it must not take the place of one that is in use.
 * @returns the condition that keeps this true
 * @throws SealdropError `target_exists`
 */
export async function assertNotInstruction(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<WriteCondition | undefined> {
  if (!mayBeInstructionFile({ key, size: 0 })) return undefined;
  const of = key.slice(0, -INSTRUCTION_SUFFIX.length);
  const found = await readInstruction(store, of, signal).catch((error: unknown) => {
    // Too large for one; or who may not list is told so of what is absent, and may not read what is there.
    if (isSealdropError(error) && ['instruction_file', 'access_denied'].includes(error.code)) return null;
    throw error;
  });
  if (found === null) return undefined;
  if (found === undefined) return { absent: true };
  if (isInstructionFile(found.bytes))
    throw new SealdropError(
      'target_exists',
      `${printable(store.address(key))} is an instruction file: the wrapped key of ${printable(of)} lies there`,
      { hint: 'without it that object never opens again: name another key, or remove that object first' },
    );
  return { ifMatch: found.info.etag };
}

/**
 * Without its instruction file an object never opens again: the two are removed together.
 * @throws SealdropError `usage`
 */
export async function assertNotInUse(store: ObjectStore, key: string, signal?: AbortSignal): Promise<void> {
  if (!mayBeInstructionFile({ key, size: 0 })) return;
  const of = key.slice(0, -INSTRUCTION_SUFFIX.length);
  if ((await findInstruction(store, of, signal)) === undefined) return;
  const object = await store.head(of, signal && { signal }).catch((error: unknown) => {
    if (isSealdropError(error) && error.code === 'object_not_found') return undefined;
    throw error;
  });
  if (object === undefined) return;
  throw new SealdropError(
    'usage',
    `${printable(store.address(key))} is the instruction file of ${printable(store.address(of))}, which opens no more without it`,
    { hint: 'remove that object: its instruction file goes with it' },
  );
}
