import { Readable } from 'node:stream';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { HttpRequest } from '@smithy/core/protocols';

/** Between two turns of the event loop about so much is encrypted: less, and connections wait for the next turn. */
const PIECE = 1024 * 1024;

/** Sends large bodies piece by piece: of what it is given at once, TLS makes the whole ciphertext before it sends any. */
export class PiecewiseHandler extends NodeHttpHandler {
  override async handle(
    request: HttpRequest,
    options?: Parameters<NodeHttpHandler['handle']>[1],
  ): ReturnType<NodeHttpHandler['handle']> {
    const { body } = request as { body?: unknown };
    if (!(body instanceof Uint8Array) || body.length <= PIECE) return super.handle(request, options);
    // The SDK keeps its own: bytes may be sent again, a stream may not.
    const copy = HttpRequest.clone(request);
    copy.body = inPieces(body);
    return super.handle(copy, options);
  }
}

function inPieces(bytes: Uint8Array): Readable {
  let at = 0;
  return new Readable({
    highWaterMark: 1,
    read() {
      this.push(at < bytes.length ? bytes.subarray(at, (at += PIECE)) : null);
    },
  });
}
