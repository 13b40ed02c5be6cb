import { createApi, type AccessEntry } from '../../src/gateway/api/api.js';
import { decryptObject, type DecryptObjectOptions } from '../../src/gateway/api/decrypt-object.js';
import { lambdaHandler } from '../../src/gateway/api/lambda-event.js';
import type { DecryptObjectSettings } from '../../src/contract.js';

export interface Dependencies extends Pick<DecryptObjectOptions, 'withParts' | 'audit'> {
  readonly report: (entry: AccessEntry) => void;
}

export function createHandler(
  { principals, prefixes }: DecryptObjectSettings,
  { withParts, audit, report }: Dependencies,
) {
  const handlers = { 'POST /v1/decrypt/{key+}': decryptObject({ withParts, audit, prefixes }) };
  return lambdaHandler(createApi({ handlers, report }), principals);
}
