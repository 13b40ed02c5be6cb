/** An object of an inbox as what is encrypted. */
import type { Readable } from 'node:stream';
import { isSealdropError, SealdropError } from '../errors.js';
import type { ByteSource, InboxObject } from '../ports.js';
import type { Source } from '../transfer/source.js';

/** @param admit throws where the object cannot be taken; called before its first byte is */
export function inboxSource(info: InboxObject, body: Readable, admit: () => void): Source {
  return {
    size: info.size,
    read: () => {
      admit();
      return translated(body);
    },
    close: async () => void body.destroy(),
  };
}

async function* translated(body: Readable): ByteSource & AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Buffer>;
  } catch (error) {
    throw sourceError(error);
  }
}

/** An inbox's answer, its errors told apart from the vault's. */
export async function ofSource<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw sourceError(error);
  }
}

function sourceError(error: unknown): unknown {
  if (!isSealdropError(error)) return error;
  const { code, message, hint } = error;
  const details = { cause: error, hint, retryable: true };
  if (code === 'precondition_failed') return new SealdropError('source_changed', message, details);
  // Rights may be given; a request that makes no sense to the store never will.
  if (code === 'access_denied' || code === 'credentials_missing')
    return new SealdropError('source_unreadable', message, details);
  if (code === 'store_refused' || code === 'sse_key_required')
    return new SealdropError('source_unreadable', message, { ...details, retryable: false });
  return error;
}
