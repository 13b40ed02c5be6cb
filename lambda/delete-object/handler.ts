import { createApi, type AccessEntry } from '../../src/gateway/api/api.js';
import { deleteObject, type DeleteObjectOptions } from '../../src/gateway/api/delete-object.js';
import { lambdaHandler } from '../../src/gateway/api/lambda-event.js';
import type { DeleteObjectSettings } from '../../src/contract.js';

export interface Dependencies {
  readonly withVault: DeleteObjectOptions['withVault'];
  readonly report: (entry: AccessEntry) => void;
}

export function createHandler({ principals }: DeleteObjectSettings, { withVault, report }: Dependencies) {
  const handlers = { 'DELETE /v1/objects/{key+}': deleteObject({ withVault }) };
  return lambdaHandler(createApi({ handlers, report }), principals);
}
