/** Query parameters and JSON bodies, checked by the schemas that the OpenAPI document shows. */
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { schemaProblem } from './check-schema.js';
import type { ApiRequest } from './http.js';
import type { Schema } from './schemas.js';

const MAX_JSON_BYTES = 64 * 1024;

/** @throws SealdropError `invalid_request` */
export function readQuery<T>(query: URLSearchParams, parameters: Readonly<Record<string, Schema>>): T {
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(parameters)) {
    const [text, more] = query.getAll(name);
    if (more !== undefined) throw invalid(`${name}: it is given twice`);
    if (text === undefined) continue;
    const value = schema.type === 'integer' && /^\d{1,9}$/.test(text) ? Number(text) : text;
    const problem = schemaProblem(value, schema, name);
    if (problem !== undefined) throw invalid(problem);
    values[name] = value;
  }
  return values as T;
}

/** @throws SealdropError `invalid_request`, `unsupported_media_type`, `too_large` */
export async function readJson<T>({ headers, body }: ApiRequest, schema: Schema): Promise<T> {
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json')
    throw new SealdropError('unsupported_media_type', 'the body must be application/json', {
      hint: 'send content-type: application/json',
    });
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body.read()) {
    size += piece.length;
    if (size > MAX_JSON_BYTES)
      throw new SealdropError('too_large', `the body must be at most ${MAX_JSON_BYTES} bytes`);
    // Copied: a source may use its memory again.
    pieces.push(Uint8Array.from(piece));
  }
  const value = parse(Buffer.concat(pieces));
  const problem = schemaProblem(value, schema);
  if (problem !== undefined) throw invalid(problem);
  return value as T;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalid('the body is not JSON in UTF-8');
  }
}

function invalid(problem: string): SealdropError {
  return new SealdropError('invalid_request', printable(problem), {
    hint: 'GET /v1/openapi.json says what is asked for',
  });
}
