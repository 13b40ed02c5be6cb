import { MessageChannel, type MessagePort } from 'node:worker_threads';

let nowhere: MessagePort | undefined;

/** Less is not worth the call. */
const LEAST = 4096;

/**
 * Frees the memory of bytes at once, which the collector would do some hundred results later: until then new ones take new
 * memory, which is slow, and much. Whoever still has the bytes sees none any more. What shares its memory is left alone.
 */
export function giveBack(...pieces: readonly Uint8Array[]): void {
  const buffers: ArrayBuffer[] = [];
  for (const { buffer, byteLength } of pieces)
    if (byteLength >= LEAST && buffer.byteLength === byteLength) buffers.push(buffer as ArrayBuffer);
  if (buffers.length === 0) return;
  if (nowhere === undefined) {
    nowhere = new MessageChannel().port1;
    nowhere.close();
  }
  // What is handed to a port that nobody listens to is gone. (ArrayBuffer.prototype.transfer does it too, from Node 22 on.)
  nowhere.postMessage(undefined, buffers);
}
