/** A get that goes on where an earlier one was broken off. */
import { throwIfAborted } from '../../errors.js';
import type { Decryptor, MessageInfo, ObjectInfo, ObjectStore, Ranges } from '../../ports.js';
import { readAttributes } from '../attributes.js';
import { openFound } from '../get-range.js';
import { get, type GetJob, type OpenReport } from '../get.js';
import { openStored, type FoundObject } from '../stored-object.js';
import { MAX_STATE } from './files.js';
import type { KeptFile } from './kept-file.js';
import type { Identity } from './state.js';

export type KeptEvent =
  /** Bytes of plaintext that are there, and of all. */
  | { readonly kind: 'resumed'; readonly there: number; readonly size: number }
  | { readonly kind: 'restarted'; readonly why: string };

export interface KeptGetJob extends GetJob {
  target: KeptFile;
  ranges: Ranges;
  onEvent?: (event: KeptEvent) => void;
}

/** As `get`. Where it is interrupted, or the store goes away for good, `target.kept` bytes stay beside the file. */
export async function getKept(job: KeptGetJob): Promise<OpenReport> {
  const { target, store, key } = job;
  let place: string;
  try {
    place = await placeOf(store, key);
    const resumed = target.previous && (await goOn(job, target.previous.identity, place));
    if (resumed !== undefined) return resumed;
    await target.start();
  } catch (error) {
    await target.discard(error);
    throw error;
  }
  let found: ObjectInfo | undefined;
  const decryptor = watching(job.decryptor, target, (info, header) => {
    if (found === undefined || !isResumable(info, found.size)) return;
    const { etag, size } = found;
    const { frameLength } = info;
    target.identify({ place, key, etag, size, header: header.toString('base64'), frameLength });
  });
  return get({
    ...job,
    decryptor,
    onFound(size, info) {
      found = info;
      job.onFound?.(size, info);
    },
  });
}

const placeOf = async (store: ObjectStore, key: string): Promise<string> =>
  (await store.place?.()) ?? store.address(key);

/** Bytes of state for a frame. */
const PER_FRAME = 40;

/** Messages whose frames are authenticated one by one, and by nothing else. */
const isResumable = ({ format, frameLength, signed, headerLength }: MessageInfo, size: number): boolean =>
  format === 'esdk' &&
  !signed &&
  frameLength > 0 &&
  headerLength <= MAX_HEADER &&
  (size / frameLength) * PER_FRAME < MAX_STATE;

/** What an object is known by before more than its beginning was fetched. */
const MAX_HEADER = 64 * 1024;

/** Tells of each frame; and of the header, once it is authenticated. */
function watching(
  decryptor: Decryptor,
  { onFrame }: KeptFile,
  tell: (info: MessageInfo, header: Buffer) => void,
): Decryptor {
  return {
    decrypt(source, call = {}) {
      const pieces: Buffer[] = [];
      let length = 0;
      async function* seen(): AsyncGenerator<Uint8Array> {
        for await (const piece of source) {
          if (length < MAX_HEADER) {
            const copy = Buffer.from(piece.subarray(0, MAX_HEADER - length));
            pieces.push(copy);
            length += copy.length;
          }
          yield piece;
        }
      }
      const accept = (info: MessageInfo) => {
        const judged = call.accept?.(info);
        tell(info, Buffer.concat(pieces).subarray(0, info.headerLength));
        return judged;
      };
      return decryptor.decrypt(seen(), { ...call, accept, onFrame });
    },
  };
}

/** @returns undefined where it has to begin anew */
async function goOn(job: KeptGetJob, identity: Identity, place: string): Promise<OpenReport | undefined> {
  const { target, onEvent, signal } = job;
  const object = await openStored(job.store, job.key, { signal });
  const why = differenceOf(identity, object, place);
  if (why !== undefined) {
    onEvent?.({ kind: 'restarted', why });
    return undefined;
  }
  const { opened, bound } = await openFound(object, { ...job, onFrame: target.onFrame });
  try {
    const { info, plaintextSize } = opened;
    // So that there is something left to fetch, and the end with it.
    const frames = Math.min(target.previous!.marks.length, Math.ceil(plaintextSize / info.frameLength) - 1);
    const isThere =
      frames > 0 &&
      info.frameLength === identity.frameLength &&
      (await target.goOn(frames, (mark, content) => opened.holds(mark, content)));
    if (!isThere) {
      onEvent?.({ kind: 'restarted', why: 'what was kept of it is not there any more, or was changed' });
      return undefined;
    }
    const first = frames * info.frameLength;
    onEvent?.({ kind: 'resumed', there: first, size: plaintextSize });
    let bytes = first;
    for await (const piece of (await opened.range({ first })).content) {
      throwIfAborted(signal);
      await target.write(piece);
      bytes += piece.length;
      job.onProgress?.(bytes);
    }
    throwIfAborted(signal);
    await target.commit(job.preserve === true ? readAttributes(info.context) : undefined);
    return { info, bound, plaintextSize };
  } finally {
    opened.close();
  }
}

function differenceOf(kept: Identity, { info, beginning }: FoundObject, place: string): string | undefined {
  const header = Buffer.from(kept.header, 'base64');
  if (kept.place !== place || kept.key !== info.key) return 'it was of another object';
  const isSame =
    kept.etag === info.etag &&
    kept.size === info.size &&
    header.length > 0 &&
    header.equals(beginning.subarray(0, header.length));
  return isSame ? undefined : 'the object is another one by now';
}
