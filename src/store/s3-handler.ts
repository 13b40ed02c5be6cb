import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { SecureContext } from 'node:tls';
import { Readable } from 'node:stream';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { HttpRequest } from '@smithy/core/protocols';
import { DirectGet } from './direct-get.js';

/** Between two turns of the event loop about so much is encrypted: less, and connections wait for the next turn. */
const PIECE = 1024 * 1024;

export interface S3HandlerOptions {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
  readonly secureContext: SecureContext | undefined;
  /** Milliseconds to connect; without a byte; and until an answer begins, drop by drop. */
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  readonly answerTimeout: number;
}

type HandlerOptions = Parameters<NodeHttpHandler['handle']>[1] & { readonly direct?: boolean };

/** What the SDK says is for whoever writes programs with it. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** Node's client, but for what carries many bytes. */
export class S3Handler extends NodeHttpHandler {
  readonly #direct: DirectGet;

  constructor(options: S3HandlerOptions) {
    super({
      httpAgent: options.httpAgent,
      httpsAgent: options.httpsAgent,
      connectionTimeout: options.connectTimeout,
      socketTimeout: options.idleTimeout,
      requestTimeout: options.answerTimeout,
      throwOnRequestTimeout: true,
      // It has nothing to say but that requests wait for a socket, which is what they shall do.
      logger: SILENT,
    });
    this.#direct = new DirectGet(options);
  }

  override async handle(
    request: HttpRequest,
    options?: HandlerOptions,
  ): ReturnType<NodeHttpHandler['handle']> {
    const { body } = request as { body?: unknown };
    if (options?.direct === true) {
      const response = await this.#direct.get(request, options.abortSignal as AbortSignal | undefined);
      if (response !== undefined) return { response };
    }
    if (!(body instanceof Uint8Array) || body.length <= PIECE) return super.handle(request, options);
    // The SDK keeps its own: bytes may be sent again, a stream may not.
    const copy = HttpRequest.clone(request);
    copy.body = inPieces(body);
    return super.handle(copy, options);
  }

  override destroy(): void {
    super.destroy();
    this.#direct.destroy();
  }
}

/** Of what it is given at once, TLS makes the whole ciphertext before it sends any. */
function inPieces(bytes: Uint8Array): Readable {
  let at = 0;
  return new Readable({
    highWaterMark: 1,
    read() {
      this.push(at < bytes.length ? bytes.subarray(at, (at += PIECE)) : null);
    },
  });
}
