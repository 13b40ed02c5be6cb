/** Tells S3's answers from those of other servers: a login page, a proxy, the wrong port. */
import type { Readable } from 'node:stream';
import type { S3Client, ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-s3';
import type { DeserializeMiddleware } from '@smithy/types';
import { NotS3Answer } from './s3-errors.js';

interface Answer {
  statusCode: number;
  headers: Record<string, string>;
  body: Readable | Uint8Array;
}

/** Several times what the largest page of a listing takes. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Objects have any content type; what stands in other answers is XML or nothing. */
const ANSWERED_WITH_OBJECT = new Set(['GetObjectCommand', 'HeadObjectCommand']);
const FOREIGN_TYPE = /^(text\/html|application\/(xhtml\+xml|json|problem\+json))/i;

/** @throws NotS3Answer for what no S3 server answers; 5xx may come from a proxy in front of one, and pass. */
export function assertS3Answer({ statusCode: status, headers }: Omit<Answer, 'body'>, command: string): void {
  if (status >= 500) return;
  const type = headers['content-type'] ?? '';
  const withObject = status < 300 && ANSWERED_WITH_OBJECT.has(command);
  if (FOREIGN_TYPE.test(type) && !withObject)
    throw new NotS3Answer(`answered ${status} with ${type.split(';')[0]!.toLowerCase()}`);
  const redirect = status === 301 || status === 302 || status === 307 || status === 308;
  if (redirect && !Object.keys(headers).some((name) => name.startsWith('x-amz-')))
    throw new NotS3Answer(`answered ${status}, a redirection to another address`);
  if (status >= 200 && status < 300 && ANSWERED_WITH_OBJECT.has(command) && headers.etag === undefined)
    throw new NotS3Answer(`answered ${status} without an ETag`);
}

/** Holds no piece longer than until the next one: very small ones would take far more memory than their bytes. */
async function readAll(body: Readable, time: number): Promise<Buffer> {
  const slow = Object.assign(new Error(`the answer did not end within ${time} ms`), { code: 'ETIME' });
  const timer = setTimeout(() => body.destroy(slow), time);
  let all = Buffer.alloc(0);
  let total = 0;
  try {
    // Leaving the loop by an error destroys the body.
    for await (const piece of body as AsyncIterable<Buffer>) {
      if (total + piece.length > MAX_BYTES)
        throw new NotS3Answer(`answered with more than ${MAX_BYTES} bytes`);
      if (total + piece.length > all.length) all = Buffer.concat([all], 2 * (total + piece.length));
      total += piece.copy(all, total);
    }
    return all.subarray(0, total);
  } finally {
    clearTimeout(timer);
  }
}

const middleware =
  (time: number): DeserializeMiddleware<ServiceInputTypes, ServiceOutputTypes> =>
  (next, context) =>
  async (args) => {
    const result = await next(args);
    const answer = result.response as Answer;
    const command = context.commandName as string;
    const body = answer.body as Readable;
    try {
      assertS3Answer(answer, command);
    } catch (error) {
      body.destroy();
      throw error;
    }
    const isObject = command === 'GetObjectCommand' && answer.statusCode < 300;
    // The SDK would collect all that comes, for as long as it comes.
    if (!isObject) answer.body = await readAll(body, time);
    return result;
  };

/**
 * Looks at every answer before the SDK tries to make sense of it. `time`: milliseconds that one may take which is no
 * object.
 */
export function checkAnswers(client: S3Client, time: number): void {
  client.middlewareStack.add(middleware(time), {
    name: 'sealdropAnswers',
    step: 'deserialize',
    // The innermost: others read the body too.
    priority: 'low',
    override: true,
  });
}
