import type { ListedPart, SentPart } from '../../ports.js';
import type { State } from './state.js';

/**
 * The parts that need not be sent again: those whose answers were written down, as the store has them still. One whose answer
 * was lost is sent again, the very same bytes.
 * @param listed undefined where the upload is gone: then those whose answers were written down
 * @param size of the message, in bytes
 * @returns undefined where the store has a part that was never sent from here, or another than was sent
 */
export function partsThere(
  { identity, digests, sent }: State,
  listed: readonly ListedPart[] | undefined,
  size: number,
): ReadonlyMap<number, SentPart> | undefined {
  const sizeOf = (number: number) =>
    Math.min(number * identity.partSize, size) - (number - 1) * identity.partSize;
  for (const part of sent.values())
    if (!digests.has(part.number) || part.size !== sizeOf(part.number)) return undefined;
  if (listed === undefined) return sent;
  const there = new Map<number, SentPart>();
  for (const { number, size: bytes, etag } of listed) {
    const part = sent.get(number);
    const isKnown = part === undefined ? digests.has(number) : part.etag === etag;
    if (!isKnown || bytes !== sizeOf(number)) return undefined;
    if (part !== undefined) there.set(number, part);
  }
  return there;
}
