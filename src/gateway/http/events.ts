/**
 * `POST /v1/events`: notifications of a MinIO server, each with a bearer token that no caller of the API has. It is no
 * route of the API's document.
 */
import { timingSafeEqual } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import { json, type ApiRequest, type ApiResponse } from '../api/http.js';
import { unauthorized } from '../api/principal.js';
import { digestOf } from './tokens.js';

export const EVENTS_PATH = '/v1/events';
const MAX_BYTES = 1024 * 1024;

export interface EventSink {
  /** SHA-256 of the token. */
  readonly tokenDigest: Buffer;
  /** @returns how many objects it was about; undefined where there is no room now. @throws SealdropError `event_malformed` */
  notify(message: unknown): number | undefined;
}

export async function receiveEvents(sink: EventSink, request: ApiRequest): Promise<ApiResponse> {
  const token = /^bearer +(\S+) *$/i.exec(request.headers['authorization'] ?? '')?.[1];
  if (token === undefined || !timingSafeEqual(digestOf(token), sink.tokenDigest)) throw unauthorized();
  const accepted = sink.notify(await readMessage(request));
  if (accepted !== undefined) return json(202, { accepted });
  throw new SealdropError('store_unavailable', 'too much is waiting already', { retryable: true });
}

async function readMessage({ body }: ApiRequest): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body.read()) {
    size += piece.length;
    if (size > MAX_BYTES)
      throw new SealdropError('too_large', `a notification has at most ${MAX_BYTES} bytes`);
    pieces.push(Uint8Array.from(piece));
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    throw new SealdropError('event_malformed', 'a notification must be JSON');
  }
}
