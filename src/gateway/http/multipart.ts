/**
 * The file of a multipart/form-data body, pulled piece by piece. RFC 7578, as S3 reads forms: the file is the field
 * `file`, and the last one.
 */
import { SealdropError } from '../../errors.js';
import type { ByteSource } from '../../ports.js';

const MAX_HEADERS = 8 * 1024;
const MAX_FIELD = 64 * 1024;
const MAX_FIELDS = 50;
const CRLF = '\r\n';

/**
 * Ends without an error only where the form is complete.
 * @throws SealdropError `unsupported_media_type`, `invalid_request`; what `body` throws
 */
export async function* fileOfForm(type: string | undefined, body: ByteSource): AsyncGenerator<Uint8Array> {
  const delimiter = `${CRLF}--${boundaryOf(type)}`;
  const reader = new DelimitedReader(body);
  await reader.until(delimiter, MAX_HEADERS);
  for (let fields = 0; fields < MAX_FIELDS; fields++) {
    if ((await reader.until(CRLF, MAX_HEADERS)).toString() !== '')
      throw invalid('the form has no file', 'the file is the last field, and is called file');
    const headers = await reader.until(CRLF + CRLF, MAX_HEADERS);
    if (nameOf(headers.toString()) === 'file') {
      yield* reader.stream(delimiter);
      return reader.end();
    }
    await reader.until(delimiter, MAX_FIELD);
  }
  throw invalid('the form has too many fields', `send no more than ${MAX_FIELDS}`);
}

function boundaryOf(type = ''): string {
  const match = /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary !== undefined) return boundary;
  throw new SealdropError('unsupported_media_type', 'the body must be multipart/form-data with a boundary', {
    hint: 'send the form with the fields of the upload, and the file in a field called file',
  });
}

function nameOf(headers: string): string | undefined {
  const line = headers.split(CRLF).find((each) => /^content-disposition:/i.test(each));
  return /;\s*name=(?:"([^"]*)"|([^\s;"]+))/i
    .exec(line ?? '')
    ?.slice(1)
    .find((name) => name !== undefined);
}

class DelimitedReader {
  readonly #source: AsyncIterator<Uint8Array>;
  /** The first delimiter is without the line break that belongs to it. */
  #held = Buffer.from(CRLF);

  constructor(source: ByteSource) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** What comes before the delimiter, which is left out. */
  async until(delimiter: string, max: number): Promise<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(delimiter);
      if (at >= 0) return this.#take(at, delimiter.length);
      if (this.#held.length > max) throw invalid('a field of the form is too long');
      if (!(await this.#more())) throw invalid('the form is cut off');
    }
  }

  async *stream(delimiter: string): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(delimiter);
      if (at >= 0) {
        yield this.#take(at, delimiter.length);
        return;
      }
      // The end of what is held may be the beginning of the delimiter.
      const sure = this.#held.length - delimiter.length + 1;
      if (sure > 0) yield this.#take(sure, 0);
      if (!(await this.#more())) throw invalid('the form is cut off');
    }
  }

  /** After the last field: two dashes, and then nothing that counts. */
  async end(): Promise<void> {
    while (this.#held.length <= MAX_HEADERS && (await this.#more()));
    const rest = this.#held.toString('latin1');
    if (rest.length <= MAX_HEADERS && /^--\s*$/.test(rest)) return;
    throw invalid('something follows the file in the form', 'send the file as the last field');
  }

  #take(length: number, skip: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length + skip);
    return taken;
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    this.#held = Buffer.concat([this.#held, next.value]);
    return true;
  }
}

function invalid(message: string, hint = 'send it again, to its end'): SealdropError {
  return new SealdropError('invalid_request', message, { hint });
}
