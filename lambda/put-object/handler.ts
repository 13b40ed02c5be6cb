import { createApi, type AccessEntry } from '../../src/gateway/api/api.js';
import { lambdaHandler } from '../../src/gateway/api/lambda-event.js';
import { putObject, type PutObjectOptions } from '../../src/gateway/api/put-object.js';
import type { PutObjectSettings } from '../../src/contract.js';

/** With base64 and the event around it, what Lambda's 6 MB take. */
const MAX_BYTES = 4 * 1024 * 1024;

export interface Dependencies {
  readonly withParts: PutObjectOptions['withParts'];
  readonly report: (entry: AccessEntry) => void;
}

export function createHandler({ principals }: PutObjectSettings, { withParts, report }: Dependencies) {
  const put = putObject({ withParts, maxBytes: MAX_BYTES });
  return lambdaHandler(createApi({ handlers: { 'PUT /v1/objects/{key+}': put }, report }), principals);
}
