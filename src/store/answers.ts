/** Tells S3's answers from those of other servers: a login page, a proxy, the wrong port. */
import type { S3Client, ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-s3';
import type { DeserializeMiddleware } from '@smithy/types';
import { NotS3Answer } from './s3-errors.js';

interface Answer {
  statusCode: number;
  headers: Record<string, string>;
}

/** Objects have any content type; what stands in other answers is XML or nothing. */
const ANSWERED_WITH_OBJECT = new Set(['GetObjectCommand', 'HeadObjectCommand']);
const FOREIGN_TYPE = /^(text\/html|application\/(xhtml\+xml|json|problem\+json))/i;

/** @throws NotS3Answer for what no S3 server answers; 5xx may come from a proxy in front of one, and pass. */
export function assertS3Answer({ statusCode: status, headers }: Answer, command: string): void {
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

const middleware: DeserializeMiddleware<ServiceInputTypes, ServiceOutputTypes> =
  (next, context) => async (args) => {
    const result = await next(args);
    assertS3Answer(result.response as Answer, context.commandName as string);
    return result;
  };

/** Looks at every answer before the SDK tries to make sense of it. */
export function checkAnswers(client: S3Client): void {
  client.middlewareStack.addRelativeTo(middleware, {
    name: 'sealdropAnswers',
    relation: 'after',
    toMiddleware: 'deserializerMiddleware',
    override: true,
  });
}
